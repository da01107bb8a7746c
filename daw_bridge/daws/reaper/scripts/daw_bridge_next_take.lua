-- DAW Bridge: hear the next take of the selected items.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "next_take")
