-- Admits or refuses requests under sliding windows of 60 seconds, all or nothing for each request.
--
-- KEYS: for each request, one key per limit it is under.
-- ARGV: limits per request, then for each key its limit (requests per 60 s).
-- Reply: for each request { admitted (1 or 0), index of the tightest limit (from 0), remaining, reset (s) }.
--
-- A window is a hash: requests counted per second (field = the second), their `total`, and the `oldest`
-- second that has any. A second is dropped only when all of it lies more than 60 s back, so that in no
-- 60 s more requests are admitted than the limit says. The server's clock decides, not the callers'.

local WINDOW = 60
local now = tonumber(redis.call('TIME')[1])
local width = tonumber(ARGV[1])
local reply = {}

local function load_window(key)
    local fields = redis.call('HMGET', key, 'total', 'oldest')
    local total = tonumber(fields[1] or 0)
    local oldest = tonumber(fields[2] or now)
    local first = oldest
    local stale = {}
    while total > 0 and oldest < now do
        local count = tonumber(redis.call('HGET', key, oldest) or 0)
        if count > 0 then
            if oldest >= now - WINDOW then break end
            total = total - count
            stale[#stale + 1] = oldest
        end
        oldest = oldest + 1
    end
    if total == 0 then oldest = now end
    if #stale > 0 then redis.call('HDEL', key, unpack(stale)) end
    if oldest ~= first then redis.call('HSET', key, 'total', total, 'oldest', oldest) end
    return { key = key, total = total, oldest = oldest }
end

for request = 0, #KEYS / width - 1 do
    local windows, admitted, tightest, least = {}, 1, 0, nil
    for index = 1, width do
        local position = request * width + index
        local window = load_window(KEYS[position])
        window.limit = tonumber(ARGV[1 + position])
        windows[index] = window
        local remaining = window.limit - window.total
        if remaining <= 0 then admitted = 0 end
        if least == nil or remaining < least then
            least, tightest = remaining, index
        end
    end
    if admitted == 1 then
        for _, window in ipairs(windows) do
            -- A clock that was set back counts in a second before the oldest.
            redis.call('HSET', window.key, 'total', window.total + 1, 'oldest', math.min(window.oldest, now))
            redis.call('HINCRBY', window.key, now, 1)
            redis.call('EXPIRE', window.key, WINDOW + 2)
        end
        least = least - 1
    end
    -- A second is counted as a whole, so a slot may be freed up to one second later than this says; clients
    -- take no advice beyond the minute.
    local reset = math.min(windows[tightest].oldest + WINDOW + 1 - now, WINDOW)
    reply[#reply + 1] = { admitted, tightest - 1, math.max(least, 0), reset }
end

return reply
