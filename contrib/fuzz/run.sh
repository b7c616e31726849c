#!/bin/bash
# Searches for octets that break the properties of tests/fuzz: run.sh [TARGET] [SECONDS]. Without a target it runs all of them,
# one after another, for twenty minutes each. Needs a Rust toolchain (a stable one will do) and installs whatever else is missing.
# Inputs that reach new code gather in corpus/TARGET; one that breaks a property stays in artifacts/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=contrib/packages.sh
. contrib/packages.sh

readonly FUZZ=contrib/fuzz
readonly PACKAGES=(gcc g++ libc6-dev pkg-config libssl-dev)   # to build
# Limits the addresses, so that an allocation whose size came from the input fails.
readonly MEMORY_KIB=$((4 << 20))

ensure_cargo_fuzz() {
    ! cargo fuzz --version >/dev/null 2>&1 || return 0
    announce "cargo install cargo-fuzz"
    cargo install --locked cargo-fuzz
}

# Uses the dependencies that pop3fs is tested with. RUSTC_BOOTSTRAP: a stable compiler refuses the flags for coverage.
build() {
    [ ! -e Cargo.lock ] || cp Cargo.lock "$FUZZ/Cargo.lock"
    RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir "$FUZZ" --sanitizer none
}

# Without a sanitizer, which would slow it down: nearly all of the code is safe Rust.
run() {
    local target=$1
    announce "$target, for $seconds s"
    (
        ulimit -v "$MEMORY_KIB"
        RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir "$FUZZ" --sanitizer none "$target" -- \
            -max_total_time="$seconds" -timeout=10 -print_final_stats=1
    )
}

ensure_cargo
ensure_packages "${PACKAGES[@]}"
ensure_cargo_fuzz

mapfile -t targets < <(cargo fuzz list --fuzz-dir "$FUZZ")
seconds=1200
for argument in "$@"; do
    case $argument in
        *[!0-9]*) targets=("$argument") ;;
        *) seconds=$argument ;;
    esac
done

# Temporary files are in memory, where there is room for them.
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)" pop3fs-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

build
broken=()
for target in "${targets[@]}"; do
    run "$target" || broken+=("$target")
done
[ "${#broken[@]}" -eq 0 ] || fail "broken: ${broken[*]}"
announce "all is well after $SECONDS s"
