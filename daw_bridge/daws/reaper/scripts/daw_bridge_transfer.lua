-- DAW Bridge: make the selected items, or parts of them, sound like something else.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "transfer")
