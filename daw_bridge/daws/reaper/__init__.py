"""REAPER: ReaScripts in Lua, takes in the item."""
