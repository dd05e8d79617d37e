-- Repeats one request: GET, or POST when the environment variable BODY is set.
local json = { ['content-type'] = 'application/json' }
local body = os.getenv('BODY')
if body then
  wrk.method, wrk.headers, wrk.body = 'POST', json, body
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
