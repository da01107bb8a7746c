-- The dialog before a job: REAPER's own, so that keyboard, clipboard and screen readers work as everywhere.
local need = ...
local memory = need("memory")
local say = need("say")
local ask = {}

-- A prompt may well have a comma.
local SEPARATOR = "\n"
local MAX_SEED = 2 ^ 31

local function words(value)
  if value:match("^%s*$") then
    return nil, "Say in words what you want to hear."
  end
  return (value:gsub("^%s+", ""):gsub("%s+$", ""))
end

local function any_words(value)
  return (value:gsub("^%s+", ""):gsub("%s+$", ""))
end

local function number_within(name, low, high)
  return function(value)
    local found = tonumber((value:gsub(",", ".")))
    if not found or found < low or found > high then
      return nil, ("%s is a number from %g to %g, not '%s'."):format(name, low, high, value)
    end
    return found
  end
end

local function whole_within(name, low, high)
  return function(value)
    local found = math.tointeger(tonumber(value))
    if not found or found < low or found > high then
      return nil, ("%s is a whole number from %d to %d, not '%s'."):format(name, low, high, value)
    end
    return found
  end
end

-- Where to begin is told by the sound itself, unless it is said.
local function cutoff(value)
  if value:match("^%s*$") then
    return ""
  end
  return number_within("Highs from", 20, 96000)(value)
end

local seed_of = whole_within("Seed", 0, MAX_SEED - 1)

-- Without one each job has another, so that asking again gives other sounds.
local function seed(value)
  if value:match("^%s*$") then
    return math.random(0, MAX_SEED - 1)
  end
  return seed_of(value)
end

local FIELDS = {
  prompt = { caption = "What to hear", otherwise = "", read = words },
  strength = { caption = "Strength 0 to 1", otherwise = "0.7", read = number_within("Strength", 0, 1) },
  takes = { caption = "Takes", otherwise = "3", read = whole_within("Takes", 1, 16) },
  seed = { caption = "Seed (empty: any)", otherwise = "", read = seed },
  cutoff_hz = { caption = "Highs from Hz (empty: where they end)", otherwise = "", read = cutoff },
  negative = { caption = "What not to hear", otherwise = "", read = any_words },
  vary = { caption = "How different 0 to 1", otherwise = "0.3", read = number_within("How different", 0, 1) },
  tell_port = { caption = "REAPER's OSC port (0: none)", otherwise = "0", read = whole_within("A port", 0, 65535) },
  model = { caption = "Model (empty: the service's)", otherwise = "", read = any_words },
}

local function captions(names)
  local found = {}
  for index, name in ipairs(names) do
    found[index] = FIELDS[name].caption
  end
  return table.concat(found, ",") .. ",extrawidth=260,separator=" .. SEPARATOR
end

local function last_texts(names)
  local found = {}
  for index, name in ipairs(names) do
    found[index] = memory.get(name, FIELDS[name].otherwise)
  end
  return found
end

local function split(answer)
  local found = {}
  for value in (answer .. SEPARATOR):gmatch("(.-)" .. SEPARATOR) do
    found[#found + 1] = value
  end
  return found
end

-- Returns what the texts mean by field, or nil and what is wrong with them.
local function read(names, texts)
  local values = {}
  for index, name in ipairs(names) do
    local value, trouble = FIELDS[name].read(texts[index] or "")
    if value == nil then
      return nil, trouble
    end
    values[name] = value
  end
  return values
end

-- Asks for some fields until their values are right, and keeps them; returns nil if the dialog was cancelled.
function ask.for_values(title, names)
  local texts = last_texts(names)
  while true do
    local is_confirmed, answer =
      reaper.GetUserInputs(title, #names, captions(names), table.concat(texts, SEPARATOR))
    if not is_confirmed then
      return nil
    end
    texts = split(answer)
    local values, trouble = read(names, texts)
    if values then
      for index, name in ipairs(names) do
        memory.set(name, texts[index])
      end
      return values
    end
    say.tell(trouble)
  end
end

-- Returns the values that a dialog would begin with.
function ask.last_values(names)
  local values, trouble = read(names, last_texts(names))
  if not values then
    say.refuse(trouble)
  end
  return values
end

return ask
