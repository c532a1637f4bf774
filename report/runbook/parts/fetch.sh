# ---------------------------------------------------------------------------------------------------------------------
# Off-site copies: where the repository is gone, the set comes from the first of them that answers. A copy is a
# repository again; what comes from it is proven like anything else.
# ---------------------------------------------------------------------------------------------------------------------

COPY=''

has_sets() { # REPOSITORY
  [ -n "$(find "$1/$DEPLOYMENT" -mindepth 2 -maxdepth 2 -name manifest.json 2>/dev/null | head -n 1)" ]
}

# find_repository: the configured one, else a copy. What is fetched lies in $FETCH_INTO/COPY.
find_repository() {
  local copy
  if [ -z "$FETCH" ] && has_sets "$REPOSITORY"; then return 0; fi
  for copy in ${FETCH:-${COPIES[@]+"${COPIES[@]}"}}; do
    # Fetched before an interruption: the copy need not answer again.
    if [ -n "$SET" ] && [ -e "$FETCH_INTO/$copy/$DEPLOYMENT/$SET.fetched" ]; then
      use_copy "$copy"
      return 0
    fi
    say "  looking for sets at the copy $copy${FETCH:-: there are none in $REPOSITORY}"
    need rclone rclone
    if fetch_manifests "$copy" && has_sets "$FETCH_INTO/$copy"; then
      use_copy "$copy"
      return 0
    fi
    say "! the copy $copy has no sets, or does not answer: $(tail -n 1 "$WORK/rclone" 2>/dev/null)"
  done
  if [ -n "$FETCH" ]; then fail 10 "the copy $FETCH has no sets of $DEPLOYMENT" "Another copy is fetched with --fetch; there are: ${COPIES[*]-none}."; fi
}

use_copy() {
  COPY=$1
  REPOSITORY="$FETCH_INTO/$1"
}

# rclone_at COPY ARGUMENTS: it is told of the copy by its environment, which only this user and root can read.
rclone_at() (
  local index value copy=$1
  shift
  copy_remote "$copy"
  if [ -n "${AWS_CA_BUNDLE:-}" ]; then
    export RCLONE_CA_CERT="${RCLONE_CA_CERT:-$AWS_CA_BUNDLE}"
    unset AWS_CA_BUNDLE
  fi
  if [ -n "$RCLONE_FILE" ]; then export RCLONE_CONFIG="$RCLONE_FILE"; fi
  for ((index = 0; index < ${#REMOTE_OPTIONS[@]}; index += 2)); do
    export "RCLONE_CONFIG_TYKDR_${REMOTE_OPTIONS[index]^^}=${REMOTE_OPTIONS[index + 1]}"
  done
  for ((index = 0; index < ${#REMOTE_SECRETS[@]}; index += 2)); do
    value=$(secret "${REMOTE_SECRETS[index + 1]}")
    if is_password "$REMOTE_TYPE" "${REMOTE_SECRETS[index]}"; then value=$(rclone obscure - <<<"$value"); fi
    if [ "${REMOTE_SECRETS[index]}" = key_pem ]; then value=${value//$'\n'/\\n}; fi
    export "RCLONE_CONFIG_TYKDR_${REMOTE_SECRETS[index]^^}=$value"
  done
  exec setpriv --pdeathsig KILL -- rclone "$@" 2>>"$WORK/rclone"
)

# rclone takes passwords only as `rclone obscure` writes them; which options those are, it says itself.
is_password() { # TYPE OPTION
  rclone config providers 2>/dev/null | jq -e --arg type "$1" --arg option "$2" \
    'any(.[] | select(.Name == $type or .Prefix == $type) | .Options[]; .Name == $option and .IsPassword)' >/dev/null
}

# fetched_from COPY: what of the deployment lies there, as rclone calls it, into REMOTE.
fetched_from() {
  copy_remote "$1"
  case $REMOTE in
    *[:/]) REMOTE="$REMOTE$DEPLOYMENT" ;;
    *) REMOTE="$REMOTE/$DEPLOYMENT" ;;
  esac
}

fetch_manifests() { # COPY
  local into="$FETCH_INTO/$1/$DEPLOYMENT" name filters=()
  mkdir -p "$into"
  # What is sealed may be seen: the user of the cluster reads its own part of it.
  chmod 755 "$FETCH_INTO"
  fetched_from "$1"
  for name in manifest.json manifest.json.sig verified.json verified.json.sig; do filters+=(--include "/*/$name"); done
  : >"$WORK/rclone"
  rclone_at "$1" copy --max-depth 2 "${filters[@]}" "$REMOTE" "$into"
}

fetch_set() {
  local into="$REPOSITORY/$DEPLOYMENT" needed free
  if [ -e "$into/$SET.fetched" ]; then return 0; fi
  needed=$((($(fact '[.objects[].cipher.bytes] | add // 0') + $(fact .database.databaseBytes | grep . || echo 0)) * 12 / 10 / 1024))
  free=$(df --output=avail -k "$into" | tail -n 1 | tr -d ' ')
  if [ "$free" -lt "$needed" ]; then
    fail 10 "$FETCH_INTO has $free KiB free; $needed are needed for what is fetched" 'Name another folder with --fetch-into.'
  fi
  say "  fetching $SET from the copy $COPY"
  fetched_from "$COPY"
  rclone_at "$COPY" copy "$REMOTE/$SET" "$into/$SET" ||
    fail 10 "$SET could not be fetched from $COPY: $(tail -n 1 "$WORK/rclone")" 'The same command goes on with what has come; or name another copy with --fetch.'
}

# Of pgBackRest's repository: the files that the signed list names, its catalogues, and the WAL from the set's first segment on.
fetch_database() {
  local generation into start archive
  if [ -e "$REPOSITORY/$DEPLOYMENT/$SET.fetched" ]; then return 0; fi
  generation=$(fact .database.generation)
  start=$(fact .database.walStart)
  into="$REPOSITORY/$DEPLOYMENT/pgbackrest/$generation"
  archive="archive/$(fact .database.stanza)"
  say "  fetching the database backup and its WAL from the copy $COPY"
  open_into pgbackrest-files "$WORK/files.json"
  fetched_from "$COPY"
  jq -r '.[].path' "$WORK/files.json" >"$WORK/files.txt"
  rclone_at "$COPY" lsf -R --files-only "$REMOTE/pgbackrest/$generation/$archive" >"$WORK/archive.txt" ||
    fail 10 "the WAL at $COPY could not be listed: $(tail -n 1 "$WORK/rclone")" 'Name another copy with --fetch.'
  awk -v start="$start" -v archive="$archive" '{ name = $0; sub(/.*\//, "", name) }
    name !~ /^[0-9A-F]{24}/ || substr(name, 9, 16) >= substr(start, 9, 16) { print archive "/" $0 }' "$WORK/archive.txt" >>"$WORK/files.txt"
  printf '%s\n' "backup/$(fact .database.stanza)/backup.info" "backup/$(fact .database.stanza)/backup.info.copy" >>"$WORK/files.txt"
  rclone_at "$COPY" copy --no-traverse --files-from-raw "$WORK/files.txt" "$REMOTE/pgbackrest/$generation" "$into" ||
    fail 10 "the database backup could not be fetched from $COPY: $(tail -n 1 "$WORK/rclone")" 'The same command goes on with what has come; or name another copy with --fetch.'
  chmod -R u+rwX,go+rX "$REPOSITORY/$DEPLOYMENT/pgbackrest"
  give_to_owner -R "$REPOSITORY/$DEPLOYMENT/pgbackrest"
}

mark_fetched() { : >"$REPOSITORY/$DEPLOYMENT/$SET.fetched"; }
