-- wrk: asks for the paths of PATHS in turn, each connection 50 to 150 ms after its last answer.
local requests, at = {}, 0
for path in assert(io.open(os.getenv("PATHS"), "rb")):lines() do
  requests[#requests + 1] = "GET " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function delay()
  return math.random(50, 150)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%.6f,"bad":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
