-- Sound out of the session, as WAV files of 32-bit floats.
local bridge = ...

local BLOCK_SAMPLES = 32768
-- How far apart a region's gain line is looked at.
local GAIN_SAMPLES = 64
local PACKED_SAMPLES = 128
-- How long those fades are that regions have unless told otherwise.
local EDGE_SAMPLES = 64

local PACK = "<" .. ("f"):rep (PACKED_SAMPLES)

local function packed (samples, count)
  local parts = {}
  local whole = count - count % PACKED_SAMPLES
  for first = 1, whole, PACKED_SAMPLES do
    parts[#parts + 1] = string.pack (PACK, table.unpack (samples, first, first + PACKED_SAMPLES - 1))
  end
  if count > whole then
    parts[#parts + 1] = string.pack ("<" .. ("f"):rep (count - whole), table.unpack (samples, whole + 1, count))
  end
  return table.concat (parts)
end

local function header (length, channels, rate)
  local size = length * channels * 4
  local format = string.pack ("<I2I2I4I4I2I2I2", 3, channels, rate, rate * channels * 4, channels * 4, 32, 0)
  local chunks = "WAVEfmt " .. string.pack ("<I4", #format) .. format
    .. "fact" .. string.pack ("<I4I4", 4, length)
    .. "data" .. string.pack ("<I4", size)
  return "RIFF" .. string.pack ("<I4", #chunks + size) .. chunks
end

--- Write a sound; read (offset, count, channel) fills and returns a table of that many samples.
local function write_wav (path, length, channels, read)
  if length * channels * 4 > 0xF0000000 then
    bridge.refuse ("This is too long for one job.", "Select less.")
  end
  local file, problem = io.open (path, "wb")
  if not file then
    bridge.refuse (problem, "Look whether the disk is full or the folder is protected.")
  end
  file:write (header (length, channels, bridge.rate ()))
  local mixed = {}
  for offset = 0, length - 1, BLOCK_SAMPLES do
    local count = math.min (BLOCK_SAMPLES, length - offset)
    for channel = 0, channels - 1 do
      local samples = read (offset, count, channel)
      for index = 1, count do
        mixed[(index - 1) * channels + channel + 1] = samples[index]
      end
    end
    file:write (packed (mixed, count * channels))
  end
  file:close ()
end

local function played (playlist, position)
  local memory = ARDOUR.DSP.DspShm (3 * BLOCK_SAMPLES)
  local sound = memory:to_float (0)
  local mixing, gains = memory:to_float (BLOCK_SAMPLES), memory:to_float (2 * BLOCK_SAMPLES)
  local audio = playlist:to_audioplaylist ()
  return function (offset, count, channel)
    memory:clear ()
    audio:read (sound, mixing, gains, bridge.position (position + offset), bridge.duration (count), channel)
    return sound:get_table (count)
  end
end

local function gain_at (region)
  local audio = region:to_audioregion ()
  local scale = audio:scale_amplitude ()
  if not audio:envelope_active () then
    return function () return scale end
  end
  local line = audio:envelope ():list ()
  return function (sample)
    return scale * line:eval (bridge.position (sample))
  end
end

local function recorded (region)
  local memory = ARDOUR.DSP.DspShm (BLOCK_SAMPLES)
  local sound = memory:to_float (0)
  local readable = region:to_audioregion ().to_readable and region:to_audioregion ():to_readable () or region:to_readable ()
  local gain = gain_at (region)
  return function (offset, count, channel)
    memory:clear ()
    readable:read (sound, offset, count, channel)
    local samples = sound:get_table (count)
    for first = 1, count, GAIN_SAMPLES do
      local last = math.min (first + GAIN_SAMPLES, count + 1)
      local from, to = gain (offset + first - 1), gain (offset + last - 1)
      for index = first, last - 1 do
        samples[index] = samples[index] * (from + (to - from) * (index - first) / (last - first))
      end
    end
    return samples
  end
end

local function is_covered (target)
  if target.region:muted () then
    return true
  end
  local first, last = bridge.position (target.position), bridge.position (target.position + target.length - 1)
  for other in target.playlist:regions_touched (first, last):iter () do
    if not other:muted () and not other:sameinstance (target.region) then
      return true
    end
  end
  return false
end

local function is_same (one, other, length, channels)
  for offset = 0, length - 1, BLOCK_SAMPLES do
    local count = math.min (BLOCK_SAMPLES, length - offset)
    local first, last = math.max (1, EDGE_SAMPLES + 1 - offset), math.min (count, length - EDGE_SAMPLES - offset)
    for channel = 0, channels - 1 do
      local samples, others = one (offset, count, channel), other (offset, count, channel)
      for index = first, last do
        if math.abs (samples[index] - others[index]) > 1e-6 then
          return false
        end
      end
    end
  end
  return true
end

--- Tell whether a region sounds as its source does, but for the short fades that Ardour gives to all regions.
function bridge.is_plain (target)
  local audio = target.region:to_audioregion ()
  if audio:scale_amplitude () ~= 1 or audio:envelope_active () then
    return false
  end
  return is_covered (target)
    or is_same (played (target.playlist, target.position), recorded (target.region), target.length, target.channels)
end

--- Write what a target sounds like: a range as it is played; a region too, with its gain, gain line and fades.
--- One that is muted or lies with others has its gain and gain line, but no fades: those cannot be read alone.
function bridge.write_sound (path, target)
  local reads = target.region and is_covered (target)
  local read = reads and recorded (target.region) or played (target.playlist, target.position)
  write_wav (path, target.length, target.channels, read)
end
