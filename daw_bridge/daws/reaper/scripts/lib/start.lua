-- Loads the parts of DAW Bridge and runs one action. Lua 5.3 and 5.4.
return function(folder, action)
  local loaded = {}

  local function need(name)
    if loaded[name] == nil then
      local part = assert(loadfile(folder .. "lib/" .. name .. ".lua"))
      loaded[name] = part(need)
    end
    return loaded[name]
  end

  need("say").guarded(function()
    need("actions")[action]()
  end)
end
