# ---------------------------------------------------------------------------------------------------------------------
# PostgreSQL, from a dump: restored and proven in a database beside the old one, on the running server, then switched in
# by renaming both. The comment of a database says which run, step and set made it: as tyk-dr's own steps do.
# ---------------------------------------------------------------------------------------------------------------------

# as_admin DATABASE COMMAND...: what it starts dies with this script, and holds its lock as long as it lives.
as_admin() {
  local database=$1 password=''
  shift
  if [ -n "$DB_ADMIN_PASSWORD" ]; then password=$(secret "$DB_ADMIN_PASSWORD"); fi
  PGPASSWORD=$password PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$DB_ADMIN_USER PGDATABASE=$database PGAPPNAME=tyk-dr \
    PGSSLMODE=$DB_SSLMODE PGSSLROOTCERT=$DB_SSLROOTCERT PGOPTIONS='-c client_min_messages=warning' setpriv --pdeathsig KILL -- "$@"
}

# What is renamed or dropped must have no session: all of that is done from a database that is always there.
# on_server [psql arguments], the SQL on standard input; values go in as variables, never as text.
on_server() { on_database "$(if [ "$DB_NAME" = postgres ]; then echo template1; else echo postgres; fi)" "$@"; }
on_database() { # DATABASE [psql arguments]
  local database=$1
  shift
  as_admin "$database" psql -XAtq -w -v ON_ERROR_STOP=1 -v "live=$DB_NAME" -v "staging=tyk_dr_new_$RUN" -v "old=tyk_dr_old_$RUN" "$@"
}

server_answers() { [ "$(on_server <<<'SELECT 1' 2>/dev/null)" = 1 ]; }

check_database_programs() {
  local program version
  for program in psql pg_restore; do
    [ -x "$DB_BIN_DIR/$program" ] || fail 10 "there is no $program in $DB_BIN_DIR" 'On Debian: apt install postgresql-client-15'
  done
  need perl perl
  if [ -f "$WORK/manifest.json" ] && [ -n "$(fact .database.majorVersion)" ]; then
    version=$("$DB_BIN_DIR/pg_restore" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ "$version" -lt "$(fact .database.majorVersion)" ]; then
      fail 10 "pg_restore is version $version; the dump is of $(fact .database.majorVersion)" 'Install the version of the dump, or a newer one.'
    fi
  fi
}

wake_database() {
  STARTED=no
  if has_service database; then start_service database; fi
  wait_for 300 server_answers || fail 10 "PostgreSQL of $TO does not answer" 'Its own log says why.'
}

# mark_of VARIABLE: what the comment of the database says that live, staging or old names.
mark_of() {
  on_server <<<"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :'$1'" | sed -n 's/^tyk-dr //p'
}
is_there() {
  local count
  count=$(on_server <<<"SELECT count(*) FROM pg_database WHERE datname = :'$1'") || no_answer
  [ "$count" = 1 ]
}
no_answer() { fail 10 "PostgreSQL of $TO does not answer" 'Its words stand above, or its own log says why.'; }
is_marked() { # VARIABLE JQ-FILTER
  local mark
  mark=$(mark_of "$1") || no_answer
  # jq says yes to nothing at all.
  [ -n "$mark" ] && jq -e --arg run "$RUN" --arg set "$SET" \
    ".run == \$run and .step == \"restore-database-data\" and .set == \$set and ($2)" <<<"$mark" >/dev/null 2>&1
}
write_mark() { # VARIABLE PROVEN
  on_server -v "comment=tyk-dr $(jq -cn --arg run "$RUN" --arg set "$SET" --argjson proven "$2" \
    '{run: $run, step: "restore-database-data", set: $set, proven: $proven}')" <<<"COMMENT ON DATABASE :\"$1\" IS :'comment'"
}

# A configuration that names another deployment's server must not cost that one its data.
require_ours() {
  local owners
  if [ "$(on_server <<<"SELECT count(*) FROM pg_database WHERE datname = :'live' AND datallowconn")" = 0 ]; then return 0; fi
  owners=$(on_database "$DB_NAME" -v "org=$ORGANISATION" <<'SQL'
SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') THEN 'empty'
  WHEN to_regclass('public.tyk_organisations') IS NOT NULL THEN 'organisations'
  WHEN to_regclass('public.tyk_apis') IS NOT NULL THEN 'empty' ELSE 'foreign' END AS kind
\gset
SELECT :'kind' = 'organisations' AS look
\gset
\if :look
SELECT CASE WHEN count(*) = 0 OR bool_or(id = :'org') THEN 'ours' ELSE 'foreign' END FROM public.tyk_organisations;
\else
SELECT :'kind';
\endif
SQL
  )
  if [ "$owners" = foreign ]; then
    fail 10 "the database $DB_NAME at $DB_HOST:$DB_PORT is not that of organisation $ORGANISATION" 'It is another database: it is not replaced. Move it away yourself if it is not needed.'
  fi
}

require_server_fits() {
  local version standby may
  IFS='|' read -r version standby may < <(on_server <<<"SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(),
    (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user)")
  if [ "$version" -lt "$(fact .database.majorVersion)" ]; then
    fail 10 "PostgreSQL of $TO is version $version; the dump is of $(fact .database.majorVersion)" 'A dump goes into its own or a newer version.'
  fi
  if [ "$standby" = t ]; then fail 10 "PostgreSQL of $TO is a standby" 'Promote it first, or name the primary.'; fi
  if [ "$may" != t ]; then fail 10 "$DB_ADMIN_USER may not make databases" 'It needs CREATEDB and CREATEROLE.'; fi
}

# The server keeps a verifier (RFC 5803), and a statement that holds it instead of the password may be logged.
scram_verifier() {
  perl -MDigest::SHA=hmac_sha256,sha256 -MMIME::Base64=encode_base64 -MEncode=decode,encode -MUnicode::Normalize=NFKC -e '
    local $/; my $password = encode("UTF-8", NFKC(decode("UTF-8", <STDIN>)));
    open my $random, "<:raw", "/dev/urandom" or die; read $random, my $salt, 16;
    my $block = hmac_sha256($salt . pack("N", 1), $password); my $salted = $block;
    for (2 .. 4096) { $block = hmac_sha256($block, $password); $salted ^= $block }
    print "SCRAM-SHA-256\$4096:", encode_base64($salt, ""), "\$", encode_base64(sha256(hmac_sha256("Client Key", $salted)), ""), ":",
      encode_base64(hmac_sha256("Server Key", $salted), "");'
}

# Owners and grantees, which a dump names and does not bring along. What is there is left as it is.
make_roles() {
  local role owner verifier
  owner=$(fact .database.owner)
  if [ "$(role_is_there "$DB_USER")" = f ]; then
    verifier=$(secret "$DB_PASSWORD" | scram_verifier)
    on_server -v "role=$DB_USER" -v "verifier=$verifier" <<<"CREATE ROLE :\"role\" LOGIN PASSWORD :'verifier'"
  fi
  while IFS= read -r role; do
    if [ "$(role_is_there "$role")" = f ]; then on_server -v "role=$role" <<<'CREATE ROLE :"role" NOLOGIN'; fi
    join_role "$DB_ADMIN_USER" "$role"
  done < <(jq -r '[.database.owner, .database.roles[]] | unique[]' "$WORK/manifest.json")
  join_role "$DB_USER" "$owner"
}
role_is_there() { on_server -v "role=$1" <<<"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')"; }
join_role() { # MEMBER GROUP
  if [ "$1" = "$2" ] || [ "$(on_server -v "member=$1" -v "group=$2" <<<"SELECT pg_has_role(:'member', :'group', 'USAGE')")" = t ]; then return 0; fi
  on_server -v "member=$1" -v "group=$2" <<<'GRANT :"group" TO :"member"'
}

# No session is left and none can begin: clients would connect again at once, and nothing with a session is renamed.
shut_database() { # VARIABLE
  on_server <<<"ALTER DATABASE :\"$1\" ALLOW_CONNECTIONS false"
  wait_for 30 no_session "$1" || fail 10 "sessions of the database do not end" 'Look at pg_stat_activity; the same command goes on.'
}
no_session() {
  [ "$(on_server <<<"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :'$1'")" = 0 ]
}
