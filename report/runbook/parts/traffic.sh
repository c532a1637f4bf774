# ---------------------------------------------------------------------------------------------------------------------
# The clients' address as it looks from outside, once it is switched.
# ---------------------------------------------------------------------------------------------------------------------

prove-traffic() {
  local index count=0 CONNECT_TO
  # Where a name leads there, everything that it leads to now is asked, whatever this host's resolver remembers.
  prove_standing
  for CONNECT_TO in "${DOORS[@]}"; do
    for ((index = 0; index < ${#PROBES[@]} / 7; index++)); do
      case ${PROBES[index * 7 + 1]} in api | known-key | wrong-key) ;; *) continue ;; esac
      run_probe "$TRAFFIC_URL" "$index" "${CONNECT_TO:+$CONNECT_TO: }"
      count=$((count + 1))
    done
  done
  if [ "$count" = 0 ]; then proof 'outside address' not-measured 'an answer' 'not measured: no probes'; fi
  SUMMARY="$count probes answer at $TRAFFIC_URL as they must"
}

# What a client outside saw. It measures; it never fails a recovery that serves.
measure-outage() {
  local from
  from=$(date -u -d "@$(($(date -u -d "${OCCURRED:-$(logged '.[0].at')}" +%s) - 5))" +%Y-%m-%dT%H:%M:%S.000Z)
  if [ ! -r "$WITNESS" ]; then
    SUMMARY='the witness has left nothing here'
    return 0
  fi
  tail -c 67108864 "$WITNESS" | jq -cRn --arg from "$from" '[inputs | fromjson? | select(type == "object" and (.at | type) == "string" and .at >= $from)]
    | map(select(.status == 0 or .status == 404 or .status >= 500)) as $failed
    | {requests: length, failed: ($failed | length), from: $from} + (if $failed == [] then {} else {firstFailedAt: ($failed | map(.at) | min), lastFailedAt: ($failed | map(.at) | max)} end)' \
    >"$WORK/witness.json"
  log_event witness --argjson witness "$(<"$WORK/witness.json")"
  SUMMARY=$(jq -r '"\(.failed) of \(.requests) requests failed" + (if .firstFailedAt then ", from \(.firstFailedAt) to \(.lastFailedAt)" else "" end)' "$WORK/witness.json")
}
