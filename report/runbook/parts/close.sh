# ---------------------------------------------------------------------------------------------------------------------
# Close-out
# ---------------------------------------------------------------------------------------------------------------------

# An API edited through the Dashboard must reach the Gateways, and is put back: the way Tyk is operated from now on.
every_gateway_names() { # API-ID NAME
  local gateway
  for gateway in "${GATEWAYS[@]}"; do
    http_by GET "${GATEWAY_URLS[$gateway]%/}/tyk/apis/$1" X-Tyk-Authorization "$GATEWAY_SECRET"
    [ "$(jq -r .name "$WORK/body" 2>/dev/null)" = "$2" ] || return 1
  done
}

edit_reaches() { # DATABASE-ID API-ID NAME
  jq --arg name "$3" '.api_definition.name = $name' "$WORK/stored.json" >"$WORK/edited.json"
  http_by PUT "${DASHBOARD_URL%/}/api/apis/$1" Authorization "$DASHBOARD_KEY" -H 'Content-Type: application/json' --data-binary "@$WORK/edited.json"
  [ "$STATUS" = 200 ] || return 1
  # Told again where a Gateway, in its first ten seconds, heard nothing.
  wait_for 3 every_gateway_names "$2" "$3"
}

prove-dashboard-edit() {
  local id api name mark=' (tyk-dr was here)' reached=no
  ask_published
  IFS=$'\t' read -r id api < <(jq -r '[.[] | select(.active and (.oas | not))][0] // empty | [.id, .api_id] | @tsv' "$WORK/apis.json") || true
  if [ -z "${id:-}" ]; then
    proof 'an edit reaches the Gateways' not-measured 'an answer' 'not measured: no classic API to edit'
    return 0
  fi
  http_by GET "${DASHBOARD_URL%/}/api/apis/$id" Authorization "$DASHBOARD_KEY"
  cp "$WORK/body" "$WORK/stored.json"
  name=$(jq -r '.api_definition.name' "$WORK/stored.json")
  name=${name//"$mark"/}
  if wait_for 60 edit_reaches "$id" "$api" "$name$mark"; then reached=yes; fi
  wait_for 60 edit_reaches "$id" "$api" "$name" || proof 'the edit is put back' fail "$name" 'another name'
  proof 'an API edited through the Dashboard reaches the Gateways' "$(if [ "$reached" = yes ]; then echo pass; else echo fail; fi)" "$name$mark" "reached: $reached"
  proof 'the edit is put back' pass "$name" "$name"
  SUMMARY="an edit of $name reached ${#GATEWAYS[@]} Gateways and was put back"
}

discard-old-data() {
  local index kept=0 name
  if [ "$KEEP_OLD_DATA" = yes ]; then
    if [ "$(type -t release_redis)" = function ]; then release_redis; fi
    SUMMARY="kept as asked, beside each as tyk-dr-old-$RUN"
    return 0
  fi
  for ((index = 0; index < ${#DATA_FOLDERS[@]}; index += 2)); do
    name=${DATA_FOLDERS[index + 1]}
    if [ -e "$name.tyk-dr-old-$RUN" ]; then kept=$((kept + 1)); fi
    rm -rf "$name.tyk-dr-old-$RUN" "$name.tyk-dr-new-$RUN" "$name.tyk-dr-new-$RUN.wal" "$name.tyk-dr-new-$RUN.log"
  done
  for name in "${TREES[@]}"; do
    tree "$name"
    rm -rf "$TREE_ROOT/.tyk-dr-old-$RUN" "$TREE_ROOT/.tyk-dr-new-$RUN"
  done
  for name in discard_old_database release_redis; do
    if [ "$(type -t "$name")" = function ]; then "$name"; fi
  done
  if [ -n "${PGBACKREST_CONF:-}" ]; then rm -f "$PGBACKREST_CONF.tyk-dr-old-$RUN"; fi
  SUMMARY="removed the old data of $kept stores"
}

# Beside the backup sets it outlives this host; tyk-dr import-run takes it into the history.
write-record() {
  keep_log
  SUMMARY="$REPOSITORY/$DEPLOYMENT/runs/$RUN.jsonl"
}

keep_log() {
  mkdir -p "$REPOSITORY/$DEPLOYMENT/runs"
  cp "$LOG" "$REPOSITORY/$DEPLOYMENT/runs/$RUN.jsonl.new"
  mv -f "$REPOSITORY/$DEPLOYMENT/runs/$RUN.jsonl.new" "$REPOSITORY/$DEPLOYMENT/runs/$RUN.jsonl"
}

# Only tyk-dr reads the beacon's numbers and its journal: here the loss is said to be unknown, never guessed.
measure-loss() {
  proof 'loss of the stores' not-measured 'within the RPO' 'not measured: the script does not read the beacon'
  exception 'the loss of the stores was not measured: the script does not read the beacon'
  SUMMARY='not measured by this script'
}

measure-performance() {
  proof 'performance under load' not-measured 'within the SLOs' 'not measured: the script sends no load'
  SUMMARY='not measured by this script'
}

# Part of it the proofs of authentication have shown; the rest only tyk-dr looks at.
prove-security() {
  proof 'security controls' not-measured 'maintained' 'not measured: the script does not look at them'
  exception 'the security controls were not measured: the script does not look at them'
  SUMMARY='not measured by this script'
}
