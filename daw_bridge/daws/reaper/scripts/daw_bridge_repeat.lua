-- DAW Bridge: the same as last time, with what is selected now.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "repeat_last")
