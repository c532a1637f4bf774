# ---------------------------------------------------------------------------------------------------------------------
# The clients' address: HAProxy, by its runtime socket. Switched only after every proof.
# ---------------------------------------------------------------------------------------------------------------------

# haproxy COMMAND: by socat where it is installed, else by the Perl that every Debian has.
haproxy() {
  if command -v socat >/dev/null; then
    printf '%s\n' "$1" | socat -t 5 - "UNIX-CONNECT:$HAPROXY_SOCKET"
  else
    perl -MIO::Socket::UNIX -e '
      my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "cannot reach $ARGV[0]: $!\n";
      print $socket "$ARGV[1]\n"; $socket->flush; $socket->shutdown(1); print while <$socket>;' "$HAPROXY_SOCKET" "$1"
  fi
}

# Name, whether an administrator has put it into maintenance, whether it is up.
server_states() {
  haproxy "show servers state $HAPROXY_BACKEND" | awk '
    /^#/ { for (i = 2; i <= NF; i++) at[$i] = i - 1; next }
    at["srv_name"] && NF > 5 {
      admin = $(at["srv_admin_state"])
      maint = (admin % 2) || (int(admin / 2) % 2) || (int(admin / 32) % 2)
      print $(at["srv_name"]), (maint ? "maint" : "ready"), ($(at["srv_op_state"]) == 2 ? "up" : "down") }'
}

set_server() { # SERVER ready|maint
  local answer
  answer=$(haproxy "set server $HAPROXY_BACKEND/$1 state $2")
  if [ -n "${answer//[[:space:]]/}" ]; then fail 10 "HAProxy refused $1 $2: $answer" 'Its runtime socket must be of level admin.'; fi
}

is_ours() { # SERVER
  local server
  servers_of "$TO"
  for server in "${SERVERS[@]}"; do if [ "$server" = "$1" ]; then return 0; fi; done
  return 1
}

check_traffic() {
  local states server
  command -v socat >/dev/null || need perl perl
  states=$(server_states) || fail 10 "HAProxy does not answer at $HAPROXY_SOCKET" 'Run this on the host of the load balancer, or see the page.'
  servers_of "$TO"
  for server in "${SERVERS[@]}"; do
    if ! grep -q "^$server " <<<"$states"; then fail 10 "the backend $HAPROXY_BACKEND has no server $server" 'Correct traffic.servers in tyk-dr.yaml and export again.'; fi
  done
  proof 'the load balancer knows the servers of the target' pass "${SERVERS[*]}" "${SERVERS[*]}"
}

# The site that is rebuilt in place gets no request until it is proven.
hold-traffic() {
  local name state rest held=''
  while read -r name state rest; do
    if is_ours "$name" && [ "$state" = ready ]; then
      set_server "$name" maint
      held="$held $name"
    fi
  done < <(server_states)
  SUMMARY="${held:-nothing} taken out until the proofs"
}

all_as_wanted() {
  local name state up
  while read -r name state up; do
    if is_ours "$name"; then
      if [ "$state $up" != 'ready up' ]; then return 1; fi
    elif [ "$state" != maint ]; then
      return 1
    fi
  done < <(server_states)
}

# First in, then out: with both in for a moment no request finds an empty backend.
switch-traffic() {
  local name state rest
  while read -r name state rest; do
    if is_ours "$name" && [ "$state" != ready ]; then set_server "$name" ready; fi
  done < <(server_states)
  while read -r name state rest; do
    if ! is_ours "$name" && [ "$state" != maint ]; then set_server "$name" maint; fi
  done < <(server_states)
  wait_for 30 all_as_wanted || fail 10 "the servers of $TO in $HAPROXY_BACKEND did not come up" 'HAProxy’s own health checks say no: look at its statistics.'
  if [ -n "$HAPROXY_STATE_FILE" ]; then
    haproxy 'show servers state' >"$HAPROXY_STATE_FILE.new"
    mv -f "$HAPROXY_STATE_FILE.new" "$HAPROXY_STATE_FILE"
  fi
  servers_of "$TO"
  SUMMARY="${SERVERS[*]} serve, every other server is out"
}

prove-traffic() {
  local index count=0
  for ((index = 0; index < ${#PROBES[@]} / 7; index++)); do
    case ${PROBES[index * 7 + 1]} in api | known-key | wrong-key) ;; *) continue ;; esac
    run_probe "$TRAFFIC_URL" "$index" ''
    count=$((count + 1))
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
