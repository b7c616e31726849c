#!/bin/bash
# Everything that has to hold before a change is good: format, lints, documentation, tests, packages, and nothing left behind.
# Works on a fresh Debian 12 with a Rust toolchain: apt installs whatever else is missing. Several may run at the same time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=contrib/packages.sh
. contrib/packages.sh

# Seconds for all steps together.
readonly LIMIT=1800

readonly PACKAGES=(
    gcc libc6-dev pkg-config libssl-dev ca-certificates git   # to build
    dovecot-pop3d mailutils-pop3d mpop openssl microsocks     # servers, certificates and a proxy of the tests
    nginx-light libnginx-mod-mail perdition                   # mail proxies of the tests
    rsync less mutt neomutt attr python3 fuse3 procps         # programs that the tests run on a mount
    notmuch borgbackup restic procmail maildir-utils          # programs of the recipes, and more that index mail
    systemd man-db groff mandoc bash-completion zsh fish      # readers of the manual, the completions and the unit
    dpkg-dev lintian shellcheck                               # to pack, and to check packages and scripts
)

# Runs a command within the rest of the limit, and ends it when the script ends.
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

clean_up() {
    [ -z "$running" ] || kill "$running" 2>/dev/null
    [ -z "$work" ] || as_root rm -rf --one-file-system "$work"
}
running=
work=
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ensure_component() {
    local command=$1 component=$2
    ! cargo "$command" --version >/dev/null 2>&1 || return 0
    command -v rustup >/dev/null || fail "cargo $command is missing, and so is rustup to add it"
    announce "rustup component add $component"
    rustup component add "$component"
}

# fusermount3 reads /etc/mtab. A system made by debootstrap lacks it.
ensure_mtab() {
    [ -e /etc/mtab ] || as_root ln -s ../proc/self/mounts /etc/mtab
}

# Mails that Python's developers have gathered. The package has the version of Python in its name.
ensure_gathered_mails() {
    ensure_packages "lib$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')-testsuite"
}

# Gives the tests a folder of their own. All files, sockets and mount points that they make are in it, and each process that
# they start has its path in its arguments or its environment. So what they leave behind can be told from what others run here.
make_work_folder() {
    work=$(mktemp -d /tmp/pop3fs-check.XXXXXX)
    # Servers run as another user.
    chmod 755 "$work"
    mkdir -m 700 "$work/run"
    export TMPDIR=$work XDG_RUNTIME_DIR=$work/run
}

mounts_left() { grep -F " $work/" /proc/self/mounts || true; }

# The processes that have the folder's path in their arguments or environment. A zombie has neither. The programs that look for
# them must not have it either, so only grep runs while it looks.
processes_left() {
    local found
    found=$(as_root env -u TMPDIR -u XDG_RUNTIME_DIR grep -lzsF -f - /proc/[0-9]*/cmdline /proc/[0-9]*/environ <<<"$work") || true
    cut -d/ -f3 <<<"$found" | sort -u
}

check_nothing_left() {
    announce "nothing is left mounted or running"
    local left
    left=$(mounts_left)
    [ -z "$left" ] || fail "still mounted: $left"
    left=$(processes_left)
    [ -z "$left" ] || fail "still running: $(ps -o pid=,args= -p "$(paste -sd, <<<"$left")")"
}

# Cargo's variable for the program that runs test programs.
runner() {
    local target
    target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    echo "CARGO_TARGET_${target}_RUNNER"
}

# mailutils' server and namespaces need root. An ordinary user builds the test programs and runs them by sudo.
run_tests_as_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "the tests need root or sudo"
    export "$(runner)=sudo --preserve-env"
}

# Runs tests as an ordinary user, who mounts by fusermount3. The tests that are skipped need root: mailutils' server joins the
# group mail, cargo is asked for sources that may lie in root's home, and only root sees the descriptors of a process that
# leaves no core.
step_as_user() {
    local by=contrib/as-nobody.sh
    [ "$(id -u)" -eq 0 ] || by="env"
    step env "$(runner)=$by" cargo test --locked "$@" -- \
        --skip mailutils --skip public_corpora --skip large_messages_is_kept_of_a_few
}

# Runs the demo, and compares it with the picture in the README.
check_demo() {
    step env LC_ALL=C.UTF-8 TZ=UTC contrib/demo.sh dev >target/demo.txt
    contrib/session.awk target/demo.txt | diff contrib/session.svg - >&2 ||
        fail "the picture is not what contrib/demo.sh shows; contrib/session.awk tells how to draw it again"
}

ensure_cargo
ensure_packages "${PACKAGES[@]}"
ensure_gathered_mails
ensure_component fmt rustfmt
ensure_component clippy clippy
ensure_fuse
ensure_mtab
run_tests_as_root
make_work_folder

# Most tests wait for a server most of the time.
threads=$(($(nproc) * 3))
export RUST_TEST_THREADS=$((threads > 8 ? 8 : threads))

step cargo fmt --check
step shellcheck --external-sources .ci/run contrib/*.sh contrib/*/*.sh contrib/umount.fuse.pop3fs
step cargo clippy --all-targets --locked -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
step cargo test --locked
# What a user sees does not depend on how many commands are in flight.
step env POP3FS_TEST_OPTIONS="pipeline=off" cargo test --locked --test reading --test deleting --test faults --test tools
# Readers get the same from a window of three as from a full one. What is lost in it differs.
step env POP3FS_TEST_OPTIONS="pipeline=3" cargo test --locked --test deleting --test faults
step_as_user --test reading --test deleting --test faults --test tools
check_demo
step cargo install --path . --locked --debug --root target/installed
# Builds the package from what it holds. Nothing is uploaded.
step env CARGO_TARGET_DIR=target cargo publish --dry-run --locked --allow-dirty
step contrib/deb/build.sh dev
step contrib/deb/check.sh target/deb/pop3fs_*.deb
check_nothing_left
announce "all is well after $SECONDS s"
