#!/bin/bash
# Measures pop3fs beside raw POP3, mpop, curl, notmuch, bindfs, the smallest fuser filesystem, local folders and another pop3fs
# (--other PROGRAM), and prints a table of ratios; run.sh --help says what can be chosen. Wants a Rust toolchain and /dev/fuse;
# whatever else is missing is installed with apt.
# Leaves a table and the maildrops in target/bench, and the chart round-trip.svg beside this file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. contrib/packages.sh

readonly PACKAGES=(
    gcc libc6-dev pkg-config libssl-dev                 # to build
    dovecot-pop3d mpop curl notmuch bindfs rsync fuse3  # to measure
)

# Prints the path of the bench, which has that of the pop3fs built with it. Cargo says itself where it is.
build() {
    announce "cargo bench --bench mount --no-run"
    cargo bench --locked --bench mount --no-run --message-format json-render-diagnostics |
        sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p'
}

ensure_cargo
ensure_packages "${PACKAGES[@]}"
ensure_fuse
bench=$(build)
[ -x "$bench" ] || fail "cargo built no bench"

# In place of this shell, so that whoever ends it ends the bench, and the bench whatever it has started.
exec "$bench" --bench "$@"
