#!/bin/bash
# Looks for octets that break what tests/fuzz says of them: run.sh [TARGET] [SECONDS], without a target all of them, one after
# another, for twenty minutes each. Wants a Rust toolchain, a stable one will do; whatever else is missing is installed.
# Inputs that lead somewhere gather in corpus/TARGET, one that breaks a property is left in artifacts/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=contrib/packages.sh
. contrib/packages.sh

readonly FUZZ=contrib/fuzz
readonly PACKAGES=(gcc g++ libc6-dev pkg-config libssl-dev)   # to build
# Of addresses: an allocation of a number that came fails.
readonly MEMORY_KIB=$((4 << 20))

ensure_cargo_fuzz() {
    ! cargo fuzz --version >/dev/null 2>&1 || return 0
    announce "cargo install cargo-fuzz"
    cargo install --locked cargo-fuzz
}

# The dependencies are those that pop3fs is tested with. The flags for coverage are not stable.
build() {
    [ ! -e Cargo.lock ] || cp Cargo.lock "$FUZZ/Cargo.lock"
    RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir "$FUZZ" --sanitizer none "$@"
}

# Nearly all of the code is safe, so no sanitizer slows it down.
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

# Where files are as fast as memory.
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
