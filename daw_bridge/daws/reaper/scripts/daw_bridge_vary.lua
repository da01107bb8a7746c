-- DAW Bridge: make variations of the selected items' active takes.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "vary")
