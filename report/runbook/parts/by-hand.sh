# The commands of docs/restore-by-hand.md, which a test runs, for the page of an exported runbook.
#== signature
sed -n 's/.*"key":"\([^"]*\)".*/signed by \1/p' manifest.json.sig
sed -n 's/.*"key":"ed25519:\([^"]*\)".*/\1/p' manifest.json.sig | base64 -d >"$OUT/signer.raw"
sed -n 's/.*"signature":"\([^"]*\)".*/\1/p' manifest.json.sig | base64 -d >"$OUT/signature"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; cat "$OUT/signer.raw"; } |
  openssl pkey -pubin -inform DER -out "$OUT/signer.pem"
openssl pkeyutl -verify -pubin -inkey "$OUT/signer.pem" -rawin -in manifest.json -sigfile "$OUT/signature"

awk -F'"' '/"file":/ {file=$4} /"cipher":/ {now=1} now && /"sha256":/ {print $4 "  " file; now=0}' manifest.json |
  sha256sum --check --quiet -

#== open
for object in *.zst.age; do
  age --decrypt --identity "$KEY" "$object" | zstd -q -d -f -o "$OUT/${object%.zst.age}"
done
awk -F'"' '/"name":/ {name=$4} /"plain":/ {now=1} now && /"sha256":/ {print $4 "  " name; now=0}' manifest.json |
  (cd "$OUT" && sha256sum --check --quiet -)

#== config
for archive in "$OUT"/dashboard "$OUT"/gateway-* "$OUT"/pump; do
  if [ -f "$archive" ]; then
    mkdir -p "$archive.d"
    tar --extract --file "$archive" --directory "$archive.d"
  fi
done

#== redis
if [ -f "$OUT/redis" ]; then
  mkdir -p "$OUT/redis-data"
  cp "$OUT/redis" "$OUT/redis-data/dump.rdb"
  redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$OUT/redis-data" --appendonly no --save '' --daemonize yes
  until redis-cli -p "$REDIS_PORT" ping 2>/dev/null | grep -q PONG; do sleep 0.2; done
  redis-cli -p "$REDIS_PORT" info keyspace
fi

#== postgresql
fact() { sed -n "s/^    \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" manifest.json; }
GENERATION=$(fact generation) STANZA=$(fact stanza) LABEL=$(fact label) TIMELINE=$(fact timeline)
POINT=$(fact restorePoint)
sed 's/},{/}\n{/g' "$OUT/pgbackrest-files" |
  sed -n 's/.*"path":"\([^"]*\)".*"sha256":"\([0-9a-f]*\)".*/\2  \1/p' |
  (cd "$REPO/$DEPLOYMENT/pgbackrest/$GENERATION" && sha256sum --check --quiet -)

mkdir -p "$OUT/postgresql" "$OUT/lock" "$OUT/spool" "$OUT/log"
chmod 700 "$OUT/postgresql"
(umask 077 && cat >"$OUT/pgbackrest.conf") <<END
[global]
repo1-path=$REPO/$DEPLOYMENT/pgbackrest/$GENERATION
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=$(cat "$OUT/pgbackrest-passphrase")
lock-path=$OUT/lock
spool-path=$OUT/spool
log-path=$OUT/log
[$STANZA]
pg1-path=$OUT/postgresql
END
pgbackrest --config="$OUT/pgbackrest.conf" --stanza="$STANZA" --set="$LABEL" --delta \
  --type=name --target="$POINT" --target-timeline="$TIMELINE" --target-action=promote --archive-mode=off restore

echo 'local all all trust' >"$OUT/pg_hba.conf"
cat >"$OUT/postgresql.conf" <<END
listen_addresses = ''
port = $POSTGRES_PORT
unix_socket_directories = '$OUT'
hba_file = '$OUT/pg_hba.conf'
hot_standby = off
END
pg_ctl -D "$OUT/postgresql" -o "-c config_file=$OUT/postgresql.conf" -l "$OUT/postgresql.log" -w -t 600 start
until [ "$(psql -h "$OUT" -p "$POSTGRES_PORT" -U postgres -Atc 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; do sleep 0.2; done
psql -h "$OUT" -p "$POSTGRES_PORT" -U postgres -l
