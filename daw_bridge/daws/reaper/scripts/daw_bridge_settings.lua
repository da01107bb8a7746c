-- DAW Bridge: OSC port and model.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "settings")
