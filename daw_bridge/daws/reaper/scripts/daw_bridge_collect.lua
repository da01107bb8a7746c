-- DAW Bridge: collect takes that were finished while REAPER was closed.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "collect")
