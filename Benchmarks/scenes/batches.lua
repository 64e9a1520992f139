-- wrk: each request is EVENTS_A_REQUEST events of EVENTS, as FORM has them: "events" (an array of them) or "segment" (a batch
-- of Segment's SDKs). Some hundred requests are made before and sent in turn: what is durable is not compared with anything.
local size = tonumber(os.getenv("EVENTS_A_REQUEST"))
local form = os.getenv("FORM")
local requests = {}
local last = 0

local function message(line, number)
  if form == "events" then return line end
  return '{"type":"track","event":"bench.sent","messageId":"bench-' .. number .. '","userId":"user-' .. number % 1000 ..
    '","timestamp":"' .. os.date("!%Y-%m-%dT%H:%M:%SZ") .. '","context":{"library":{"name":"bench","version":"1"}},' ..
    '"properties":' .. line .. '}'
end

function init()
  local lines = assert(io.open(os.getenv("EVENTS"), "rb"))
  for request = 1, 200 do
    local messages = {}
    for number = 1, size do
      messages[number] = message(assert(lines:read("*l"), "EVENTS is used up"), request * size + number)
    end
    local body = "[" .. table.concat(messages, ",") .. "]"
    if form == "segment" then
      body = '{"batch":' .. body .. ',"sentAt":"' .. os.date("!%Y-%m-%dT%H:%M:%SZ") .. '","writeKey":"bench"}'
    end
    requests[request] = wrk.format("POST", wrk.path, {["Content-Type"] = "application/json"}, body)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

dofile(os.getenv("SCENES") .. "/summary.lua")
