-- What is selected, tracks, and regions found again.
local bridge = ...

function bridge.session_folder ()
  return (Session:path ():gsub ("[/\\]+$", "")) .. "/daw-bridge"
end

function bridge.id_of (thing)
  return thing:to_stateful ():id ():to_s ()
end

--- Go through all audio tracks.
function bridge.each_track (visit)
  for route in Session:get_tracks ():iter () do
    local track = route:to_track ()
    if not track:isnil () and not track:to_audio_track ():isnil () then
      local found = visit (track)
      if found then
        return found
      end
    end
  end
end

function bridge.track_of_region (region)
  local id = region:to_stateful ():id ()
  return bridge.each_track (function (track)
    return not track:playlist ():region_by_id (id):isnil () and track or nil
  end)
end

--- Return the region of this id in any audio track's playlist, and the track.
function bridge.region_of_id (id)
  local found
  local track = bridge.each_track (function (track)
    for region in track:playlist ():region_list ():iter () do
      if bridge.id_of (region) == id then
        found = region
        return track
      end
    end
  end)
  return found, track
end

function bridge.track_of_id (id)
  return bridge.each_track (function (track)
    return bridge.id_of (track) == id and track or nil
  end)
end

function bridge.track_of_name (name)
  return bridge.each_track (function (track)
    return track:name () == name and track or nil
  end)
end

local function channels_of (region)
  local audio = region:to_audioregion ()
  return math.floor (audio.n_channels and audio:n_channels () or region:n_channels ())
end
bridge.channels_of = channels_of

local function region_target (region)
  if region:to_audioregion ():isnil () then
    bridge.refuse ("\"" .. region:name () .. "\" is a MIDI region.", "Bounce it to audio first, then select the audio region.")
  end
  local track = bridge.track_of_region (region)
  if not track then
    bridge.refuse ("\"" .. region:name () .. "\" is on no track.", "Select a region in the editor's canvas.")
  end
  return {
    track = track, playlist = track:playlist (), region = region, name = region:name (),
    position = bridge.samples (region:position ()), length = bridge.samples (region:length ()),
    channels = channels_of (region),
  }
end

--- Return a target for each selected region.
function bridge.selected_regions ()
  local targets = {}
  for region in Editor:get_selection ().regions:regionlist ():iter () do
    targets[#targets + 1] = region_target (region)
  end
  return targets
end

--- Return a function that selects again the regions that are selected now: a new track takes the selection.
--- Selected tracks cannot be given back from Lua; a range outlives a new track by itself, but not this.
function bridge.selection ()
  local regions = Editor:get_selection ().regions:regionlist ():table ()
  return function ()
    local again = ArdourUI.SelectionList ()
    for _, region in ipairs (regions) do
      local view = Editor:regionview_from_region (region)
      if view then
        again:push_back (view)
      end
    end
    if #regions > 0 then
      Editor:set_selection (again, ArdourUI.SelectionOp.Set)
    end
  end
end

--- Return the audio tracks that are selected.
function bridge.selected_tracks ()
  local tracks = {}
  for route in Editor:get_selection ().tracks:routelist ():iter () do
    local track = route:to_track ()
    if not track:isnil () and not track:to_audio_track ():isnil () then
      tracks[#tracks + 1] = track
    end
  end
  return tracks
end

local function regions_between (playlist, first, last)
  local regions = {}
  for region in playlist:regions_touched (bridge.position (first), bridge.position (last - 1)):iter () do
    if not region:to_audioregion ():isnil () then
      regions[#regions + 1] = region
    end
  end
  return regions
end

local function range_target (track, first, last)
  local channels = 0
  for _, region in ipairs (regions_between (track:playlist (), first, last)) do
    channels = math.max (channels, channels_of (region))
  end
  if channels == 0 then
    return nil
  end
  return {
    track = track, playlist = track:playlist (), name = track:name (),
    position = first, length = last - first, channels = channels,
  }
end

--- Return a target for each selected track that has sound in the selected range.
function bridge.selected_ranges ()
  local first, last = bridge.selected_range ()
  local targets = {}
  if first then
    for _, track in ipairs (bridge.selected_tracks ()) do
      targets[#targets + 1] = range_target (track, first, last)
    end
  end
  return targets
end

local function region_around (track, first, last)
  local found
  for _, region in ipairs (regions_between (track:playlist (), first, last)) do
    local start = bridge.samples (region:position ())
    local is_inside = start <= first and last <= start + bridge.samples (region:length ())
    if is_inside and not region:muted () and (not found or region:layer () > found:layer ()) then
      found = region
    end
  end
  return found
end

--- Return, for each selected track, the region that the selected range lies in, with the range as from_s, to_s.
function bridge.regions_around_range ()
  local first, last = bridge.selected_range ()
  local targets = {}
  for _, track in ipairs (first and bridge.selected_tracks () or {}) do
    local region = region_around (track, first, last)
    if region then
      local target = region_target (region)
      target.from_s = (first - target.position) / bridge.rate ()
      target.to_s = (last - target.position) / bridge.rate ()
      targets[#targets + 1] = target
    end
  end
  return targets
end

--- Return the track for takes of another one, made below it where it is not there yet.
function bridge.take_track (source_name, source, channels)
  local name = source_name .. " takes"
  local there = bridge.track_of_name (name)
  if there then
    return there
  end
  local order = source and source:presentation_info_ptr ():order () + 1 or ARDOUR.PresentationInfo.max_order
  local outputs = Session:master_out ():isnil () and channels or Session:master_out ():n_inputs ():n_audio ()
  local made = Session:new_audio_track (
    channels, outputs, bridge.no_group (), 1, name, order, ARDOUR.TrackMode.Normal, false, false)
  local track = made:front ()
  if source then
    track:set_presentation_order (order)
    track:gain_control ():set_value (source:gain_control ():get_value (), PBD.GroupControlDisposition.NoGroup)
  end
  return track
end

--- Return "no route group" in the way that this version of Ardour wants it.
function bridge.no_group ()
  local is_made, group = pcall (function () return ARDOUR.RouteGroup () end)
  return is_made and group or nil
end

--- Do something that the user can undo in one step.
function bridge.undoable (name, change)
  Session:begin_reversible_command (name)
  local is_done, problem = pcall (change)
  if not Session:abort_empty_reversible_command () then
    Session:commit_reversible_command (nil)
  end
  if not is_done then
    error (problem, 0)
  end
end

--- Change regions within bridge.undoable.
function bridge.change_regions (regions, change)
  for _, region in ipairs (regions) do
    region:to_stateful ():clear_changes ()
  end
  change ()
  for _, region in ipairs (regions) do
    Session:add_stateful_diff_command (region:to_statefuldestructible ())
  end
end

--- Change which regions a playlist has, within bridge.undoable.
function bridge.change_playlist (playlist, change)
  playlist:to_stateful ():clear_changes ()
  change ()
  Session:add_stateful_diff_command (playlist:to_statefuldestructible ())
end
