-- The requests of a file, one a line, as wire.py wrote them: method, path, one header and body, by tabs.
-- ONCE: each is sent once, then the threads stop. Else they are sent for as long as wrk is told, from the first again.
local lines = {}
for line in io.lines(os.getenv("BENCH_REQUESTS")) do lines[#lines + 1] = line end
local once = os.getenv("BENCH_ONCE") == "1"
-- wrk asks for one that it does not send, to see what it is.
local sent, answered = -1, 0

request = function()
  sent = sent + 1
  -- Until the other connections have their answers, too.
  if once and sent > #lines then return wrk.format("GET", "/nowhere") end
  local method, path, name, value, body = lines[(sent - 1) % #lines + 1]:match("^(.-)\t(.-)\t(.-): (.-)\t(.*)$")
  return wrk.format(method, path, { [name] = value, ["Content-Type"] = "application/json" }, body)
end

if once then
  response = function(status)
    if status ~= 404 then answered = answered + 1 end
    if answered >= #lines then wrk.thread:stop() end
  end
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("\n%.1f %.3f %.3f %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
