-- Takes that were sent back from elsewhere, as from the panel: they become the ones that are heard here.
local need = ...
local files = need("files")
local lanes = need("lanes")
local memory = need("memory")
local places = need("places")
local projects = need("projects")
local settings = need("settings")
local applied = {}

local function plain(path)
  return (path:gsub("\\", "/"))
end

local function path_of(take)
  local source = reaper.GetMediaItemTake_Source(take)
  return source and plain(reaper.GetMediaSourceFileName(source)) or ""
end

local function choose(item, take)
  reaper.SetActiveTake(take)
  if lanes.is_item_in_lane(item) then
    lanes.play(reaper.GetMediaItem_Track(item), lanes.of(item))
  end
  reaper.UpdateItemInProject(item)
end

-- Adds each item that has a file as one of its takes, with that take.
local function add_places(found, project, path)
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    for number = 0, reaper.CountTakes(item) - 1 do
      local take = reaper.GetTake(item, number)
      if take and not reaper.TakeIsMIDI(take) and path_of(take) == path then
        found[#found + 1] = { item = item, take = take }
      end
    end
  end
end

local function new_paths()
  local seen, found = tonumber(memory.get("applied", "0")), {}
  for line in (files.read(files.join(settings.errands, "applied.txt")) or ""):gmatch("[^\r\n]+") do
    local number, path = line:match("^(%d+)\t[^\t]*\t%d+\t(.+)$")
    if number and tonumber(number) > seen then
      found[#found + 1] = plain(path)
      memory.set("applied", number)
    end
  end
  return found
end

-- Follows what was sent back since the last time; returns in how many items.
function applied.follow()
  local project, found = projects.current(), {}
  for _, path in ipairs(new_paths()) do
    add_places(found, project, path)
  end
  if #found > 0 then
    places.as_one_step(project, "DAW Bridge: the take that was sent back", function()
      for _, place in ipairs(found) do
        choose(place.item, place.take)
      end
    end)
  end
  return #found
end

return applied
