-- Fixed lanes of a track (REAPER 7): results below the original, which stays as it is.
local lanes = {}

local FIXED_LANES = 2

local function has_lanes(track)
  return reaper.GetMediaTrackInfo_Value(track, "I_FREEMODE") == FIXED_LANES
end

local function ends(item)
  local start_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  return start_s, start_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
end

-- REAPER may put items that overlap, as in a crossfade, on lanes of their own when a track gets lanes.
local function has_overlaps(track)
  local latest_s = -math.huge
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local start_s, end_s = ends(reaper.GetTrackMediaItem(track, index))
    if start_s < latest_s - 1e-6 then
      return true
    end
    latest_s = math.max(latest_s, end_s)
  end
  return false
end

function lanes.are_possible(track)
  local version = tonumber(reaper.GetAppVersion():match("^%d+")) or 0
  return version >= 7 and (has_lanes(track) or not has_overlaps(track))
end

function lanes.is_item_in_lane(item)
  return has_lanes(reaper.GetMediaItem_Track(item))
end

function lanes.of(item)
  return math.floor(reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE"))
end

local function is_free(track, lane, start_s, end_s)
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    local item_start_s, item_end_s = ends(item)
    if lanes.of(item) == lane and item_start_s < end_s and item_end_s > start_s then
      return false
    end
  end
  return true
end

local function free_lane(track, above, start_s, end_s)
  local lane = above + 1
  while not is_free(track, lane, start_s, end_s) do
    lane = lane + 1
  end
  return lane
end

local function plays(lane)
  return ("C_LANEPLAYS:%d"):format(lane)
end

-- Lets one lane of a track be heard, and no other.
function lanes.play(track, lane)
  reaper.SetMediaTrackInfo_Value(track, plays(lane), 1)
end

function lanes.is_playing(track, lane)
  return reaper.GetMediaTrackInfo_Value(track, plays(lane)) ~= 0
end

-- Returns a new item in a lane of its own below another one; what is heard does not change.
function lanes.item_below(item, start_s, end_s)
  local track = reaper.GetMediaItem_Track(item)
  if not has_lanes(track) then
    reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", FIXED_LANES)
    lanes.play(track, lanes.of(item))
  end
  local lane = free_lane(track, lanes.of(item), start_s, end_s)
  if reaper.GetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES") <= lane then
    reaper.SetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES", lane + 1)
    reaper.SetMediaTrackInfo_Value(track, plays(lane), 0)
  end
  local made = reaper.AddMediaItemToTrack(track)
  reaper.SetMediaItemInfo_Value(made, "I_FIXEDLANE", lane)
  reaper.UpdateTimeline()
  return made
end

-- Returns the item of a lane that lies under a whole stretch of time.
function lanes.item_at(track, lane, start_s, end_s)
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    local item_start_s, item_end_s = ends(item)
    if lanes.of(item) == lane and item_start_s <= start_s + 1e-6 and item_end_s >= end_s - 1e-6 then
      return item
    end
  end
  return nil
end

function lanes.move(item, lane)
  reaper.SetMediaItemInfo_Value(item, "I_FIXEDLANE", lane)
  reaper.UpdateTimeline()
end

return lanes
