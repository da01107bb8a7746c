-- DAW Bridge: make what the selected tracks have in each project region sound like something else.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "transfer_regions")
