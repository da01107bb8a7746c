-- What is selected, as regions: parts of items, in seconds from the item's beginning.
local need = ...
local say = need("say")
local sound = need("sound")
local regions = {}

-- Less than a sample at any rate: edges that are so near are the same.
local NEAR_S = 1e-6

local function time_selection(project)
  local start_s, end_s = reaper.GetSet_LoopTimeRange2(project, false, false, 0, 0, false)
  return end_s > start_s and { start_s = start_s, end_s = end_s } or nil
end

-- Returns the razor edits of a track's items, none of its envelopes; lanes as parts of its height from the top.
local function razor_areas(track)
  local _, listed = reaper.GetSetMediaTrackInfo_String(track, "P_RAZOREDITS_EXT", "", false)
  local areas = {}
  for entry in listed:gmatch("[^,]+") do
    local start_s, end_s, rest = entry:match("^%s*(%S+)%s+(%S+)%s*(.*)$")
    local envelope, lanes = (rest or ""):match('^"([^"]*)"%s*(.*)$')
    if start_s and (envelope or "") == "" then
      local top, bottom = (lanes or ""):match("^(%S+)%s+(%S+)")
      areas[#areas + 1] = {
        start_s = tonumber(start_s),
        end_s = tonumber(end_s),
        top = tonumber(top) or 0,
        bottom = tonumber(bottom) or 1,
      }
    end
  end
  return areas
end

local function is_in_lanes(item, area)
  local top = reaper.GetMediaItemInfo_Value(item, "F_FREEMODE_Y")
  return (area.top == 0 and area.bottom == 1) or (top >= area.top - NEAR_S and top < area.bottom - NEAR_S)
end

-- Puts an edge on a sample of the source, so that REAPER reads samples instead of making new ones between them.
local function on_sample(take, format, time_s)
  if format.is_stretched then
    return time_s
  end
  local offset_s = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
  return math.floor((offset_s + time_s) * format.sample_rate_hz + 0.5) / format.sample_rate_hz - offset_s
end

-- Returns the part of an item between two times of the project; nil where it has none.
local function part_of(project, item, span)
  local position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local length_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local start_s = math.max(0, span and span.start_s - position_s or 0)
  local end_s = math.min(length_s, span and span.end_s - position_s or length_s)
  if end_s - start_s < NEAR_S then
    return nil
  end
  local take = sound.require_audio(item)
  local format = sound.of(project, take)
  local is_whole = start_s < NEAR_S and end_s > length_s - NEAR_S
  if not is_whole then
    start_s = math.max(0, on_sample(take, format, start_s))
    end_s = math.min(length_s, on_sample(take, format, end_s))
  end
  return {
    project = project, item = item, take = take, format = format,
    track = reaper.GetMediaItem_Track(item),
    item_position_s = position_s, item_length_s = length_s,
    start_s = start_s, end_s = end_s, is_whole = is_whole,
  }
end

local function items_of(track)
  local items = {}
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    items[#items + 1] = reaper.GetTrackMediaItem(track, index)
  end
  return items
end

local function tracks_of(project)
  local tracks = {}
  for index = 0, reaper.CountTracks(project) - 1 do
    tracks[#tracks + 1] = reaper.GetTrack(project, index)
  end
  return tracks
end

local function selected_tracks(project)
  local tracks = {}
  for _, track in ipairs(tracks_of(project)) do
    if reaper.GetMediaTrackInfo_Value(track, "I_SELECTED") == 1 then
      tracks[#tracks + 1] = track
    end
  end
  return tracks
end

local function add_parts(found, project, items, span)
  for _, item in ipairs(items) do
    found[#found + 1] = part_of(project, item, span)
  end
  return found
end

local function razor_parts(project)
  local found = {}
  for _, track in ipairs(tracks_of(project)) do
    for _, area in ipairs(razor_areas(track)) do
      local items = {}
      for _, item in ipairs(items_of(track)) do
        items[#items + 1] = is_in_lanes(item, area) and item or nil
      end
      add_parts(found, project, items, area)
    end
  end
  return found
end

function regions.selected_items(project)
  local items = {}
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    if reaper.IsMediaItemSelected(item) then
      items[#items + 1] = item
    end
  end
  return items
end

local function overlaps(item, span)
  local position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local end_s = position_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  return position_s < span.end_s - NEAR_S and end_s > span.start_s + NEAR_S
end

-- A time selection that touches none of the selected items was made for something else.
local function relevant(items, span)
  for _, item in ipairs(items) do
    if span and overlaps(item, span) then
      return span
    end
  end
  return nil
end

-- Returns what is selected: razor edits; else the selected items, as far as a time selection over them goes.
function regions.selected(project)
  local found = razor_parts(project)
  local items = regions.selected_items(project)
  if #found == 0 then
    add_parts(found, project, items, relevant(items, time_selection(project)))
  end
  if #found == 0 then
    say.refuse("Nothing is selected: select items, or make a razor edit over a part of one.")
  end
  return found
end

local function project_regions(project)
  local spans, index = {}, 0
  local next_index, is_region, start_s, end_s, name = reaper.EnumProjectMarkers3(project, index)
  while next_index > 0 do
    if is_region then
      spans[#spans + 1] = { start_s = start_s, end_s = end_s, name = name }
    end
    index = index + 1
    next_index, is_region, start_s, end_s, name = reaper.EnumProjectMarkers3(project, index)
  end
  return spans
end

-- Returns what the selected tracks have in each region of the project.
function regions.in_project_regions(project)
  local spans, tracks = project_regions(project), selected_tracks(project)
  if #spans == 0 then
    say.refuse("The project has no regions: make some first, or select items and use the other actions.")
  elseif #tracks == 0 then
    say.refuse("No track is selected: select those whose items are meant.")
  end
  local found = {}
  for _, span in ipairs(spans) do
    for _, track in ipairs(tracks) do
      add_parts(found, project, items_of(track), span)
    end
  end
  if #found == 0 then
    say.refuse("The selected tracks have no items in the project's regions.")
  end
  return found
end

-- Returns the time selection, or a razor edit, on the track that is meant, for something new.
function regions.gap(project)
  for _, track in ipairs(tracks_of(project)) do
    local area = razor_areas(track)[1]
    if area then
      return { project = project, track = track, start_s = area.start_s, end_s = area.end_s }
    end
  end
  local track, span = selected_tracks(project)[1], time_selection(project)
  if not span then
    say.refuse("There is no time selection: it says how long the new sound is, and where it goes.")
  elseif not track then
    say.refuse("No track is selected: select the one that the new sound goes to.")
  end
  return { project = project, track = track, start_s = span.start_s, end_s = span.end_s }
end

return regions
