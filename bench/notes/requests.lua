-- Sends requests of OPERATION (read, list, create, update) for NOTES notes, from FIRST on.
dofile('bench/wrk.lua')
local json = { ['content-type'] = 'application/json' }
local count, first = tonumber(os.getenv('NOTES')), tonumber(os.getenv('FIRST'))
local text = string.rep('text ', 20)

local function path(number)
  return string.format('/v1/notes/00000000-0000-4000-8000-%012x', first + number % count)
end

local operations = {
  read = function(turn) return wrk.format('GET', path(turn)) end,
  list = function() return wrk.format('GET', '/v1/notes?limit=20') end,
  create = function(turn)
    return wrk.format('POST', '/v1/notes', json, string.format('{"title":"New %d %d","text":"%s"}', first, turn, text))
  end,
  -- All notes have the same version before a cycle over all of them, so no update conflicts.
  update = function(turn)
    local headers = { ['if-match'] = string.format('"%d"', math.floor(turn / count) + 1) }
    headers['content-type'] = json['content-type']
    return wrk.format('PATCH', path(turn), headers, string.format('{"text":"%s"}', text))
  end,
}

local operation = operations[os.getenv('OPERATION')]
if operation then
  -- wrk makes one request before the first that it sends, so turn 0 occurs twice.
  local calls = 0
  function request()
    calls = calls + 1
    return operation(math.max(calls - 2, 0))
  end
end
