-- What each action does.
local bridge = ...

local function need (targets, message, hint)
  if #targets == 0 then
    bridge.refuse (message, hint)
  end
  return targets
end

local function regions_or_ranges ()
  local regions = bridge.selected_regions ()
  if #regions == 0 then
    regions = bridge.selected_ranges ()
  end
  return need (regions, "Nothing is selected.", "Select regions, or a range and the tracks that it is of.")
end

local function counted (targets)
  if #targets > 1 then
    return #targets .. " regions; takes come to tracks below theirs"
  end
  local target = targets[1]
  if target.from_s then
    return string.format ("%.2f s of \"%s\" change, %.2f s to %.2f s from its start; takes come to a track below",
      target.to_s - target.from_s, target.name, target.from_s, target.to_s)
  end
  return string.format ("\"%s\", %.2f s; takes come to a track below", target.name, target.length / bridge.rate ())
end

local function counted_takes (targets)
  if #targets > 1 then
    return #targets .. " takes that are heard; what is made of each comes to its track"
  end
  local target = targets[1]
  return string.format ("Take %d of \"%s\", %.2f s; what is made of it comes to its track",
    target.number, target.name, target.length / bridge.rate ())
end

local function masked_regions (settings)
  if bridge.selected_range () then
    return need (bridge.regions_around_range (), "The range lies within no region of a selected track.",
      "Make a range inside a region with the range tool, and select the region's track.")
  end
  local has_band = settings and ((settings.low_hz or 0) > 0 or (settings.high_hz or 0) > 0)
  if settings and not has_band then
    bridge.refuse ("Inpaint needs a part of the region.", "Make a range inside the region, or give a band in Hz.")
  end
  return need (bridge.selected_regions (), "Nothing is selected.",
    "Make a range inside a region, or select a region and give a band in Hz.")
end

local function playhead_targets (settings)
  local tracks = bridge.selected_tracks ()
  local first, last = bridge.selected_range ()
  if not first then
    first = math.floor (Session:transport_sample ())
    last = first + math.floor (settings.seconds * bridge.rate () + 0.5)
  end
  local targets = {}
  for _, track in ipairs (tracks) do
    targets[#targets + 1] = { track = track, name = track:name (), position = first, length = last - first }
  end
  if #tracks == 0 then
    targets[1] = { name = "", position = first, length = last - first }
  end
  return targets
end

local function recalled_takes ()
  local targets = {}
  for _, group in ipairs (bridge.meant_groups ()) do
    local take = group.takes[math.max (1, bridge.heard (group))]
    local job = bridge.read_job (take.id)
    targets[#targets + 1] = {
      track = bridge.track_of_id (job.track_id), name = job.words, number = take.index, region_id = job.region_id,
      position = bridge.samples (take.region:position ()), length = math.tointeger (tonumber (job.length)),
      take = job.rows[take.index][3], sound = job.sound ~= "" and job.sound or nil,
    }
  end
  return targets
end

local function require_prompt (ask, settings)
  if ask ~= "superres" and ask ~= "recall" and (settings.prompt or ""):match ("^%s*$") then
    bridge.refuse ("The prompt is empty.", "Say in words what you want to hear.")
  end
end

local SENT = {
  transfer = {
    title = "Transfer", find = regions_or_ranges,
    fields = { "prompt", "strength", "takes", "seed", "negative", "keep_rhythm", "keep_pitch", "keep_level", "steps", "model", "mutes", "highs", "cutoff_hz" },
  },
  inpaint = {
    title = "Inpaint", find = masked_regions,
    fields = { "prompt", "low_hz", "high_hz", "takes", "seed", "negative", "steps", "model", "mutes" },
  },
  superres = {
    find = regions_or_ranges,
  },
  recall = {
    title = "Vary or make again", find = recalled_takes, about = counted_takes, fields = { "vary", "takes" },
  },
}

local function send (ask, settings, targets)
  require_prompt (ask, settings)
  bridge.remember (ask, settings)
  bridge.send (ask, targets, settings)
end

local function ask_and_send (ask)
  local kind = SENT[ask]
  local targets = bridge.need_fitting (kind.find ())
  local settings = bridge.ask (kind.title, (kind.about or counted) (targets), kind.fields)
  if settings then
    send (settings.highs and "superres" or ask, settings, ask == "inpaint" and masked_regions (settings) or targets)
  end
end

local function generate ()
  local first, last = bridge.selected_range ()
  local fields = { "prompt", "takes", "seed", "negative", "steps", "model" }
  if not first then
    table.insert (fields, 2, "seconds")
  end
  local about = first and string.format ("%.2f s in the selected range", (last - first) / bridge.rate ())
    or "From the playhead on; takes come to a track below the selected one"
  local settings = bridge.ask ("Generate here", about, fields)
  if settings then
    send ("generate", settings, playhead_targets (settings))
  end
end

local function repeat_last ()
  local ask = bridge.remembered ().ask
  if not ask then
    bridge.refuse ("There is nothing to repeat.", "Do something else with DAW Bridge first.")
  end
  local settings = bridge.settings_again ()
  if ask == "generate" then
    send (ask, settings, playhead_targets (settings))
  else
    send (ask, settings, SENT[ask].find (settings))
  end
end

local function show_jobs ()
  local jobs, lines = bridge.running_jobs ()
  if #jobs == 0 then
    bridge.tell ("Nothing is being rendered.")
    return
  end
  table.insert (lines, 1, "All of them")
  local chosen = bridge.choose ("Jobs", "Tick what is to be cancelled", lines)
  for index, job in ipairs (jobs) do
    if chosen and (chosen[1] or chosen[index + 1]) then
      bridge.cancel (job)
    end
  end
end

local ACTIONS = {
  transfer = function () ask_and_send ("transfer") end,
  inpaint = function () ask_and_send ("inpaint") end,
  recall = function () ask_and_send ("recall") end,
  generate = generate,
  ["repeat"] = repeat_last,
  next = function () bridge.switch (1) end,
  previous = function () bridge.switch (-1) end,
  accept = function () bridge.accept () end,
  jobs = show_jobs,
}

--- Return a problem as text for the user.
function bridge.problem_text (problem)
  if type (problem) == "table" then
    return problem.message, problem.hint
  end
  return "DAW Bridge's script failed: " .. tostring (problem), "Please report this."
end

--- Do an action; what goes wrong is told, never thrown, since Ardour drops scripts that throw.
function bridge.run_action (name)
  local is_done, problem = pcall (ACTIONS[name])
  if not is_done then
    bridge.tell (bridge.problem_text (problem))
  end
end
