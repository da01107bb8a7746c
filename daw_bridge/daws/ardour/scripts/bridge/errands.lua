-- Jobs for the service: folders in which it finds what to do and says how far it is.
local bridge = ...

-- What the engine takes.
local SHORTEST_S, LONGEST_S = 0.01, 600
local SHORTEST_MADE_S = 0.2

local ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"

local function base36 (number)
  local text = ""
  repeat
    local digit = number % 36
    text = ID_LETTERS:sub (digit + 1, digit + 1) .. text
    number = number // 36
  until number == 0
  return text
end

local function new_id ()
  local number = os.time () * 100
  local id
  repeat
    id = "db" .. base36 (number)
    number = number + 1
  until not bridge.exists (bridge.session_folder () .. "/" .. id .. "/job.note")
    and not bridge.exists (bridge.errands .. "/ardour-" .. id .. "/errand.json")
  return id
end

--- Return a name for files: letters and digits of a text, and the id that tells the job.
local function stem_of (text, id)
  local plain = text:lower ():gsub ("[^%w]+", "-"):gsub ("^%-+", ""):sub (1, 30):gsub ("%-+$", "")
  return (plain == "" and "" or plain .. "-") .. id
end

local function job_folder (id)
  return bridge.session_folder () .. "/" .. id
end
bridge.job_folder = job_folder

function bridge.read_job (id)
  return bridge.read_note (job_folder (id) .. "/job.note")
end

function bridge.write_job (job)
  bridge.write_note (job_folder (job.id) .. "/job.note", job)
end

local function list_path ()
  return bridge.session_folder () .. "/pending.note"
end

--- Return the ids of the jobs of this session that have not ended.
function bridge.pending ()
  local ids = {}
  for id in (bridge.read_text (list_path ()) or ""):gmatch ("[^\r\n]+") do
    ids[#ids + 1] = id
  end
  return ids
end

local function write_pending (ids)
  bridge.write_text (list_path (), table.concat (ids, "\n") .. "\n")
end

local function expect (ids)
  local all = bridge.pending ()
  table.move (ids, 1, #ids, #all + 1, all)
  write_pending (all)
end

--- Take a job from the list of those that have not ended.
function bridge.settle (id)
  local left = {}
  for _, one in ipairs (bridge.pending ()) do
    if one ~= id then
      left[#left + 1] = one
    end
  end
  write_pending (left)
end

--- Refuse what the engine would refuse, before any of it is read; returns the targets.
function bridge.need_fitting (targets)
  for _, target in ipairs (targets) do
    local name = target.name ~= "" and target.name or "The range"
    local length_s = target.length / bridge.rate ()
    if length_s > LONGEST_S then
      bridge.refuse (string.format ("\"%s\" is too long: %.1f s, and %d s is the most.", name, length_s, LONGEST_S),
        "Select a range of it, or split it.")
    elseif length_s < SHORTEST_S then
      bridge.refuse (string.format ("\"%s\" is too short: %.4f s, and %.2f s is the least.", name, length_s, SHORTEST_S),
        "Select more.")
    end
  end
  return targets
end

local function new_job (ask, target, settings)
  local id = new_id ()
  local errand = bridge.errands .. "/ardour-" .. id
  bridge.make_folders ({ errand, job_folder (id) })
  -- What was asked for before may have had a prompt.
  local words = ask ~= "superres" and ask ~= "recall" and settings.prompt or target.name
  return {
    id = id, ask = ask, errand = errand, words = words ~= "" and words or ask, rows = {},
    track = target.track and target.track:name () or "", track_id = target.track and bridge.id_of (target.track) or "",
    region_id = target.region and bridge.id_of (target.region) or target.region_id or "",
    position = target.position, length = target.length, channels = target.channels or 0,
    of = target.name, state = "pending", vary = ask == "recall" and settings.vary or "", mutes = (settings.mutes and target.length) and 1 or 0,
  }
end

local function anchor_of (target)
  return {
    track = target.track and target.track:name () or "",
    position_s = target.position / bridge.rate (),
    tempo_bpm = bridge.tempo (target.position),
  }
end

local function mask_of (target, settings)
  local shape = {
    shape = "rect",
    span = { start_s = target.from_s or 0.0, end_s = target.to_s or target.length / bridge.rate () },
    low_hz = settings.low_hz or 0,
  }
  if (settings.high_hz or 0) > 0 then
    shape.high_hz = settings.high_hz
  end
  return { shapes = { shape } }
end

local function options_of (ask, settings)
  local options = { takes = settings.takes, seed = settings.seed }
  if ask ~= "superres" then
    options.negative = settings.negative
  end
  if settings.steps and settings.steps > 0 then
    options.sampler = { steps = settings.steps }
  end
  if settings.model and settings.model ~= "" then
    options.model = settings.model
  end
  for _, key in ipairs (ask == "transfer" and { "keep_rhythm", "keep_pitch", "keep_level" } or {}) do
    options[key] = settings[key]
  end
  if ask == "superres" and (settings.cutoff_hz or 0) > 0 then
    options.cutoff_hz = settings.cutoff_hz
  end
  return options
end

local function errand_of (job, target, settings)
  local errand = {
    ask = job.ask, host = "ardour",
    folder = job_folder (job.id), stem = stem_of (job.words, job.id),
  }
  if job.ask == "recall" then
    errand.path, errand.takes, errand.source = target.take, settings.takes, target.sound
    if settings.vary > 0 then
      errand.vary = settings.vary
    end
    return errand
  end
  errand.options = options_of (job.ask, settings)
  if job.ask ~= "superres" then
    errand.prompt = settings.prompt
  end
  if job.ask == "generate" then
    -- A little more than is placed: rates differ, and what is too long can be cut.
    errand.seconds = math.min (LONGEST_S, math.max (SHORTEST_MADE_S, target.length / bridge.rate () + 0.01))
    errand.options.region = { path = "", anchor = anchor_of (target) }
    return errand
  end
  errand.path = job.sound
  if job.ask == "transfer" then
    errand.strength = settings.strength
  end
  errand.options.region = { anchor = anchor_of (target) }
  if job.ask == "inpaint" then
    errand.mask = mask_of (target, settings)
  end
  return errand
end

local function own_sound (id)
  return job_folder (id) .. "/region.wav"
end

--- Remove what was kept for a job that there will be no takes of.
function bridge.discard (job)
  local folder = job_folder (job.id)
  bridge.remove { own_sound (job.id), own_sound (job.id) .. ".part", folder .. "/job.note", folder }
end

local function prepare (ask, target, settings)
  local job = new_job (ask, target, settings)
  job.sound = bridge.take_file (target) or target.playlist and own_sound (job.id) or target.sound or ""
  local is_done, problem = pcall (function ()
    if job.sound == own_sound (job.id) then
      bridge.write_sound (job.sound, target)
    end
    bridge.write_job (job)
    bridge.write_text (job.errand .. "/errand.json", bridge.json (errand_of (job, target, settings)))
  end)
  if not is_done then
    bridge.discard (job)
    bridge.remove { job.errand .. "/errand.json", job.errand }
    error (problem, 0)
  end
  return job
end

--- Run errands in the background; it does no harm to run one that runs.
function bridge.run_errands (jobs)
  local arguments = { "errand", "run", "--detach" }
  for _, job in ipairs (jobs) do
    arguments[#arguments + 1] = job.errand
  end
  bridge.start (arguments, jobs[1].errand)
  -- Only now: reading a long region takes its time too.
  for _, job in ipairs (jobs) do
    job.launched, job.launcher, job.state = os.time (), jobs[1].errand, "pending"
    bridge.write_job (job)
  end
end

--- Send targets out with the same settings.
function bridge.send (ask, targets, settings)
  local jobs, ids = {}, {}
  for index, target in ipairs (bridge.need_fitting (targets)) do
    jobs[index] = prepare (ask, target, settings)
    ids[index] = jobs[index].id
  end
  expect (ids)
  for _, job in ipairs (jobs) do
    bridge.mark (job, "starts")
  end
  bridge.run_errands (jobs)
end

function bridge.status_of (job)
  return bridge.read_note (job.errand .. "/status.txt")
end
