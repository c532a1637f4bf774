# ---------------------------------------------------------------------------------------------------------------------
# PostgreSQL, from pgBackRest's own repository: restored and proven beside the old data, then switched in.
# ---------------------------------------------------------------------------------------------------------------------

# As the user that owns the cluster; what this script starts dies with it, and holds its lock as long as it lives. A kill
# between the fork and the word about it would leave it alive: it looks itself whether this script is still there.
ALIVE='if [ "$PPID" = 1 ] || [ ! -d "/proc/$0" ]; then exit 137; fi; exec env -C / "$@"'
OWNER=(setpriv --pdeathsig KILL -- sh -c "$ALIVE" "$$")
if [ "$EUID" = 0 ] && [ -n "$DB_RUN_AS" ]; then
  OWNER=(setpriv --pdeathsig KILL "--reuid=$DB_RUN_AS" "--regid=$DB_RUN_AS" --init-groups -- sh -c "$ALIVE" "$$")
fi
as_owner() { "${OWNER[@]}" "$@"; }
give_to_owner() { if [ "$EUID" = 0 ] && [ -n "$DB_RUN_AS" ]; then chown "$DB_RUN_AS:" "$@"; fi; }

# PostgreSQL reads %% as one %.
DB_ARCHIVE_COMMAND="pgbackrest $(sh_word "--config=$PGBACKREST_CONF") $(sh_word "--stanza=$PGBACKREST_STANZA") archive-push"
DB_ARCHIVE_COMMAND="${DB_ARCHIVE_COMMAND//%/%%} %p"

check_database_programs() {
  local version
  need pgbackrest pgbackrest
  [ -x "$DB_BIN_DIR/postgres" ] || fail 10 "there is no PostgreSQL in $DB_BIN_DIR" 'On Debian: apt install postgresql-15'
  if [ -f "$WORK/manifest.json" ]; then
    version=$("$DB_BIN_DIR/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ "$version" != "$(fact .database.majorVersion)" ]; then
      fail 10 "PostgreSQL is version $version; the backup is of $(fact .database.majorVersion)" 'Install the major version of the backup.'
    fi
  fi
}

# Where the set's own generation lies.
database_repository() {
  DB_REPOSITORY="$PGBACKREST_ROOT/$(fact .database.generation)"
  if [ -n "$COPY" ]; then DB_REPOSITORY="$REPOSITORY/$DEPLOYMENT/pgbackrest/$(fact .database.generation)"; fi
}

# write_pgbackrest_conf FILE REPOSITORY DATA-FOLDER PASSPHRASE SUBFOLDER: mode 0600, for the owner of the cluster.
write_pgbackrest_conf() {
  local folder socket=''
  for folder in "$PGBACKREST_LOCK" "$PGBACKREST_SPOOL" "$PGBACKREST_LOG"; do
    mkdir -p "$folder$5"
    give_to_owner "$folder" "$folder$5"
  done
  if [ -f "$DB_DATA_DIR/postmaster.pid" ]; then socket=$(sed -n 5p "$DB_DATA_DIR/postmaster.pid"); fi
  mkdir -p "$(dirname "$1")"
  (
    umask 077
    cat >"$1.$$" <<END
# Written by $SCRIPT_NAME; changes are lost.
[global]
repo1-type=posix
repo1-path=$2
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=$4
$PGBACKREST_OPTIONS
lock-path=$PGBACKREST_LOCK$5
spool-path=$PGBACKREST_SPOOL$5
log-path=$PGBACKREST_LOG$5
log-level-console=warn
log-level-file=info
[$PGBACKREST_STANZA]
pg1-path=$3
pg1-port=$DB_PORT
${socket:+pg1-socket-path=$socket}
END
  )
  give_to_owner "$1.$$"
  mv -f "$1.$$" "$1"
}

restore_tool() { as_owner pgbackrest "--config=$RESTORE_CONF" "--stanza=$(fact .database.stanza)" "$@"; }

# next_segment NAME BYTES
next_segment() {
  local log=$((16#${1:8:8})) segment=$((16#${1:16:8} + 1))
  if [ "$segment" -ge $((4294967296 / $2)) ]; then
    segment=0
    log=$((log + 1))
  fi
  printf '%s%08X%08X' "${1:0:8}" "$log" "$segment"
}

# PostgreSQL takes a failing restore_command for the end of the WAL, and would lose committed data in silence. So all of
# it is fetched and compared first, from the set's first segment to the newest of its timeline (or to the set's own end).
fetch_wal() {
  local archive_id archive timeline start through name segment expected bytes='' previous='' history
  archive_id=$(jq -r --arg stanza "$(fact .database.stanza)" \
    '[.[].path | select(startswith("archive/" + $stanza + "/"))][0] | split("/")[2]' "$WORK/files.json")
  archive="archive/$(fact .database.stanza)/$archive_id"
  timeline=$(printf '%08X' "$(fact .database.timeline)")
  start=$(fact .database.walStart)
  through=$(fact .database.walStop)
  expected=$start
  LAST_SEGMENT=''
  SEGMENTS=()
  while IFS= read -r history; do
    restore_tool repo-get "$archive/$history" >"$WAL/$history"
  done < <(find "$DB_REPOSITORY/$archive" -maxdepth 1 -name '*.history' -printf '%f\n')
  while IFS= read -r name; do
    segment=${name:0:24}
    if [ "${segment:0:8}" != "$timeline" ] || [[ $segment < $start ]]; then continue; fi
    if [ "$POINT" = set ] && [[ $segment > $through ]]; then break; fi
    if [ "$segment" = "$previous" ]; then
      fail 10 "WAL segment $segment was archived twice with different content" 'Recover to a point before it, with --to-set.'
    fi
    if [ "$segment" != "$expected" ]; then
      fail 10 "WAL segment $expected is missing" 'What was committed after it is lost; --to-set goes back to the set itself.'
    fi
    case $name in
      *.zst) restore_tool repo-get "$archive/${name:0:16}/$name" | zstd -q -d -c >"$WAL/$segment.partial" ;;
      *) restore_tool repo-get "$archive/${name:0:16}/$name" >"$WAL/$segment.partial" ;;
    esac || fail 10 "WAL segment $segment cannot be read" '--to-set goes back to the set itself.'
    if [ "$(sha1sum "$WAL/$segment.partial" | cut -d ' ' -f 1)" != "${name:25:40}" ]; then
      fail 10 "WAL segment $segment is damaged: it has not the SHA-1 that it was archived with" '--to-set goes back to the set itself.'
    fi
    bytes=${bytes:-$(stat -c %s "$WAL/$segment.partial")}
    mv "$WAL/$segment.partial" "$WAL/$segment"
    chmod 644 "$WAL/$segment"
    SEGMENTS+=("$segment")
    previous=$segment
    expected=$(next_segment "$segment" "$bytes")
  done < <(find "$DB_REPOSITORY/$archive" -mindepth 2 -maxdepth 2 -type f -printf '%f\n' |
    grep -E '^[0-9A-F]{24}-[0-9a-f]{40}(\.zst)?$' | sort)
  LAST_SEGMENT=$previous
  if [ -z "$LAST_SEGMENT" ] || [[ $LAST_SEGMENT < $through ]]; then
    fail 10 "WAL segment $expected is missing" 'Without it the set cannot be brought to a consistent state: choose another.'
  fi
}

# Where the last complete record of the log begins: replay has seen everything once it is past it.
find_last_record() {
  local index
  LAST_RECORD=''
  for ((index = ${#SEGMENTS[@]} - 1; index >= 0 && index >= ${#SEGMENTS[@]} - 66; index--)); do
    LAST_RECORD=$("$DB_BIN_DIR/pg_waldump" --path "$WAL" "${SEGMENTS[index]}" "$LAST_SEGMENT" 2>"$WORK/waldump-error" |
      sed -n 's/.*lsn: \([0-9A-F]*\/[0-9A-F]*\),.*/\1/p' | tail -n 1) ||
      fail 10 "the WAL is damaged in $LAST_SEGMENT: $(tail -n 1 "$WORK/waldump-error")" '--to-set goes back to the set itself.'
    if [ -n "$LAST_RECORD" ]; then return 0; fi
  done
  fail 10 "there is no complete record in the WAL up to $LAST_SEGMENT" '--to-set goes back to the set itself.'
}

# strip_recovery FOLDER [ARCHIVE-COMMAND]: nothing of pgBackRest's restore and of the source's archive may stay in it.
strip_recovery() {
  local file="$1/postgresql.auto.conf"
  sed -e '/^# Recovery settings generated by pgBackRest restore/,$d' -e '/^# Removed by pgBackRest restore/d' "$file" |
    grep -Eiv '^[[:space:]]*(restore_command|recovery_[a-z_]+|standby_mode|archive_cleanup_command|promote_trigger_file|primary_conninfo|primary_slot_name|archive_command|archive_library|synchronous_standby_names|default_transaction_read_only)[[:space:]]*=' \
      >"$file.tyk-dr" || true
  if [ $# -gt 1 ]; then printf "archive_command = '%s'\n" "${2//\'/\'\'}" >>"$file.tyk-dr"; fi
  chmod 600 "$file.tyk-dr"
  give_to_owner "$file.tyk-dr"
  mv -f "$file.tyk-dr" "$file"
  rm -f "$1/standby.signal" "$1/recovery.signal"
}

control() { LC_ALL=C as_owner "$DB_BIN_DIR/pg_controldata" "$STAGING" | sed -n "s/^$1: *//p"; }

# scratch_sql DATABASE SQL: in the scratch server, over its private socket.
scratch_sql() { as_owner env "PGDATABASE=$1" "$DB_BIN_DIR/psql" -h "$SOCKET" -p 5432 -U "$DB_ADMIN_USER" -XAtq -v ON_ERROR_STOP=1 -c "$2"; }

# A server on the staged data: cut off from the network, from the archive and from every setting of the source.
start_scratch() {
  local wal required=() name target=()
  wal=$(sh_word "$WAL")
  wal=${wal//%/%%}
  SOCKET=$(mktemp -d /tmp/tyk-dr-script.XXXXXX)
  echo '# Everything is on the command line.' >"$SOCKET/postgresql.conf"
  echo 'local all all trust' >"$SOCKET/pg_hba.conf"
  : >"$SOCKET/pg_ident.conf"
  give_to_owner "$SOCKET" "$SOCKET"/*
  if [ "$POINT" = set ]; then target=(-c "recovery_target_name=$(fact .database.restorePoint)"); fi
  for name in max_connections max_worker_processes max_wal_senders max_prepared_xacts max_locks_per_xact; do
    case $name in
      max_prepared_xacts) required+=(-c "max_prepared_transactions=$(control "$name setting")") ;;
      max_locks_per_xact) required+=(-c "max_locks_per_transaction=$(control "$name setting")") ;;
      *) required+=(-c "$name=$(control "$name setting")") ;;
    esac
  done
  # Not through the function: its process is then the server itself.
  "${OWNER[@]}" env LC_ALL=C TZ=UTC "$DB_BIN_DIR/postgres" -D "$STAGING" \
    -c "config_file=$SOCKET/postgresql.conf" -c "hba_file=$SOCKET/pg_hba.conf" -c "ident_file=$SOCKET/pg_ident.conf" \
    -c external_pid_file= -c listen_addresses= -c port=5432 -c "unix_socket_directories=$SOCKET" -c unix_socket_group= \
    -c ssl=off -c archive_mode=off -c archive_command= -c archive_cleanup_command= -c recovery_end_command= \
    -c "restore_command=test -f $wal/%f && cp $wal/%f \"%p\"" -c primary_conninfo= -c primary_slot_name= \
    -c synchronous_standby_names= -c shared_preload_libraries= -c session_preload_libraries= -c local_preload_libraries= \
    -c max_logical_replication_workers=0 -c hot_standby=on -c recovery_target_timeline=current \
    -c recovery_target_action=pause -c recovery_min_apply_delay=0 "${target[@]}" -c wal_retrieve_retry_interval=50ms \
    -c fsync=off -c max_wal_size=16GB -c checkpoint_timeout=1h -c shared_buffers=256MB -c autovacuum=off \
    -c wal_level=replica -c default_transaction_read_only=off -c logging_collector=off -c log_destination=stderr \
    -c log_min_messages=warning -c lc_messages=C -c "cluster_name=tyk-dr script" "${required[@]}" \
    >>"$STAGING.log" 2>&1 </dev/null &
  SCRATCH_PID=$!
  wait_for 3600 scratch_answers || fail 10 "the scratch server does not start: $(tail -n 3 "$STAGING.log" | tr '\n' ' ')" "Its log is $STAGING.log"
}

scratch_answers() {
  if ! kill -0 "$SCRATCH_PID" 2>/dev/null; then
    fail 10 "the scratch server ended: $(tail -n 3 "$STAGING.log" | tr '\n' ' ')" "Its log is $STAGING.log"
  fi
  scratch_sql postgres 'SELECT 1' >/dev/null 2>&1
}

stop_scratch() {
  local code=0
  kill -INT "$SCRATCH_PID"
  wait "$SCRATCH_PID" || code=$?
  SCRATCH_PID=''
  rm -rf "$SOCKET"
  if [ "$code" -ne 0 ]; then fail 10 "the scratch server ended with $code" "Its log is $STAGING.log"; fi
}

# Replay must pass the last record (or stand at the set's restore point) before anything is promoted.
replay() {
  local lsn state starving before='' stalls=0
  while true; do
    IFS='|' read -r lsn state starving PASSED LAST_COMMIT < <(scratch_sql postgres "
      SELECT pg_last_wal_replay_lsn(), pg_get_wal_replay_pause_state(),
        EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup'
          AND wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')),
        coalesce(pg_last_wal_replay_lsn() > '$LAST_RECORD'::pg_lsn, false),
        to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    REACHED=$lsn
    if [ "$POINT" = set ] && [ "$state" = paused ]; then
      if [ "$lsn" != "$(fact .database.restorePointLsn)" ]; then
        proof 'LSN of the restore point' fail "$(fact .database.restorePointLsn)" "$lsn"
      fi
      return 0
    fi
    if [ "$POINT" = end ] && [ "$PASSED" = t ]; then return 0; fi
    if [ "$POINT" = end ] && [ "$state" = paused ]; then
      fail 10 'replay stands still: the WAL raises a setting, such as max_connections' 'Give the same command again: the script starts with the larger setting.'
    fi
    if [ "$starving" = t ] && [ "$lsn" = "$before" ]; then stalls=$((stalls + 1)); else stalls=0; fi
    if [ "$stalls" -ge 20 ]; then
      fail 10 "replay stopped at $lsn, before the record at $LAST_RECORD" 'The WAL is damaged: --to-set goes back to the set itself. Nothing was promoted.'
    fi
    before=$lsn
    kill -0 "$SCRATCH_PID" 2>/dev/null || fail 10 "the scratch server ended: $(tail -n 3 "$STAGING.log" | tr '\n' ' ')" "Its log is $STAGING.log"
    sleep 0.1
  done
}
