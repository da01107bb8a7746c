-- DAW Bridge: hear the previous take of the selected items.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "previous_take")
