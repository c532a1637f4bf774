# ---------------------------------------------------------------------------------------------------------------------
# The running database, as its administrator and as the Dashboard see it.
# ---------------------------------------------------------------------------------------------------------------------

# run_sql USER PASSWORD-REFERENCE [psql arguments]. The password goes by the environment, which only this user can read.
run_sql() {
  local user=$1 password=''
  if [ -n "$2" ]; then password=$(secret "$2"); fi
  shift 2
  PGPASSWORD=$password PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$user PGDATABASE=$DB_NAME PGAPPNAME=tyk-dr \
    PGSSLMODE=$DB_SSLMODE PGSSLROOTCERT=$DB_SSLROOTCERT psql -XAtq -w -v ON_ERROR_STOP=1 "$@"
}
admin_sql() { run_sql "$DB_ADMIN_USER" "$DB_ADMIN_PASSWORD" -c "$1"; }
# dashboard_sql SQL: in it, :'org' is the organisation and :'marker' the mark of this run's requests.
dashboard_sql() { run_sql "$DB_USER" "$DB_PASSWORD" -v "org=$ORGANISATION" -v "marker=${MARKER:-}" <<<"$1"; }

prove-database() {
  local apis
  apis=$(dashboard_sql 'SELECT count(*) FROM tyk_apis')
  proof 'the Dashboard’s user reads its tables' "$(if [ "$apis" -gt 0 ]; then echo pass; else echo fail; fi)" 'at least 1 API' "$apis"
  SUMMARY="$apis APIs, read as $DB_USER"
}

api_ids_of_database() { dashboard_sql "SELECT api_id FROM tyk_apis WHERE org_id = :'org'" | LC_ALL=C sort; }
policy_ids_of_database() { dashboard_sql "SELECT id FROM tyk_policies WHERE org_id = :'org'" | LC_ALL=C sort; }

# In the one table or in those of single days.
analytics_in_database() {
  dashboard_sql "SELECT format('SELECT count(*) FROM %s WHERE useragent = %L', c.oid::regclass, :'marker')
    FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relname ~ '^tyk_analytics(_\\d{8})?\$' \\gexec" | awk '{ sum += $1 } END { print sum + 0 }'
}
