# ---------------------------------------------------------------------------------------------------------------------
# Redis
# ---------------------------------------------------------------------------------------------------------------------

# The password goes by the environment, which only this user and root can read.
redis() { REDISCLI_AUTH="$(redis_password)" redis-cli "${REDIS_CLI[@]}" "$@"; }
redis_password() { if [ -n "$REDIS_PASSWORD" ]; then secret "$REDIS_PASSWORD"; fi; }

# With `appendonly yes` Redis ignores a mere dump.rdb and starts EMPTY: then the RDB goes in as the base of an append-only set.
appends_only() {
  local last
  if [ -z "$REDIS_CONFIG_FILE" ] || [ ! -f "$REDIS_CONFIG_FILE" ]; then return 0; fi
  last=$(sed -n 's/^[[:space:]]*appendonly[[:space:]]\{1,\}"\{0,1\}\(yes\|no\)"\{0,1\}[[:space:]]*$/\1/p' "$REDIS_CONFIG_FILE" | tail -n 1)
  [ "$last" = yes ]
}

restore-redis-data() {
  local staging="$REDIS_DATA_DIR.tyk-dr-new-$RUN" folder state
  if ! has_object redis; then
    SUMMARY='the set has no Redis'
    return 0
  fi
  if [ "$(fact .redis.method)" = commands ]; then
    fail 10 "the Redis of $SET was saved by commands, which this script cannot put back" 'Use tyk-dr recover, or docs/restore-by-hand.md.'
  fi
  state=$(seen "$REDIS_DATA_DIR" restore-redis-data)
  if [ "$state" = done ]; then
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

redis_answers() { [ "$(redis ping 2>/dev/null)" = PONG ]; }

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

# A digest that is equal wherever the value is: members and fields sorted, lists and sorted sets in their order. It is
# computed from what this prints: type and expiry in a line, then each part behind its length.
CANONICAL='
local key = KEYS[1]
local type = redis.call("TYPE", key)["ok"]
local out = {type .. " " .. redis.call("PEXPIRETIME", key) .. "\n", type .. "\n"}
local function less(a, b)
  local n = math.min(#a, #b)
  for i = 1, n do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function add(part) out[#out + 1] = #part .. "\n" .. part end
if type == "string" then add(redis.call("GET", key))
elseif type == "list" then for _, each in ipairs(redis.call("LRANGE", key, 0, -1)) do add(each) end
elseif type == "set" then
  local all = redis.call("SMEMBERS", key)
  table.sort(all, less)
  for _, each in ipairs(all) do add(each) end
elseif type == "zset" then for _, each in ipairs(redis.call("ZRANGE", key, 0, -1, "WITHSCORES")) do add(each) end
elseif type == "hash" then
  local all, pairs_of = redis.call("HGETALL", key), {}
  for i = 1, #all, 2 do pairs_of[#pairs_of + 1] = {all[i], all[i + 1]} end
  table.sort(pairs_of, function(a, b) return less(a[1], b[1]) end)
  for _, each in ipairs(pairs_of) do add(each[1]) add(each[2]) end
end
return table.concat(out)'

# seen_sample KEY-IN-BASE64: TYPE EXPIRY DIGEST of what the server has now. The name of a key may be a credential: by pipe.
seen_sample() {
  base64 -d <<<"$1" | redis --raw -x eval "$CANONICAL" 1 | head -c -1 | {
    IFS= read -r line || true
    printf '%s %s\n' "$line" "$(sha256sum | cut -d ' ' -f 1)"
  }
}

prove-redis() {
  local keys least most key type digest expires found equal=0 expired=0 other=0
  if ! has_object redis; then
    SUMMARY='the set has no Redis'
    return 0
  fi
  most=$(fact .redis.keys)
  least=$((most - $(fact .redis.expires | grep . || echo 0)))
  keys=$(redis dbsize)
  if [ "$keys" -lt "$least" ] || [ "$keys" -gt "$most" ]; then
    proof 'Redis keys, less what has expired' fail "$least to $most" "$keys"
  fi
  proof 'Redis keys, less what has expired' pass "$least to $most" "$keys"
  open_into redis-samples "$WORK/samples.json"
  while IFS=$'\t' read -r key type digest expires; do
    found=$(seen_sample "$key")
    if [ "$found" = "$type $expires $digest" ]; then
      equal=$((equal + 1))
    elif [[ $found == none* ]] && [ "$expires" -gt 0 ] && [ "$expires" -le $(($(date +%s%3N) + 2000)) ]; then
      expired=$((expired + 1))
    elif [[ ! $type =~ ^(string|list|set|zset|hash)$ ]]; then
      other=$((other + 1))
    else
      proof 'sampled values, types and expiries' fail "$type ${digest:0:12}, expires $expires" "$found"
    fi
  done < <(jq -r '.[] | [.key, .type, .digest, (.expiresAtMs | tostring)] | @tsv' "$WORK/samples.json")
  proof 'sampled values, types and expiries' pass "$(jq length "$WORK/samples.json") equal or expired" "$equal equal, $expired expired, $other of a type that is not compared here"
  SUMMARY="$keys keys; $equal samples equal, $expired expired"
}
