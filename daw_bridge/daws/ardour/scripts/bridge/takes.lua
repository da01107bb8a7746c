-- Takes: into the session, onto a track of their own, exactly where their source lies.
local bridge = ...

local function base_name (path)
  return (path:gsub ("\\", "/"):match ("([^/]+)$"))
end

local function source_name (region)
  local audio = region:to_audioregion ()
  if audio:isnil () then
    return ""
  end
  local file = audio:source (0):to_filesource ()
  return file:isnil () and "" or base_name (file:path ())
end

--- Return the id of the job that a region is a take of, or nothing.
function bridge.job_of_region (region)
  for id in source_name (region):gmatch ("db%w+") do
    if bridge.exists (bridge.job_folder (id) .. "/job.note") then
      return id
    end
  end
end

--- Return which take of a job a region is, counted from 1, or nothing.
function bridge.index_of_take (region, id)
  local source = source_name (region)
  for index, take in ipairs (bridge.read_job (id).rows) do
    local name = take[3]:match ("([^/\\]+)%.%w+$")
    if name and source:sub (1, #name) == name and not source:sub (#name + 1):match ("^%d") then
      return index
    end
  end
end

--- Return the file of a take, with which it is known how it was made, where a target is all of it and unchanged.
function bridge.take_file (target)
  local id = target.region and bridge.job_of_region (target.region)
  local index = id and bridge.index_of_take (target.region, id)
  local take = index and bridge.read_job (id).rows[index]
  if take and tonumber (take[7]) == target.length and tonumber (take[8]) == bridge.rate ()
    and bridge.samples (target.region:start ()) == 0 and bridge.exists (take[3]) and bridge.is_plain (target) then
    return take[3]
  end
end

local function whole_file_regions (ids)
  local regions = {}
  for _, region in pairs (ARDOUR.RegionFactory.regions ():table ()) do
    if region:whole_file () and not ids[bridge.id_of (region)] and not region:to_audioregion ():isnil () then
      regions[#regions + 1] = region
    end
  end
  return regions
end

local function known_regions ()
  local ids = {}
  for _, region in pairs (ARDOUR.RegionFactory.regions ():table ()) do
    ids[bridge.id_of (region)] = true
  end
  return ids
end

local function import (path)
  local known = known_regions ()
  local files = C.StringVector ()
  files:push_back (path)
  local position = bridge.position (0)
  if Temporal ~= nil and Temporal.timepos_t ~= nil then
    Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsRegion, ARDOUR.SrcQuality.SrcBest,
      ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
      position, ARDOUR.PluginInfo (), ARDOUR.Track (), false)
  else
    Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsRegion, ARDOUR.SrcQuality.SrcBest,
      ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
      position, ARDOUR.PluginInfo (), false)
  end
  local made = whole_file_regions (known)[1]
  if not made then
    bridge.refuse ("Ardour could not import " .. path .. ".", "Look into Ardour's log window.")
  end
  return made
end

--- Return what tells takes that were made from a take from that one.
local function remade (job)
  if job.ask ~= "recall" then
    return ""
  end
  local vary = tonumber (job.vary) or 0
  return vary > 0 and string.format (" ~%.2f", vary) or " again"
end

local function take_name (job, take)
  local score = tonumber (take[5])
  local facts = score and string.format ("%.2f, ", score) or ""
  return string.format ("%s%s %d (%sseed %s)", job.words:sub (1, 40), remade (job), tonumber (take[2]) + 1, facts, take[4])
end

local function placed_take (job, take, whole, is_heard)
  local region = ARDOUR.RegionFactory.clone_region (whole, true, false)
  region:set_name (take_name (job, take))
  region:set_muted (not is_heard)
  -- What keeps a part of its source has the source's own edges.
  if job.ask == "inpaint" or job.ask == "superres" then
    region:to_audioregion ():set_fade_in_active (false)
    region:to_audioregion ():set_fade_out_active (false)
  end
  local wanted = math.tointeger (tonumber (job.length))
  if bridge.samples (region:length ()) > wanted then
    -- Ardour 6 wants a second argument, later ones do not look at it.
    region:set_length (bridge.duration (wanted), 0)
  end
  return region
end

local function add_takes (playlist, job, takes, wholes)
  bridge.change_playlist (playlist, function ()
    -- Best last: what comes last lies on top.
    for index = #takes, 1, -1 do
      local region = placed_take (job, takes[index], wholes[index], index == 1)
      playlist:add_region (region, bridge.position (math.tointeger (tonumber (job.position))), 1, false, 0, 0, false)
    end
  end)
end

local function mute_original (job)
  local original = job.mutes == "1" and job.region_id ~= "" and bridge.region_of_id (job.region_id)
  if original then
    bridge.change_regions ({ original }, function () original:set_muted (true) end)
  end
end

--- Tell whether a take is one of the same region as a job's takes, or lies exactly where they will.
--- Takes of other regions stay heard, though they may lie partly over these.
local function is_replaced (region, job)
  local id = bridge.job_of_region (region)
  if not id then
    return false
  end
  local is_of_same = job.region_id ~= "" and bridge.read_job (id).region_id == job.region_id
  return is_of_same or bridge.samples (region:position ()) == math.tointeger (tonumber (job.position))
    and bridge.samples (region:length ()) == math.tointeger (tonumber (job.length))
end

local function mute_takes_there (playlist, job)
  local heard = {}
  local first = math.tointeger (tonumber (job.position))
  local last = bridge.position (first + math.tointeger (tonumber (job.length)) - 1)
  for region in playlist:regions_touched (bridge.position (first), last):iter () do
    if not region:muted () and is_replaced (region, job) then
      heard[#heard + 1] = region
    end
  end
  bridge.change_regions (heard, function ()
    for _, region in ipairs (heard) do
      region:set_muted (true)
    end
  end)
end

--- Place the takes of a job that is done, as one step of undo.
function bridge.place (job, status)
  local wholes, channels = {}, 1
  for index, take in ipairs (status.rows) do
    wholes[index] = import (take[3])
    channels = math.max (channels, bridge.channels_of (wholes[index]))
  end
  local source = bridge.track_of_id (job.track_id)
  local name = source and source:name () or job.track
  local select_again = bridge.selection ()
  local track = bridge.take_track (name == "" and "DAW Bridge" or name, source, channels)
  bridge.undoable ("takes of " .. job.words:sub (1, 40), function ()
    mute_takes_there (track:playlist (), job)
    add_takes (track:playlist (), job, status.rows, wholes)
    mute_original (job)
  end)
  select_again ()
  bridge.write_text (bridge.session_folder () .. "/last.note", job.id)
end
