-- DAW Bridge: make the highs that the selected items lack.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "superres")
