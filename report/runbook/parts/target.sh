# ---------------------------------------------------------------------------------------------------------------------
# The target: what it must have, that it does not serve, and that nobody else does.
# ---------------------------------------------------------------------------------------------------------------------

# running SITE SERVICE: by its own status command. 0 runs, 3 and 4 stopped; anything else has told nothing.
running() {
  local code=0
  service "$1" "$2" status </dev/null >/dev/null 2>"$WORK/status-error" 9>&- || code=$?
  case $code in
    0) return 0 ;;
    3 | 4) return 1 ;;
  esac
  fail 10 "the status command of $2 on $1 ended with $code: $(tail -n 1 "$WORK/status-error")" 'It must answer 0 for running and 3 for stopped.'
}

# start_service SERVICE: nothing where it runs. The lock of this script is not for daemons.
start_service() {
  STARTED=no
  if running "$TO" "$1"; then return 0; fi
  service "$TO" "$1" start </dev/null >&2 9>&- || fail 10 "$1 of $TO did not start" 'Its own log says why; the command is in this script, in service().'
  STARTED=yes
}

stop_service() { # SITE SERVICE
  if ! running "$1" "$2"; then return 0; fi
  service "$1" "$2" stop </dev/null >&2 9>&- || return 1
  wait_for 120 is_stopped "$1" "$2"
}
is_stopped() { ! running "$1" "$2"; }

has_service() { # SERVICE: what is managed is neither started nor stopped from here
  local each
  services_of "$TO"
  for each in ${SERVICES[@]+"${SERVICES[@]}"}; do if [ "$each" = "$1" ]; then return 0; fi; done
  return 1
}

# services_reversed SITE: into REVERSED, in the order in which they stop.
services_reversed() {
  local index
  services_of "$1"
  REVERSED=()
  for ((index = ${#SERVICES[@]} - 1; index >= 0; index--)); do REVERSED+=("${SERVICES[index]}"); done
}

# need PROGRAM PACKAGE
need() {
  command -v "$1" >/dev/null || fail 10 "$1 is not installed on this host" "On Debian: apt install $2"
}

check_programs() {
  need jq jq
  need age age
  need zstd zstd
  need openssl openssl
  need tar tar
  need flock util-linux
  need setpriv util-linux
  need curl curl
  need sha256sum coreutils
  case $(openssl version) in
    'OpenSSL 0'* | 'OpenSSL 1'*) fail 10 "$(openssl version) cannot check an Ed25519 signature" 'Version 3 is needed.' ;;
  esac
  check_programs_of_stores
}

check-target() {
  local service name index free need_kb path
  check_programs
  if [ "$FROM" = "$TO" ]; then
    if [ -e "$STATE_DIR/fenced" ]; then
      fail 10 "site $TO was given up by $(<"$STATE_DIR/fenced"): another site may serve in its place" \
        'Recover to it with --from the site that serves now, which is fenced first.'
    fi
  elif [ -e "$STATE_DIR/standby.json" ]; then
    # What runs there follows, and serves nobody.
    exception "$TO is a standby of $(jq -r .of "$STATE_DIR/standby.json"): what is newer than the set is lost although it is there; a failover loses less, see runbook.html"
  else
    services_of "$TO"
    for service in ${SERVICES[@]+"${SERVICES[@]}"}; do
      if running "$TO" "$service"; then
        fail 10 "$service of site $TO is running: the site may be serving" "Stop it, or rebuild the site on purpose with --in-place."
      fi
    done
    for ((index = 0; index < ${#PORTS[@]}; index += 3)); do
      if listens "${PORTS[index + 1]}" "${PORTS[index + 2]}"; then
        fail 10 "port ${PORTS[index + 2]} of ${PORTS[index]} on $TO is taken by another process" 'Stop what listens there.'
      fi
    done
  fi
  proof 'the target does not serve' pass 'stopped, ports free, or rebuilt on purpose' 'so it is'
  # Old and restored data stand side by side until the end.
  for ((index = 0; index < ${#DATA_FOLDERS[@]}; index += 2)); do
    name=${DATA_FOLDERS[index]} path=${DATA_FOLDERS[index + 1]}
    while [ ! -d "$path" ]; do path=$(dirname "$path"); done
    case $name in
      redis) need_kb=$(($(object redis .plain.bytes | grep . || echo 0) * 12 / 10 / 1024)) ;;
      *) need_kb=$(($(fact .database.databaseBytes | grep . || echo 0) * 12 / 10 / 1024)) ;;
    esac
    free=$(df --output=avail -k "$path" | tail -n 1 | tr -d ' ')
    if [ "$free" -lt "$need_kb" ]; then
      fail 10 "$path has $free KiB free; $need_kb are needed for $name" 'Old and restored data stand side by side until the end.'
    fi
    proof "disk for $name" pass "$need_kb KiB free" "$free KiB free"
  done
  for name in "${SECRETS[@]}"; do secret "$name" >/dev/null; done
  proof 'every secret can be read' pass "${#SECRETS[@]}" "${#SECRETS[@]}"
  for ((index = 0; index < ${#NETWORK[@]}; index += 2)); do
    if ! listens "${NETWORK[index]}" "${NETWORK[index + 1]}"; then
      fail 10 "$TO does not reach ${NETWORK[index]}:${NETWORK[index + 1]}" 'The site cannot serve without it.'
    fi
    proof "reaches ${NETWORK[index]}:${NETWORK[index + 1]}" pass 'a connection' 'a connection'
  done
  for name in check_redis_target check_database_target; do
    if [ "$(type -t "$name")" = function ]; then "$name"; fi
  done
  check_traffic
  SUMMARY="the preconditions hold on $TO"
}

# Their commands may only work on their own hosts: what cannot be asked is said.
check-other-sites() {
  local site service
  for site in "${SITES[@]}"; do
    if [ "$site" = "$TO" ] || [ "$site" = "$FROM" ] || [ -e "${STATE_DIRS[$site]}/fenced" ]; then continue; fi
    services_of "$site"
    for service in ${SERVICES[@]+"${SERVICES[@]}"}; do
      if service "$site" "$service" status </dev/null >/dev/null 2>&1; then
        fail 10 "site $site runs its $service: two sites must never both write" "Recover with --from $site, which fences it first."
      fi
    done
    exception "nobody has looked whether $site serves: it can only be asked on its own hosts"
  done
  SUMMARY='no other site was found to serve'
}

provision-target() {
  provision_commands
  check_programs
  SUMMARY='the configured commands ended well'
}

# Two sites must never both write. A person says how the other one is kept from it; nothing is taken for granted.
fence-source() {
  local service index answer
  case $FENCE in
    ask)
      say ''
      say "Site $FROM must never write again before $TO may. Choose:"
      say "  stop   its commands work from this host: stop its services here, raise its fence marker"
      say "  yes    it cannot write (no power, no network, or recover-$FROM.sh --fence ran on its hosts); you answer for it"
      # Ctrl-D is an answer as well: no.
      read -r -p "stop, or yes typed in full, anything else ends here: " answer || answer=''
      case $answer in
        stop) FENCE=here ;;
        yes)
          FENCE=asserted
          read -r -p 'Why can it not write? ' FENCE_REASON || FENCE_REASON=''
          ;;
        *) fail 10 "$FROM is not fenced" 'Nothing was changed.' ;;
      esac
      ;;
  esac
  if [ "$FENCE" = here ]; then
    take_command "${STATE_DIRS[$FROM]}" "$FROM"
    fence_here "$FROM"
    SUMMARY="$FROM: $EVIDENCE"
    return 0
  fi
  if [ -z "${FENCE_REASON// /}" ]; then fail 10 "nobody has said why $FROM cannot write" 'Say --yes-fenced REASON.'; fi
  # What answers on an address of its own has not been fenced, whoever says so.
  source_addresses "$FROM"
  for ((index = 0; index < ${#ADDRESSES[@]}; index += 3)); do
    case ${ADDRESSES[index + 1]} in 127.* | localhost | '[::1]' | ::1) continue ;; esac
    if listens "${ADDRESSES[index + 1]}" "${ADDRESSES[index + 2]}"; then
      fail 10 "${ADDRESSES[index]} of $FROM still listens on ${ADDRESSES[index + 1]}:${ADDRESSES[index + 2]}" 'It is not fenced: stop it, or cut it off.'
    fi
  done
  log_event decision --arg step fence-source --arg kind confirm --arg reason "$FENCE_REASON"
  exception "$FROM was not fenced by this run; $ACTOR says that it cannot write: $FENCE_REASON"
  SUMMARY="$FROM: asserted by $ACTOR"
}

# fence_here SITE: the marker first, as what is stopped while it is missing could start again.
fence_here() {
  local site=$1 service index
  mkdir -p "${STATE_DIRS[$site]}"
  printf 'run %s\n' "${RUN:-of recover-$site.sh --fence}" >"${STATE_DIRS[$site]}/fenced"
  EVIDENCE='start commands are told to refuse (marker raised)'
  fence_command "$site"
  services_reversed "$site"
  for service in ${REVERSED[@]+"${REVERSED[@]}"}; do
    stop_service "$site" "$service" || fail 10 "$service of $site did not stop" "Cut $site off, then say --yes-fenced REASON."
  done
  source_addresses "$site"
  for ((index = 0; index < ${#ADDRESSES[@]}; index += 3)); do
    case ${ADDRESSES[index]} in redis | database) ;; *) continue ;; esac
    if listens "${ADDRESSES[index + 1]}" "${ADDRESSES[index + 2]}"; then
      fail 10 "${ADDRESSES[index]} of $site still listens on ${ADDRESSES[index + 1]}:${ADDRESSES[index + 2]}" "Cut $site off, then say --yes-fenced REASON."
    fi
  done
  EVIDENCE="services stopped; $EVIDENCE"
  managed_of "$site"
  for service in ${MANAGED[@]+"${MANAGED[@]}"}; do
    EVIDENCE="$EVIDENCE; its managed $service runs on: only what is ours is kept from writing to it"
  done
}

claim-target() {
  local service stopped=''
  services_reversed "$TO"
  for service in ${REVERSED[@]+"${REVERSED[@]}"}; do
    if running "$TO" "$service"; then
      stop_service "$TO" "$service" || fail 10 "$service of $TO did not stop" 'Its own log says why.'
      stopped="$stopped $service"
    fi
  done
  rm -f "$STATE_DIR/fenced"
  SUMMARY="$TO is ours: epoch $EPOCH; ${stopped:+stopped$stopped}${stopped:-nothing ran}"
  # What is restored there is its own master; the mark goes last.
  if [ -e "$STATE_DIR/standby.json" ]; then
    if [ "$(type -t forget_master)" = function ]; then forget_master; fi
    rm -f "$STATE_DIR/standby.json"
    SUMMARY="$SUMMARY; it follows nobody any more"
  fi
}

# The servers' own configuration: the target's fits its host and stays; that of the backup lies beside it.
place-server-config() {
  local index object root told='' file from saved
  for ((index = 0; index < ${#SERVER_TREES[@]}; index += 2)); do
    object=${SERVER_TREES[index]} root=${SERVER_TREES[index + 1]}
    if ! has_object "$object"; then continue; fi
    from="$WORK/$object"
    rm -rf "$from"
    mkdir -p "$from"
    open_into "$object" "$from.tar"
    unpack "$from.tar" "$from"
    while IFS= read -r -d '' file; do
      saved=${file#"$from"/}
      if cmp -s "$file" "$root/$saved"; then
        rm -f "$root/$saved.from-backup"
      elif [ ! -e "$root/$saved" ] && [ "$FROM" = "$TO" ]; then
        mkdir -p "$(dirname "$root/$saved")"
        cp -p "$file" "$root/$saved.new"
        mv -f "$root/$saved.new" "$root/$saved"
        told="$told $saved was missing and is back;"
      else
        mkdir -p "$(dirname "$root/$saved")"
        cp -p "$file" "$root/$saved.from-backup"
        told="$told $saved differs, that of the backup lies beside it;"
      fi
    done < <(find "$from" -type f -print0)
  done
  SUMMARY="${told:-the servers of the backup and of the target are configured alike}"
}

# unpack ARCHIVE FOLDER: plain files, folders and links only; GNU tar itself lets nothing lead out of the folder.
unpack() {
  local owner=--no-same-owner
  if [ "$EUID" = 0 ]; then owner=--same-owner; fi
  if tar --list --verbose --file="$1" | grep -q '^[^-dlh]'; then
    fail 10 "the archive $1 holds something that is no file, folder or link" 'It is not unpacked.'
  fi
  tar --extract --file="$1" --directory="$2" --preserve-permissions "$owner"
}
