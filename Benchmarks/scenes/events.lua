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

dofile(os.getenv("SCENES") .. "/summary.lua")
