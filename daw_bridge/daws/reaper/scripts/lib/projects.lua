-- Projects, tracks and items found again, after REAPER was closed and opened too.
local projects = {}

local SECTION, KEY = "daw_bridge", "id"

function projects.current()
  return (reaper.EnumProjects(-1))
end

-- Returns the name under which a project is found again; it is saved with the project.
function projects.id(project)
  local length, id = reaper.GetProjExtState(project, SECTION, KEY)
  if length == 0 then
    id = ("%x-%08x"):format(os.time(), math.random(0, 0x7fffffff))
    reaper.SetProjExtState(project, SECTION, KEY, id)
  end
  return id
end

-- Returns the open project of a name; nil where it is closed.
function projects.find(id)
  local index = 0
  local project = reaper.EnumProjects(index)
  while project do
    local _, found = reaper.GetProjExtState(project, SECTION, KEY)
    if found == id then
      return project
    end
    index = index + 1
    project = reaper.EnumProjects(index)
  end
  return nil
end

function projects.item_id(item)
  local _, id = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
  return id
end

function projects.take_id(take)
  local _, id = reaper.GetSetMediaItemTakeInfo_String(take, "GUID", "", false)
  return id
end

function projects.track_id(track)
  local _, id = reaper.GetSetMediaTrackInfo_String(track, "GUID", "", false)
  return id
end

function projects.track_name(track)
  local _, name = reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "", false)
  return name
end

function projects.find_item(project, id)
  for index = 0, reaper.CountMediaItems(project) - 1 do
    local item = reaper.GetMediaItem(project, index)
    if projects.item_id(item) == id then
      return item
    end
  end
  return nil
end

function projects.find_track(project, id)
  for index = 0, reaper.CountTracks(project) - 1 do
    local track = reaper.GetTrack(project, index)
    if projects.track_id(track) == id then
      return track
    end
  end
  return nil
end

function projects.find_take(item, id)
  for index = 0, reaper.CountTakes(item) - 1 do
    local take = reaper.GetTake(item, index)
    if projects.take_id(take) == id then
      return take
    end
  end
  return nil
end

-- Returns the folder for a project's sounds of ours, among its own media.
function projects.media_folder(project)
  return reaper.GetProjectPathEx(project) .. (reaper.GetOS():sub(1, 3) == "Win" and "\\" or "/") .. "DAW Bridge"
end

return projects
