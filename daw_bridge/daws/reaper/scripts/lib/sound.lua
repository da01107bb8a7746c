-- What of a take can be read: its rate and channels as it is heard, or why not.
local need = ...
local say = need("say")
local sound = {}

local function name_of(take)
  local name = reaper.GetTakeName(take)
  return name ~= "" and name or "an item without a name"
end

-- Sections and reversed sources have their rate and channels from the file that they are parts of.
local function root_of(source)
  local parent = reaper.GetMediaSourceParent(source)
  while parent do
    source = parent
    parent = reaper.GetMediaSourceParent(source)
  end
  return source
end

local function project_rate_hz(project, otherwise)
  if reaper.GetSetProjectInfo(project, "PROJECT_SRATE_USE", 0, false) == 1 then
    return math.floor(reaper.GetSetProjectInfo(project, "PROJECT_SRATE", 0, false))
  end
  return otherwise
end

-- A stretched or pitched take has no samples of its own: REAPER makes them while it plays.
function sound.is_stretched(take)
  return reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE") ~= 1
    or reaper.GetMediaItemTakeInfo_Value(take, "D_PITCH") ~= 0
    or reaper.GetTakeNumStretchMarkers(take) > 0
end

local function channels_of(take, source)
  local mode = math.floor(reaper.GetMediaItemTakeInfo_Value(take, "I_CHANMODE"))
  -- 2 mixes to mono, 3 to 66 take one channel, from 67 on a pair.
  if mode >= 67 then
    return 2
  elseif mode >= 2 then
    return 1
  end
  return reaper.GetMediaSourceNumChannels(source)
end

function sound.require_audio(item)
  if math.floor(reaper.GetMediaItemInfo_Value(item, "C_LOCK")) % 2 == 1 then
    say.refuse("A selected item is locked: unlock it, or select others.")
  end
  local take = reaper.GetActiveTake(item)
  if not take then
    say.refuse("A selected item is empty: select items with audio.")
  elseif reaper.TakeIsMIDI(take) then
    say.refuse("%s is MIDI: render or freeze it to audio first.", name_of(take))
  end
  return take
end

-- Returns {sample_rate_hz, channels, is_stretched} of a take.
function sound.of(project, take)
  local source = root_of(reaper.GetMediaItemTake_Source(take))
  local rate_hz = reaper.GetMediaSourceSampleRate(source)
  if rate_hz <= 0 or reaper.GetMediaSourceNumChannels(source) <= 0 then
    say.refuse("%s has no audio that can be read: is its file offline or missing?", name_of(take))
  end
  local is_stretched = sound.is_stretched(take)
  return {
    sample_rate_hz = is_stretched and project_rate_hz(project, rate_hz) or rate_hz,
    channels = channels_of(take, source),
    is_stretched = is_stretched,
  }
end

return sound
