-- A region's sound as REAPER plays it before effects, into a file, a little at a time.
local need = ...
local files = need("files")
local say = need("say")
local wav = need("wav")
local capture = {}

local BLOCK_SAMPLES = 8192
-- REAPER draws about thirty times a second; reading may take half of that.
local SLICE_S = 0.015
-- What lies around a part of an item goes with it: the new sound then fits its surroundings.
local CONTEXT_S = 2.0

local function samples(length_s, rate_hz)
  return math.floor(length_s * rate_hz + 0.5)
end

-- Returns a reading of a region into a file; `capture.step` begins it and carries it on.
function capture.plan(region, path)
  local rate_hz = region.format.sample_rate_hz
  local before = math.floor(math.min(CONTEXT_S, region.start_s) * rate_hz)
  local after = math.floor(math.min(CONTEXT_S, region.item_length_s - region.end_s) * rate_hz)
  local length = samples(region.end_s - region.start_s, rate_hz)
  return {
    path = path,
    project = region.project,
    take = region.take,
    rate_hz = rate_hz,
    channels = region.format.channels,
    start_s = region.start_s - before / rate_hz,
    before_samples = before,
    length_samples = length,
    total = before + length + after,
    done = 0,
  }
end

local function begin(reading)
  reading.file = files.begin(reading.path)
  reading.accessor = reaper.CreateTakeAudioAccessor(reading.take)
  files.add(reading.file, wav.head(reading.channels, reading.rate_hz, reading.total))
end

-- The musician goes on working while one item after the other is read.
local function require_take(reading)
  if not reaper.ValidatePtr2(reading.project, reading.take, "MediaItem_Take*") then
    say.refuse("An item was removed before its sound was read.")
  end
end

local function block(reading)
  local count = math.min(BLOCK_SAMPLES, reading.total - reading.done)
  local buffer = reaper.new_array(count * reading.channels)
  buffer.clear()
  local start_s = reading.start_s + reading.done / reading.rate_hz
  local result =
    reaper.GetAudioAccessorSamples(reading.accessor, reading.rate_hz, reading.channels, start_s, count, buffer)
  if result < 0 then
    say.refuse("REAPER could not read the item's audio: is its file offline or missing?")
  end
  files.add(reading.file, wav.samples(buffer.table(1, count * reading.channels)))
  reading.done = reading.done + count
end

-- Reads for a moment; returns whether all is read, and the file there.
function capture.step(reading)
  require_take(reading)
  if not reading.file then
    begin(reading)
  end
  local until_s = reaper.time_precise() + SLICE_S
  repeat
    block(reading)
  until reading.done >= reading.total or reaper.time_precise() > until_s
  if reading.done < reading.total then
    return false
  end
  files.finish(reading.file)
  reaper.DestroyAudioAccessor(reading.accessor)
  return true
end

-- Ends a reading early and leaves no file.
function capture.stop(reading)
  if reading.file then
    files.abandon(reading.file)
    reaper.DestroyAudioAccessor(reading.accessor)
    reading.file = nil
  end
end

return capture
