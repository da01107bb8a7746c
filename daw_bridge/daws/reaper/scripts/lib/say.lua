-- What the musician is told: one sentence, and nothing half done behind it.
local say = {}

local TITLE = "DAW Bridge"

-- Ends the action with a sentence; what was begun before must be undone by then.
function say.refuse(sentence, ...)
  error({ sentence = select("#", ...) > 0 and sentence:format(...) or sentence }, 0)
end

function say.tell(sentence)
  reaper.ShowMessageBox(sentence, TITLE, 0)
end

-- Runs a function; a refusal is told, any other error stays one.
function say.guarded(work)
  local is_done, trouble = xpcall(work, function(found)
    if type(found) == "table" and found.sentence then
      return found
    end
    return debug.traceback(tostring(found), 2)
  end)
  if is_done then
    return
  end
  if type(trouble) == "table" then
    say.tell(trouble.sentence)
  else
    error(trouble, 0)
  end
end

return say
