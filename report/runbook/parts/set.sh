# ---------------------------------------------------------------------------------------------------------------------
# The backup set: signed by a key that we trust, whole, and opened by our age identity, before anything is touched.
# ---------------------------------------------------------------------------------------------------------------------

# signed FILE: whether a trusted key has signed exactly these bytes.
signed() {
  local key trusted known=no
  key=$(jq -er '.key' "$1.sig" 2>/dev/null) || return 1
  for trusted in "${TRUSTED_KEYS[@]}"; do
    if [ "$trusted" = "$key" ]; then known=yes; fi
  done
  if [ "$known" = no ]; then
    say "! $1 is signed by $key, which is not trusted"
    return 1
  fi
  # What stands before the 32 bytes of an Ed25519 key in the form that openssl reads (RFC 8410).
  {
    printf '\060\052\060\005\006\003\053\145\160\003\041\000'
    base64 -d <<<"${key#ed25519:}"
  } | openssl pkey -pubin -inform DER -out "$WORK/signer.pem" 2>/dev/null || return 1
  jq -er '.signature' "$1.sig" | base64 -d >"$WORK/signature" 2>/dev/null || return 1
  openssl pkeyutl -verify -pubin -inkey "$WORK/signer.pem" -rawin -in "$1" -sigfile "$WORK/signature" >/dev/null 2>&1
}

# take_manifest SET: copied first, then judged: what is trusted is what was seen signed. 1: there is none.
take_manifest() {
  local folder="$REPOSITORY/$DEPLOYMENT/$1" name
  rm -f "$WORK"/manifest.json* "$WORK"/verified.json*
  if [ ! -f "$folder/manifest.json" ]; then return 1; fi
  for name in manifest.json manifest.json.sig verified.json verified.json.sig; do
    if [ -f "$folder/$name" ]; then cp "$folder/$name" "$WORK/$name"; fi
  done
  if ! signed "$WORK/manifest.json"; then return 2; fi
  [ "$(fact .format)" = tyk-dr/backup/v1 ] && [ "$(fact .set)" = "$1" ] && [ "$(fact .deployment)" = "$DEPLOYMENT" ] || return 3
}

# Whether the set was proven by restoring it: a second signed file, bound to this very manifest.
is_verified() {
  [ -f "$WORK/verified.json" ] && signed "$WORK/verified.json" &&
    [ "$(jq -r '.set' "$WORK/verified.json")" = "$(fact .set)" ] &&
    [ "$(jq -r '.manifestSha256' "$WORK/verified.json")" = "$(sha256_of "$WORK/manifest.json")" ]
}

# fact JQ-PATH: what the signed manifest says.
fact() { jq -r "$1 // empty" "$WORK/manifest.json"; }

# object NAME FIELD: file, plain or cipher of an object of the set.
object() { jq -r --arg name "$1" ".objects[] | select(.name == \$name) | $2" "$WORK/manifest.json"; }

has_object() { [ -n "$(object "$1" .file)" ]; }

# The newest set that was proven by a restore; where there is none, the newest that is signed.
choose_set() {
  local folder name newest=''
  if [ ! -d "$REPOSITORY/$DEPLOYMENT" ]; then
    fail 10 "there is no repository at $REPOSITORY" \
      'Fetch an off-site copy with --fetch, or bring one here (the page has the rclone command) and name it with --repository.'
  fi
  while IFS= read -r folder; do
    name=${folder##*/}
    if [ -n "$BEFORE" ] && [[ ! $(jq -r '.createdAt // "9"' "$folder/manifest.json" 2>/dev/null) < $BEFORE ]]; then continue; fi
    take_manifest "$name" || continue
    if is_verified; then
      SET=$name
      return 0
    fi
    if [ -z "$newest" ]; then newest=$name; fi
  done < <(find "$REPOSITORY/$DEPLOYMENT" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended \
    -regex '.*/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}' | sort -r)
  SET=$newest
  if [ -z "$SET" ]; then
    fail 10 "no set of $DEPLOYMENT in $REPOSITORY is signed by a trusted key${BEFORE:+ and older than $BEFORE}" \
      'Name another repository with --repository, such as one of the off-site copies.'
  fi
}

# Every time that the script is started: what it works with was signed, by whom we trust.
open_manifest() {
  local code=0
  take_manifest "$SET" || code=$?
  case $code in
    0) ;;
    1) fail 10 "$SET has no manifest in $REPOSITORY/$DEPLOYMENT" 'No manifest, no backup: choose another set with --set.' ;;
    2) fail 10 "the manifest of $SET is not signed by a trusted key, or was changed after it was signed" \
      'Choose another set with --set, or another repository with --repository.' ;;
    *) fail 10 "the manifest of $SET is that of $(fact .set) of $(fact .deployment)" 'Choose another set with --set.' ;;
  esac
}

# The age identities that tyk-dr.yaml names, or the one of --identity: the key from the safe opens every set as well.
identities() {
  local reference
  if [ -n "$IDENTITY_FILE" ]; then
    cat "$IDENTITY_FILE"
    return
  fi
  for reference in "${IDENTITIES[@]}"; do
    secret "$reference"
    echo
  done
}

# open_object NAME: its content, decrypted, on standard output. Whoever takes it must compare it with its digest.
open_object() {
  age --decrypt --identity <(printf '%s\n' "$IDENTITY") "$REPOSITORY/$DEPLOYMENT/$SET/$(object "$1" .file)" | zstd -q -d -c
}

# open_into NAME FILE: the file appears under its name only when its bytes are those that were signed for.
open_into() {
  (umask 077 && open_object "$1" >"$2.partial") ||
    fail 10 "the object $1 of $SET cannot be opened" 'It is damaged, or no identity fits; see --identity and --repository.'
  if [ "$(sha256_of "$2.partial")" != "$(object "$1" .plain.sha256)" ]; then
    fail 10 "the object $1 of $SET is not what was signed for" 'Choose another set with --set or another repository with --repository.'
  fi
  mv -f "$2.partial" "$2"
}

# A store is put back in the way in which the set was made of it; tyk-dr recover can do more.
check_methods() {
  local redis database
  redis=$(if has_object redis; then jq -r '.redis.method // "files"' "$WORK/manifest.json"; fi)
  database=$(fact .database.method)
  if [ -n "$redis" ] && [ "$redis" != "$REDIS_METHOD" ]; then
    fail 10 "the Redis of $SET was saved by $redis, and that of $TO is restored by ${REDIS_METHOD:-nothing}" 'Choose a set that was made the same way (--set), or use tyk-dr recover.'
  fi
  if [ -n "$database" ] && [ "$database" != "$DB_METHOD" ]; then
    fail 10 "the database of $SET was saved by $database, and that of $TO is restored by ${DB_METHOD:-nothing}" 'Choose a set that was made the same way (--set), or use tyk-dr recover.'
  fi
}

check-backup() {
  local name file count=0 damaged
  if [ -z "$SET" ]; then choose_set; fi
  open_manifest
  check_methods
  if [ -n "$COPY" ]; then fetch_set; fi
  log_event set --arg set "$SET"
  proof 'the manifest is signed by a trusted key' pass 'valid signature' 'valid signature'
  while IFS= read -r name; do
    file="$REPOSITORY/$DEPLOYMENT/$SET/$(object "$name" .file)"
    if [ ! -f "$file" ]; then fail 10 "the object $name of $SET is missing" 'Choose another set or repository.'; fi
    if [ "$(sha256_of "$file")" != "$(object "$name" .cipher.sha256)" ]; then
      fail 10 "the object $name of $SET is damaged: the SHA-256 of its sealed bytes differs" 'Choose another set or repository.'
    fi
    if [ "$(open_object "$name" | sha256sum | cut -d ' ' -f 1)" != "$(object "$name" .plain.sha256)" ]; then
      fail 10 "the object $name of $SET does not open to what was signed for" 'No identity fits, or it is damaged; see --identity.'
    fi
    count=$((count + 1))
  done < <(fact '.objects[].name')
  proof 'every object opens with its digest' pass "$(fact '.objects | length')" "$count"
  if [ "$(fact .database.method)" = pgbackrest ]; then
    database_repository
    if [ -n "$COPY" ]; then fetch_database; fi
    open_into pgbackrest-files "$WORK/files.json"
    jq -r '.[] | "\(.sha256)  \(.path)"' "$WORK/files.json" >"$WORK/files.sha256"
    damaged=$(cd "$DB_REPOSITORY" && sha256sum --check --quiet "$WORK/files.sha256" 2>&1 | head -n 1) || true
    if [ -n "$damaged" ]; then
      fail 10 "the database backup of $SET is damaged: $damaged" 'Choose another set, or name a whole copy with --pgbackrest.'
    fi
    proof 'every file of the database backup is the one that was signed for' pass "$(wc -l <"$WORK/files.sha256") files" 'all of them'
  fi
  if [ -n "$COPY" ]; then mark_fetched; fi
  log_event set-facts --argjson set "$(set_facts)"
  SUMMARY="$SET of $(fact .site), taken $(fact .createdAt), $(if is_verified; then echo 'verified by a restore'; else echo 'NOT verified by a restore'; fi)${COPY:+; from the copy $COPY, as there is none in the repository}"
}

# As the history of tyk-dr keeps it.
set_facts() {
  local verified=false
  if is_verified; then verified=true; fi
  jq -c --argjson verified "$verified" '{set, site, createdAt, verified: $verified, versions: (.versions // {}),
    bytes: ([.objects[].cipher.bytes] | add // 0)}
    + (if .redis then {redisKeys: .redis.keys} else {} end)
    + (if .database then {databaseBytes: .database.databaseBytes} else {} end)' "$WORK/manifest.json"
}
