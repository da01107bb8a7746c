-- DAW Bridge: a new sound on the selected track, as long as the time selection.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "generate")
