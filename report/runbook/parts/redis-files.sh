# ---------------------------------------------------------------------------------------------------------------------
# Redis by files: a data folder built beside the old one, then switched in.
# ---------------------------------------------------------------------------------------------------------------------

# With `appendonly yes` Redis ignores a mere dump.rdb and starts EMPTY: then the RDB goes in as the base of an append-only set.
appends_only() {
  local last
  if [ -z "$REDIS_CONFIG_FILE" ] || [ ! -f "$REDIS_CONFIG_FILE" ]; then return 0; fi
  last=$(sed -n 's/^[[:space:]]*appendonly[[:space:]]\{1,\}"\{0,1\}\(yes\|no\)"\{0,1\}[[:space:]]*$/\1/p' "$REDIS_CONFIG_FILE" | tail -n 1)
  [ "$last" = yes ]
}

# A Redis of a standby is told by its own file to be a replica: it would take no write of anybody.
forget_master() {
  if [ -z "$REDIS_CONFIG_FILE" ] || [ ! -f "$REDIS_CONFIG_FILE" ]; then return 0; fi
  sed --follow-symlinks -i -E '/^[[:space:]]*(replicaof|slaveof)[[:space:]]/Id' "$REDIS_CONFIG_FILE"
}

restore-redis-data() {
  local staging="$REDIS_DATA_DIR.tyk-dr-new-$RUN" folder state
  if ! has_object redis; then
    SUMMARY='the set has no Redis'
    return 0
  fi
  state=$(seen "$REDIS_DATA_DIR" restore-redis-data)
  if [ "$state" = 'done' ]; then
    SUMMARY='the restored data are in place already'
    return 0
  fi
  if [ "$state" = absent ]; then
    # What an attempt that was killed has left has no ledger: it is nothing.
    rm -rf "$staging"
    if appends_only; then
      folder="$staging/appendonlydir"
      mkdir -p "$folder"
      open_into redis "$folder/appendonly.aof.1.base.rdb"
      : >"$folder/appendonly.aof.1.incr.aof"
      printf 'file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n' >"$folder/appendonly.aof.manifest"
    else
      mkdir -p "$staging"
      open_into redis "$staging/dump.rdb"
    fi
    chmod -R u=rwX,g=rX,o= "$staging"
    write_ledger "$staging" restore-redis-data
    if [ "$EUID" = 0 ] && [ -n "$REDIS_RUN_AS" ]; then chown -R "$REDIS_RUN_AS:" "$staging"; fi
  fi
  switch_in "$REDIS_DATA_DIR" restore-redis-data
  SUMMARY="$(object redis .plain.bytes) bytes restored beside the old data and switched in"
}

start-redis() {
  local dropped=0 keys
  start_service redis
  wait_for 600 redis_answers || fail 10 "Redis of $TO does not answer, or is still loading" 'Its own log says why.'
  # A snapshot brings back analytics that the Pump had already taken. Only now: later ones are new.
  if ! step_is_done start-redis; then
    while IFS= read -r key; do
      if [ -z "$key" ]; then continue; fi
      redis unlink "$key" >/dev/null
      dropped=$((dropped + 1))
    done < <(redis --raw keys 'analytics-*')
  fi
  keys=$(redis dbsize)
  SUMMARY="started: $STARTED; $keys keys, $dropped old analytics lists dropped"
}
