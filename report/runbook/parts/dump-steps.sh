restore-database-data() {
  local folder="$STATE_DIR/undump-$RUN"
  if [ -z "$(fact .database.method)" ]; then
    SUMMARY='the set has no database'
    return 0
  fi
  wake_database
  if is_marked live true; then
    SUMMARY='the restored data are in place already'
    return 0
  fi
  require_ours
  if is_there staging && ! is_marked staging true && [ -n "$(mark_of staging)" ]; then
    fail 10 "the database tyk_dr_new_$RUN is of another run" 'Look whose it is, and drop it yourself.'
  fi
  if ! is_marked staging .proven; then stage_dump "$folder"; fi
  say '  switching'
  shut_database staging
  if is_there live; then
    shut_database live
    on_server <<<'BEGIN; ALTER DATABASE :"live" RENAME TO :"old"; ALTER DATABASE :"staging" RENAME TO :"live"; ALTER DATABASE :"live" ALLOW_CONNECTIONS true; COMMIT'
  else
    on_server <<<'BEGIN; ALTER DATABASE :"staging" RENAME TO :"live"; ALTER DATABASE :"live" ALLOW_CONNECTIONS true; COMMIT'
  fi
  rm -rf "$folder"
  SUMMARY="${STAGED:-restored before the interruption} and switched in; as of $(fact .database.takenAt), the moment of the dump: what was written later is not in it"
}

stage_dump() { # FOLDER
  local icu='' part
  require_server_fits
  # What a killed attempt has begun is nothing: its sessions end with its database, and its programs with them.
  on_server <<<'DROP DATABASE IF EXISTS :"staging" WITH (FORCE)'
  rm -rf "$1"
  mkdir -p "$1"
  chmod 700 "$1"
  for part in control analytics; do
    if ! has_object "dump-$part"; then continue; fi
    say "  opening the $part dump"
    open_into "dump-$part" "$1/$part.tar"
    unpack "$1/$part.tar" "$1"
    rm -f "$1/$part.tar"
  done
  make_roles
  if [ "$(fact .database.provider)" = i ]; then icu=$(fact .database.icuLocale); fi
  on_server -v "owner=$(fact .database.owner)" -v "encoding=$(fact .database.encoding)" -v "collate=$(fact .database.collate)" \
    -v "ctype=$(fact .database.ctype)" -v "icu=$icu" <<<"CREATE DATABASE :\"staging\" OWNER :\"owner\" TEMPLATE template0
      ENCODING :'encoding' LC_COLLATE :'collate' LC_CTYPE :'ctype' ${icu:+LOCALE_PROVIDER icu ICU_LOCALE :'icu'}"
  write_mark staging false
  fill control pre-data data "$1"
  if [ -d "$1/analytics" ]; then fill analytics data "$1"; fi
  say '  building indexes'
  fill control post-data "$1"
  on_database "tyk_dr_new_$RUN" <<<ANALYZE
  say '  counting'
  compare_counts
  write_mark staging true
}

# fill PART SECTION... FOLDER: rows before indexes and constraints, which are made faster, and checked, over rows that are there.
fill() {
  local part=$1 sections=() folder
  shift
  while [ $# -gt 1 ]; do
    sections+=("--section=$1")
    shift
  done
  folder=$1
  say "  restoring $part, ${sections[*]#--section=}"
  as_admin "tyk_dr_new_$RUN" "$DB_BIN_DIR/pg_restore" --format=directory "--jobs=$DB_JOBS" --exit-on-error --no-password \
    "--dbname=tyk_dr_new_$RUN" "${sections[@]}" "$folder/$part" >&2 ||
    fail 10 "pg_restore failed in $part" 'Its words stand above. Nothing was switched; the same command begins the restore anew.'
}

compare_counts() {
  local same expected found
  on_database "tyk_dr_new_$RUN" >"$WORK/rows" <<'SQL'
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
\gexec
SQL
  jq -Rn '[inputs | capture("^(?<key>.*)\\|(?<value>[0-9]+)$") | .value |= tonumber] | from_entries' "$WORK/rows" >"$WORK/rows.json"
  same=$(jq --slurpfile found "$WORK/rows.json" '.database.counted.rows == $found[0]' "$WORK/manifest.json")
  expected=$(fact '[.database.counted.rows[]] | add')
  found=$(jq '[.[]] | add // 0' "$WORK/rows.json")
  proof 'row counts of every table' "$(if [ "$same" = true ]; then echo pass; else echo fail; fi)" "${expected:-0}" "$found"
  proof 'schema digest' not-measured 'equal to the set' 'not measured by the exported script'
  STAGED="$found rows restored"
}

# Before anything changes, where it runs already.
check_database_target() {
  if [ -z "$(fact .database.method)" ] || has_service database; then return 0; fi
  server_answers || fail 10 "PostgreSQL of $TO does not answer at $DB_HOST:$DB_PORT" 'It is managed: nothing here can start it.'
  require_server_fits
  require_ours
  proof 'the running PostgreSQL takes the dump' pass 'new enough, no standby, empty or ours' 'so it is'
}

start-database() {
  local standby
  wake_database
  standby=$(admin_sql 'SELECT pg_is_in_recovery()')
  proof 'it accepts writes' "$(if [ "$standby" = f ]; then echo pass; else echo fail; fi)" 'not in recovery' "in recovery: $standby"
  SUMMARY="started: $STARTED"
}

protect-database() {
  SUMMARY='a dump keeps no log: nothing is protected before the next set, which tyk-dr backup makes'
}

discard_old_database() { on_server <<<'DROP DATABASE IF EXISTS :"old" WITH (FORCE)'; }
