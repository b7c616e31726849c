#!/bin/bash
# Everything that has to hold before a change is good: format, lints, documentation, tests, and nothing left behind.
# Works on a fresh Debian 12 with a Rust toolchain: whatever else is missing is installed with apt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. contrib/packages.sh

# Seconds for all steps together.
readonly LIMIT=1500

readonly PACKAGES=(
    gcc libc6-dev pkg-config libssl-dev ca-certificates git   # to build
    dovecot-pop3d mailutils-pop3d mpop openssl                # servers and certificates of the tests
    rsync less mutt attr python3 fuse3 procps                 # programs that the tests run on a mount
    notmuch borgbackup restic procmail maildir-utils          # those of the recipes, and more that index mail
    libpython3.11-testsuite                                   # mails that others have gathered
    systemd man-db groff mandoc bash-completion zsh fish dpkg-dev             # readers of what is beside the program
)

# Runs a command within what is left of the limit, and ends it with the script.
step() {
    announce "$*"
    local left=$((LIMIT - SECONDS)) status=0
    ((left > 0)) || fail "the limit of $LIMIT s is over"
    timeout --kill-after=10 "$left" "$@" &
    running=$!
    wait "$running" || status=$?
    running=
    case $status in
        0) ;;
        124 | 137) fail "the limit of $LIMIT s is over: $*" ;;
        *) fail "failed with $status: $*" ;;
    esac
}
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; exit 130' INT TERM

ensure_component() {
    local command=$1 component=$2
    ! cargo "$command" --version >/dev/null 2>&1 || return 0
    command -v rustup >/dev/null || fail "cargo $command is missing, and so is rustup to add it"
    announce "rustup component add $component"
    rustup component add "$component"
}

# fusermount3 reads it; an installed system has it, one that debootstrap made has not.
ensure_mtab() {
    [ -e /etc/mtab ] || as_root ln -s ../proc/self/mounts /etc/mtab
}

mounts() { grep 'fuse\.pop3fs' /proc/mounts | sort || true; }

# Those that run; a zombie holds nothing any more.
processes() {
    {
        pgrep --runstates R,S,D,T -x pop3fs || true
        pgrep --runstates R,S,D,T -f '^/usr/(sbin/dovecot -F -c|sbin/pop3d --config-file|bin/mpopd --interface)' || true
    } | sort
}

check_nothing_left() {
    announce "nothing is left mounted or running"
    local left
    left=$(comm -13 <(printf '%s\n' "$mounts_before") <(mounts))
    [ -z "$left" ] || fail "still mounted: $left"
    left=$(comm -13 <(printf '%s\n' "$processes_before") <(processes))
    [ -z "$left" ] || fail "still running: $(ps -o pid=,args= -p "$(paste -sd, <<<"$left")")"
}

# Cargo's variable for the program that test programs are run by.
runner() {
    local target
    target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    echo "CARGO_TARGET_${target}_RUNNER"
}

# mailutils' server and namespaces need root, so a user's test programs run under sudo; they are built without it.
run_tests_as_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "the tests need root or sudo"
    export "$(runner)=sudo --preserve-env"
}

# What a user does through fusermount3 is what root does, but for the tests that need root themselves: mailutils' server joins
# the group mail, cargo is asked for sources that may lie in root's home, and /proc shows only root the descriptors of a process
# that leaves no core.
step_as_user() {
    local by=contrib/as-nobody.sh
    [ "$(id -u)" -eq 0 ] || by=env
    step env "$(runner)=$by" cargo test --locked "$@" -- \
        --skip mailutils --skip others_have_gathered --skip large_messages_is_kept_of_a_few
}

ensure_cargo
ensure_packages "${PACKAGES[@]}"
ensure_component fmt rustfmt
ensure_component clippy clippy
ensure_fuse
ensure_mtab
run_tests_as_root

mounts_before=$(mounts)
processes_before=$(processes)
# Most tests wait for a server most of the time.
threads=$(($(nproc) * 2))
export RUST_TEST_THREADS=$((threads > 8 ? 8 : threads))

step cargo fmt --check
step cargo clippy --all-targets --locked -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
step cargo test --locked
# What a user sees is the same however many commands are in flight.
for pipeline in off 3; do
    step env POP3FS_TEST_OPTIONS="pipeline=$pipeline" cargo test --locked --test reading --test deleting --test faults --test tools
done
step_as_user --test reading --test deleting --test faults --test tools
step cargo install --path . --locked --debug --root target/installed
step contrib/deb/build.sh dev
step contrib/deb/check.sh target/deb/pop3fs_*.deb
check_nothing_left
announce "all is well after $SECONDS s"
