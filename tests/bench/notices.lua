-- One signed event a request, each different, as bench_notices.py wrote them: "signature<TAB>body" a line.
local lines = {}
for line in io.lines(os.getenv("BENCH_EVENTS")) do lines[#lines + 1] = line end
local next_line = 0

request = function()
  next_line = next_line + 1
  local line = lines[(next_line - 1) % #lines + 1]
  local tab = line:find("\t", 1, true)
  local headers = { ["Stripe-Signature"] = line:sub(1, tab - 1), ["Content-Type"] = "application/json" }
  return wrk.format("POST", nil, headers, line:sub(tab + 1))
end

done = function(summary, latency)
  io.write(string.format("%.0f/s p50 %.1f ms p99 %.1f ms, %d answers other than 2xx\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status))
end
