# ---------------------------------------------------------------------------------------------------------------------
# How a step runs: it is written to the log when it starts and when it has ended, so that the same command, given again
# after an interruption, goes on where it stopped.
# ---------------------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" >&2; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

# fail EXIT-CODE MESSAGE HINT: 2 bad arguments, 10 refused before anything changed, 11 already running, 13 stopped midway.
fail() {
  local code=$1
  if [ "$code" = 10 ] && changed_anything; then code=13; fi
  log_event failed --arg step "${STEP:-}" --arg message "$2" --arg hint "$3"
  say "error: $2"
  say "hint: $3"
  if [ "$code" = 13 ]; then say "next: the same command again goes on with ${STEP:-the step that stopped}"; fi
  exit "$code"
}

# proof NAME pass|fail|not-measured EXPECTED FOUND. The first that fails ends the run.
proof() {
  log_event proof --arg step "$STEP" --arg name "$1" --arg verdict "$2" --arg expected "$3" --arg actual "$4"
  if [ "$2" = fail ]; then
    fail 10 "$1: expected $3, found $4" 'What is not as it must be is named above; nothing is served before it is.'
  fi
}

# Something that a plain RECOVERED must not hide.
exception() {
  log_event exception --arg step "${STEP:-}" --arg text "$1"
  say "! $1"
}

# log_event EVENT [--arg NAME VALUE | --argjson NAME JSON]...: one line of JSON, bound to the line before by its SHA-256.
log_event() {
  if [ -z "${LOG:-}" ]; then return 0; fi
  local event=$1 n=1 previous=none line
  shift
  if [ -s "$LOG" ]; then
    n=$(($(wc -l <"$LOG") + 1))
    previous=$(tail -n 1 "$LOG" | tr -d '\n' | sha256sum | cut -d ' ' -f 1)
  fi
  line=$(jq -cn --argjson n "$n" --arg at "$(now)" --arg event "$event" "$@" --arg previous "$previous" '$ARGS.named')
  printf '%s\n' "$line" >>"$LOG"
  sync -d "$LOG"
}

# logged JQ-FILTER [jq arguments]: what the log says, as text.
logged() {
  local filter=$1
  shift
  jq -rn "$@" "[inputs] | $filter" "$LOG"
}

step_is_done() {
  [ "$(logged 'any(.event == "end" and .step == $step)' --arg step "$1")" = true ]
}

changed_anything() {
  [ -n "${LOG:-}" ] && [ -s "$LOG" ] && [ "$(logged 'any(.event == "start" and .risk == "mutate")')" = true ]
}

# step RISK ID PURPOSE: runs the function of that name once. What starts a service looks first, and may run again.
step() {
  local risk=$1 purpose=$3 begun
  STEP=$2
  if step_is_done "$STEP" && [[ $STEP != start-* ]]; then
    say "= $STEP was done before the interruption"
    return 0
  fi
  if [ "$risk" = mutate ]; then take_command "$STATE_DIR" "$TO"; fi
  say "> $STEP: $purpose"
  begun=$(date +%s%3N)
  SUMMARY=''
  log_event start --arg step "$STEP" --arg risk "$risk"
  "$STEP"
  log_event end --arg step "$STEP" --arg summary "$SUMMARY"
  say "+ $STEP: $SUMMARY ($(($(date +%s%3N) - begun)) ms)"
  STEP=''
}

# left_out ID WHY
left_out() {
  if step_is_noted "$1"; then return 0; fi
  log_event left-out --arg step "$1" --arg why "$2"
  say "- $1: $2"
}

step_is_noted() {
  [ "$(logged 'any(.event == "left-out" and .step == $step)' --arg step "$1")" = true ]
}

# take_command STATE-DIR SITE: the lease that tyk-dr's own steps look at. A newer run has the larger epoch.
take_command() {
  local file="$1/epoch.json" current=0
  if [ -e "$file" ]; then
    current=$(jq -er '.epoch' "$file") ||
      fail 10 "$file cannot be read" 'It says which run commands this site. Look at it before you remove it.'
  fi
  if [ "$current" -gt "$EPOCH" ]; then
    fail 10 "epoch $EPOCH is no longer in command of $2: epoch $current ($(jq -r .run "$file")) is" \
      'A newer run owns this target. This one must not touch it.'
  fi
  if [ "$current" -eq "$EPOCH" ]; then return 0; fi
  mkdir -p "$1"
  jq -cn --argjson epoch "$EPOCH" --arg run "$RUN" '{epoch: $epoch, run: $run}' >"$file.$$"
  mv -f "$file.$$" "$file"
}

# Waits until a command succeeds: wait_for SECONDS COMMAND...
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
    sleep 0.2
  done
}

# Whatever ends the script is in its log, also what nobody thought of.
ended() {
  local code=$?
  if [ -n "${SCRATCH_PID:-}" ]; then kill -KILL "$SCRATCH_PID" 2>/dev/null || true; fi
  if [ -n "${WORK:-}" ]; then rm -rf "$WORK"; fi
  if [ -n "${SOCKET:-}" ]; then rm -rf "$SOCKET"; fi
  if [ "$code" -ne 0 ] && [ -n "${STEP:-}" ] && [ "$(logged '.[-1].event')" != failed ]; then
    log_event failed --arg step "$STEP" --arg message "a command ended with $code" --arg hint 'Its last lines stand above.'
    say "error: $STEP stopped: a command ended with $code; its last lines stand above"
    say 'next: the same command again goes on with it'
    exit 13
  fi
}

# secret REFERENCE: where tyk-dr.yaml says that it is kept. Never in an argument, never in the log.
secret() {
  local value file=${SECRET_FILES[$1]-} name
  case ${file:+file:}$1 in
    env:*)
      name=${1#env:}
      value=${!name-}
      ;;
    file:*)
      file=${file:-${1#file:}}
      if [ ! -r "$file" ]; then
        fail 10 "the secret $1 cannot be read" 'Put the file there, readable to its user only, or say --secret REFERENCE=FILE.'
      fi
      if [ -n "$(find -L "$file" -maxdepth 0 -type f -perm /o=r)" ]; then
        fail 10 "everybody may read the secret $1" "chmod 600 '$file'"
      fi
      value=$(<"$file")
      ;;
    *) value=$(secret_by_command "$1") ;;
  esac
  if [ -z "$value" ]; then
    fail 10 "the secret $1 is missing or empty" 'Set the variable, fill the file, or mend the command; it is asked as late as can be.'
  fi
  printf '%s' "$value"
}

# secret_from REFERENCE=FILE
secret_from() {
  case $1 in *=/*) ;; *) bad "--secret is '$1'; expected REFERENCE=/path/of/a/file" ;; esac
  SECRET_FILES["${1%%=/*}"]="/${1#*=/}"
}

# As a command for sh, which archive_command and restore_command go through.
sh_word() {
  if [[ $1 =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then printf '%s' "$1"; else printf "'%s'" "${1//\'/\'\\\'\'}"; fi
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# listens HOST PORT
listens() { timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

# http METHOD URL [curl arguments], at the host CONNECT_TO where that is set: the status in STATUS (000: no answer), the body in the file $WORK/body.
http() {
  local method=$1 url=$2
  shift 2
  : >"$WORK/body"
  STATUS=$(curl -q -sS --noproxy '*' --globoff --max-time 15 -X "$method" -o "$WORK/body" -D "$WORK/headers" \
    -w '%{http_code}' ${CONNECT_TO:+--connect-to "::$CONNECT_TO:"} "$@" -- "$url" 2>"$WORK/curl-error") || STATUS=000
}

# Headers with a secret go by a file descriptor: arguments can be read by everybody on this host.
http_with() { # METHOD URL HEADER-NAME SECRET-VALUE [curl arguments]
  local method=$1 url=$2 header=$3 value=$4
  shift 4
  http "$method" "$url" -H @<(printf '%s: %s\n' "$header" "$value") "$@"
}

# The same for a reference. A secret that cannot be read ends the script here: as "$(secret ...)" among the arguments it would go as nothing.
http_by() { # METHOD URL HEADER-NAME SECRET-REFERENCE [curl arguments]
  local value
  value=$(secret "$4") || exit $?
  http_with "$1" "$2" "$3" "$value" "${@:5}"
}
