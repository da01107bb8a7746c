-- DAW Bridge: make spectral edits, or the selected part of items, anew.
local folder = ({ reaper.get_action_context() })[2]:match("^(.*[/\\])")
dofile(folder .. "lib/start.lua")(folder, "inpaint")
