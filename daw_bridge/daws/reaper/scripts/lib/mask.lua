-- What of a region is made anew, as a mask: seconds from the region's start, and Hz.
local need = ...
local say = need("say")
local mask = {}

local BYPASSED = 1
-- Edges softer than this would reach far into what was left alone.
local LONGEST_FEATHER_S, WIDEST_FEATHER_HZ = 0.25, 500

local function value(take, key, ...)
  return reaper.GetMediaItemTakeInfo_Value(take, key:format(...))
end

-- Returns one edge of an edit from left to right; REAPER gives its points as parts of the edit's length.
local function edge(take, index, name, edit)
  local points = {}
  for point = 0, math.floor(value(take, "I_SPECEDIT:%d:" .. name .. "FREQ_CNT", index)) - 1 do
    local part = value(take, "F_SPECEDIT:%d:" .. name .. "FREQ_POS:%d", index, point)
    points[#points + 1] = {
      edit.start_s + math.min(1, math.max(0, part)) * (edit.end_s - edit.start_s),
      value(take, "F_SPECEDIT:%d:" .. name .. "FREQ_FREQ:%d", index, point),
    }
  end
  table.sort(points, function(one, other)
    return one[1] < other[1]
  end)
  if #points == 0 then
    return points
  end
  -- Beyond its first and last point an edge goes straight on.
  table.insert(points, 1, { edit.start_s, points[1][2] })
  points[#points + 1] = { edit.end_s, points[#points][2] }
  return points
end

local function edit_of(take, index)
  local start_s = value(take, "D_SPECEDIT:%d:POSITION", index)
  local edit = { start_s = start_s, end_s = start_s + value(take, "D_SPECEDIT:%d:LENGTH", index) }
  edit.top, edit.bottom = edge(take, index, "TOP", edit), edge(take, index, "BOT", edit)
  edit.is_selected = value(take, "B_SPECEDIT:%d:SELECTED", index) == 1
  edit.fade_s = (edit.end_s - edit.start_s)
    * math.max(value(take, "F_SPECEDIT:%d:FADE_IN", index), value(take, "F_SPECEDIT:%d:FADE_OUT", index))
  edit.fade = math.max(value(take, "F_SPECEDIT:%d:FADE_LOW", index), value(take, "F_SPECEDIT:%d:FADE_HI", index))
  return edit
end

-- Returns the spectral edits of a take that lie in a region: the selected ones, or else all that are not bypassed.
local function edits_of(region)
  local all, selected = {}, {}
  for index = 0, math.floor(value(region.take, "IP_SPECEDIT:CNT")) - 1 do
    local edit = edit_of(region.take, index)
    local is_on = math.floor(value(region.take, "I_SPECEDIT:%d:FLAGS", index)) % 2 ~= BYPASSED
    if is_on and edit.start_s < region.end_s and edit.end_s > region.start_s then
      all[#all + 1] = edit
      selected[#selected + 1] = edit.is_selected and edit or nil
    end
  end
  return #selected > 0 and selected or all
end

-- Returns the outline: along the bottom from left to right, back along the top.
local function polygon(edit, region)
  local points = {}
  local function add(point)
    local time_s = math.min(math.max(point[1], region.start_s), region.end_s) - region.start_s
    points[#points + 1] = { time_s, math.max(0, point[2]) }
  end
  for _, point in ipairs(edit.bottom) do
    add(point)
  end
  for index = #edit.top, 1, -1 do
    add(edit.top[index])
  end
  return { shape = "polygon", points = points }
end

local function widest_hz(edit)
  local low_hz, high_hz = math.huge, 0
  for _, point in ipairs(edit.bottom) do
    low_hz = math.min(low_hz, point[2])
  end
  for _, point in ipairs(edit.top) do
    high_hz = math.max(high_hz, point[2])
  end
  return math.max(0, high_hz - low_hz)
end

local function rectangle(edit, region)
  local start_s = math.max(edit.start_s, region.start_s) - region.start_s
  return { shape = "rect", span = { start_s = start_s, end_s = math.min(edit.end_s, region.end_s) - region.start_s } }
end

local function of_edits(edits, region)
  local shapes, feather_s, feather_hz = {}, 0.01, 0
  for index, edit in ipairs(edits) do
    local has_edges = #edit.top > 0 and #edit.bottom > 0
    shapes[index] = has_edges and polygon(edit, region) or rectangle(edit, region)
    feather_s = math.max(feather_s, edit.fade_s)
    feather_hz = math.max(feather_hz, edit.fade * widest_hz(edit))
  end
  return {
    shapes = shapes,
    feather_s = math.min(feather_s, LONGEST_FEATHER_S),
    feather_hz = math.min(feather_hz, WIDEST_FEATHER_HZ),
  }
end

-- Returns the mask of a region: its spectral edits; all of it where it is a part of an item.
function mask.of(region)
  local edits = edits_of(region)
  if #edits > 0 then
    return of_edits(edits, region)
  elseif region.is_whole then
    say.refuse("Nothing says what to make anew: draw a spectral edit on the item, or select a part of it in time.")
  end
  local whole = { shape = "rect", span = { start_s = 0, end_s = region.end_s - region.start_s } }
  return { shapes = { whole }, feather_s = 0.01, feather_hz = 0 }
end

return mask
