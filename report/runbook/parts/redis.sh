# ---------------------------------------------------------------------------------------------------------------------
# Redis
# ---------------------------------------------------------------------------------------------------------------------

# The password goes by the environment, which only this user and root can read.
redis() {
  local password
  password=$(redis_password) || exit $?
  REDISCLI_AUTH=$password redis-cli "${REDIS_CLI[@]}" "$@"
}
redis_password() { if [ -n "$REDIS_PASSWORD" ]; then secret "$REDIS_PASSWORD"; fi; }

redis_answers() { [ "$(redis ping 2>/dev/null)" = PONG ]; }

# A digest that is equal wherever the value is: members and fields sorted, lists and sorted sets in their order. For each
# key (in base64: they may be binary, and may be credentials) a line: type, expiry, and what is hashed, as \\x escapes.
CANONICAL='
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function decoded(text)
  local out, bits, count = {}, 0, 0
  for i = 1, #text do
    local at = string.find(letters, string.sub(text, i, i), 1, true)
    if at then
      bits, count = bits * 64 + at - 1, count + 6
      if count >= 8 then
        local rest = 2 ^ (count - 8)
        out[#out + 1] = string.char(math.floor(bits / rest))
        bits, count = bits % rest, count - 8
      end
    end
  end
  return table.concat(out)
end
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function parts(key, kind)
  if kind == "string" then return {redis.call("GET", key)} end
  if kind == "list" then return redis.call("LRANGE", key, 0, -1) end
  if kind == "zset" then return redis.call("ZRANGE", key, 0, -1, "WITHSCORES") end
  if kind == "set" then
    local all = redis.call("SMEMBERS", key)
    table.sort(all, less)
    return all
  end
  local all, fields, flat = redis.call("HGETALL", key), {}, {}
  for i = 1, #all, 2 do fields[#fields + 1] = {all[i], all[i + 1]} end
  table.sort(fields, function(a, b) return less(a[1], b[1]) end)
  for _, each in ipairs(fields) do flat[#flat + 1] = each[1]; flat[#flat + 1] = each[2] end
  return flat
end
local lines = {}
for text in string.gmatch(KEYS[1], "[^\n]+") do
  local key = decoded(text)
  local kind = redis.call("TYPE", key)["ok"]
  local out = {kind .. "\n"}
  if kind == "string" or kind == "list" or kind == "set" or kind == "zset" or kind == "hash" then
    for _, part in ipairs(parts(key, kind)) do out[#out + 1] = #part .. "\n" .. part end
  end
  local escaped = string.gsub(table.concat(out), ".", function(c) return string.format("\\x%02x", string.byte(c)) end)
  lines[#lines + 1] = kind .. " " .. redis.call("PEXPIRETIME", key) .. " " .. escaped
end
return table.concat(lines, "\n")'

prove-redis() {
  local keys least most type digest expires found found_type found_expires escaped equal=0 expired=0 other=0
  if ! has_object redis; then
    SUMMARY='the set has no Redis'
    return 0
  fi
  most=$(fact .redis.keys)
  least=$((most - $(fact .redis.expires | grep . || echo 0)))
  # What a restore by commands is told by is no key of anybody.
  keys=$(($(redis dbsize) - $(redis exists tyk-dr:restore)))
  if [ "$keys" -lt "$least" ] || [ "$keys" -gt "$most" ]; then
    proof 'Redis keys, less what has expired' fail "$least to $most" "$keys"
  fi
  proof 'Redis keys, less what has expired' pass "$least to $most" "$keys"
  open_into redis-samples "$WORK/samples.json"
  if [ "$(jq length "$WORK/samples.json")" -gt 0 ]; then
    jq -r '.[].key' "$WORK/samples.json" | redis --raw -x eval "$CANONICAL" 1 >"$WORK/found"
  else
    : >"$WORK/found"
  fi
  while read -r type digest expires found_type found_expires escaped; do
    # shellcheck disable=SC2059
    found=$(printf "$escaped" | sha256sum)
    if [ "$found_type $found_expires ${found%% *}" = "$type $expires $digest" ]; then
      equal=$((equal + 1))
    elif [ "$found_type" = none ] && [ "$expires" -gt 0 ] && [ "$expires" -le $(($(date +%s%3N) + 2000)) ]; then
      expired=$((expired + 1))
    elif [[ ! $type =~ ^(string|list|set|zset|hash)$ ]]; then
      other=$((other + 1))
    else
      proof 'sampled values, types and expiries' fail "$type ${digest:0:12}, expires $expires" "$found_type ${found:0:12}, expires $found_expires"
    fi
  done < <(jq -r '.[] | "\(.type) \(.digest) \(.expiresAtMs)"' "$WORK/samples.json" | paste -d ' ' - "$WORK/found")
  rm -f "$WORK/found" "$WORK/samples.json"
  proof 'sampled values, types and expiries' pass 'all equal or expired' "$equal equal, $expired expired, $other of a type that is not compared here"
  SUMMARY="$keys keys; $equal samples equal, $expired expired"
}
