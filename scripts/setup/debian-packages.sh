#!/bin/sh
# Installs the Debian packages named as arguments, as root, without letting Debian start their services: a Redis or
# a PostgreSQL cluster of its own on the default ports is not what anybody asked for here.
#
# Two files of the machine are replaced meanwhile, and put back at the end, also after a failure or a signal. Where
# even that was prevented (kill -9, power), the next call puts them back first.
set -eu

ROOT=${TYK_DR_SETUP_ROOT:-} # another root than the machine's, for tests
POLICY=$ROOT/usr/sbin/policy-rc.d                           # asked by Debian before it starts a service
CLUSTER=$ROOT/etc/postgresql-common/createcluster.conf      # read by Debian before it makes a PostgreSQL cluster
MARK='# Written by the set-up of tyk-dr, and removed by it'
KEPT=before-tyk-dr
export DEBIAN_FRONTEND=noninteractive

# replace FILE: standard input takes its place. The original is moved aside, so that it comes back as it was,
# with its owner, mode and times.
replace() {
  if [ -e "$1" ] || [ -L "$1" ]; then mv -f "$1" "$1.$KEPT"; fi
  cat >"$1"
}

restore() {
  for file in "$POLICY" "$CLUSTER"; do
    if [ -e "$file.$KEPT" ] || [ -L "$file.$KEPT" ]; then
      mv -f "$file.$KEPT" "$file"
    elif grep -qs "^$MARK" "$file"; then
      rm -f "$file"
    fi
  done
}

# A policy of the machine that already says no may stay in its place.
starting_is_forbidden() {
  [ -x "$POLICY" ] || return 1
  code=0
  "$POLICY" redis-server start >/dev/null 2>&1 || code=$?
  [ "$code" -eq 101 ]
}

forbid_starting() {
  starting_is_forbidden && return
  replace "$POLICY" <<END
#!/bin/sh
$MARK
exit 101
END
  chmod 755 "$POLICY"
}

forbid_cluster() {
  kept=$(cat "$CLUSTER" 2>/dev/null || true)
  replace "$CLUSTER" <<END
$MARK
$kept
create_main_cluster = false
END
  chmod 644 "$CLUSTER"
}

install_packages() {
  apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends "$@"
}

# Set-ups of two users must not restore under each other's feet.
exec 9>"$ROOT/run/lock/tyk-dr-setup"
flock 9

restore
trap restore EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

forbid_starting
apt-get -q -o DPkg::Lock::Timeout=600 update || echo 'going on with the package lists at hand'
case " $* " in
  *' postgresql '*)
    # Brings the file that says whether a cluster is made; by itself it makes none.
    install_packages postgresql-common
    forbid_cluster
    ;;
esac
install_packages "$@"
