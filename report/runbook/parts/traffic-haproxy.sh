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

# Of each server its name, whether an administrator has put it into maintenance or drains it, whether it is up: into STATES.
ask_states() {
  STATES=$(server_states) || fail 10 "HAProxy does not answer at $HAPROXY_SOCKET" 'Run this on the host of the load balancer, or see the page.'
  if [ -z "$STATES" ]; then fail 10 "HAProxy at $HAPROXY_SOCKET names no server of $HAPROXY_BACKEND" 'Correct traffic.backend in tyk-dr.yaml and export again.'; fi
}
server_states() {
  haproxy "show servers state $HAPROXY_BACKEND" | awk '
    /^#/ { for (i = 2; i <= NF; i++) at[$i] = i - 1; next }
    at["srv_name"] && NF > 5 {
      admin = $(at["srv_admin_state"])
      maint = (admin % 2) || (int(admin / 2) % 2) || (int(admin / 32) % 2)
      drain = (int(admin / 8) % 2) || (int(admin / 16) % 2)
      print $(at["srv_name"]), (maint ? "maint" : drain ? "drain" : "ready"), ($(at["srv_op_state"]) == 2 ? "up" : "down") }'
}

set_server() { # SERVER 'state ready'|'state maint'|'weight 100%'
  local answer
  answer=$(haproxy "set server $HAPROXY_BACKEND/$1 $2") || fail 10 "HAProxy does not answer at $HAPROXY_SOCKET" 'Run this on the host of the load balancer, or see the page.'
  if [ -n "${answer//[[:space:]]/}" ]; then fail 10 "HAProxy refused $1 $2: $answer" 'Its runtime socket must be of level admin.'; fi
}

# The servers of the target. A site that gets no clients, one for drills, has none: the switch would take out all there are.
own_servers() {
  servers_of "$TO"
  if [ "${#SERVERS[@]}" = 0 ]; then fail 10 "the backend $HAPROXY_BACKEND has no servers declared for $TO" 'Add traffic.servers of it to tyk-dr.yaml and export again.'; fi
}

is_ours() { # SERVER
  local server
  own_servers
  for server in "${SERVERS[@]}"; do if [ "$server" = "$1" ]; then return 0; fi; done
  return 1
}

check_traffic() {
  local server
  command -v socat >/dev/null || need perl perl
  ask_states
  own_servers
  for server in "${SERVERS[@]}"; do
    if ! grep -q "^$server " <<<"$STATES"; then fail 10 "the backend $HAPROXY_BACKEND has no server $server" 'Correct traffic.servers in tyk-dr.yaml and export again.'; fi
  done
  proof 'the load balancer knows the servers of the target' pass "${SERVERS[*]}" "${SERVERS[*]}"
}

# The site that is rebuilt in place gets no request until it is proven.
hold-traffic() {
  local name state rest held=''
  ask_states
  while read -r name state rest; do
    if is_ours "$name" && [ "$state" != maint ]; then
      set_server "$name" 'state maint'
      held="$held $name"
    fi
  done <<<"$STATES"
  SUMMARY="${held:-nothing} taken out until the proofs"
}

all_as_wanted() {
  local name state up
  ask_states
  while read -r name state up; do
    if is_ours "$name"; then
      if [ "$state $up" != 'ready up' ]; then return 1; fi
    elif [ "$state" != maint ]; then
      return 1
    fi
  done <<<"$STATES"
}

# First in, then out: with both in for a moment no request finds an empty backend.
switch-traffic() {
  local name state rest
  ask_states
  while read -r name state rest; do
    if is_ours "$name" && [ "$state" != ready ]; then set_server "$name" 'state ready'; fi
  done <<<"$STATES"
  while read -r name state rest; do
    if ! is_ours "$name" && [ "$state" != maint ]; then set_server "$name" 'state maint'; fi
  done <<<"$STATES"
  # Shares that an interrupted switch may have left.
  while read -r name state rest; do set_server "$name" 'weight 100%'; done <<<"$STATES"
  wait_for "$HAPROXY_UP_SECONDS" all_as_wanted || fail 10 "the servers of $TO in $HAPROXY_BACKEND did not come up within $HAPROXY_UP_SECONDS s" 'HAProxy’s own health checks say no: look at its statistics.'
  if [ -n "$HAPROXY_STATE_FILE" ]; then
    haproxy 'show servers state' >"$HAPROXY_STATE_FILE.new"
    mv -f "$HAPROXY_STATE_FILE.new" "$HAPROXY_STATE_FILE"
  fi
  servers_of "$TO"
  SUMMARY="${SERVERS[*]} serve, every other server is out"
}

# What requests from outside show needs no other proof.
prove_standing() { DOORS=(''); }
