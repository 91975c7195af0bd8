-- wrk: POST /predict with the key of a flight of 1 … BENCH_KEYS, another each time; the last line of
-- the output is the count, as JSON.
local n = tonumber(os.getenv("BENCH_KEYS"))
math.randomseed(os.time())

function request()
    return wrk.format("POST", nil, nil, string.format(
        '{"project":"flight_delay","key":{"flight_id":%d}}', math.random(1, n)))
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('{"requests":%d,"seconds":%.6f,"failed":%d,"p99_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(99) / 1000))
end
