# ---------------------------------------------------------------------------------------------------------------------
# The clients' address: by the commands of its owner. What `status` says is believed, and nothing else.
# ---------------------------------------------------------------------------------------------------------------------

# Percent of the clients that the target has, into SHARE. Never in $(...): what fails there would end only that.
ask_share() {
  TYK_DR_RUN="$RUN" "${TRAFFIC_STATUS[@]}" >"$WORK/traffic-status" || fail 10 'the status command of traffic: failed' 'Run it by hand, mend it, and run the script again.'
  SHARE=$(awk -v site="$TO" 'NF { share = NF > 1 ? $2 + 0 : 100; if ($1 == site) found = share } END { print found + 0 }' "$WORK/traffic-status")
}

has_all() { ask_share && [ "$SHARE" = 100 ]; }
has_none() { ask_share && [ "$SHARE" = 0 ]; }

check_traffic() {
  ask_share
  proof 'the status command tells where the clients are sent' pass 'sites' "$TO $SHARE %"
}

hold-traffic() {
  SUMMARY="$TO had no traffic"
  if has_none; then return; fi
  SUMMARY="$TO keeps its traffic: no holdOut command is configured"
  if [ "${#TRAFFIC_HOLD[@]}" = 0 ]; then return; fi
  TYK_DR_SITE="$TO" TYK_DR_RUN="$RUN" "${TRAFFIC_HOLD[@]}" || fail 10 'the holdOut command failed' 'Run it by hand, mend it, and run the script again.'
  wait_for "$TRAFFIC_HOLDS_SECONDS" has_none || fail 10 "the holdOut command ended well, and $TO has traffic after $TRAFFIC_HOLDS_SECONDS s" 'See what the status command of traffic: says.'
  SUMMARY="$TO is held out"
}

switch-traffic() {
  SUMMARY="$TO already had all traffic"
  if has_all; then return; fi
  TYK_DR_SITE="$TO" TYK_DR_PERCENT=100 TYK_DR_RUN="$RUN" "${TRAFFIC_SWITCH[@]}" || fail 10 'the switch command failed' 'Run it by hand, mend it, and run the script again.'
  wait_for "$TRAFFIC_HOLDS_SECONDS" has_all || fail 10 "the switch command ended well, and $TO has not all traffic after $TRAFFIC_HOLDS_SECONDS s" 'See what the status command of traffic: says.'
  SUMMARY="$TO has all traffic, the status command says"
}

prove_standing() {
  ask_share
  proof 'the status command names the target' "$(if [ "$SHARE" = 100 ]; then echo pass; else echo fail; fi)" "$TO 100 %" "$TO $SHARE %"
  DOORS=('')
}
