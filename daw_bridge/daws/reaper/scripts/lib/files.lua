-- Files that appear whole or not at all, and commands that run beside REAPER.
local need = ...
local say = need("say")
local files = {}

local IS_WINDOWS = reaper.GetOS():sub(1, 3) == "Win"
local SEPARATOR = IS_WINDOWS and "\\" or "/"

function files.join(...)
  return table.concat({ ... }, SEPARATOR)
end

function files.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local content = file:read("a")
  file:close()
  return content
end

function files.make_folder(path)
  reaper.RecursiveCreateDirectory(path, 0)
  return path
end

local function opened(path)
  local file, trouble = io.open(path, "wb")
  if not file then
    say.refuse("%s cannot be written: %s", path, trouble)
  end
  return file
end

-- Opens a file that gets its name when it is closed by `finish`.
function files.begin(path)
  return { path = path, part = path .. ".part", handle = opened(path .. ".part") }
end

function files.add(unfinished, data)
  local is_written, trouble = unfinished.handle:write(data)
  if not is_written then
    files.abandon(unfinished)
    say.refuse("%s cannot be written: %s", unfinished.path, trouble)
  end
end

function files.finish(unfinished)
  -- What is still in the buffer may find a full disk only now.
  local is_written, trouble = unfinished.handle:close()
  if is_written then
    os.remove(unfinished.path)
    is_written, trouble = os.rename(unfinished.part, unfinished.path)
  end
  if not is_written then
    os.remove(unfinished.part)
    say.refuse("%s cannot be written: %s", unfinished.path, trouble)
  end
end

function files.abandon(unfinished)
  if io.type(unfinished.handle) == "file" then
    unfinished.handle:close()
  end
  os.remove(unfinished.part)
end

function files.write(path, content)
  local unfinished = files.begin(path)
  files.add(unfinished, content)
  files.finish(unfinished)
end

-- Returns the names of the folders in a folder.
function files.folders_in(path)
  local names, index = {}, 0
  -- REAPER remembers a folder's content; -1 makes it look again.
  reaper.EnumerateSubdirectories(path, -1)
  local name = reaper.EnumerateSubdirectories(path, index)
  while name do
    names[#names + 1] = name
    index = index + 1
    name = reaper.EnumerateSubdirectories(path, index)
  end
  return names
end

local function files_in(path)
  local names, index = {}, 0
  reaper.EnumerateFiles(path, -1)
  local name = reaper.EnumerateFiles(path, index)
  while name do
    names[#names + 1] = name
    index = index + 1
    name = reaper.EnumerateFiles(path, index)
  end
  return names
end

-- Removes a folder of files; what is in use stays, and is no trouble.
function files.remove_folder(path)
  for _, name in ipairs(files_in(path)) do
    os.remove(files.join(path, name))
  end
  os.remove(path)
end

-- Quotes an argument for a POSIX shell, where nothing in single quotes is special but they themselves.
function files.for_shell(argument)
  return "'" .. argument:gsub("'", "'\\''") .. "'"
end

-- Quotes an argument as Windows programs read their command line: backslashes count only before a quote.
function files.for_windows(argument)
  local escaped = argument:gsub('(\\*)"', '%1%1\\"'):gsub("(\\+)$", "%1%1")
  return '"' .. escaped .. '"'
end

local function command_line(arguments, quote)
  local quoted = {}
  for index, argument in ipairs(arguments) do
    quoted[index] = quote(argument)
  end
  return table.concat(quoted, " ")
end

-- Starts a command and does not wait for it.
function files.start(arguments)
  if IS_WINDOWS then
    -- -2: no waiting, and no window in front of the session.
    reaper.ExecProcess(command_line(arguments, files.for_windows), -2)
  else
    os.execute("( " .. command_line(arguments, files.for_shell) .. " ) </dev/null >/dev/null 2>&1 &")
  end
end

return files
