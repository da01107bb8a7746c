-- Text, JSON, small files and the shell.
local bridge = ...

local function json_text (text)
  local escaped = text:gsub ('[%c"\\\127]', function (character)
    return string.format ("\\u%04x", character:byte ())
  end)
  return '"' .. escaped .. '"'
end

local function json_number (number)
  if math.type (number) == "integer" then
    return tostring (number)
  end
  -- A locale may write commas.
  return (string.format ("%.17g", number):gsub (",", "."))
end

--- Return a value as JSON; a table with [1] is a list.
function bridge.json (value)
  if type (value) == "table" then
    local parts = {}
    if value[1] ~= nil then
      for _, one in ipairs (value) do
        parts[#parts + 1] = bridge.json (one)
      end
      return "[" .. table.concat (parts, ",") .. "]"
    end
    for key, one in pairs (value) do
      parts[#parts + 1] = json_text (key) .. ":" .. bridge.json (one)
    end
    return "{" .. table.concat (parts, ",") .. "}"
  elseif type (value) == "number" then
    return json_number (value)
  elseif type (value) == "boolean" then
    return tostring (value)
  end
  return json_text (value)
end

function bridge.exists (path)
  local file = io.open (path, "rb")
  if file then
    file:close ()
  end
  return file ~= nil
end

function bridge.read_text (path)
  local file = io.open (path, "rb")
  if not file then
    return nil
  end
  local text = file:read ("a")
  file:close ()
  return text
end

--- Write a file that appears whole or not at all.
function bridge.write_text (path, text)
  local file, problem = io.open (path .. ".part", "wb")
  if not file then
    bridge.refuse (problem, "Look whether the disk is full or the folder is protected.")
  end
  file:write (text)
  file:close ()
  if bridge.is_windows then
    os.remove (path)
  end
  os.rename (path .. ".part", path)
end

local function fields_of (line)
  local fields = {}
  for field in (line .. "\t"):gmatch ("(.-)\t") do
    fields[#fields + 1] = field
  end
  return fields
end

--- Read "key<TAB>value" lines; those of takes, which there are several of, are lists under `rows`.
function bridge.read_note (path)
  local text = bridge.read_text (path)
  if not text then
    return nil
  end
  local note = { rows = {} }
  for line in text:gmatch ("[^\r\n]+") do
    local fields = fields_of (line)
    if fields[1] == "take" then
      table.insert (note.rows, fields)
    else
      note[fields[1]] = fields[2] or ""
    end
  end
  return note
end

function bridge.write_note (path, note)
  local lines = {}
  for key, value in pairs (note) do
    if key ~= "rows" then
      lines[#lines + 1] = key .. "\t" .. tostring (value):gsub ("[\t\r\n]", " ")
    end
  end
  table.sort (lines)
  for _, fields in ipairs (note.rows or {}) do
    lines[#lines + 1] = table.concat (fields, "\t")
  end
  bridge.write_text (path, table.concat (lines, "\n") .. "\n")
end

local function shell_word (text)
  return "'" .. text:gsub ("'", "'\\''") .. "'"
end

function bridge.make_folders (paths)
  local words = {}
  for index, path in ipairs (paths) do
    words[index] = bridge.is_windows and '"' .. path:gsub ("/", "\\") .. '"' or shell_word (path)
  end
  os.execute ((bridge.is_windows and "mkdir " or "mkdir -p ") .. table.concat (words, " "))
end

--- Remove files, and folders that are empty by then.
function bridge.remove (paths)
  for _, path in ipairs (paths) do
    os.remove (path)
  end
end

--- Start the program with these arguments, and do not wait for it. Its words go to log.txt in a folder,
--- and how it ended to exit.txt beside it, where the system has a shell for that.
function bridge.start (arguments, folder)
  os.remove (folder .. "/exit.txt")
  local words = { table.unpack (bridge.command) }
  table.move (arguments, 1, #arguments, #words + 1, words)
  if bridge.is_windows then
    os.forkexec (table.unpack (words))
    return
  end
  for index, word in ipairs (words) do
    words[index] = shell_word (word)
  end
  os.forkexec ("/bin/sh", "-c", string.format ("%s >%s 2>&1 </dev/null; echo $? >%s",
    table.concat (words, " "), shell_word (folder .. "/log.txt"), shell_word (folder .. "/exit.txt")))
end

--- Tell the user that something cannot be done, and stop what is being done.
function bridge.refuse (message, hint)
  error ({ message = message, hint = hint or "" }, 0)
end
