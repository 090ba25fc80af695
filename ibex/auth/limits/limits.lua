-- Takes note of what has ended, then admits or refuses requests: each under all of its limits, or under none.
--
-- KEYS: every key that is touched, once each, all of one organization.
-- ARGV[1]: JSON, four lists in which keys stand for their position in KEYS:
--   requests   for each request its limits, as { key, most, amount }; for concurrent requests the amount is
--              the name of a lease, a text
--   settled    { key, second, difference }: tokens that were reserved in that second cost so many more (or less)
--   released   { key, lease }: calls that are over
--   held       { key, lease }: calls that go on
-- Reply: the second of the server's clock, then for each request
--   { admitted (1 or 0), position of the limit that it is told of (from 0), remaining, wait (s) }.
--
-- Requests and tokens are counted in sliding windows of 60 seconds. A window is a hash: what was counted per
-- second (field = the second), the `total`, and the `oldest` second that has any. A second is dropped only
-- when all of it lies more than 60 s back, so that in no 60 s more is admitted than the limit says. Concurrent
-- requests are a sorted set of leases, each with the second in which it expires.
-- The server's clock decides, not the callers'.

local WINDOW = 60
local LEASE = 30
local now = tonumber(redis.call('TIME')[1])
local requests, settled, released, held = unpack(cjson.decode(ARGV[1]))
local windows, leases = {}, {}

-- Drop the seconds that no longer count, and find the oldest one that does and has any.
local function advance(window)
    while window.total > 0 and window.oldest < now do
        local count = tonumber(redis.call('HGET', window.key, window.oldest) or 0)
        if count > 0 then
            if window.oldest >= now - WINDOW then return end
            redis.call('HDEL', window.key, window.oldest)
            window.total = window.total - count
            window.is_changed = true
        end
        window.oldest = window.oldest + 1
    end
    if window.total == 0 then window.oldest = now end
end

local function window_of(key)
    local window = windows[key]
    if window then return window end
    local fields = redis.call('HMGET', key, 'total', 'oldest', now)
    window = { key = key, is_new = not fields[3] }
    window.total = tonumber(fields[1] or 0)
    window.oldest = tonumber(fields[2] or now)
    window.current = tonumber(fields[3] or 0)
    if window.total == 0 or window.oldest < now - WINDOW then advance(window) end
    windows[key] = window
    return window
end

local function leases_of(key)
    local set = leases[key]
    if set then return set end
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    set = { key = key, total = redis.call('ZCARD', key) }
    leases[key] = set
    return set
end

local function hold(key, lease)
    redis.call('ZADD', key, now + LEASE, lease)
    redis.call('EXPIRE', key, LEASE + 1)
end

local function settle(window, second, difference)
    local is_current = second == now
    local count = is_current and window.current or tonumber(redis.call('HGET', window.key, second) or 0)
    -- What Redis has lost in the meantime cannot be given back.
    difference = math.max(difference, -count)
    if count == 0 or difference == 0 then return end
    window.total = window.total + difference
    window.is_changed = true
    if is_current then
        window.current = count + difference
    elseif count + difference > 0 then
        redis.call('HSET', window.key, second, count + difference)
        return
    else
        redis.call('HDEL', window.key, second)
    end
    if second == window.oldest then advance(window) end
end

-- Seconds until so much of a window is free again; -1 when that will never be.
local function wait_for(window, amount, most)
    if amount > most then return -1 end
    local needed = window.total + amount - most
    local second = window.oldest
    -- The oldest second has one at least.
    if needed > 1 then
        while second < now do
            needed = needed - tonumber(redis.call('HGET', window.key, second) or 0)
            if needed <= 0 then break end
            second = second + 1
        end
    end
    -- A second is counted as a whole, so it may be free up to one second later than this says; clients take no
    -- advice beyond the minute.
    return math.min(second + WINDOW + 1 - now, WINDOW)
end

local function judge(limits)
    local meters, refusing, longest = {}, nil, nil
    for index, limit in ipairs(limits) do
        local key, most, amount = KEYS[limit[1]], limit[2], limit[3]
        local is_lease = type(amount) == 'string'
        local meter = is_lease and leases_of(key) or window_of(key)
        meters[index] = meter
        if is_lease then amount = 1 end
        if meter.total + amount > most then
            local wait = is_lease and (most > 0 and 1 or -1) or wait_for(meter, amount, most)
            if refusing == nil or (longest ~= -1 and (wait == -1 or wait > longest)) then
                refusing, longest = index, wait
            end
        end
    end
    if refusing then
        local remaining = math.max(limits[refusing][2] - meters[refusing].total, 0)
        return { 0, refusing - 1, remaining, longest }
    end
    local tightest, least, reset, remaining = 0, nil, WINDOW, 0
    for index, limit in ipairs(limits) do
        local meter, most, amount = meters[index], limit[2], limit[3]
        if type(amount) == 'string' then
            hold(meter.key, amount)
            meter.total = meter.total + 1
        else
            meter.total = meter.total + amount
            meter.current = meter.current + amount
            -- A clock that was set back counts in a second before the oldest.
            meter.oldest = math.min(meter.oldest, now)
            meter.is_changed = true
        end
        local left = most - meter.total
        local share = most > 0 and left / most or 0
        if least == nil or share < least then
            tightest, least, remaining = index, share, left
            reset = meter.oldest and math.min(meter.oldest + WINDOW + 1 - now, WINDOW) or 1
        end
    end
    return { 1, tightest - 1, remaining, reset }
end

for _, ended in ipairs(released) do redis.call('ZREM', KEYS[ended[1]], ended[2]) end
for _, going in ipairs(held) do hold(KEYS[going[1]], going[2]) end
for _, change in ipairs(settled) do settle(window_of(KEYS[change[1]]), change[2], change[3]) end

local reply = { now }
for _, limits in ipairs(requests) do reply[#reply + 1] = judge(limits) end

for key, window in pairs(windows) do
    if window.is_changed then
        if window.current > 0 then
            redis.call('HSET', key, 'total', window.total, 'oldest', window.oldest, now, window.current)
        else
            redis.call('HSET', key, 'total', window.total, 'oldest', window.oldest)
            redis.call('HDEL', key, now)
        end
        if window.is_new then redis.call('EXPIRE', key, WINDOW + 2) end
    end
end

return reply
