ardour {
  ["type"] = "EditorAction",
  name = "@NAME@",
  license = "Apache-2.0",
  author = "DAW Bridge @VERSION@",
  description = [[@DESCRIPTION@]],
}

function factory ()
  return function ()
    local load_bridge, problem = loadfile (@BRIDGE@)
    if not load_bridge then
      LuaDialog.Message ("DAW Bridge", problem .. "\nRun: daw-bridge install-scripts ardour",
        LuaDialog.MessageType.Error, LuaDialog.ButtonType.OK):run ()
      return
    end
    load_bridge (@FOLDER@).run_action ("@ACTION@")
  end
end
