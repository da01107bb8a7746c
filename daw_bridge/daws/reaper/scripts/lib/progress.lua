-- A window with a line for each job: how far it is, and a button that stops it.
local progress = {}

local TITLE = "DAW Bridge"
local WIDTH, ROW, MARGIN, BUTTON = 460, 46, 12, 80
local MOST_ROWS = 12
local ESCAPE, CLOSED = 27, -1
local STAGES = {
  load = "reading the model", encode = "listening", sample = "denoising", decode = "making sound",
  rank = "comparing", finish = "finishing",
}

function progress.open(count)
  gfx.init(TITLE, WIDTH, MARGIN + ROW * math.min(count, MOST_ROWS), 0)
  gfx.setfont(1, "Arial", 15)
  return { is_open = true, was_down = false }
end

local function seconds(eta_s)
  if not eta_s or eta_s < 0 then
    return ""
  elseif eta_s >= 90 then
    return (", about %d min left"):format(math.floor(eta_s / 60 + 0.5))
  end
  return (", about %d s left"):format(math.ceil(eta_s))
end

-- Returns what a job is doing, in words.
function progress.words(job)
  if job.state ~= "running" then
    return job.state
  end
  local steps = job.total and job.total > 0 and (" %d of %d"):format(job.step or 0, job.total) or ""
  return (STAGES[job.stage] or "working") .. steps .. seconds(job.eta_s)
end

local function colour(red, green, blue)
  gfx.set(red, green, blue, 1)
end

local function write(x, y, words)
  gfx.x, gfx.y = x, y
  gfx.drawstr(words)
end

local function bar(y, fraction)
  local width = WIDTH - 3 * MARGIN - BUTTON
  colour(0.25, 0.25, 0.27)
  gfx.rect(MARGIN, y, width, 6, 1)
  colour(0.35, 0.65, 0.85)
  gfx.rect(MARGIN, y, math.floor(width * math.min(1, math.max(0, fraction))), 6, 1)
end

local function button_is_under_mouse(y)
  local x = WIDTH - MARGIN - BUTTON
  return gfx.mouse_x >= x and gfx.mouse_x < x + BUTTON and gfx.mouse_y >= y and gfx.mouse_y < y + 26
end

local function row(job, y)
  colour(0.9, 0.9, 0.9)
  write(MARGIN, y, job.title .. ": " .. progress.words(job))
  bar(y + 22, job.fraction or 0)
  if job.is_open then
    colour(0.35, 0.35, 0.38)
    gfx.rect(WIDTH - MARGIN - BUTTON, y, BUTTON, 26, 1)
    colour(0.95, 0.95, 0.95)
    write(WIDTH - MARGIN - BUTTON + 16, y + 5, "Cancel")
  end
end

-- Open jobs come first: with many, those that have ended make room.
local function in_order(jobs)
  local shown = {}
  for _, is_open in ipairs({ true, false }) do
    for _, job in ipairs(jobs) do
      shown[#shown + 1] = job.is_open == is_open and job or nil
    end
  end
  return shown
end

local function has_been_clicked(window)
  local is_down = math.floor(gfx.mouse_cap) % 2 == 1
  local is_new = is_down and not window.was_down
  window.was_down = is_down
  return is_new
end

-- Draws all jobs and returns those that the musician wants stopped. A closed window stops none of them.
function progress.show(window, jobs)
  local unwanted = {}
  if not window.is_open then
    return unwanted
  end
  local is_click = has_been_clicked(window)
  for index, job in ipairs(in_order(jobs)) do
    local y = MARGIN + (index - 1) * ROW
    row(job, y)
    if is_click and job.is_open and index <= MOST_ROWS and button_is_under_mouse(y) then
      unwanted[#unwanted + 1] = job
    end
  end
  gfx.update()
  local key = gfx.getchar()
  if key == ESCAPE or key == CLOSED then
    progress.close(window)
  end
  return unwanted
end

function progress.close(window)
  if window.is_open then
    gfx.quit()
    window.is_open = false
  end
end

return progress
