# ---------------------------------------------------------------------------------------------------------------------
# The clients' address: a name of a zone, by signed dynamic updates (RFC 2136). Switched only after every proof.
# ---------------------------------------------------------------------------------------------------------------------

# The key goes to the tools by a file that only this user can read.
with_dns_key() { # COMMAND...
  local code=0 key
  key=$(secret "$DNS_SECRET") || exit $?
  (umask 077 && printf 'key "%s" { algorithm %s; secret "%s"; };\n' "$DNS_KEY" "$DNS_ALGORITHM" "$key" >"$WORK/tsig.key")
  "$@" || code=$?
  rm -f "$WORK/tsig.key"
  return "$code"
}

# What the name server itself answers, of nobody's cache: a line 'TTL DATA' for each record, into $WORK/dns-now.
ask_records() {
  with_dns_key dig -k "$WORK/tsig.key" "@$DNS_SERVER" -p "$DNS_PORT" +norecurse +tcp +time=3 +tries=1 \
    +noall +comments +answer "$DNS_NAME" "$DNS_TYPE" >"$WORK/dig" || fail 10 "$DNS_SERVER does not answer" 'It must be the name server that takes the updates.'
  case $(<"$WORK/dig") in
    *"Couldn't verify"* | *'could not be validated'*) fail 10 "$DNS_SERVER refuses the key $DNS_KEY" 'Name, algorithm or secret differ, or a clock is wrong.' ;;
    *'status: NOERROR'* | *'status: NXDOMAIN'*) ;;
    *) fail 10 "$DNS_SERVER refuses to tell $DNS_NAME" 'It must be the name server that takes the updates.' ;;
  esac
  awk -v type="$DNS_TYPE" '!/^;/ && $4 == type { print $2, $5 }' "$WORK/dig" | sort >"$WORK/dns-now"
}

data_of() { awk '{ print $2 }' | sort | xargs; }

# The records of the target. A site that gets no clients, one for drills, has none: the switch would delete the name.
own_records() {
  records_of "$TO"
  if [ "${#RECORDS[@]}" = 0 ]; then fail 10 "$DNS_NAME has no records declared for $TO" 'Add traffic.records of it to tyk-dr.yaml and export again.'; fi
}

check_traffic() {
  own_records
  need dig bind9-dnsutils
  need nsupdate bind9-dnsutils
  ask_records
  proof 'the name server answers for the name of the clients' pass 'an answer' "$(data_of <"$WORK/dns-now")"
}

# A name that leads nowhere would be remembered by resolvers: worse than a server that does not answer.
hold-traffic() { SUMMARY="$DNS_NAME goes on to lead where it did: a DNS record cannot keep clients away"; }

# Only where the records are still those that were seen: a change of somebody else is not overwritten.
switch-traffic() {
  local data record
  own_records
  ask_records
  {
    printf 'server %s %s\nzone %s\n' "$DNS_SERVER" "$DNS_PORT" "$DNS_ZONE"
    if [ ! -s "$WORK/dns-now" ]; then printf 'prereq nxrrset %s %s\n' "$DNS_NAME" "$DNS_TYPE"; fi
    while read -r _ data; do printf 'prereq yxrrset %s IN %s %s\n' "$DNS_NAME" "$DNS_TYPE" "$data"; done <"$WORK/dns-now"
    printf 'update delete %s %s\n' "$DNS_NAME" "$DNS_TYPE"
    for record in "${RECORDS[@]}"; do printf 'update add %s %s IN %s %s\n' "$DNS_NAME" "$DNS_TTL" "$DNS_TYPE" "$record"; done
    printf 'send\n'
  } >"$WORK/dns-update"
  with_dns_key nsupdate -v -t 6 -k "$WORK/tsig.key" "$WORK/dns-update" >"$WORK/dns-answer" 2>&1 ||
    fail 10 "$DNS_SERVER refuses the update: $(tail -n 1 "$WORK/dns-answer")" 'Clients are sent where they were before.'
  SUMMARY="$DNS_NAME is ${RECORDS[*]}; clients may keep the old record for $(awk '{ print $1; exit }' "$WORK/dns-now") s"
}

prove_standing() {
  local found
  own_records
  ask_records
  found=$(data_of <"$WORK/dns-now")
  proof "the name server answers for $DNS_NAME" "$(if [ "$found" = "$(printf 'x %s\n' "${RECORDS[@]}" | data_of)" ]; then echo pass; else echo fail; fi)" \
    "${RECORDS[*]}" "$found"
  DOORS=("${RECORDS[@]}")
  if [ "$DNS_TYPE" = AAAA ]; then DOORS=("${RECORDS[@]/#/[}") && DOORS=("${DOORS[@]/%/]}"); fi
}
