//! What has to happen at one moment in Redis.

use fred::types::scripts::Script;

/// Scripts with their hashes.
pub(super) struct Scripts {
    pub(super) increment: Script,
    pub(super) compare_and_set: Script,
    pub(super) lock: Script,
    pub(super) renew: Script,
    pub(super) unlock: Script,
}

/// By how much; milliseconds to live or nothing.
const INCREMENT: &str = "\
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[1])
if is_new and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])";

/// Whether there is an expected value; it; whether there is a new one; it; milliseconds to live or nothing.
const COMPARE_AND_SET: &str = "\
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if found == false or found ~= ARGV[2] then return 0 end
elseif found ~= false then return 0 end
if ARGV[3] == '0' then redis.call('DEL', KEYS[1])
elseif ARGV[5] == '' then redis.call('SET', KEYS[1], ARGV[4])
else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
return 1";

/// Owner; milliseconds. The fence is the time in microseconds, or one more than the last: it grows also when the server lost
/// everything, as long as its clock does. It is kept a week longer than it is asked for.
const LOCK: &str = "\
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', KEYS[2], fence, 'PX', 604800000)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. fence, 'PX', ARGV[2])
return fence";

/// Owner and fence; milliseconds.
const RENEW: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// Owner and fence.
const UNLOCK: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            increment: Script::from_lua(INCREMENT),
            compare_and_set: Script::from_lua(COMPARE_AND_SET),
            lock: Script::from_lua(LOCK),
            renew: Script::from_lua(RENEW),
            unlock: Script::from_lua(UNLOCK),
        }
    }
}
