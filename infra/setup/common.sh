# Shared by the set-up scripts: words on stderr, one way to fail, wheels from PyPI. Sourced, not run.

say() { printf '[set-up] %s\n' "$*" >&2; }

# die WHAT FIX
die() {
  printf '[set-up] error: %s\n[set-up]   fix: %s\n' "$1" "$2" >&2
  exit 1
}

need_python() {
  command -v python3 >/dev/null 2>&1 || die "python3 is not installed" "apt-get install python3 python3-pip"
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip" "apt-get install python3-pip"
}

# need_space DIR MIB
need_space() {
  local free
  free=$(df -Pm "$1" | awk 'NR==2 {print $4}')
  [ "$free" -ge "$2" ] || die "only $free MiB are free in $1, $2 MiB are needed" "free some disk space and run this again"
}

# wheels DIR REQUIREMENT...: downloads wheels, without their dependencies unless WHEELS_DEPS is set; pip's cache is used
# where there is one.
wheels() {
  local dir=$1 log
  shift
  log=$(mktemp)
  local deps=(--no-deps)
  [ -z "${WHEELS_DEPS:-}" ] || deps=()
  if ! python3 -m pip download --quiet "${deps[@]}" --only-binary :all: --dest "$dir" "$@" 2>"$log"; then
    sed 's/^/[pip] /' "$log" >&2
    rm -f "$log"
    die "pip could not download: $*" "check the network and pip's index (pip config list), then run this again"
  fi
  rm -f "$log"
}
