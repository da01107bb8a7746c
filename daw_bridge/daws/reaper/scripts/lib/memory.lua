-- What was asked last, for the next dialog, also after a restart of REAPER.
local memory = {}

local SECTION = "daw_bridge"

function memory.get(key, otherwise)
  local value = reaper.GetExtState(SECTION, key)
  return value ~= "" and value or otherwise
end

function memory.set(key, value)
  -- The file that keeps it has one line for each value.
  reaper.SetExtState(SECTION, key, (tostring(value):gsub("[\r\n]", " ")), true)
end

return memory
