# ---------------------------------------------------------------------------------------------------------------------
# The switch of restored data: built beside the old, renamed in. The folder itself says which run and step made it.
# ---------------------------------------------------------------------------------------------------------------------

# belongs FOLDER STEP
belongs() {
  [ -f "$1/tyk-dr-step.json" ] &&
    jq -e --arg run "$RUN" --arg step "$2" --arg set "$SET" '.run == $run and .step == $step and .set == $set' \
      "$1/tyk-dr-step.json" >/dev/null
}

# seen DATA-FOLDER STEP: done, staged (built beside), halfway (the old one is aside) or absent.
seen() {
  if belongs "$1" "$2"; then
    echo 'done'
  elif ! belongs "$1.tyk-dr-new-$RUN" "$2"; then
    echo absent
  elif [ -e "$1" ]; then
    echo staged
  else
    echo halfway
  fi
}

# write_ledger FOLDER STEP: nothing counts before this file is there, and everything is on the disk by then.
write_ledger() {
  sync -f "$1"
  jq -cn --arg run "$RUN" --arg step "$2" --arg set "$SET" --arg at "$(now)" \
    '{run: $run, step: $step, set: $set, at: $at}' >"$1/tyk-dr-step.json.new"
  mv -f "$1/tyk-dr-step.json.new" "$1/tyk-dr-step.json"
  sync "$1/tyk-dr-step.json" "$1"
}

# switch_in DATA-FOLDER STEP
switch_in() {
  local state
  state=$(seen "$1" "$2")
  case $state in
    done) return 0 ;;
    absent) fail 10 "nothing complete of $2 lies beside $1" 'This is a bug of the script: do not go on by hand without looking.' ;;
    staged) mv -T "$1" "$1.tyk-dr-old-$RUN" ;;
  esac
  mv -T "$1.tyk-dr-new-$RUN" "$1"
  sync "$(dirname "$1")"
}
