-- Jobs left in folders for the command that carries them out.
local need = ...
local files = need("files")
local memory = need("memory")
local settings = need("settings")
local text = need("text")
local errands = {}

local HOST = "reaper"
-- The last file to be written: where results go. It stays when REAPER is closed meanwhile.
local HOME = "home.note"
local PLACED = "placed.note"

local function unique()
  return ("%s-%06x"):format(os.date("%Y%m%d-%H%M%S"), math.random(0, 0xffffff))
end

function errands.new_folder()
  return files.make_folder(files.join(settings.errands, HOST .. "-" .. unique()))
end

-- Where REAPER hears that an errand has ended, if the musician has given it a port for OSC.
local function tell()
  local port = math.tointeger(tonumber(memory.get("tell_port", "0")))
  if port and port > 0 then
    return { host = "127.0.0.1", port = port, address = "/daw_bridge/apply" }
  end
  return nil
end

-- Leaves a request in a folder, with a note of where its results go; it is complete when errand.json is there.
-- A recipe is the text that a request to submit means.
function errands.leave(folder, request, home, recipe)
  request.host = HOST
  request.tell = tell()
  if request.ask == "submit" then
    request.spec = files.join(folder, "recipe.json")
    files.write(request.spec, recipe)
  end
  files.write(files.join(folder, HOME), text.lines_of(home))
  files.write(files.join(folder, "errand.json"), text.json(request))
end

function errands.start(folders)
  local arguments = {}
  for _, argument in ipairs(settings.command) do
    arguments[#arguments + 1] = argument
  end
  -- Detached: jobs go on when REAPER, or the terminal that it was started from, is closed.
  for _, argument in ipairs({ "errand", "run", "--detach" }) do
    arguments[#arguments + 1] = argument
  end
  for _, folder in ipairs(folders) do
    arguments[#arguments + 1] = folder
  end
  files.start(arguments)
end

-- Returns the command as one would type it.
function errands.command()
  return table.concat(settings.command, " ")
end

local function take_of(line)
  local field = text.fields(line)
  return {
    index = tonumber(field[1]),
    path = field[2],
    seed = field[3],
    score = tonumber(field[4]),
    lufs = tonumber(field[5]),
    length_samples = tonumber(field[6]),
    sample_rate_hz = tonumber(field[7]),
    note = field[8] or "",
  }
end

-- Returns what is known of an errand, and the text that says it; nil as long as nobody has begun.
function errands.status(folder)
  local content = files.read(files.join(folder, "status.txt"))
  if not content then
    return nil
  end
  local found = text.pairs_of(content)
  for index, line in ipairs(found.takes) do
    found.takes[index] = take_of(line)
  end
  found.fraction = tonumber(found.fraction) or 0
  found.eta_s = tonumber(found.eta_s)
  return found, content
end

function errands.cancel(folder)
  files.write(files.join(folder, "cancel"), "")
end

function errands.home(folder)
  local content = files.read(files.join(folder, HOME))
  return content and text.pairs_of(content) or nil
end

-- Each result is placed once, by whoever sees it first: all scripts of REAPER take turns.
function errands.is_placed(folder)
  return files.read(files.join(folder, HOME)) == nil or files.read(files.join(folder, PLACED)) ~= nil
end

function errands.close(folder)
  files.write(files.join(folder, PLACED), "")
  files.remove_folder(folder)
end

-- Returns the folders of all errands of this host.
function errands.all()
  local found = {}
  for _, name in ipairs(files.folders_in(settings.errands)) do
    if name:sub(1, #HOST + 1) == HOST .. "-" then
      found[#found + 1] = files.join(settings.errands, name)
    end
  end
  table.sort(found)
  return found
end

return errands
