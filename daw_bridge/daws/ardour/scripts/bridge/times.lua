-- Positions and lengths: plain numbers of samples up to Ardour 6, values of their own from 7 on.
local bridge = ...

local has_time_values = Temporal ~= nil and Temporal.timepos_t ~= nil

function bridge.position (samples)
  return has_time_values and Temporal.timepos_t (samples) or samples
end

function bridge.duration (samples)
  return has_time_values and Temporal.timecnt_t (samples) or samples
end

function bridge.samples (time)
  return type (time) == "number" and math.floor (time) or time:samples ()
end

function bridge.rate ()
  return math.floor (Session:nominal_sample_rate ())
end

--- Return the tempo at a position, in quarter notes per minute.
function bridge.tempo (samples)
  if has_time_values then
    return Temporal.TempoMap.read ():quarters_per_minute_at (Temporal.timepos_t (samples))
  end
  return Session:tempo_map ():tempo_at_sample (samples):quarter_notes_per_minute ()
end

--- Return where the selected range begins and ends, in samples, or nothing where there is none.
function bridge.selected_range ()
  local time = Editor:get_selection ().time
  local first = has_time_values and time:start_sample () or time:start ()
  local last = time:end_sample ()
  if last > first then
    return math.floor (first), math.floor (last)
  end
end
