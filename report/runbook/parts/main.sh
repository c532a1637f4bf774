# ---------------------------------------------------------------------------------------------------------------------
# Arguments, and the run that they begin or go on with.
# ---------------------------------------------------------------------------------------------------------------------

usage() {
  cat <<END
$SCRIPT_NAME recovers $DEPLOYMENT on site $TO. The same command, given again, goes on where it stopped.

  bash $SCRIPT_NAME --reason 'the data centre is dark'      asks before it fences $DEFAULT_FROM
  bash $SCRIPT_NAME --reason '...' --yes-fenced 'no power'  where nobody can be asked
  bash $SCRIPT_NAME --fence                                 only fences $TO: run it on the hosts of $TO
  bash $SCRIPT_NAME --check                                 only looks: the set, this host; changes nothing

  --reason TEXT          why; kept in the log
  --from SITE            the site that is given up; default $DEFAULT_FROM; one of: ${SITES[*]}
  --in-place             rebuild $TO itself where it stands; nothing is fenced
  --set SET              this backup set; default the newest that was proven by a restore
  --before TIME          the newest set from before this moment, such as 2026-11-24T03:15:00Z; with --to-set for damage
  --to-set               go back to the set itself instead of to the end of the database's archive
  --repository DIR       where the sets are; default $REPOSITORY
  --pgbackrest DIR       where the repositories of pgBackRest are
  --fetch COPY           take the set from this off-site copy (rclone): ${COPIES[*]-none is configured}; where the
                         repository has no set, this is done unasked, with the first copy that answers
  --fetch-into DIR       where to; default $STATE_DIR/fetched
  --identity FILE        the age identity that opens the sets, such as the one from the safe
  --secret REF=FILE      read the secret REF from FILE
  --fence-here           the commands of the failed site work from this host: stop its services, without asking
  --yes-fenced REASON    it cannot write, and you answer for that; the outcome names it
  --occurred TIME        when the disaster began: the outage counts from here
  --keep-old-data        do not remove the replaced data at the end
  --new                  begin a new run although an unfinished one is there
  --give-up REASON       end the unfinished run as ABORTED; nothing is stopped or put back

Exit codes: 0 recovered, 3 recovered with exceptions, 2 arguments, 10 refused before anything changed,
11 already running, 13 stopped midway (the same command goes on).
END
}

bad() {
  say "error: $1"
  say "hint: bash $SCRIPT_NAME --help"
  exit 2
}

is_time() { [[ $1 =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?Z$ ]]; }

arguments() {
  REASON='' FROM=$DEFAULT_FROM IN_PLACE=no SET='' BEFORE='' POINT=end FENCE=ask FENCE_REASON='' OCCURRED=''
  IDENTITY_FILE='' KEEP_OLD_DATA=no NEW=no ONLY=recover FETCH='' FETCH_INTO="$STATE_DIR/fetched"
  while [ $# -gt 0 ]; do
    case $1 in
      --reason | --from | --set | --before | --repository | --pgbackrest | --fetch | --fetch-into | --identity | --secret | --yes-fenced | --occurred | --give-up)
        if [ $# -lt 2 ] || [ -z "${2// /}" ]; then bad "$1 wants a value"; fi
        ;;
    esac
    case $1 in
      --reason) REASON=$2 ;;
      --from) FROM=$2 ;;
      --set) SET=$2 ;;
      --before) BEFORE=$2 ;;
      --repository) REPOSITORY=$2 ;;
      --pgbackrest) export PGBACKREST_ROOT=$2 ;;
      --fetch) FETCH=$2 ;;
      --fetch-into) FETCH_INTO=$2 ;;
      --identity) IDENTITY_FILE=$2 ;;
      --secret) secret_from "$2" ;;
      --yes-fenced) FENCE=asserted FENCE_REASON=$2 ;;
      --occurred) OCCURRED=$2 ;;
      --in-place) IN_PLACE=yes ;;
      --to-set) POINT='set' ;;
      --fence-here) FENCE=here ;;
      --keep-old-data) KEEP_OLD_DATA=yes ;;
      --new) NEW=yes ;;
      --give-up) ONLY=give-up REASON=$2 ;;
      --fence) ONLY=fence ;;
      --check) ONLY=check ;;
      --help | -h) usage && exit 0 ;;
      *) bad "unknown argument '$1'" ;;
    esac
    case $1 in
      --in-place | --to-set | --fence-here | --keep-old-data | --new | --fence | --check) shift ;;
      *) shift 2 ;;
    esac
  done
  if [ "$IN_PLACE" = yes ]; then FROM=$TO; fi
  local site known=no
  for site in "${SITES[@]}"; do if [ "$site" = "$FROM" ]; then known=yes; fi; done
  if [ "$known" = no ]; then bad "--from is '$FROM'; expected one of ${SITES[*]}"; fi
  if [ "$FROM" = "$TO" ] && [ "$IN_PLACE" = no ]; then bad "--from is '$FROM'; to rebuild $TO where it stands say --in-place"; fi
  known=no
  for site in ${COPIES[@]+"${COPIES[@]}"}; do if [ "$site" = "$FETCH" ]; then known=yes; fi; done
  if [ -n "$FETCH" ] && [ "$known" = no ]; then bad "--fetch is '$FETCH'; expected one of: ${COPIES[*]-none is configured}"; fi
  case $FETCH_INTO in /*) ;; *) bad "--fetch-into is '$FETCH_INTO'; expected an absolute path" ;; esac
  if [ -n "$SET" ] && [[ ! $SET =~ ^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$ ]]; then bad "--set is '$SET'; expected an id such as 20261124T031500Z-1f2e"; fi
  if [ -n "$BEFORE" ] && ! is_time "$BEFORE"; then bad "--before is '$BEFORE'; expected a time such as 2026-11-24T03:15:00Z"; fi
  if [ -n "$OCCURRED" ] && ! is_time "$OCCURRED"; then bad "--occurred is '$OCCURRED'; expected a time such as 2026-11-24T03:15:00Z"; fi
  if [ -n "$IDENTITY_FILE" ] && [ ! -r "$IDENTITY_FILE" ]; then bad "--identity is '$IDENTITY_FILE', which cannot be read"; fi
  if [ "$ONLY" = recover ]; then
    if [ -z "$REASON" ]; then bad "--reason is missing; expected a sentence that says why"; fi
    # The question would come after an hour of checks, with nobody to answer it.
    if [ "$FENCE" = ask ] && [ "$IN_PLACE" = no ] && [ ! -t 0 ]; then
      bad "nobody can be asked about the fence of $FROM here; say --fence-here or --yes-fenced REASON"
    fi
  fi
}

# begin_run: a new one, or the unfinished one that lies here.
begin_run() {
  local runs="$STATE_DIR/by-script" found='' each begun newest=0
  mkdir -p "$runs"
  chmod 700 "$runs"
  exec 9>"$runs/lock"
  # What an attempt that was killed has left running holds the lock until it has died.
  flock -w 20 9 || fail 11 "a recovery by this script is already running on this host" "It holds $runs/lock; follow that one."
  WORK="$runs/work"
  rm -rf "$WORK"
  mkdir -m 700 "$WORK"
  ACTOR="$(id -un)@$(hostname)"
  # The newest: an older one that never ended was given up for it.
  for each in "$runs"/rec-*.jsonl; do
    # By the moment that is written in it: the names of two of the same second sort by chance.
    begun=$(head -n 1 "$each" 2>/dev/null | jq -r '.epoch // 0' 2>/dev/null) || begun=0
    if [ "${begun:-0}" -gt "$newest" ]; then newest=$begun found=$each; fi
  done
  if [ -n "$found" ] && tail -n 1 "$found" | jq -e '.event == "finish"' >/dev/null 2>&1; then found=''; fi
  if [ "$ONLY" = give-up ] && [ -z "$found" ]; then bad 'there is no unfinished run to give up'; fi
  if [ "$ONLY" = give-up ]; then FROM=$(jq -rn 'input.from' "$found") POINT=$(jq -rn 'input.point' "$found"); fi
  if [ -n "$found" ] && [ "$NEW" = no ]; then
    go_on "$found"
    return
  fi
  RUN="rec-$(date -u +%Y%m%d-%H%M%S)-$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n')"
  EPOCH=$(date +%s%3N)
  # Looked at before the first effect; taken by each step that changes something.
  if [ -e "$STATE_DIR/epoch.json" ] && [ "$(jq -r .epoch "$STATE_DIR/epoch.json")" -gt "$EPOCH" ]; then take_command "$STATE_DIR" "$TO"; fi
  LOG="$runs/$RUN.jsonl"
  log_event begin --arg format tyk-dr/script-log/v1 --arg run "$RUN" --arg deployment "$DEPLOYMENT" --arg tier "$TIER" --arg from "$FROM" \
    --arg to "$TO" --arg point "$POINT" --arg reason "$REASON" --arg actor "$ACTOR" --arg occurred "$OCCURRED" --argjson epoch "$EPOCH" \
    --arg configDigest "$CONFIG_DIGEST" --arg planDigest "${PLAN_DIGESTS[$FROM]}" --arg script "$(sha256_of "$0")" --arg written "$WRITTEN_AT"
  say "run $RUN; its log is $LOG"
}

go_on() {
  LOG=$1
  # A line that was cut off in the middle is no line.
  if [ "$(tail -c 1 "$LOG" | od -An -tx1 | tr -d ' \n')" != 0a ]; then
    head -n "$(wc -l <"$LOG")" "$LOG" >"$LOG.whole"
    mv -f "$LOG.whole" "$LOG"
  fi
  RUN=$(logged '.[0].run') EPOCH=$(logged '.[0].epoch')
  if [ "$(logged '.[0].from')" != "$FROM" ] || [ "$(logged '.[0].point')" != "$POINT" ]; then
    bad "the unfinished run $RUN is from $(logged '.[0].from') to point $(logged '.[0].point'); give the same arguments, or --new"
  fi
  if [ "$(logged '.[0].configDigest')" != "$CONFIG_DIGEST" ]; then
    bad "the unfinished run $RUN was begun by a script of another configuration; use that one, or --new"
  fi
  SET=$(logged '[.[] | select(.event == "set")][-1].set // ""')
  OCCURRED=$(logged '.[0].occurred // ""')
  log_event resume --arg actor "$ACTOR" --arg reason "$REASON"
  say "goes on with run $RUN; its log is $LOG"
}

finish() {
  local outcome=RECOVERED code=0
  if [ "$(logged 'any(.event == "exception")')" = true ]; then
    outcome=RECOVERED_WITH_EXCEPTIONS
    code=3
  fi
  log_event finish --arg outcome "$outcome"
  keep_log || say "! the log could not be kept in $REPOSITORY; it is $LOG"
  say ''
  say "$outcome: $DEPLOYMENT, from $FROM to $TO, run $RUN"
  logged '.[] | select(.event == "exception") | "  ! " + .text' >&2
  say "proofs: $(logged '[.[] | select(.event == "proof" and .verdict == "pass")] | length') passed, $(logged '[.[] | select(.event == "proof" and .verdict == "not-measured")] | length') not measured"
  say "next, when tyk-dr is there again: tyk-dr import-run $REPOSITORY/$DEPLOYMENT/runs/$RUN.jsonl"
  exit "$code"
}

main() {
  arguments "$@"
  STEP=''
  trap ended EXIT
  mkdir -p "$STATE_DIR"
  if [ "$ONLY" = fence ]; then
    WORK=$(mktemp -d)
    fence_here "$TO"
    say "$TO is fenced: $EVIDENCE"
    exit 0
  fi
  if [ "$ONLY" = check ]; then
    WORK=$(mktemp -d)
    check_programs
    IDENTITY=$(identities)
    find_repository
    STEP=check-backup && check-backup && say "+ check-backup: $SUMMARY"
    STEP=check-target && check-target && say "+ check-target: $SUMMARY"
    STEP=''
    exit 0
  fi
  need jq jq
  begin_run
  if [ "$ONLY" = give-up ]; then
    log_event decision --arg step '' --arg kind abort --arg reason "$REASON"
    log_event finish --arg outcome ABORTED
    keep_log || say "! the log could not be kept in $REPOSITORY; it is $LOG"
    say "$RUN is given up; what it had done stays as it is"
    exit 12
  fi
  check_programs
  IDENTITY=$(identities)
  find_repository
  if [ -n "$SET" ] && step_is_done check-backup; then
    open_manifest
    check_programs_of_stores
    if [ "$(fact .database.method)" = pgbackrest ]; then database_repository; fi
  fi
  recover
  finish
}
