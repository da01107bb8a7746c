-- Takes heard one after the other, and one of them accepted.
local bridge = ...

local function is_at (region, other)
  return bridge.samples (region:position ()) == bridge.samples (other:position ())
    and bridge.samples (region:length ()) == bridge.samples (other:length ())
end

--- Return all takes of a playlist in the place of one, those of older jobs first, with job and index of each.
local function takes_at (playlist, region)
  local takes = {}
  for other in playlist:region_list ():iter () do
    local id = is_at (other, region) and bridge.job_of_region (other)
    if id then
      takes[#takes + 1] = { region = other, id = id, index = bridge.index_of_take (other, id) or 1 }
    end
  end
  table.sort (takes, function (one, other)
    return one.id < other.id or (one.id == other.id and one.index < other.index)
  end)
  return takes
end

local function original_of (takes)
  for _, take in ipairs (takes) do
    local job = bridge.read_job (take.id)
    local original = job.mutes == "1" and job.region_id ~= "" and bridge.region_of_id (job.region_id)
    if original then
      return original
    end
  end
end

local function group_at (region)
  local track = bridge.track_of_region (region)
  local takes = takes_at (track:playlist (), region)
  return { track = track, takes = takes, original = original_of (takes) }
end

local function take_where (is_wanted)
  local found
  bridge.each_track (function (track)
    for region in track:playlist ():region_list ():iter () do
      if is_wanted (region) then
        found = region
      end
    end
  end)
  return found
end

local function take_of_original (original)
  local id = bridge.id_of (original)
  return take_where (function (region)
    local job = bridge.job_of_region (region)
    return job and bridge.read_job (job).region_id == id
  end)
end

local function last_placed ()
  local id = bridge.read_text (bridge.session_folder () .. "/last.note")
  return id and take_where (function (region) return bridge.job_of_region (region) == id end)
end

--- Return the groups of takes that are meant: those of the selected takes or originals, else the last that came.
function bridge.meant_groups ()
  local groups, seen = {}, {}
  local function add (region)
    local group = region and group_at (region)
    local first = group and bridge.id_of (group.takes[1].region)
    if group and not seen[first] then
      seen[first] = true
      groups[#groups + 1] = group
    end
  end
  for region in Editor:get_selection ().regions:regionlist ():iter () do
    if not region:to_audioregion ():isnil () then
      add (bridge.job_of_region (region) and region or take_of_original (region))
    end
  end
  if #groups == 0 then
    add (last_placed ())
  end
  if #groups == 0 then
    bridge.refuse ("There are no takes here.", "Select a take, or the region that takes were made of.")
  end
  return groups
end

--- Return which take is heard, counted from 1; 0 where it is the original.
function bridge.heard (group)
  for index, take in ipairs (group.takes) do
    if not take.region:muted () then
      return index
    end
  end
  return 0
end

local function hear (group, chosen)
  local regions = { group.original }
  for _, take in ipairs (group.takes) do
    regions[#regions + 1] = take.region
  end
  bridge.change_regions (regions, function ()
    for index, take in ipairs (group.takes) do
      take.region:set_muted (index ~= chosen)
    end
    if group.original then
      group.original:set_muted (chosen ~= 0)
    end
    if chosen > 0 then
      group.takes[chosen].region:raise_to_top ()
    end
  end)
end

--- Let the next take be heard, or the one before with -1; after the last comes the original.
function bridge.switch (by)
  local groups = bridge.meant_groups ()
  bridge.undoable (by > 0 and "next take" or "previous take", function ()
    for _, group in ipairs (groups) do
      hear (group, (bridge.heard (group) + by) % (#group.takes + 1))
    end
  end)
end

local function accepted_copy (region)
  local copy = ARDOUR.RegionFactory.clone_region (region, true, false)
  -- A copy gets a name of its own, counted up.
  copy:set_name (region:name ())
  return copy
end

local function remove_takes (group, kept)
  local playlist = group.track:playlist ()
  bridge.change_playlist (playlist, function ()
    for index, take in ipairs (group.takes) do
      if index ~= kept then
        playlist:remove_region (take.region)
      end
    end
  end)
end

local function accept (group)
  local heard = bridge.heard (group)
  local chosen = group.takes[heard]
  local track = bridge.track_of_id (bridge.read_job (chosen.id).track_id)
  -- Where the track is gone, or there was none, the take stays where it is.
  remove_takes (group, not track and heard or nil)
  if track then
    local playlist, copy = track:playlist (), accepted_copy (chosen.region)
    bridge.change_playlist (playlist, function ()
      playlist:add_region (copy, chosen.region:position (), 1, false, 0, 0, false)
    end)
  end
end

--- Put the takes that are heard in the places of their originals, above them, and remove the others.
function bridge.accept ()
  local groups = bridge.meant_groups ()
  for _, group in ipairs (groups) do
    if bridge.heard (group) == 0 then
      bridge.refuse ("The original is heard, not a take.", "Go to the take that you want with \"next take\" first.")
    end
  end
  bridge.undoable ("accept take", function ()
    for _, group in ipairs (groups) do
      accept (group)
    end
  end)
end
