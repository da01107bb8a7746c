-- WAV files of 32-bit floats, any number of channels.
local wav = {}

local FLOAT = 3
-- How many numbers go into one call; more would not fit on Lua's stack.
local NUMBERS = 200
local FORMAT = "<" .. ("f"):rep(NUMBERS)

-- Returns all that comes before the samples.
function wav.head(channels, sample_rate_hz, length_samples)
  local frame_bytes = 4 * channels
  local data_bytes = frame_bytes * length_samples
  return table.concat({
    "RIFF", ("<I4"):pack(4 + 26 + 12 + 8 + data_bytes), "WAVE",
    "fmt ",
    ("<I4I2I2I4I4I2I2I2"):pack(18, FLOAT, channels, sample_rate_hz, frame_bytes * sample_rate_hz, frame_bytes, 32, 0),
    "fact", ("<I4I4"):pack(4, length_samples),
    "data", ("<I4"):pack(data_bytes),
  })
end

-- Returns interleaved samples, a list of numbers, as bytes.
function wav.samples(values)
  local parts, count = {}, #values
  for first = 1, count - NUMBERS + 1, NUMBERS do
    parts[#parts + 1] = FORMAT:pack(table.unpack(values, first, first + NUMBERS - 1))
  end
  local done = count - count % NUMBERS
  if done < count then
    parts[#parts + 1] = ("<" .. ("f"):rep(count - done)):pack(table.unpack(values, done + 1, count))
  end
  return table.concat(parts)
end

return wav
