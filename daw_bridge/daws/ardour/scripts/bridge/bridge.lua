-- Everything that the actions and the timer do, read anew by each action, so that an upgrade needs no restart.
-- Called with the folder that the parts lie in.
local folder = ...

local bridge = {
  folder = folder,
  version = "@VERSION@",
  command = { @COMMAND@ },
  errands = @ERRANDS@,
  is_windows = @IS_WINDOWS@,
}

for _, part in ipairs { "files", "times", "sound", "session", "errands", "dialogs", "takes", "switching", "jobs", "actions" } do
  assert (loadfile (folder .. "/" .. part .. ".lua")) (bridge)
end

return bridge
