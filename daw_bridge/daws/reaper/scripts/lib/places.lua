-- Results put where they belong: takes of an item, an item in a lane below it, or something new.
local need = ...
local files = need("files")
local lanes = need("lanes")
local projects = need("projects")
local places = {}

-- What a take of ours keeps in the project, beside the recipe in its file.
places.RECIPE, places.ORIGINAL = "P_EXT:daw_bridge", "P_EXT:daw_bridge_original"
-- Of an item in a lane below its original.
places.LANE = "P_EXT:daw_bridge_lane"
local EVERYTHING = -1

-- Returns the note by which a region's results find back to it.
function places.home_of(region, kind)
  local home = {
    version = 1,
    kind = kind,
    project = projects.id(region.project),
    track = projects.track_id(region.track),
    start_s = ("%.9f"):format(region.start_s),
    end_s = ("%.9f"):format(region.end_s),
  }
  if region.item then
    home.item = projects.item_id(region.item)
    home.original = projects.take_id(region.take)
    home.position_s = ("%.9f"):format(region.item_position_s)
    home.offset_s = ("%.9f"):format(reaper.GetMediaItemTakeInfo_Value(region.take, "D_STARTOFFS"))
    home.playrate = ("%.9f"):format(reaper.GetMediaItemTakeInfo_Value(region.take, "D_PLAYRATE"))
  end
  return home
end

local function name_of(take, title)
  local score = take.score and ("%.2f, "):format(take.score) or ""
  local dry = take.note ~= "" and ", dry" or ""
  return ("%s (%sseed %s%s)"):format(title, score, take.seed, dry)
end

local function set_text(take, key, value)
  reaper.GetSetMediaItemTakeInfo_String(take, key, value, true)
end

local function recipe_of(path)
  return files.read((path:gsub("%.[^.]*$", "")) .. ".json") or ""
end

-- Adds one result to an item, as loud and as panned as the original beside it.
local function add_take(item, result, title, offset_s, original)
  local source = reaper.PCM_Source_CreateFromFile(result.path)
  if not source then
    return nil
  end
  local take = reaper.AddTakeToMediaItem(item)
  reaper.SetMediaItemTake_Source(take, source)
  reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", offset_s)
  if original then
    for _, key in ipairs({ "D_VOL", "D_PAN" }) do
      reaper.SetMediaItemTakeInfo_Value(take, key, reaper.GetMediaItemTakeInfo_Value(original, key))
    end
    set_text(take, places.ORIGINAL, projects.take_id(original))
  end
  set_text(take, "P_NAME", name_of(result, title))
  set_text(take, places.RECIPE, recipe_of(result.path))
  return take, source
end

-- Adds all results, the best first and active; returns their sources.
local function add_takes(item, results, title, offset_s, original)
  local best, sources = nil, {}
  for _, result in ipairs(results) do
    local take, source = add_take(item, result, title, offset_s, original)
    best = best or take
    sources[#sources + 1] = source
  end
  if best then
    reaper.SetActiveTake(best)
  end
  reaper.UpdateItemInProject(item)
  return sources
end

-- How far an item's left edge has gone into its content since the note was written, in seconds.
local function trimmed_s(home, original)
  if not original then
    return 0
  end
  local offset_s = reaper.GetMediaItemTakeInfo_Value(original, "D_STARTOFFS")
  return (offset_s - tonumber(home.offset_s)) / tonumber(home.playrate)
end

local function set_span(item, start_s, end_s)
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", start_s)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", end_s - start_s)
  for _, key in ipairs({ "D_FADEINLEN", "D_FADEOUTLEN", "D_FADEINLEN_AUTO", "D_FADEOUTLEN_AUTO" }) do
    reaper.SetMediaItemInfo_Value(item, key, 0)
  end
end

local function new_item(track, start_s, end_s)
  local item = reaper.AddMediaItemToTrack(track)
  set_span(item, start_s, end_s)
  return item
end

-- The next actions are about the result, unless the musician is at something else by now.
local function hand_on_selection(item, piece)
  if reaper.IsMediaItemSelected(item) then
    reaper.SetMediaItemSelected(item, false)
    reaper.SetMediaItemSelected(piece, true)
  end
end

local function lane_piece(item, start_s, end_s)
  local piece = lanes.item_below(item, start_s, end_s)
  set_span(piece, start_s, end_s)
  reaper.GetSetMediaItemInfo_String(piece, places.LANE, projects.item_id(item), true)
  hand_on_selection(item, piece)
  return piece
end

-- Cuts an item and returns its part between two times; the cuts are where they were already, or inside it.
local function cut_piece(item, start_s, end_s)
  local item_start_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local item_end_s = item_start_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local piece = item
  if start_s > item_start_s + 1e-6 and start_s < item_end_s then
    piece = reaper.SplitMediaItem(item, start_s) or item
  end
  if end_s < item_end_s - 1e-6 and end_s > item_start_s then
    reaper.SplitMediaItem(piece, end_s)
  end
  return piece
end

places.cut_piece = cut_piece

local function place_part(item, results, title, home, original)
  local shift_s = trimmed_s(home, original)
  local position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local start_s = position_s + tonumber(home.start_s) - shift_s
  local end_s = position_s + tonumber(home.end_s) - shift_s
  if lanes.are_possible(reaper.GetMediaItem_Track(item)) then
    return add_takes(lane_piece(item, start_s, end_s), results, title, 0, original)
  end
  local piece = cut_piece(item, start_s, end_s)
  if piece ~= item then
    hand_on_selection(item, piece)
  end
  local skipped_s = reaper.GetMediaItemInfo_Value(piece, "D_POSITION") - start_s
  return add_takes(piece, results, title, skipped_s, original)
end

local function new_track(project)
  local last = reaper.CountTracks(project)
  if reaper.APIExists("InsertTrackInProject") then
    reaper.InsertTrackInProject(project, last, 0)
  else
    -- Older ones know only the project in front.
    reaper.SelectProjectInstance(project)
    reaper.InsertTrackAtIndex(last, false)
  end
  return reaper.GetTrack(project, last)
end

-- What had a place that is gone goes to the same time, on a new item; on a new track if that is gone too.
local function place_new(project, results, title, home)
  local track = projects.find_track(project, home.track)
  if not track then
    track = new_track(project)
    reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "DAW Bridge", true)
  end
  local from_s = tonumber(home.position_s or "0")
  local item = new_item(track, from_s + tonumber(home.start_s), from_s + tonumber(home.end_s))
  return add_takes(item, results, title, 0, nil)
end

local function place(project, results, title, home)
  local item = home.item and projects.find_item(project, home.item)
  if not item then
    return place_new(project, results, title, home)
  end
  local original = projects.find_take(item, home.original)
  if home.kind == "part" then
    return place_part(item, results, title, home, original)
  end
  return add_takes(item, results, title, trimmed_s(home, original), original)
end

-- Runs a change of a project as one step that undo takes back.
function places.as_one_step(project, title, change)
  reaper.Undo_BeginBlock2(project)
  reaper.PreventUIRefresh(1)
  local is_done, result = xpcall(change, debug.traceback)
  reaper.PreventUIRefresh(-1)
  reaper.Undo_EndBlock2(project, title, EVERYTHING)
  reaper.UpdateArrange()
  if not is_done then
    error(result, 0)
  end
  return result
end

-- Puts the results of an errand into its project as one step; returns their sources, nil if it is not open.
function places.put(home, results)
  local project = projects.find(home.project)
  if not project then
    return nil
  end
  local title = home.title ~= "" and home.title or "DAW Bridge"
  local step = ("DAW Bridge: %d %s of %s"):format(#results, #results == 1 and "take" or "takes", title)
  return places.as_one_step(project, step, function()
    return place(project, results, title, home)
  end)
end

return places
