"""The steps of queues that are Kombu's lists. They know nothing of messages.

KEYS: the lists, best priority first, then leases and delayed (sorted sets), bodies (hash) and seq
(a counter). A lease is `list:number:consumer`, with the place of its list and its own number; a
message that was put for later has no consumer. Kombu pushes on the left and takes from the right.
How often a message was given back is kept for a day by the hash of its text, as in a list it is
nothing but that: what a program of Kombu's takes then leaves nothing here for long.
"""

from __future__ import annotations

from .scripts import NOW

__all__ = ["LISTS"]

_NAMES = """
local lists = #KEYS - 4
local leases, delayed = KEYS[lists + 1], KEYS[lists + 2]
local bodies, seq = KEYS[lists + 3], KEYS[lists + 4]
local function list_of(id) return KEYS[tonumber(string.match(id, '^%d+'))] end
local function number_of(id) return tonumber(string.match(id, '^%d+:(%d+)')) end
local function count_of(text) return bodies .. ':count:' .. redis.sha1hex(text) end
-- To the end that is taken from, so that the first that was leased comes first again.
local function give_back(ids)
    table.sort(ids, function(one, other) return number_of(one) > number_of(other) end)
    for _, id in ipairs(ids) do
        local text = redis.call('HGET', bodies, id)
        if text then
            redis.call('RPUSH', list_of(id), text)
            redis.call('HDEL', bodies, id)
        end
    end
end
local function until_due(key)
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return first[2] and math.max(0, first[2] - now) or -1
end
"""

LISTS = {
    "hold": NOW
    + _NAMES
    + """
        -- A message for later. ARGV: delay, the place of its list, text.
        local id = ARGV[2] .. ':' .. redis.call('INCR', seq) .. ':'
        redis.call('HSET', bodies, id, ARGV[3])
        redis.call('ZADD', delayed, now + ARGV[1], id)
    """,
    "take": NOW
    + _NAMES
    + """
        -- ARGV: consumer, how many, lease, whether to look for leases that have ended.
        local back = {}
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now)) do
            redis.call('ZREM', delayed, id)
            if string.sub(id, -1) == ':' then
                redis.call('LPUSH', list_of(id), redis.call('HGET', bodies, id))
                redis.call('HDEL', bodies, id)
            else back[#back + 1] = id end
        end
        if ARGV[4] == '1' then
            for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
                redis.call('ZREM', leases, id)
                back[#back + 1] = id
            end
        end
        give_back(back)
        local most, out = tonumber(ARGV[2]), {}
        for place = 1, lists do
            while #out < most do
                local text = redis.call('RPOP', KEYS[place])
                if not text then break end
                local id = place .. ':' .. redis.call('INCR', seq) .. ':' .. ARGV[1]
                redis.call('HSET', bodies, id, text)
                redis.call('ZADD', leases, now + ARGV[3], id)
                local count = count_of(text)
                local before = redis.call('INCR', count) - 1
                redis.call('EXPIRE', count, 86400)
                out[#out + 1] = {id, text, before}
            end
        end
        return {out, until_due(delayed)}
    """,
    "ack": _NAMES
    + """
        -- ARGV: ids. The places of those that were lost.
        local lost = {}
        for place, id in ipairs(ARGV) do
            if redis.call('ZREM', leases, id) == 1 then
                local text = redis.call('HGET', bodies, id)
                if text then redis.call('DEL', count_of(text)) end
                redis.call('HDEL', bodies, id)
            else lost[#lost + 1] = place - 1 end
        end
        return lost
    """,
    "nack": NOW
    + _NAMES
    + """
        -- ARGV: delay, then ids.
        local back = {}
        for place = 2, #ARGV do
            local id = ARGV[place]
            if redis.call('ZREM', leases, id) == 1 then
                if ARGV[1] == '0' then back[#back + 1] = id
                else redis.call('ZADD', delayed, now + ARGV[1], id) end
            end
        end
        give_back(back)
    """,
    "renew": NOW
    + _NAMES
    + """
        -- ARGV: lease, then ids. The places of those that were lost.
        local lost = {}
        for place = 2, #ARGV do
            local id = ARGV[place]
            if redis.call('ZSCORE', leases, id) then
                redis.call('ZADD', leases, now + ARGV[1], id)
            else lost[#lost + 1] = place - 2 end
        end
        return lost
    """,
    "size": NOW
    + _NAMES
    + """
        local count = redis.call('ZCOUNT', leases, '-inf', now)
        count = count + redis.call('ZCOUNT', delayed, '-inf', now)
        for place = 1, lists do count = count + redis.call('LLEN', KEYS[place]) end
        return count
    """,
    "purge": _NAMES
    + """
        local count = 0
        for place = 1, lists do
            count = count + redis.call('LLEN', KEYS[place])
            redis.call('DEL', KEYS[place])
        end
        return count
    """,
}
