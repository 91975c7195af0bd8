-- wrk: POST the body of the file BENCH_BODY to BENCH_COPIES copies of its project in turns; the
-- last line of the output is the count, as JSON.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
local body = file:read("*a")
file:close()

local requests, at = {}, 0

function init()
    for i = 1, tonumber(os.getenv("BENCH_COPIES")) do
        local copy = body:gsub('("project": "[^"]*)', "%1_" .. i, 1)
        requests[i] = wrk.format("POST", nil, nil, copy)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary)
    local errors = summary.errors
    io.write(string.format('{"requests":%d,"seconds":%.6f,"failed":%d}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
