"""Ardour: actions in Lua, errands out, regions on a take track back."""
