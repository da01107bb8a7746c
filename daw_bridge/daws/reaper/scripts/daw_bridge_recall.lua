-- DAW Bridge: make the selected items' active takes again, the same.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "recall")
