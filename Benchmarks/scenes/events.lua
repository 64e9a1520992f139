-- wrk: each request is one event of EVENTS, no line twice; when they are used up, wrk's answer is an error.
local lines = assert(io.open(os.getenv("EVENTS"), "rb"))
local heads = {}

function request()
  local line = lines:read("*l")
  if not line then error("EVENTS is used up: more events are needed") end
  local head = heads[#line]
  if not head then
    head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host ..
      "\r\nContent-Type: application/json\r\nContent-Length: " .. #line .. "\r\n\r\n"
    heads[#line] = head
  end
  return head .. line
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%.6f,"bad":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
