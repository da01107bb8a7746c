-- Takes that came back: heard one after the other, kept, made again.
local need = ...
local lanes = need("lanes")
local places = need("places")
local projects = need("projects")
local regions = need("regions")
local say = need("say")
local takes = {}

-- REAPER's actions by number: "Take: Delete active take from items" asks nothing.
local DELETE_ACTIVE_TAKE = 40129

local function text(take, key)
  local _, value = reaper.GetSetMediaItemTakeInfo_String(take, key, "", false)
  return value
end

local function is_ours(take)
  return text(take, places.RECIPE) ~= ""
end

local function has_ours(item)
  for index = 0, reaper.CountTakes(item) - 1 do
    if is_ours(reaper.GetTake(item, index)) then
      return true
    end
  end
  return false
end

-- Returns the original of an item that lies in a lane of its own below it; nil for other items.
local function original_above(item)
  local _, id = reaper.GetSetMediaItemInfo_String(item, places.LANE, "", false)
  if id == "" or not lanes.is_item_in_lane(item) then
    return nil
  end
  return projects.find_item(projects.current(), id)
end

local function selected()
  local found = {}
  for _, item in ipairs(regions.selected_items(projects.current())) do
    found[#found + 1] = has_ours(item) and item or nil
  end
  if #found == 0 then
    say.refuse("No selected item has takes from DAW Bridge.")
  end
  return found
end

local function step_in_item(item, by)
  local count = reaper.CountTakes(item)
  local now = math.floor(reaper.GetMediaItemInfo_Value(item, "I_CURTAKE"))
  reaper.SetActiveTake(reaper.GetTake(item, (now + by) % count))
  reaper.UpdateItemInProject(item)
end

-- Steps through the original, which is in another lane, and the takes of the item below it.
local function step_in_lanes(item, original, by)
  local track, count = reaper.GetMediaItem_Track(item), reaper.CountTakes(item)
  local now = 0
  if lanes.is_playing(track, lanes.of(item)) then
    now = math.floor(reaper.GetMediaItemInfo_Value(item, "I_CURTAKE")) + 1
  end
  local wanted = (now + by) % (count + 1)
  if wanted == 0 then
    lanes.play(track, lanes.of(original))
  else
    reaper.SetActiveTake(reaper.GetTake(item, wanted - 1))
    lanes.play(track, lanes.of(item))
  end
  reaper.UpdateItemInProject(item)
end

function takes.step(by)
  places.as_one_step(projects.current(), "DAW Bridge: another take", function()
    for _, item in ipairs(selected()) do
      local original = original_above(item)
      if original then
        step_in_lanes(item, original, by)
      else
        step_in_item(item, by)
      end
    end
  end)
end

local function selection_of(project)
  local items = regions.selected_items(project)
  return function()
    for index = 0, reaper.CountMediaItems(project) - 1 do
      reaper.SetMediaItemSelected(reaper.GetMediaItem(project, index), false)
    end
    for _, item in ipairs(items) do
      if reaper.ValidatePtr2(project, item, "MediaItem*") then
        reaper.SetMediaItemSelected(item, true)
      end
    end
  end
end

local function select_only(project, wanted)
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    reaper.SetMediaItemSelected(item, item == wanted)
  end
end

-- Removes the takes of ours that are not the active one; the action works on what is selected.
local function drop_others(project, item)
  local kept = reaper.GetActiveTake(item)
  select_only(project, item)
  for index = reaper.CountTakes(item) - 1, 0, -1 do
    local take = reaper.GetTake(item, index)
    if take ~= kept and is_ours(take) then
      reaper.SetActiveTake(take)
      reaper.Main_OnCommandEx(DELETE_ACTIVE_TAKE, 0, project)
    end
  end
  reaper.SetActiveTake(kept)
  reaper.UpdateItemInProject(item)
end

-- Lets the chosen take lie where the original was: that is cut, and its part goes.
local function move_up(project, item, original)
  local track, lane = reaper.GetMediaItem_Track(item), lanes.of(original)
  local start_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local end_s = start_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local under = lanes.item_at(track, lane, start_s, end_s)
  if not under then
    say.refuse("The original is not under its take any more: move it back, or comp the take by hand.")
  end
  drop_others(project, item)
  reaper.DeleteTrackMediaItem(track, places.cut_piece(under, start_s, end_s))
  lanes.move(item, lane)
  lanes.play(track, lane)
end

local function accept(project, item)
  local original = original_above(item)
  if not original then
    drop_others(project, item)
  elseif lanes.is_playing(reaper.GetMediaItem_Track(item), lanes.of(item)) then
    move_up(project, item, original)
  else
    reaper.DeleteTrackMediaItem(reaper.GetMediaItem_Track(item), item)
  end
end

function takes.accept()
  local project = projects.current()
  local items = selected()
  places.as_one_step(project, "DAW Bridge: accept", function()
    local restore_selection = selection_of(project)
    for _, item in ipairs(items) do
      accept(project, item)
    end
    restore_selection()
  end)
end

local function file_of(take)
  local source = reaper.GetMediaItemTake_Source(take)
  return source and reaper.GetMediaSourceFileName(source) or ""
end

-- Returns {item, take, path, recipe} of each selected item; the recipe serves where the file is gone.
function takes.to_recall()
  local found = {}
  for _, item in ipairs(regions.selected_items(projects.current())) do
    local take = reaper.GetActiveTake(item)
    if take and not reaper.TakeIsMIDI(take) then
      found[#found + 1] = { item = item, take = take, path = file_of(take), recipe = text(take, places.RECIPE) }
    end
  end
  if #found == 0 then
    say.refuse("Nothing is selected: select an item whose active take came from DAW Bridge.")
  end
  return found
end

return takes
