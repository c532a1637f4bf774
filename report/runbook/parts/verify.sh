# ---------------------------------------------------------------------------------------------------------------------
# Verification as a client would see it, on every Gateway, before any traffic.
# ---------------------------------------------------------------------------------------------------------------------

# ask_as_client BASE-URL PROBE-INDEX: the probes stand above as fields in a row.
ask_as_client() {
  local at=$(($2 * 7)) key
  PROBE_NAME=${PROBES[at]} PROBE_KIND=${PROBES[at + 1]} PROBE_METHOD=${PROBES[at + 2]} PROBE_PATH=${PROBES[at + 3]}
  PROBE_STATUS=${PROBES[at + 5]} PROBE_BODY=${PROBES[at + 6]}
  if [ -n "${PROBES[at + 4]}" ]; then
    key=$(secret "${PROBES[at + 4]}")
    http_with "$PROBE_METHOD" "${1%/}$PROBE_PATH" Authorization "$key"
  else
    http "$PROBE_METHOD" "${1%/}$PROBE_PATH"
  fi
}

# run_probe BASE-URL PROBE-INDEX WHERE
run_probe() {
  local right=no
  ask_as_client "$1" "$2"
  if [ "$STATUS" = "$PROBE_STATUS" ]; then right=yes; fi
  # A client that must be turned away may be told 401 or 403: Tyk uses both.
  case "$PROBE_KIND $PROBE_STATUS $STATUS" in
    'wrong-key 40'[13]' 40'[13] | 'expired-key 40'[13]' 40'[13]) right=yes ;;
  esac
  if [ -n "$PROBE_BODY" ] && ! grep -qF -- "$PROBE_BODY" "$WORK/body"; then right=no; fi
  proof "$3$PROBE_NAME: $PROBE_METHOD $PROBE_PATH" "$(if [ "$right" = yes ]; then echo pass; else echo fail; fi)" \
    "$PROBE_STATUS${PROBE_BODY:+ with '$PROBE_BODY'}" "$STATUS"
}

prove-apis() {
  local gateway index kind name path url count=0 right
  for ((index = 0; index < ${#PROBES[@]} / 7; index++)); do
    if [ "${PROBES[index * 7 + 1]}" != api ]; then continue; fi
    for gateway in "${GATEWAYS[@]}"; do
      run_probe "${GATEWAY_URLS[$gateway]}" "$index" "$gateway: "
      count=$((count + 1))
    done
  done
  # One API of each kind, without credentials: a keyless one must pass, any other must turn us away.
  ask_published
  jq -r '[.[] | select(.active)] | group_by(.auth)[] | .[0] | [.auth, .name, .path] | @tsv' "$WORK/apis.json" >"$WORK/kinds"
  while IFS=$'\t' read -r kind name path; do
    for gateway in "${GATEWAYS[@]}"; do
      url="${GATEWAY_URLS[$gateway]}"
      http GET "${url%/}$path"
      right=no
      case "$kind $STATUS" in
        'keyless 404') if [ "$(tr -d '[:space:]' <"$WORK/body")" != NotFound ]; then right=yes; fi ;;
        'keyless '[1-4][0-9][0-9]) right=yes ;;
        'keyless '*) ;;
        *' 400' | *' 401' | *' 403') right=yes ;;
      esac
      proof "$gateway: $kind API $name" "$(if [ "$right" = yes ]; then echo pass; else echo fail; fi)" \
        "$(if [ "$kind" = keyless ]; then echo 'an answer of the upstream'; else echo 'turned away without credentials'; fi)" "$STATUS"
      count=$((count + 1))
    done
  done <"$WORK/kinds"
  SUMMARY="$count requests answered as they must be"
}

remaining_quota() {
  ask_as_client "${GATEWAY_URLS[${GATEWAYS[0]}]}" "$1"
  tr -d '\r' <"$WORK/headers" | sed -n 's/^x-ratelimit-remaining: *//Ip' | tail -n 1
}

# More requests at once than any small limit allows: some must get 429.
limited_of_burst() {
  local index number=30 limited=0 key
  local -a config=()
  ask_as_client "${GATEWAY_URLS[${GATEWAYS[0]}]}" "$1"
  key=''
  if [ -n "${PROBES[$1 * 7 + 4]}" ]; then key=$(secret "${PROBES[$1 * 7 + 4]}"); fi
  printf 'Authorization: %s\n' "$key" >"$WORK/burst-header"
  for ((index = 0; index < number; index++)); do
    if [ "$index" -gt 0 ]; then config+=(--next); fi
    config+=(-sS --noproxy '*' --globoff --max-time 15 -H "@$WORK/burst-header" -o /dev/null -w '%{http_code}\n' "${GATEWAY_URLS[${GATEWAYS[0]}]%/}$PROBE_PATH")
  done
  curl -q --parallel --parallel-immediate --parallel-max "$number" "${config[@]}" >"$WORK/burst" 2>/dev/null || true
  rm -f "$WORK/burst-header"
  limited=$(grep -c '^429$' "$WORK/burst" || true)
  echo "$limited"
}

prove-authentication() {
  local kind index found first second limited count=0
  for kind in known-key wrong-key expired-key quota rate-limit; do
    found=no
    for ((index = 0; index < ${#PROBES[@]} / 7; index++)); do
      if [ "${PROBES[index * 7 + 1]}" != "$kind" ]; then continue; fi
      found=yes
      count=$((count + 1))
      case $kind in
        quota)
          first=$(remaining_quota "$index")
          second=$(remaining_quota "$index")
          proof "${PROBES[index * 7]}: a quota counts down" \
            "$(if [ -n "$first" ] && [ -n "$second" ] && [ "$second" -lt "$first" ]; then echo pass; else echo fail; fi)" \
            'fewer after each request' "${first:-none}, then ${second:-none}"
          ;;
        rate-limit)
          limited=$(limited_of_burst "$index")
          proof "${PROBES[index * 7]}: a rate limit bites" "$(if [ "$limited" -gt 0 ]; then echo pass; else echo fail; fi)" 'some of 30 answered 429' "$limited answered 429"
          ;;
        *) run_probe "${GATEWAY_URLS[${GATEWAYS[0]}]}" "$index" '' ;;
      esac
    done
    if [ "$found" = no ]; then proof "$kind" not-measured 'an answer' 'not measured: no probe is configured for it'; fi
  done
  SUMMARY="$count probes answered as they must"
}

analytics_have_arrived() {
  ARRIVED=$(analytics_in_database)
  [ "$ARRIVED" -ge "$ANALYTICS_REQUESTS" ]
}

prove-analytics() {
  local key='' sent
  MARKER="tyk-dr-$RUN-$EPOCH"
  if [ -n "$ANALYTICS_KEY" ]; then key=$(secret "$ANALYTICS_KEY"); fi
  for ((sent = $(analytics_in_database); sent < ANALYTICS_REQUESTS; sent++)); do
    if [ -n "$key" ]; then
      http_with GET "${GATEWAY_URLS[${GATEWAYS[0]}]%/}$ANALYTICS_PATH" Authorization "$key" -A "$MARKER"
    else
      http GET "${GATEWAY_URLS[${GATEWAYS[0]}]%/}$ANALYTICS_PATH" -A "$MARKER"
    fi
  done
  wait_for 90 analytics_have_arrived || proof 'marked requests arrive in the analytics store' fail "$ANALYTICS_REQUESTS" "${ARRIVED:-none} after 90 s"
  proof 'marked requests arrive in the analytics store' pass "$ANALYTICS_REQUESTS" "$ARRIVED"
  SUMMARY="$ARRIVED marked requests arrived through the Pump"
}
