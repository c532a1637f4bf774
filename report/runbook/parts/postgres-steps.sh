restore-database-data() {
  local state
  database_repository
  STAGING="$DB_DATA_DIR.tyk-dr-new-$RUN"
  WAL="$STAGING.wal"
  state=$(seen "$DB_DATA_DIR" restore-database-data)
  if [ "$state" = 'done' ]; then
    SUMMARY='the restored data are in place already'
    return 0
  fi
  if [ "$state" = absent ]; then stage_database; fi
  switch_in "$DB_DATA_DIR" restore-database-data
  rm -rf "$WAL" "$STAGING.log"
  SUMMARY="${STAGED:-restored before the interruption} and switched in"
}

stage_database() {
  local passphrase how=() identifier timeline
  RESTORE_CONF="$PGBACKREST_CONF.script-$RUN"
  identifier=$(fact .database.systemIdentifier)
  if [ -f "$DB_DATA_DIR/global/pg_control" ]; then
    STAGING=$DB_DATA_DIR
    if [ "$(control 'Database system identifier')" != "$identifier" ]; then
      fail 10 "$DB_DATA_DIR holds the cluster $(control 'Database system identifier'); expected $identifier" 'It is another database: it is not replaced.'
    fi
    STAGING="$DB_DATA_DIR.tyk-dr-new-$RUN"
  fi
  open_into pgbackrest-files "$WORK/files.json"
  open_into pgbackrest-passphrase "$WORK/passphrase"
  passphrase=$(<"$WORK/passphrase")
  rm -f "$WORK/passphrase" "$STAGING/tyk-dr-step.json" "$STAGING/postmaster.pid"
  if [ -e "$STAGING/backup.manifest" ] || [ -e "$STAGING/PG_VERSION" ]; then how=(--delta); else rm -rf "$STAGING"; fi
  rm -rf "$WAL" "$STAGING.log"
  mkdir -p "$STAGING" "$WAL"
  chmod 700 "$STAGING" "$WAL"
  give_to_owner "$STAGING" "$WAL"
  write_pgbackrest_conf "$RESTORE_CONF" "$DB_REPOSITORY" "$STAGING" "$passphrase" /restore
  say '  fetching and checking the WAL'
  fetch_wal
  find_last_record
  say "  restoring the files of $(fact .database.label)"
  restore_tool "--set=$(fact .database.label)" --type=standby --archive-mode=off "--target-timeline=$(fact .database.timeline)" \
    "--process-max=$((PGBACKREST_PROCESSES * 3))" ${how[@]+"${how[@]}"} restore >&2 ||
    fail 10 'pgbackrest could not restore the files' 'Its words stand above. The same command again goes on with what is there.'
  rm -f "$RESTORE_CONF"
  strip_recovery "$STAGING"
  (umask 077 && : >"$STAGING/standby.signal")
  give_to_owner "$STAGING/standby.signal"
  if [ "$(control 'Database system identifier')" != "$identifier" ]; then
    proof 'system identifier of the restored cluster' fail "$identifier" "$(control 'Database system identifier')"
  fi
  say '  replaying the WAL in a scratch server'
  start_scratch
  replay
  proof 'replay reached its expected end before promotion' pass \
    "at least $(if [ "$POINT" = set ]; then fact .database.restorePointLsn; else echo "$LAST_RECORD"; fi)" "$REACHED${LAST_COMMIT:+, last commit $LAST_COMMIT}"
  if [ "$(scratch_sql postgres 'SELECT pg_promote(true, 600)')" != t ]; then proof 'promotion' fail 'within 600 s' 'still in recovery'; fi
  say '  proving the data'
  prove_staged
  stop_scratch
  if [ "$(control 'Database cluster state')" != 'shut down' ]; then
    proof 'state of the restored cluster' fail 'shut down' "$(control 'Database cluster state')"
  fi
  timeline=$(control "Latest checkpoint's TimeLineID")
  strip_recovery "$STAGING" "$DB_ARCHIVE_COMMAND"
  as_owner "$DB_BIN_DIR/initdb" --sync-only -D "$STAGING" >/dev/null
  write_ledger "$STAGING" restore-database-data
  give_to_owner "$STAGING/tyk-dr-step.json"
  STAGED="recovered to $REACHED${LAST_COMMIT:+ (last commit $LAST_COMMIT)}, ${#SEGMENTS[@]} WAL segments, timeline $timeline"
}

# Exact counts hold at the set's own point; at the end of the archive there may be more rows, and no table may be gone.
prove_staged() {
  local findings relations
  scratch_sql "$DB_NAME" "CREATE SCHEMA IF NOT EXISTS tyk_dr_amcheck; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA tyk_dr_amcheck" >/dev/null
  relations=$(scratch_sql "$DB_NAME" "SELECT count(*) FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 'S', 't') OR (c.relkind = 'i' AND a.amname = 'btree')")
  findings=$(as_owner env "PGDATABASE=$DB_NAME" "$DB_BIN_DIR/pg_amcheck" --host "$SOCKET" --port 5432 --username "$DB_ADMIN_USER" \
    --no-password --jobs=2 2>&1) || proof 'tables and indexes whole, page by page (pg_amcheck)' fail 'no finding' "${findings:0:500}"
  if [ -n "$findings" ]; then proof 'tables and indexes whole, page by page (pg_amcheck)' fail 'no finding' "${findings:0:500}"; fi
  proof 'tables and indexes whole, page by page (pg_amcheck)' pass 'no finding' "$relations relations read"
  scratch_sql "$DB_NAME" 'DROP EXTENSION IF EXISTS amcheck; DROP SCHEMA IF EXISTS tyk_dr_amcheck' >/dev/null 2>&1
  if ! is_verified; then
    proof 'row counts' not-measured 'equal to the set' 'not measured: the set was never verified by a restore'
    return 0
  fi
  as_owner env "PGDATABASE=$DB_NAME" "$DB_BIN_DIR/psql" -h "$SOCKET" -p 5432 -U "$DB_ADMIN_USER" -XAtq -v ON_ERROR_STOP=1 >"$WORK/rows" <<'SQL'
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
\gexec
SQL
  compare_rows
}

compare_rows() {
  local verdict expected found gone fewer
  jq -Rn '[inputs | capture("^(?<key>.*)\\|(?<value>[0-9]+)$") | .value |= tonumber] | from_entries' "$WORK/rows" >"$WORK/rows.json"
  jq '.database.rows' "$WORK/verified.json" >"$WORK/attested.json"
  expected=$(jq '[.[]] | add // 0' "$WORK/attested.json")
  found=$(jq '[.[]] | add // 0' "$WORK/rows.json")
  if [ "$POINT" = set ]; then
    verdict=$(jq -n --slurpfile a "$WORK/attested.json" --slurpfile b "$WORK/rows.json" 'if $a == $b then "pass" else "fail" end' -r)
    proof 'row counts of every table' "$verdict" "$expected" "$found"
    proof 'schema digest' not-measured 'equal to the set' 'not measured by the exported script'
    return 0
  fi
  gone=$(jq -nr --slurpfile a "$WORK/attested.json" --slurpfile b "$WORK/rows.json" '[$a[0] | keys[] | select($b[0][.] == null)] | join(", ")')
  if [ -n "$gone" ]; then proof 'no table gone' fail 'every table of the set' "without $gone"; fi
  fewer=$(jq -nr --slurpfile a "$WORK/attested.json" --slurpfile b "$WORK/rows.json" '
    ["public.tyk_apis", "public.tyk_policies", "public.tyk_organisations", "public.tyk_analytics_users"]
    | map(select($b[0][.] < $a[0][.]) | "\(.) \($b[0][.] - $a[0][.])") | join(", ")')
  if [ -n "$fewer" ]; then
    exception "rows were deleted after the set was taken: $fewer; was that meant? To go back before it: --to-set"
  fi
  proof 'control tables not below the set, no table gone' pass "$expected rows or more" "$found rows${fewer:+, with fewer in $fewer}"
}

# The new archive belongs to this generation alone: an old site that comes back can never write into it.
start-database() {
  local generation="$TO-$EPOCH" passphrase standby timeline
  passphrase=$(secret "$PGBACKREST_PASSPHRASE")
  if [ -f "$PGBACKREST_CONF" ] && [ ! -e "$PGBACKREST_CONF.tyk-dr-old-$RUN" ]; then
    cp -p "$PGBACKREST_CONF" "$PGBACKREST_CONF.tyk-dr-old-$RUN"
  fi
  mkdir -p "$PGBACKREST_ROOT/$generation"
  give_to_owner "$PGBACKREST_ROOT/$generation"
  write_pgbackrest_conf "$PGBACKREST_CONF" "$PGBACKREST_ROOT/$generation" "$DB_DATA_DIR" "$passphrase" ''
  start_service database
  wait_for 300 database_answers || fail 10 "PostgreSQL of $TO does not answer" 'Its own log says why.'
  write_pgbackrest_conf "$PGBACKREST_CONF" "$PGBACKREST_ROOT/$generation" "$DB_DATA_DIR" "$passphrase" ''
  as_owner pgbackrest "--config=$PGBACKREST_CONF" "--stanza=$PGBACKREST_STANZA" stanza-create >&2
  standby=$(admin_sql 'SELECT pg_is_in_recovery()')
  timeline=$(admin_sql 'SELECT timeline_id FROM pg_control_checkpoint()')
  proof 'it accepts writes' "$(if [ "$standby" = f ]; then echo pass; else echo fail; fi)" 'not in recovery' "in recovery: $standby"
  SUMMARY="started: $STARTED; timeline $timeline, archive $generation"
}

database_answers() { [ "$(admin_sql 'SELECT 1' 2>/dev/null)" = 1 ]; }

protect-database() {
  local tool=(as_owner pgbackrest "--config=$PGBACKREST_CONF" "--stanza=$PGBACKREST_STANZA")
  if [ "$("${tool[@]}" info --output=json | jq '[.[].backup[]?] | length')" -gt 0 ]; then
    SUMMARY='there is a backup already'
    return 0
  fi
  "${tool[@]}" backup --type=full >&2
  SUMMARY="first full backup of $TO-$EPOCH is in its repository"
}
