-- Texts that leave REAPER: JSON out, and lines of a key, a tab and a value both ways.
local text = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(value)
  local escaped = value:gsub('[%c"\\]', function(character)
    return ESCAPES[character] or ("\\u%04x"):format(character:byte())
  end)
  return '"' .. escaped .. '"'
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no number for " .. tostring(value))
  end
  if math.type(value) == "integer" then
    return ("%d"):format(value)
  end
  -- A decimal comma of the system's language would not be JSON.
  return (("%.17g"):format(value):gsub(",", "."))
end

local json

local function list(values)
  local parts = {}
  for index, value in ipairs(values) do
    parts[index] = json(value)
  end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function object(values)
  local keys = {}
  for key in pairs(values) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for index, key in ipairs(keys) do
    keys[index] = quoted(key) .. ": " .. json(values[key])
  end
  return "{" .. table.concat(keys, ", ") .. "}"
end

function json(value)
  local kind = type(value)
  if kind == "string" then
    return quoted(value)
  elseif kind == "number" then
    return number(value)
  elseif kind == "table" then
    return #value > 0 and list(value) or object(value)
  end
  return tostring(value)
end

-- Returns a value as JSON; a table with entries from 1 on is a list, any other an object.
text.json = json

-- Returns the rest of each line by its key; "take" lines, which come more than once, as a list.
function text.pairs_of(content)
  local found = { takes = {} }
  for key, value in content:gmatch("([^\t\r\n]+)\t([^\r\n]*)") do
    if key == "take" then
      found.takes[#found.takes + 1] = value
    else
      found[key] = value
    end
  end
  return found
end

-- Returns lines that pairs_of reads; tabs and line ends in values become spaces.
function text.lines_of(values)
  local lines = {}
  for key, value in pairs(values) do
    lines[#lines + 1] = key .. "\t" .. tostring(value):gsub("[\t\r\n]", " ")
  end
  table.sort(lines)
  return table.concat(lines, "\n") .. "\n"
end

function text.fields(line)
  local fields = {}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do
    fields[#fields + 1] = field
  end
  return fields
end

-- Returns a short beginning for file names: letters, digits and dashes of a text.
function text.stem(value, fallback)
  local plain = value:gsub("[^%w]+", "-"):gsub("^%-+", ""):gsub("%-+$", ""):sub(1, 40):gsub("%-+$", "")
  return plain ~= "" and plain or fallback
end

return text
