# Where the servers of this checkout keep their state: two checkouts on one machine do not stop each other's. Sourced.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
servers="${TWINLOOM_TEST_SERVERS:-${TMPDIR:-/tmp}/twinloom-test-servers-$(id -u)-$(printf %s "$root" | cksum | cut -d ' ' -f 1)}"
