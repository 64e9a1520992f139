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

dofile(os.getenv("SCENES") .. "/summary.lua")
