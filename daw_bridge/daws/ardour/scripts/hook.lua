ardour {
  ["type"] = "EditorHook",
  name = "@NAME@",
  license = "Apache-2.0",
  author = "DAW Bridge @VERSION@",
  description = [[@DESCRIPTION@]],
}

function signals ()
  return LuaSignal.Set ():add ({ [LuaSignal.LuaTimerS] = true })
end

function factory ()
  local bridge
  return function ()
    if not bridge then
      local load_bridge = loadfile (@BRIDGE@)
      bridge = load_bridge and load_bridge (@FOLDER@) or { tick = function () end }
    end
    bridge.tick ()
  end
end
