-- Jobs on their way: marked above the tracks, collected when they are done, stopped.
local bridge = ...

-- On a busy machine the program takes its time to start.
local PATIENCE_S = 60
local MARK = "%[(db%w+)%]$"

local function mark_of (id)
  for location in Session:locations ():list ():iter () do
    if location:name ():match (MARK) == id then
      return location
    end
  end
end

--- Show over the place where takes will lie how far their job is.
function bridge.mark (job, words)
  local track = job.track ~= "" and job.track .. ", " or ""
  local name = string.format ("%s: %s%s [%s]", words, track, tostring (job.words):sub (1, 30), job.id)
  local mark = mark_of (job.id)
  if not mark then
    local first = math.tointeger (tonumber (job.position))
    local last = first + math.tointeger (tonumber (job.length))
    mark = Session:locations ():add_range (bridge.position (first), bridge.position (last))
  end
  if mark:name () ~= name then
    mark:set_name (name)
  end
end

local function unmark (id)
  local mark = mark_of (id)
  if mark then
    Session:locations ():remove (mark)
  end
end

--- Remove marks of jobs that are not on their way, as after a session was closed without saving.
function bridge.sweep_marks ()
  local pending = {}
  for _, id in ipairs (bridge.pending ()) do
    pending[id] = true
  end
  for _, location in ipairs (Session:locations ():list ():table ()) do
    local id = location:name ():match (MARK)
    if id and not pending[id] then
      Session:locations ():remove (location)
    end
  end
end

--- Return what a job is called in sentences.
function bridge.title_of (job)
  local of = (job.of or "") ~= "" and job.of ~= job.words and " of " .. job.of or ""
  return string.format ("\"%s\"%s", job.words, of)
end

local function words_of (status)
  if not status then
    return "starts"
  elseif status.state == "waiting" then
    return "waits"
  end
  local fraction = tonumber (status.fraction) or 0
  return string.format ("%d %% %s", math.floor (100 * fraction), status.stage or "")
end

local function end_job (job, state)
  job.state = state
  bridge.settle (job.id)
  unmark (job.id)
  if state == "placed" then
    bridge.write_job (job)
  else
    bridge.discard (job)
  end
end

local function last_line (path)
  return (bridge.read_text (path) or ""):match ("([^\r\n]+)%s*$") or ""
end

local failures = {}

local function fail (job, message, hint)
  job.message, job.hint = message, hint or ""
  failures[#failures + 1] = job
end

--- Return why a job's program will not answer, or nothing as long as it may.
local function unheard (job)
  local code = (bridge.read_text (job.launcher .. "/exit.txt") or ""):match ("%d+")
  local words = last_line (job.launcher .. "/log.txt")
  if code and code ~= "0" then
    return string.format ("%s could not be run%s", bridge.command[1], words ~= "" and ": " .. words or " (exit status " .. code .. ")")
  elseif os.time () - tonumber (job.launched) > PATIENCE_S then
    return string.format ("%s was started %d s ago and has not answered%s. If takes come after all, they are placed.",
      bridge.command[1], PATIENCE_S, words ~= "" and ": " .. words or "")
  end
end

--- Wait for the first answer; where there is none for long it is told once, and still waited for.
local function wait_for_answer (job)
  if job.state == "unheard" then
    return
  end
  local reason = unheard (job)
  if reason then
    job.state = "unheard"
    fail (job, reason, "Run: daw-bridge install-scripts ardour, and daw-bridge doctor.")
    bridge.write_job (job)
    unmark (job.id)
  else
    bridge.mark (job, words_of ())
  end
end

local function collect (job, status)
  if not status then
    wait_for_answer (job)
  elseif status.state == "done" then
    job.rows = status.rows
    end_job (job, "placed")
    bridge.place (job, status)
  elseif status.state == "failed" then
    fail (job, status.message or status.code, status.hint)
    end_job (job, "failed")
  elseif status.state == "cancelled" then
    end_job (job, "cancelled")
  else
    bridge.mark (job, words_of (status))
  end
end

local function run_again (ids)
  local jobs = {}
  for _, id in ipairs (ids) do
    local job = bridge.read_job (id)
    local status = job and bridge.status_of (job)
    if job and not (status and (status.state == "done" or status.state == "failed" or status.state == "cancelled")) then
      jobs[#jobs + 1] = job
    end
  end
  if #jobs > 0 then
    bridge.run_errands (jobs)
  end
end

local looked_s, session_path, is_busy = 0, "", false

local function look ()
  for _, id in ipairs (bridge.pending ()) do
    local job = bridge.read_job (id)
    if job then
      collect (job, bridge.status_of (job))
    else
      bridge.settle (id)
    end
  end
end

local function tell_failures ()
  while #failures > 0 do
    local job = table.remove (failures, 1)
    bridge.tell (string.format ("%s failed: %s", bridge.title_of (job), job.message), job.hint)
  end
end

local function look_around ()
  if Session:path () ~= session_path then
    session_path = Session:path ()
    run_again (bridge.pending ())
    bridge.sweep_marks ()
  end
  -- While a take is recorded nothing is brought in, and nobody is asked anything while the transport rolls.
  if not Session:actively_recording () then
    look ()
  end
  if not Session:transport_rolling () then
    tell_failures ()
  end
end

--- Look once a second how the jobs are.
function bridge.tick ()
  if is_busy or os.time () == looked_s or not Session then
    return
  end
  looked_s, is_busy = os.time (), true
  local is_done, problem = pcall (look_around)
  is_busy = false
  if not is_done then
    bridge.tell (bridge.problem_text (problem))
  end
end

--- Return the jobs that have not ended, and a line about each.
function bridge.running_jobs ()
  local jobs, lines = {}, {}
  for _, id in ipairs (bridge.pending ()) do
    local job = bridge.read_job (id)
    if job then
      jobs[#jobs + 1] = job
      lines[#lines + 1] = string.format ("%s%s: %s", job.track ~= "" and job.track .. ", " or "", job.words, words_of (bridge.status_of (job)))
    end
  end
  return jobs, lines
end

--- Have a job stopped; one that nobody has taken up yet ends here, and is not taken up any more.
function bridge.cancel (job)
  bridge.write_text (job.errand .. "/cancel", "")
  if not bridge.status_of (job) then
    end_job (job, "cancelled")
  end
end
