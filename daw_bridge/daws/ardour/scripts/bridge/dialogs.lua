-- What the user is asked and told.
local bridge = ...

local TITLE = "DAW Bridge"
-- In columns: the first holds what a field is, the rest the field.
local WIDTH = 4

function bridge.tell (message, hint)
  LuaDialog.Message (TITLE, hint and hint ~= "" and message .. "\n\n" .. hint or message,
    LuaDialog.MessageType.Info, LuaDialog.ButtonType.OK):run ()
end

local function settings_path ()
  return bridge.folder .. "/settings.note"
end

--- Return what was last asked for.
function bridge.remembered ()
  return bridge.read_note (settings_path ()) or { rows = {} }
end

function bridge.remember (ask, settings)
  local last = bridge.remembered ()
  last.ask = ask
  for key, value in pairs (settings) do
    last[key] = value
  end
  bridge.write_note (settings_path (), last)
end

local function number (last, key, otherwise)
  return tonumber (last[key]) or otherwise
end

local function entry (last, key, title)
  return { type = "entry", key = key, title = title, default = last[key] or "" }
end

local function box (last, key, title, otherwise)
  local value = last[key] == nil and otherwise or last[key] == "true"
  return { type = "checkbox", key = key, title = title, default = value, col = 0, colspan = WIDTH }
end

local function spin (last, key, title, low, high, otherwise, step)
  return {
    type = "number", key = key, title = title, min = low, max = high, step = step or 1,
    digits = 0, default = number (last, key, otherwise),
  }
end

-- Sliders of dialogs follow no arrow keys but from end to end.
local function share (last, key, title, otherwise)
  local field = spin (last, key, title, 0, 1, otherwise, 0.05)
  field.digits = 2
  return field
end

local FIELDS = {
  prompt = function (last) return entry (last, "prompt", "Prompt") end,
  strength = function (last)
    return share (last, "strength", "Strength (0: nothing changes, 1: as much as can)", 0.6)
  end,
  vary = function (last)
    return share (last, "vary", "Vary by (0: the same again, 1: as far as can)", 0.3)
  end,
  seconds = function (last)
    return {
      type = "number", key = "seconds", title = "Length in seconds", min = 0.2, max = 600, step = 0.5,
      digits = 2, default = number (last, "seconds", 5),
    }
  end,
  cutoff_hz = function (last)
    return spin (last, "cutoff_hz", "Highs begin at (Hz; 0: where the region's end)", 0, 24000, 0, 100)
  end,
  low_hz = function (last) return spin (last, "low_hz", "From (Hz)", 0, 20000, 0, 100) end,
  high_hz = function (last) return spin (last, "high_hz", "To (Hz; 0: no limit)", 0, 24000, 0, 100) end,
  takes = function (last) return spin (last, "takes", "Takes", 1, 16, 3) end,
  seed = function () return { type = "entry", key = "seed", title = "Seed (empty: any)", default = "" } end,
  negative = function (last) return entry (last, "negative", "Not this") end,
  steps = function (last) return spin (last, "steps", "Steps (0: as set in the program)", 0, 200, 0, 5) end,
  model = function (last) return entry (last, "model", "Model (empty: as set in the program)") end,
  keep_rhythm = function (last) return box (last, "keep_rhythm", "Keep the rhythm", false) end,
  keep_pitch = function (last) return box (last, "keep_pitch", "Keep the notes", false) end,
  keep_level = function (last) return box (last, "keep_level", "Keep the loudness from moment to moment", false) end,
  -- Never remembered: a prompt is what is mostly wanted.
  highs = function () return box ({}, "highs", "Only make the highs that it lacks (prompt and strength do not count)", false) end,
  mutes = function (last) return box (last, "mutes", "Mute the original while a take is heard", true) end,
}

local function laid_out (field)
  if not field.col then
    field.col, field.colspan = 0, WIDTH
  end
  return field
end

-- Fields are as wide as what stands in their column, and short ones are too narrow for a prompt.
local HELP = {
  prompt = "What it shall sound like, as: an old music box in a large empty hall, far away",
  vary = "Variations lie beside the take that they are made from, on the same track of takes",
}

local function help (name)
  return { type = "label", title = HELP[name], align = "left", col = 1, colspan = WIDTH - 1 }
end

local WHOLE = { "takes", "steps", "low_hz", "high_hz", "cutoff_hz" }

local function seed_of (text)
  if text:match ("^%s*$") then
    return os.time () % 100000
  end
  local seed = math.tointeger (tonumber (text))
  if not seed or seed < 0 then
    bridge.refuse ("\"" .. text .. "\" is no seed.", "Give a whole number, or nothing for any seed.")
  end
  return seed
end

local function read_back (answer)
  local settings = {}
  for key, value in pairs (answer) do
    settings[key] = value
  end
  for _, key in ipairs (WHOLE) do
    settings[key] = settings[key] and math.floor (settings[key] + 0.5)
  end
  if settings.seed then
    settings.seed = seed_of (settings.seed)
  end
  return settings
end

--- Ask for some fields; nothing when the user cancels.
function bridge.ask (title, about, names)
  local last = bridge.remembered ()
  local fields = { { type = "heading", title = about, align = "left", col = 0, colspan = WIDTH } }
  for _, name in ipairs (names) do
    fields[#fields + 1] = laid_out (FIELDS[name] (last))
    if HELP[name] then
      fields[#fields + 1] = help (name)
    end
  end
  local answer = LuaDialog.Dialog (TITLE .. ": " .. title, fields):run ()
  return answer and read_back (answer) or nil
end

--- Return the settings of the last job, as if they had been asked for again, with any seed.
function bridge.settings_again ()
  local last = bridge.remembered ()
  local settings = {}
  for _, key in ipairs { "prompt", "negative", "model" } do
    settings[key] = last[key]
  end
  for _, key in ipairs { "strength", "vary", "seconds", "low_hz", "high_hz", "cutoff_hz", "takes", "steps" } do
    settings[key] = tonumber (last[key])
  end
  for _, key in ipairs { "keep_rhythm", "keep_pitch", "keep_level", "mutes" } do
    if last[key] then
      settings[key] = last[key] == "true"
    end
  end
  for _, key in ipairs (WHOLE) do
    settings[key] = settings[key] and math.tointeger (settings[key])
  end
  settings.seed = seed_of ("")
  return settings
end

--- Show rows with a box each, and return which boxes were ticked; nothing when the user cancels.
function bridge.choose (title, about, rows)
  local fields = { { type = "heading", title = about, align = "left", col = 0, colspan = WIDTH } }
  for index, row in ipairs (rows) do
    fields[#fields + 1] = { type = "checkbox", key = "row" .. index, title = row, default = false, col = 0, colspan = WIDTH }
  end
  local answer = LuaDialog.Dialog (TITLE .. ": " .. title, fields):run ()
  local chosen = {}
  for index in ipairs (rows) do
    chosen[index] = answer and answer["row" .. index] or false
  end
  return answer and chosen or nil
end
