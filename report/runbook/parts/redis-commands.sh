# ---------------------------------------------------------------------------------------------------------------------
# Redis by commands: the keys go into the running server. A key in it is the ledger, as tyk-dr's own steps write it.
# ---------------------------------------------------------------------------------------------------------------------

MARK=tyk-dr:restore
mark_field() { redis --raw hget "$MARK" "$1"; }
write_redis_mark() { redis hset "$MARK" run "$RUN" set "$SET" servers '' before "$2" applied 0 state "$1" >/dev/null; }

wake_redis() {
  STARTED=no
  if has_service redis; then
    if [ -n "$REDIS_DATA_DIR" ] && [ ! -d "$REDIS_DATA_DIR" ]; then
      mkdir -p "$REDIS_DATA_DIR"
      if [ "$EUID" = 0 ] && [ -n "$REDIS_RUN_AS" ]; then chown "$REDIS_RUN_AS:" "$REDIS_DATA_DIR"; fi
    fi
    start_service redis
  fi
  wait_for 600 redis_answers || fail 10 "Redis of $TO does not answer, or is still loading" 'Its own log says why.'
}

# What was there before is not kept: so it must be empty, ours, or a site that is rebuilt on purpose.
check_redis_takes() {
  local there saved keys marked
  there=$(redis info server | tr -d '\r' | sed -n 's/^redis_version:\([0-9]*\)\..*/\1/p')
  saved=$(fact .redis.version)
  if [ "${there:-0}" -lt "${saved%%.*}" ]; then
    fail 10 "Redis of $TO is version $there; the keys are of $saved" 'Its values are not read by an older Redis.'
  fi
  keys=$(redis dbsize)
  marked=$(redis exists "$MARK")
  if [ "$keys" -gt 0 ] && [ "$FROM" != "$TO" ] && [ "$marked" = 0 ]; then
    fail 10 "Redis of $TO holds $keys keys that no recovery has put there" 'Is it the right one? Empty it yourself, or rebuild the site on purpose with --in-place.'
  fi
}

# Before anything changes, where it runs already.
check_redis_target() {
  if has_object redis && ! has_service redis; then
    redis_answers || fail 10 "Redis of $TO does not answer at ${REDIS_CLI[1]}:${REDIS_CLI[3]}" 'It is managed: nothing here can start it.'
    check_redis_takes
    proof 'the running Redis takes the keys' pass 'empty, ours, or rebuilt on purpose' "$(redis dbsize) keys"
  fi
}

# Every key but the mark, some thousands at a time: no stall.
UNLINK_ALL='
local answer = redis.call("SCAN", ARGV[1], "COUNT", 2000)
for _, key in ipairs(answer[2]) do if key ~= KEYS[1] then redis.call("UNLINK", key) end end
return answer[1]'

empty_redis() {
  local cursor=0
  while true; do
    cursor=$(redis --raw eval "$UNLINK_ALL" 1 "$MARK" "$cursor")
    if [ "$cursor" = 0 ]; then return 0; fi
  done
}

restore-redis-data() {
  local before
  if ! has_object redis; then
    SUMMARY='the set has no Redis'
    return 0
  fi
  wake_redis
  if [ "$(mark_field run) $(mark_field set) $(mark_field state)" = "$RUN $SET done" ]; then
    SUMMARY='the keys are in place already'
    return 0
  fi
  check_redis_takes
  before=$(mark_field before)
  if [ -z "$before" ]; then before=$(if [ "$(redis dbsize)" -gt 0 ]; then echo replaced; else echo empty; fi); fi
  # Putting a key a second time changes nothing: an attempt that was killed is begun anew.
  write_redis_mark emptying "$before"
  empty_redis
  write_redis_mark restoring "$before"
  # Nothing may be believed of a file that was not read to its end: what is wrong with it is said by the exit code.
  # redis-cli says how many errors there were, and fails for one.
  open_object redis | perl -e "$KEYS_TO_COMMANDS" | redis --pipe >"$WORK/pipe" 2>&1 ||
    fail 10 "Redis of $TO did not take every key: $(tail -n 2 "$WORK/pipe" | tr '\n' ' ')" 'The same command empties it and begins anew.'
  write_redis_mark 'done' "$before"
  SUMMARY="$(sed -n 's/^errors: 0, replies: //p' "$WORK/pipe") keys put into Redis; it was $before"
}

start-redis() {
  wake_redis
  SUMMARY="started: $STARTED; $(redis dbsize) keys"
}

# From here on the keys are the site's own.
release_redis() { redis del "$MARK" >/dev/null; }
