# ---------------------------------------------------------------------------------------------------------------------
# Configuration of Dashboard, Gateways and Pump: from the set, rewritten to the target, proven to name only it.
# ---------------------------------------------------------------------------------------------------------------------

# rewritten KIND FROM-ROOT ENDPOINTS: standard input to standard output. Secrets go by file descriptors.
rewritten() {
  local secrets
  secrets=$(named_secrets) || exit $?
  jq --arg kind "$1" --arg from "$2" --argjson to "$3" --slurpfile given <(printf '%s' "$secrets") "\$given[0] as \$secrets | $REWRITE"
}

# The one set of secrets that all must share, as JSON.
named_secrets() {
  local index name
  for ((index = 0; index < ${#NAMED_SECRETS[@]}; index += 2)); do
    name=${NAMED_SECRETS[index]}
    secret "${NAMED_SECRETS[index + 1]}" | jq -Rsc --arg name "$name" '{($name): .}'
  done | jq -sc 'add // {}'
}

# restore_tree NAME: one component's entries, into a folder that also holds other things (a program, its templates).
restore_tree() {
  local name=$1 object root config from staging undo left
  tree "$name"
  object=$(object_for "$name") root=$TREE_ROOT config=$TREE_CONFIG
  from=$(old_root "$(fact .site)" "$object")
  staging="$root/.tyk-dr-new-$RUN" undo="$root/.tyk-dr-old-$RUN"
  if ! placed "$undo" "$STEP/$name"; then
    if ! has_object "$object"; then fail 10 "the set has no object $object for $name" 'Choose a set that was made with this component.'; fi
    rm -rf "$staging"
    mkdir -p "$staging"
    chmod 700 "$staging"
    open_into "$object" "$staging.tar"
    unpack "$staging.tar" "$staging"
    rm -f "$staging.tar"
    rewritten "$TREE_KIND" "$from" "$TREE_ENDPOINTS" <"$staging/$config" >"$WORK/conf"
    # Into the file itself, which keeps its owner and mode.
    cat "$WORK/conf" >"$staging/$config"
    rm -f "$WORK/conf"
    place "$root" "$staging" "$undo" "$STEP/$name" "${TREE_ENTRIES[@]}"
  fi
  left=''
  if [ "$FROM" != "$TO" ]; then
    left=$(jq -r --argjson source "$(source_only "$FROM")" "$LEFTOVERS" "$root/$config")
  fi
  proof "$name: $config names only the target" "$(if [ -z "$left" ]; then echo pass; else echo fail; fi)" 'no address of the source' "${left:-none}"
}

# placed UNDO-FOLDER STEP
placed() {
  [ -f "$1/tyk-dr-step.json" ] &&
    jq -e --arg run "$RUN" --arg step "$2" --arg set "$SET" \
      '.done and .run == $run and .step == $step and .set == $set' "$1/tyk-dr-step.json" >/dev/null
}

# place ROOT STAGING UNDO STEP ENTRY...: each entry shows by where it lies how far an earlier attempt came.
place() {
  local root=$1 staging=$2 undo=$3 step=$4 entry old
  shift 4
  mkdir -p "$undo/entries"
  chmod 700 "$undo"
  placing "$undo" "$step" false "$@"
  for entry in "$@"; do
    old="$undo/entries/$entry"
    if [ ! -e "$staging/$entry" ] && [ ! -L "$staging/$entry" ]; then continue; fi
    if { [ -e "$root/$entry" ] || [ -L "$root/$entry" ]; } && [ ! -e "$old" ] && [ ! -L "$old" ]; then
      mkdir -p "$(dirname "$old")"
      mv -T "$root/$entry" "$old"
    fi
    mkdir -p "$(dirname "$root/$entry")"
    mv -T "$staging/$entry" "$root/$entry"
  done
  sync -f "$root"
  placing "$undo" "$step" true "$@"
  rm -rf "$staging"
}

# placing UNDO STEP DONE ENTRY...
placing() {
  local undo=$1 step=$2 complete=$3
  shift 3
  jq -cn --arg run "$RUN" --arg step "$step" --arg set "$SET" --argjson 'done' "$complete" \
    '{run: $run, step: $step, set: $set, entries: $ARGS.positional, done: $done}' --args -- "$@" >"$undo/tyk-dr-step.json.new"
  mv -f "$undo/tyk-dr-step.json.new" "$undo/tyk-dr-step.json"
  sync "$undo/tyk-dr-step.json"
}

restore-dashboard-config() {
  restore_tree dashboard
  SUMMARY="dashboard: ${TREE_ENTRIES[*]}"
}

restore-gateway-config() {
  local gateway
  for gateway in "${GATEWAYS[@]}"; do restore_tree "gateway-$gateway"; done
  if [ -n "$DASHBOARD_URL" ]; then one_set_of_secrets; fi
  SUMMARY="${#GATEWAYS[@]} Gateways: ${TREE_ENTRIES[*]}"
}

# Read from the files that the programs will read. Never the values: they are secrets.
one_set_of_secrets() {
  local gateway main
  tree dashboard
  main="$TREE_ROOT/$TREE_CONFIG"
  for gateway in "${GATEWAYS[@]}"; do
    tree "gateway-$gateway"
    while IFS=$'\t' read -r name same; do
      proof "$gateway: $name agree with the Dashboard" "$(if [ "$same" = true ]; then echo pass; else echo fail; fi)" equal "equal: $same"
    done < <(jq -nr --slurpfile gateway "$TREE_ROOT/$TREE_CONFIG" --slurpfile dashboard "$main" '$gateway[0] as $g | $dashboard[0] as $d
      | ["secret and tyk_api_config.Secret", $g.secret == $d.tyk_api_config.Secret],
        ["node_secret and shared_node_secret", $g.node_secret == $d.shared_node_secret],
        ["security.private_certificate_encoding_secret",
          ($g.security.private_certificate_encoding_secret // "") == ($d.security.private_certificate_encoding_secret // "")],
        ["hash_keys", ($g.hash_keys // false) == ($d.hash_keys // false)] | @tsv')
  done
}

pump_answers() {
  http GET "${PUMP_URL%/}/health"
  [ "$STATUS" = 200 ]
}

start-pump() {
  restore_tree pump
  start_service pump
  if [ -n "$PUMP_URL" ]; then
    wait_for 60 pump_answers || fail 10 "the Pump of $TO does not answer /health" 'Its own log says why.'
  fi
  SUMMARY="pump: ${TREE_ENTRIES[*]}; started: $STARTED"
}
