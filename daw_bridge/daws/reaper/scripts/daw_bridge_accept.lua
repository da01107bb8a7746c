-- DAW Bridge: keep the take that is heard, and drop the others.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "accept")
