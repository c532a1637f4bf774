# ---------------------------------------------------------------------------------------------------------------------
# Dashboard and Gateways. A Gateway that loads from an empty Dashboard unloads every API: the Dashboard is proven first.
# ---------------------------------------------------------------------------------------------------------------------

dashboard_is_alive() {
  http GET "${DASHBOARD_URL%/}/hello"
  [ "$STATUS" = 200 ] && [ "$(jq -r .status "$WORK/body" 2>/dev/null)" = ok ]
}

start-dashboard() {
  start_service dashboard
  wait_for 60 dashboard_is_alive || fail 10 "the Dashboard of $TO does not answer /hello with ok" 'Its own log says why.'
  SUMMARY="started: $STARTED; /hello says ok"
}

# What the Dashboard publishes, into $WORK/apis.json and $WORK/policies.json; without one, what the Gateways' files define.
ask_published() {
  local key
  if [ -z "$DASHBOARD_URL" ]; then
    published_by_files
    return
  fi
  key=$(secret "$DASHBOARD_KEY")
  http_with GET "${DASHBOARD_URL%/}/api/apis?p=-1" Authorization "$key"
  if [ "$STATUS" != 200 ]; then proof 'Dashboard /api/apis' fail '200 with a list' "$STATUS"; fi
  jq "[.apis[] | (.api_definition // .)] | $LISTING" "$WORK/body" >"$WORK/apis.json"
  http_with GET "${DASHBOARD_URL%/}/api/portal/policies?p=-1" Authorization "$key"
  if [ "$STATUS" != 200 ]; then proof 'Dashboard /api/portal/policies' fail '200 with a list' "$STATUS"; fi
  jq '[.Data[]? | (.id // "") as $id | if $id == "" then ._id else $id end] | sort' "$WORK/body" >"$WORK/policies.json"
}

published_by_files() {
  local apps record
  tree "gateway-${GATEWAYS[0]}"
  apps=$(jq -r '.app_path // "apps"' "$TREE_ROOT/$TREE_CONFIG")
  case $apps in /*) ;; *) apps="$TREE_ROOT/$apps" ;; esac
  find "$apps" -maxdepth 1 -name '*.json' ! -name '*-oas.json' ! -name '*-mcp.json' -exec cat {} + |
    jq -s "map(.active = true) | $LISTING" >"$WORK/apis.json"
  record=$(jq -r 'if .policies.policy_source != "file" then "" else (.policies.policy_path // .policies.policy_record_name // "") end' "$TREE_ROOT/$TREE_CONFIG")
  case $record in '' | /*) ;; *) record="$TREE_ROOT/$record" ;; esac
  if [ -d "$record" ]; then
    find "$record" -maxdepth 1 -name '*.json' -exec cat {} + | jq -s 'map(.id) | sort' >"$WORK/policies.json"
  elif [ -f "$record" ]; then
    jq 'keys | sort' "$record" >"$WORK/policies.json"
  else
    echo '[]' >"$WORK/policies.json"
  fi
}

LISTING='map({id: (if (.id // "") == "" then .api_id else .id end), api_id, name: (.name // ""), org: (.org_id // ""),
  active: (.active != false), path: (.proxy.listen_path // ""), target: (.proxy.target_url // ""), oas: (.is_oas == true),
  auth: (if .use_keyless == true then "keyless" elif .enable_jwt == true then "jwt" elif .use_oauth2 == true then "oauth"
    elif .use_mutual_tls_auth == true then "mtls" elif .use_standard_auth == false then "other" else "key" end)}) | sort_by(.api_id)'

# same_ids NAME FILE FILE: two lists of ids as JSON.
same_ids() {
  local difference
  difference=$(jq -nr --slurpfile a "$2" --slurpfile b "$3" '($a[0] - $b[0]) as $missing | ($b[0] - $a[0]) as $extra
    | [if $missing != [] then "missing \($missing | length): \($missing[:3] | join(", "))" else empty end,
       if $extra != [] then "unexpected \($extra | length): \($extra[:3] | join(", "))" else empty end] | join("; ")')
  proof "$1" "$(if [ -z "$difference" ]; then echo pass; else echo fail; fi)" "$(jq length "$2") ids" "$(jq length "$3") ids${difference:+; $difference}"
}

prove-dashboard() {
  local count foreign
  ask_published
  api_ids_of_database | jq -Rn '[inputs]' >"$WORK/rows-apis.json"
  policy_ids_of_database | jq -Rn '[inputs]' >"$WORK/rows-policies.json"
  jq '[.[].api_id]' "$WORK/apis.json" >"$WORK/ids.json"
  same_ids 'APIs of the Dashboard equal the database’s' "$WORK/rows-apis.json" "$WORK/ids.json"
  same_ids 'policies of the Dashboard equal the database’s' "$WORK/rows-policies.json" "$WORK/policies.json"
  foreign=$(jq --arg org "$ORGANISATION" '[.[] | select(.org != $org)] | length' "$WORK/apis.json")
  proof 'a user’s key lists that organisation’s APIs only' "$(if [ "$foreign" = 0 ]; then echo pass; else echo fail; fi)" 0 "$foreign"
  http_with GET "${DASHBOARD_URL%/}/api/apis?p=1" Authorization "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  proof 'a wrong key is refused' "$(if [ "$STATUS" = 401 ]; then echo pass; else echo fail; fi)" 401 "$STATUS"
  count=$(jq length "$WORK/apis.json")
  proof 'the Dashboard is not empty' "$(if [ "$count" -gt 0 ]; then echo pass; else echo fail; fi)" 'at least 1 API' "$count"
  SUMMARY="$count APIs and $(jq length "$WORK/policies.json") policies, equal to the database"
}

# A Gateway that cannot reach its upstreams serves errors with good health.
check-upstreams() {
  local host port origin bad=0 all=0 percent named=''
  ask_published
  while IFS=$'\t' read -r origin host port apis; do
    all=$((all + apis))
    if ! listens "$host" "$port"; then
      bad=$((bad + apis))
      named="$named $origin"
    fi
  done < <(jq -r '[.[] | select(.active) | .target | capture("^(?<scheme>[a-z0-9+.-]+)://(?:[^/@]*@)?(?<host>\\[[^\\]]*\\]|[^:/?#]*)(?::(?<port>[0-9]+))?")
      | {origin: "\(.scheme)://\(.host):\(.port // "")", host: (.host | gsub("[\\[\\]]"; "")), port: (.port // (if (.scheme | endswith("s")) then "443" else "80" end))}]
      | group_by(.origin)[] | [.[0].origin, .[0].host, .[0].port, (length | tostring)] | @tsv' "$WORK/apis.json")
  percent=$((all == 0 ? 0 : (100 * bad + all - 1) / all))
  proof 'active APIs with an unreachable upstream' "$(if [ "$percent" -le "$UNREACHABLE_PERCENT" ]; then echo pass; else echo fail; fi)" \
    "at most $UNREACHABLE_PERCENT %" "$percent %${named:+:$named}"
  SUMMARY="upstreams of $((all - bad)) of $all active APIs reached"
}

# A Gateway says pass without details for its first ten seconds or so: then Redis and the Dashboard must both pass.
gateway_is_ready() {
  http GET "${1%/}/hello"
  jq -e --argjson dashboard "$(if [ -n "$DASHBOARD_URL" ]; then echo true; else echo false; fi)" \
    '.details.redis.status == "pass" and (($dashboard | not) or .details.dashboard.status == "pass")' "$WORK/body" >/dev/null 2>&1
}

start-gateways() {
  local gateway started=0
  for gateway in "${GATEWAYS[@]}"; do
    start_service "gateway $gateway"
    if [ "$STARTED" = yes ]; then started=$((started + 1)); fi
  done
  for gateway in "${GATEWAYS[@]}"; do
    wait_for 90 gateway_is_ready "${GATEWAY_URLS[$gateway]}" ||
      fail 10 "Gateway $gateway of $TO does not report redis and dashboard as pass in /hello" "It says: $(head -c 300 "$WORK/body")"
  done
  SUMMARY="$started started, $((${#GATEWAYS[@]} - started)) ran already; all report ready"
}

# loaded URL KIND FILE: what a Gateway has in memory: apis or policies of our organisation.
loaded() {
  local path=/tyk/apis/
  if [ "$2" = policies ]; then path=/tyk/policies; fi
  http_by GET "${1%/}$path" X-Tyk-Authorization "$GATEWAY_SECRET"
  [ "$STATUS" = 200 ] || return 1
  jq --arg org "$(if [ -n "$DASHBOARD_URL" ]; then printf '%s' "$ORGANISATION"; fi)" --arg kind "$2" \
    '[.[] | select($org == "" or .org_id == $org) | if $kind == "apis" then .api_id else ((.id // "") as $id | if $id == "" then ._id else $id end) end] | sort' \
    "$WORK/body" >"$3" 2>/dev/null
}

# A Gateway that missed a notification is told to load anew.
has_loaded() {
  loaded "$1" apis "$WORK/loaded-apis.json" && loaded "$1" policies "$WORK/loaded-policies.json" || return 1
  if cmp -s <(jq -S . "$WORK/published.json") <(jq -S . "$WORK/loaded-apis.json") &&
    cmp -s <(jq -S . "$WORK/policies.json") <(jq -S . "$WORK/loaded-policies.json"); then return 0; fi
  http_by GET "${1%/}/tyk/reload?block=true" X-Tyk-Authorization "$GATEWAY_SECRET"
  return 1
}

prove-gateways() {
  local gateway
  ask_published
  jq '[.[] | select(.active) | .api_id]' "$WORK/apis.json" >"$WORK/published.json"
  for gateway in "${GATEWAYS[@]}"; do
    wait_for 60 has_loaded "${GATEWAY_URLS[$gateway]}" || true
    if [ ! -f "$WORK/loaded-apis.json" ]; then proof "$gateway: loaded APIs" fail 'an answer' "$STATUS"; fi
    same_ids "$gateway: loaded APIs" "$WORK/published.json" "$WORK/loaded-apis.json"
    same_ids "$gateway: loaded policies" "$WORK/policies.json" "$WORK/loaded-policies.json"
    rm -f "$WORK/loaded-apis.json" "$WORK/loaded-policies.json"
  done
  SUMMARY="$(jq length "$WORK/published.json") active APIs on each of ${#GATEWAYS[@]} Gateways"
}
