"""The steps that Redis takes as one, in its language. They know nothing of messages.

Times are the server's. Keys of a queue come in the order of `layouts`. Each needs Redis 6.2.
"""

from __future__ import annotations

__all__ = ["ADD_FACT", "DECLARE", "SORTED", "STREAM"]

NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

ADD_FACT = """
-- A fact, unless there is one. KEYS: facts, version. ARGV: key, value.
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 then redis.call('INCR', KEYS[2]) end
return redis.call('HGET', KEYS[1], ARGV[1])
"""

DECLARE = """
-- The group of a stream, unless it is there.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local failed = type(made) == 'table' and made.err
if failed and not string.find(failed, 'BUSYGROUP') then return made end
return 'OK'
"""

_WAKE = """
local function wake(key) redis.call('XADD', key, 'MAXLEN', '1', '*', 'n', '1') end
local function last_of(key)
    if redis.call('EXISTS', key) == 0 then return '0-0' end
    local info = redis.call('XINFO', 'STREAM', key)
    for place = 1, #info, 2 do
        if info[place] == 'last-generated-id' then return info[place + 1] end
    end
end
local function until_due(key)
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return first[2] and math.max(0, first[2] - now) or -1
end
"""

# KEYS: stream, returned (sorted set), delayed (sorted set), held (hash), wake (stream).
# The owner '-' has what was given back; a delayed member is 'r:' and an id of that, or a new one.
_STREAM_OWNER = """
local group = 'minibroker'
-- By the order of the stream. There are milliseconds and a number in an id, and 53 bits in a score.
local function give_back(id)
    local clock, number = string.match(id, '(%d+)-(%d+)')
    local score = clock * 2048 + math.min(tonumber(number), 2047)
    redis.call('ZADD', KEYS[2], string.format('%.0f', score), id)
end
local function owner_of(id)
    local row = redis.call('XPENDING', KEYS[1], group, id, id, 1)[1]
    if row then return row[2], row[4] end
end
-- Who has it since when: the owner, and how often it was handed out, which claiming counts.
local function token_of(id)
    local owner, count = owner_of(id)
    if owner then return owner .. ':' .. count, owner end
end
"""

STREAM = {
    "hold": NOW
    + _WAKE
    + """
        -- A message for later. ARGV: delay, packed fields.
        local id = redis.call('INCR', KEYS[1] .. ':held-ids')
        redis.call('HSET', KEYS[4], id, ARGV[2])
        redis.call('ZADD', KEYS[3], now + ARGV[1], id)
        wake(KEYS[5])
    """,
    "take": NOW
    + _WAKE
    + _STREAM_OWNER
    + """
        -- ARGV: consumer, how many, lease, whether to look for leases that have ended.
        local most, out = tonumber(ARGV[2]), {}
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
            redis.call('ZREM', KEYS[3], id)
            if string.sub(id, 1, 2) == 'r:' then
                give_back(string.sub(id, 3))
            else
                local packed = redis.call('HGET', KEYS[4], id)
                redis.call('HDEL', KEYS[4], id)
                if packed then
                    redis.call('XADD', KEYS[1], '*', unpack(cmsgpack.unpack(packed)))
                end
            end
        end
        local function claim(id, count)
            local got = redis.call('XCLAIM', KEYS[1], group, ARGV[1], 0, id)[1]
            if got then out[#out + 1] = {got[1], got[2], count} end
        end
        while #out < most do
            local id = redis.call('ZPOPMIN', KEYS[2])[1]
            if not id then break end
            local owner, count = owner_of(id)
            if owner == '-' then claim(id, count) end
        end
        if ARGV[4] == '1' and #out < most then
            local idle = redis.call('XPENDING', KEYS[1], group, 'IDLE', ARGV[3], '-', '+', most)
            for _, row in ipairs(idle) do
                if row[2] ~= '-' and #out < most then claim(row[1], row[4]) end
            end
        end
        if #out < most then
            local read = redis.call('XREADGROUP', 'GROUP', group, ARGV[1], 'COUNT', most - #out,
                'STREAMS', KEYS[1], '>')
            if read then
                for _, got in ipairs(read[1][2]) do out[#out + 1] = {got[1], got[2], 0} end
            end
        end
        if #out > 0 then return {out} end
        return {out, until_due(KEYS[3]), last_of(KEYS[1]), last_of(KEYS[5])}
    """,
    "ack": _STREAM_OWNER
    + """
        -- ARGV: ids and tokens. The places of those that were lost.
        local mine, lost = {}, {}
        for place = 1, #ARGV, 2 do
            if token_of(ARGV[place]) == ARGV[place + 1] then mine[#mine + 1] = ARGV[place]
            else lost[#lost + 1] = (place - 1) / 2 end
        end
        if #mine > 0 then
            redis.call('XACK', KEYS[1], group, unpack(mine))
            redis.call('XDEL', KEYS[1], unpack(mine))
        end
        return lost
    """,
    "nack": NOW
    + _WAKE
    + _STREAM_OWNER
    + """
        -- ARGV: delay, then ids and tokens.
        for place = 2, #ARGV, 2 do
            if token_of(ARGV[place]) == ARGV[place + 1] then
                redis.call('XCLAIM', KEYS[1], group, '-', 0, ARGV[place], 'JUSTID')
                if ARGV[1] == '0' then give_back(ARGV[place])
                else redis.call('ZADD', KEYS[3], now + ARGV[1], 'r:' .. ARGV[place]) end
            end
        end
        wake(KEYS[5])
    """,
    "renew": _STREAM_OWNER
    + """
        -- ARGV: lease, then ids and tokens. The places of those that were lost.
        local lost = {}
        for place = 2, #ARGV, 2 do
            local token, owner = token_of(ARGV[place])
            if token == ARGV[place + 1] then
                redis.call('XCLAIM', KEYS[1], group, owner, 0, ARGV[place], 'JUSTID')
            else lost[#lost + 1] = (place - 2) / 2 end
        end
        return lost
    """,
    "size": """
        local pending = redis.call('XPENDING', KEYS[1], 'minibroker')[1]
        return redis.call('XLEN', KEYS[1]) - pending + redis.call('ZCARD', KEYS[2])
    """,
    "purge": _STREAM_OWNER
    + """
        local count, ids = 0, {}
        local function drop()
            if #ids > 0 then
                redis.call('XACK', KEYS[1], group, unpack(ids))
                redis.call('XDEL', KEYS[1], unpack(ids))
                count, ids = count + #ids, {}
            end
        end
        while true do
            local id = redis.call('ZPOPMIN', KEYS[2])[1]
            if not id then break end
            if owner_of(id) == '-' then ids[#ids + 1] = id end
            if #ids == 500 then drop() end
        end
        drop()
        while true do
            local read = redis.call('XREADGROUP', 'GROUP', group, '-', 'COUNT', 500,
                'STREAMS', KEYS[1], '>')
            if not read then break end
            for _, got in ipairs(read[1][2]) do ids[#ids + 1] = got[1] end
            drop()
        end
        return count
    """,
}

# KEYS: ready (sorted set), leases (sorted set), delayed (sorted set), bodies, scores, counts,
# owners (hashes), wake (stream).
SORTED = {
    "put": NOW
    + _WAKE
    + """
        -- ARGV: delay, priority (0 is the lowest), packed fields.
        local seq = redis.call('INCR', KEYS[1] .. ':seq')
        local score = string.format('%.0f', (255 - ARGV[2]) * 10000000000000 + seq)
        redis.call('HSET', KEYS[4], seq, ARGV[3])
        redis.call('HSET', KEYS[5], seq, score)
        if ARGV[1] == '0' then redis.call('ZADD', KEYS[1], score, seq)
        else redis.call('ZADD', KEYS[3], now + ARGV[1], seq) end
        wake(KEYS[8])
    """,
    "take": NOW
    + _WAKE
    + """
        -- ARGV: consumer, how many, lease.
        for _, key in ipairs({KEYS[3], KEYS[2]}) do
            for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now)) do
                redis.call('ZREM', key, id)
                redis.call('HDEL', KEYS[7], id)
                redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[5], id), id)
            end
        end
        local out = {}
        local ids = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
        for _, id in ipairs(ids) do
            local count = redis.call('HINCRBY', KEYS[6], id, 1)
            local owner = ARGV[1] .. ':' .. count
            redis.call('ZREM', KEYS[1], id)
            redis.call('ZADD', KEYS[2], now + ARGV[3], id)
            redis.call('HSET', KEYS[7], id, owner)
            out[#out + 1] = {id, redis.call('HGET', KEYS[4], id), count - 1, owner}
        end
        if #out > 0 then return {out} end
        local first = until_due(KEYS[3])
        local second = until_due(KEYS[2])
        if first < 0 or (second >= 0 and second < first) then first = second end
        return {out, first, '0-0', last_of(KEYS[8])}
    """,
    "ack": """
        -- ARGV: ids and owners. The places of those that were lost.
        local lost = {}
        for place = 1, #ARGV, 2 do
            local id = ARGV[place]
            if redis.call('HGET', KEYS[7], id) == ARGV[place + 1] then
                redis.call('ZREM', KEYS[2], id)
                for key = 4, 7 do redis.call('HDEL', KEYS[key], id) end
            else lost[#lost + 1] = (place - 1) / 2 end
        end
        return lost
    """,
    "nack": NOW
    + _WAKE
    + """
        -- ARGV: delay, then ids and owners.
        for place = 2, #ARGV, 2 do
            local id = ARGV[place]
            if redis.call('HGET', KEYS[7], id) == ARGV[place + 1] then
                redis.call('ZREM', KEYS[2], id)
                redis.call('HDEL', KEYS[7], id)
                if ARGV[1] == '0' then
                    redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[5], id), id)
                else redis.call('ZADD', KEYS[3], now + ARGV[1], id) end
            end
        end
        wake(KEYS[8])
    """,
    "renew": NOW
    + """
        -- ARGV: lease, then ids and owners. The places of those that were lost.
        local lost = {}
        for place = 2, #ARGV, 2 do
            if redis.call('HGET', KEYS[7], ARGV[place]) == ARGV[place + 1] then
                redis.call('ZADD', KEYS[2], now + ARGV[1], ARGV[place])
            else lost[#lost + 1] = (place - 2) / 2 end
        end
        return lost
    """,
    "size": NOW
    + """
        local back = redis.call('ZCOUNT', KEYS[2], '-inf', now)
        return redis.call('ZCARD', KEYS[1]) + back + redis.call('ZCOUNT', KEYS[3], '-inf', now)
    """,
    "purge": """
        local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
        for _, id in ipairs(ids) do
            redis.call('ZREM', KEYS[1], id)
            for key = 4, 7 do redis.call('HDEL', KEYS[key], id) end
        end
        return #ids
    """,
}
