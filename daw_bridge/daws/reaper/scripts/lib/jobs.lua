-- Jobs from their region to their takes, beside everything else that REAPER does.
local need = ...
local capture = need("capture")
local errands = need("errands")
local files = need("files")
local places = need("places")
local progress = need("progress")
local say = need("say")
local jobs = {}

local POLL_S = 0.25
-- Without a sign of life for so long, the musician is told so; a busy machine may still be starting the command.
local IMPATIENCE_S = 10
-- Without one for so long, it cannot be run at all.
local PATIENCE_S = 60
-- Without a change for so long, whoever carried the errand out may be gone; if not, asking again changes nothing.
local SILENCE_S = 60

local NO_ANSWER = "DAW Bridge does not start: nothing answered within %d s to\n%s\n"
  .. "Type `daw-bridge doctor` in a terminal: it tells what is wrong."

local function fail(job, sentence)
  job.is_open, job.state, job.trouble = false, "failed", sentence
end

local function refusal_of(trouble)
  return type(trouble) == "table" and trouble.sentence or tostring(trouble)
end

-- Reads on in the job's region; when all is there, the request can go.
local function read(job)
  local is_fine, is_done = pcall(capture.step, job.reading)
  if not is_fine then
    capture.stop(job.reading)
    fail(job, refusal_of(is_done))
  elseif is_done then
    job.reading = nil
    job.phase = "read"
  else
    job.fraction = 0
  end
end

-- Makes the folders of all jobs that were read, and starts one command for all of them.
local function send(all, now_s)
  local folders = {}
  for _, job in ipairs(all) do
    if job.phase == "read" and job.is_open then
      job.folder = errands.new_folder()
      errands.leave(job.folder, job.request, job.home, job.recipe)
      job.phase, job.state, job.sent_s = "sent", "waiting", now_s
      folders[#folders + 1] = job.folder
    end
  end
  if #folders > 0 then
    errands.start(folders)
  end
end

local function build_peaks(job)
  local source = job.unseen[#job.unseen]
  if reaper.PCM_Source_BuildPeaks(source, 1) == 0 then
    reaper.PCM_Source_BuildPeaks(source, 2)
    table.remove(job.unseen)
  end
end

local function remember_peaks(job, sources)
  for _, source in ipairs(sources) do
    if reaper.PCM_Source_BuildPeaks(source, 0) ~= 0 then
      job.unseen[#job.unseen + 1] = source
    end
  end
end

local function finish(job, status)
  job.is_open, job.state, job.fraction = false, "done", 1
  if errands.is_placed(job.folder) then
    return
  end
  local sources = places.put(errands.home(job.folder), status.takes)
  if not sources then
    job.trouble = "The project is closed: open it, and run DAW Bridge: collect finished takes."
    return
  end
  if #sources < #status.takes then
    job.trouble = "REAPER cannot read " .. status.takes[#sources + 1].path .. "."
  end
  errands.close(job.folder)
  remember_peaks(job, sources)
end

local function trouble_of(status)
  local hint = status.hint and status.hint ~= "" and "\n" .. status.hint or ""
  local sentence = (status.message or "it failed without a reason"):gsub("^%l", string.upper)
  return sentence .. (sentence:match("[%.!?]$") and "" or ".") .. hint
end

local function hear(job, status, content, now_s)
  if content ~= job.heard then
    job.heard, job.heard_s = content, now_s
  end
  job.stage, job.eta_s = status.stage, status.eta_s
  job.fraction = math.max(job.fraction or 0, status.fraction)
  job.step, job.total = tonumber(status.step), tonumber(status.total)
  if status.state == "done" then
    finish(job, status)
  elseif status.state == "failed" then
    fail(job, trouble_of(status))
    errands.close(job.folder)
  elseif status.state == "cancelled" then
    job.is_open, job.state = false, "cancelled"
    errands.close(job.folder)
  else
    job.state = status.state
  end
end

local function poll(job, now_s)
  if errands.is_placed(job.folder) then
    -- OSC was faster.
    job.is_open, job.state, job.fraction = false, "done", 1
    return
  end
  local status, content = errands.status(job.folder)
  if status then
    hear(job, status, content, now_s)
  elseif now_s - job.sent_s > PATIENCE_S then
    fail(job, NO_ANSWER:format(PATIENCE_S, errands.command()))
  elseif now_s - job.sent_s > IMPATIENCE_S and job.state == "waiting" then
    job.state = "no answer yet from DAW Bridge"
  end
  if job.is_open and status and now_s - job.heard_s > SILENCE_S then
    job.heard_s = now_s
    errands.start({ job.folder })
  end
end

local function stop(job)
  if job.reading then
    capture.stop(job.reading)
    job.reading = nil
    job.is_open, job.state = false, "cancelled"
  elseif job.phase == "read" then
    job.is_open, job.state = false, "cancelled"
  else
    errands.cancel(job.folder)
    job.state = "cancelling"
  end
end

local function any(all, property)
  for _, job in ipairs(all) do
    if property(job) then
      return true
    end
  end
  return false
end

local function is_busy(job)
  return job.is_open or #job.unseen > 0
end

local function report(all)
  local sentences, told = {}, {}
  for _, job in ipairs(all) do
    if job.trouble and not told[job.trouble] then
      told[job.trouble] = true
      sentences[#sentences + 1] = job.trouble
    end
  end
  if #sentences > 0 then
    say.tell(table.concat(sentences, "\n\n"))
  end
end

-- The first job that is still to be read is read on; all others wait for their turn.
local function advance(all, now_s)
  for _, job in ipairs(all) do
    if job.reading and job.is_open then
      read(job)
      return
    end
  end
  send(all, now_s)
end

local function tend(all, window)
  local now_s = reaper.time_precise()
  advance(all, now_s)
  for _, job in ipairs(all) do
    if job.phase == "sent" and job.is_open and now_s >= (job.next_poll_s or 0) then
      job.next_poll_s = now_s + POLL_S
      poll(job, now_s)
    elseif #job.unseen > 0 then
      build_peaks(job)
    end
  end
  for _, job in ipairs(progress.show(window, all)) do
    stop(job)
  end
end

local function watch(all)
  local window = progress.open(#all)
  local function turn()
    say.guarded(function()
      tend(all, window)
      if any(all, is_busy) then
        reaper.defer(turn)
      else
        progress.close(window)
        report(all)
      end
    end)
  end
  turn()
end

local function made(wanted)
  return {
    title = wanted.home.title, request = wanted.request, home = wanted.home, reading = wanted.reading,
    recipe = wanted.recipe,
    phase = "read", state = "reading", fraction = 0, is_open = true, unseen = {},
  }
end

-- Carries jobs out: each {request, home, reading}, where reading is nil if there is nothing to read.
function jobs.carry_out(wanted)
  local all = {}
  for index, one in ipairs(wanted) do
    all[index] = made(one)
    all[index].phase = one.reading and "reading" or "read"
  end
  watch(all)
end

-- Takes up what was left behind when REAPER was closed; returns how many there are.
function jobs.take_up(folders)
  local all, now_s = {}, reaper.time_precise()
  for _, folder in ipairs(folders) do
    local home = errands.home(folder)
    if home and not errands.is_placed(folder) then
      all[#all + 1] = {
        title = home.title, folder = folder, home = home,
        phase = "sent", state = "waiting", fraction = 0, is_open = true, unseen = {}, sent_s = now_s, heard_s = now_s,
      }
    end
  end
  local unfinished = {}
  for _, job in ipairs(all) do
    local status = errands.status(job.folder)
    if not status or status.state == "waiting" or status.state == "running" then
      unfinished[#unfinished + 1] = job.folder
    end
  end
  if #unfinished > 0 then
    errands.start(unfinished)
  end
  if #all > 0 then
    watch(all)
  end
  return #all
end

-- Puts an errand that has ended into its project, if nobody has yet.
function jobs.apply(folder)
  if errands.is_placed(folder) then
    return
  end
  local status = errands.status(folder)
  if status and status.state == "done" then
    local job = { folder = folder, unseen = {} }
    finish(job, status)
    report({ job })
    local function see()
      if #job.unseen > 0 then
        build_peaks(job)
        reaper.defer(see)
      end
    end
    see()
  end
end

-- Stops everything that was asked for and has not ended.
function jobs.cancel_all()
  local count = 0
  for _, folder in ipairs(errands.all()) do
    local status = errands.status(folder)
    if status and (status.state == "waiting" or status.state == "running") then
      errands.cancel(folder)
      count = count + 1
    end
  end
  return count
end

return jobs
