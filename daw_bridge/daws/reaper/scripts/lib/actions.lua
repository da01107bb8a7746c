-- One function for each action in REAPER's list.
local need = ...
local applied = need("applied")
local ask = need("ask")
local capture = need("capture")
local errands = need("errands")
local files = need("files")
local jobs = need("jobs")
local mask = need("mask")
local memory = need("memory")
local places = need("places")
local projects = need("projects")
local regions = need("regions")
local say = need("say")
local settings = need("settings")
local takes = need("takes")
local text = need("text")
local actions = {}

math.randomseed(math.floor(reaper.time_precise() * 1000) % 2 ^ 31)

local FIELDS = {
  transfer = { "prompt", "strength", "takes", "seed", "negative" },
  inpaint = { "prompt", "takes", "seed", "negative" },
  superres = { "cutoff_hz", "takes", "seed" },
  generate = { "prompt", "takes", "seed", "negative" },
  vary = { "vary", "takes" },
}
local TITLES = {
  transfer = "DAW Bridge: make it sound like",
  inpaint = "DAW Bridge: make anew",
  superres = "DAW Bridge: make the missing highs",
  generate = "DAW Bridge: new sound here",
  vary = "DAW Bridge: variations",
}

local function options_of(values)
  local options = { takes = values.takes, seed = values.seed }
  if values.negative and values.negative ~= "" then
    options.negative = values.negative
  end
  options.cutoff_hz = tonumber(values.cutoff_hz)
  local model = memory.get("model", "")
  if model ~= "" then
    options.model = model
  end
  return options
end

local function title_of(action, values)
  return action == "superres" and "highs" or values.prompt
end

-- Where the DAW wants the result, for the recipe: track, position and tempo go with the sound.
local function anchor_of(region)
  local position_s = (region.item_position_s or 0) + region.start_s
  local _, _, tempo_bpm = reaper.TimeMap_GetTimeSigAtTime(region.project, position_s)
  return { track = projects.track_name(region.track), position_s = position_s, tempo_bpm = tempo_bpm }
end

local function request_of(action, region, values, title)
  return {
    ask = action,
    prompt = values.prompt,
    strength = action == "transfer" and values.strength or nil,
    options = options_of(values),
    folder = files.make_folder(projects.media_folder(region.project)),
    stem = text.stem(projects.track_name(region.track) .. "-" .. title, "take"),
  }
end

local function span_of(reading)
  return {
    start_s = reading.before_samples / reading.rate_hz,
    end_s = (reading.before_samples + reading.length_samples) / reading.rate_hz,
  }
end

local function source_path(region, title)
  local folder = files.make_folder(files.join(projects.media_folder(region.project), "sources"))
  local name = ("%s-%s-%06x.wav"):format(text.stem(title, "region"), os.date("%Y%m%d-%H%M%S"), math.random(0, 0xffffff))
  return files.join(folder, name)
end

-- Returns the job that makes something of a region; its sound is read when the job is carried out.
local function edit(action, region, values, region_mask)
  local title = title_of(action, values)
  local request = request_of(action, region, values, title)
  request.mask = region_mask
  request.path = source_path(region, title)
  local home = places.home_of(region, region.is_whole and "takes" or "part")
  home.title = title
  local reading = capture.plan(region, request.path)
  request.options.region = { span = span_of(reading), anchor = anchor_of(region) }
  return { request = request, home = home, reading = reading }
end

local function edit_all(action, found, values)
  local wanted = {}
  for index, region in ipairs(found) do
    wanted[index] = edit(action, region, values, action == "inpaint" and mask.of(region) or nil)
  end
  jobs.carry_out(wanted)
end

local function asked(action)
  local values = ask.for_values(TITLES[action], FIELDS[action])
  if values then
    memory.set("last", action)
  end
  return values
end

-- An edit with its mask checked before anything is asked.
local function edit_of(action, find)
  return function()
    local found = find(projects.current())
    if action == "inpaint" then
      for _, region in ipairs(found) do
        mask.of(region)
      end
    end
    local values = asked(action)
    if values then
      edit_all(action, found, values)
    end
  end
end

actions.transfer = edit_of("transfer", regions.selected)
actions.inpaint = edit_of("inpaint", regions.selected)
actions.superres = edit_of("superres", regions.selected)
actions.transfer_regions = edit_of("transfer", regions.in_project_regions)

local function generate(gap, values)
  local title = values.prompt
  local request = request_of("generate", gap, values, title)
  request.seconds = gap.end_s - gap.start_s
  request.options.region = { path = "", anchor = anchor_of(gap) }
  local home = places.home_of(gap, "new")
  home.title = title
  jobs.carry_out({ { request = request, home = home } })
end

function actions.generate()
  local gap = regions.gap(projects.current())
  local values = asked("generate")
  if values then
    generate(gap, values)
  end
end

-- The same as last time, with what is selected now; without a fixed seed it gives other sounds.
function actions.repeat_last()
  local action = memory.get("last", "")
  if not FIELDS[action] then
    say.refuse("Nothing was asked for yet: use one of the other actions first.")
  end
  local values = ask.last_values(FIELDS[action])
  if action == "generate" then
    generate(regions.gap(projects.current()), values)
  else
    edit_all(action, regions.selected(projects.current()), values)
  end
end

-- Returns the region that a take covers, as a home for others like it.
local function home_of_take(found, title)
  local item, project = found.item, projects.current()
  local home = places.home_of({
    project = project,
    track = reaper.GetMediaItem_Track(item),
    item = item,
    take = found.take,
    item_position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION"),
    start_s = 0,
    end_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH"),
  }, "takes")
  -- Not the item's edge but the take's own beginning is where the new ones begin.
  home.offset_s = 0
  home.title = title
  return home
end

local function recall(found, title, values)
  local request = {
    ask = "recall",
    path = found.path,
    vary = values and values.vary,
    takes = values and values.takes or 1,
    folder = files.make_folder(projects.media_folder(projects.current())),
    stem = text.stem(title, "again"),
  }
  if not reaper.file_exists(found.path) then
    if found.recipe == "" or values then
      say.refuse("%s is gone: without the take's file it cannot be varied or made again.", found.path)
    end
    request = { ask = "submit", folder = request.folder, stem = request.stem }
  end
  return { request = request, home = home_of_take(found, title), recipe = found.recipe }
end

local function recall_all(values)
  local wanted = {}
  for index, found in ipairs(takes.to_recall()) do
    local name = reaper.GetTakeName(found.take):gsub("%s*%b()%s*$", "")
    wanted[index] = recall(found, name .. (values and " varied" or " again"), values)
  end
  jobs.carry_out(wanted)
end

function actions.recall()
  recall_all(nil)
end

function actions.vary()
  takes.to_recall()
  local values = ask.for_values(TITLES.vary, FIELDS.vary)
  if values then
    recall_all(values)
  end
end

function actions.next_take()
  takes.step(1)
end

function actions.previous_take()
  takes.step(-1)
end

function actions.accept()
  takes.accept()
end

function actions.cancel()
  if jobs.cancel_all() == 0 then
    say.tell("There is nothing to cancel.")
  end
end

function actions.collect()
  local count = jobs.take_up(errands.all())
  if applied.follow() + count == 0 then
    say.tell("There is nothing to collect.")
  end
end

-- REAPER calls this by an OSC message whose one argument is the errand's folder.
function actions.apply()
  local _, _, _, _, _, _, _, context = reaper.get_action_context()
  local folder = context:match("^osc:[^:]*:s=(.+)$")
  if not folder then
    say.refuse("This action is for OSC messages from DAW Bridge; collect finished takes does the same by hand.")
  end
  jobs.apply(folder)
end

function actions.settings()
  ask.for_values(("DAW Bridge %s: settings"):format(settings.version), { "tell_port", "model" })
end

return actions
