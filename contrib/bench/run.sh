#!/bin/bash
# Measures pop3fs beside raw POP3, mpop, curl, bindfs and local folders, and prints a table of ratios; run.sh --help says
# what can be chosen. Wants a Rust toolchain and /dev/fuse; whatever else is missing is installed with apt.
# Leaves a table and the maildrops in target/bench, and the chart round-trip.svg beside this file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly PACKAGES=(
    gcc libc6-dev pkg-config libssl-dev                 # to build
    dovecot-pop3d mpop curl bindfs rsync fuse3          # to measure
)

announce() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo: cannot run $*"
    fi
}

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# The bench starts servers of its own, so no installed service need start.
install_packages() {
    local policy=/usr/sbin/policy-rc.d added=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        added=yes
    fi
    as_root apt-get update -q >&2 || fail "apt-get update failed"
    local status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2 || status=$?
    [ -z "$added" ] || as_root rm -f "$policy"
    [ "$status" -eq 0 ] || fail "apt-get install failed: $*"
}

ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    announce "apt-get install ${missing[*]}"
    install_packages "${missing[@]}"
}

ensure_fuse() {
    [ -c /dev/fuse ] || as_root modprobe fuse 2>/dev/null || true
    [ -c /dev/fuse ] || fail "/dev/fuse is missing: modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN"
}

# Prints the path of the bench, which has that of the pop3fs built with it. Cargo says itself where it is.
build() {
    announce "cargo bench --bench mount --no-run"
    cargo bench --locked --bench mount --no-run --message-format json-render-diagnostics |
        sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p'
}

export PATH="$PATH:$HOME/.cargo/bin"
command -v cargo >/dev/null || fail "cargo is missing: see https://rustup.rs"
ensure_packages
ensure_fuse
bench=$(build)
[ -x "$bench" ] || fail "cargo built no bench"

# In place of this shell, so that whoever ends it ends the bench, and the bench whatever it has started.
exec "$bench" --bench "$@"
