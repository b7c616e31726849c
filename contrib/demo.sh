#!/bin/bash
# Builds pop3fs and shows it on the maildrop that it brings along: no account, no network. contrib/demo.sh [PROFILE], with one
# of cargo's profiles, or else `release`. Needs a Rust toolchain and /dev/fuse, and installs missing packages with apt. Leaves
# nothing behind but them and the build.
set -euo pipefail

readonly PROFILE=${1:-release}
# Seconds for the mount to appear, and for its process to end.
readonly PATIENCE=30

source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$source/contrib/packages.sh"

work=''     # the temporary folder, without symbolic links, as /proc/self/mountinfo names it
demo_pid='' # the process that serves the mount

main() {
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    ensure_cargo
    install_what_is_missing
    ensure_fuse
    build
    make_work_folder
    mount_the_demo
    look_around
    look_at_other_forms
    search_for_something
    copy_twice
    delete_one_and_unmount
}

# Looks for programs and not for packages, so that it works where the packages have other names.
install_what_is_missing() {
    local packages=()
    has cc || packages+=(gcc libc6-dev)
    has pkg-config || packages+=(pkg-config)
    pkg-config --exists openssl 2>/dev/null || packages+=(libssl-dev)
    has rsync || packages+=(rsync)
    has fusermount3 || packages+=(fuse3)
    ensure_packages "${packages[@]}"
}

has() { command -v "$1" >/dev/null; }

# Puts the program's folder at the front of PATH. cargo prints where it is, since CARGO_TARGET_DIR or a configuration file may
# change that.
build() {
    local program
    announce "cargo build --locked --profile $PROFILE"
    program=$(cargo build --locked --bin pop3fs --profile "$PROFILE" --manifest-path "$source/Cargo.toml" \
        --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    [[ -x $program ]] || fail 'cargo built no program'
    PATH=$(dirname -- "$program"):$PATH
}

# Everything from here on happens in this folder. What pop3fs keeps between mounts goes there, too.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/pop3fs-demo.XXXXXX")
    work=$(cd -- "$work" && pwd -P)
    cd -- "$work"
    export XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
    export XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/run
    mkdir -m 700 -- "$XDG_RUNTIME_DIR"
}

mount_the_demo() {
    echo '$ pop3fs demo mail &'
    pop3fs demo mail >log 2>&1 </dev/null &
    demo_pid=$!
    wait_until is_mounted_or_ended || fail_with_log "no mount after $PATIENCE seconds"
    is_mounted || fail_with_log 'pop3fs demo ended without a mount'
}

look_around() {
    show ls -l mail
    show grep -rl invoice mail
}

# The hidden directories.
look_at_other_forms() {
    show grep -rl invoice mail/.text
    show cat mail/.text/04-invoice.txt
    show grep -h ^From: mail/.headers/04-invoice.txt
    show ls mail/.parts/04-invoice/attachments
    show ls mail/.named
}

# A query is a directory. The demo indexes its mails by itself, in a moment.
search_for_something() {
    wait_until is_indexed || fail_with_log "no index after $PATIENCE seconds"
    show ls mail/.search/from:repairs
    show pop3fs search mail subject:invoice OR attachment:png
}

is_indexed() {
    pop3fs status mail | grep -q '^indexed .*15 of 15'
}

copy_twice() {
    show rsync -a --itemize-changes mail/ copy/
    show rsync -a --itemize-changes mail/ copy/ | tee second
    if grep -q '^>f' second; then
        fail_with_log 'the second rsync copied something'
    fi
    echo '(nothing was left to copy)'
}

delete_one_and_unmount() {
    # On a terminal, rm asks before it removes a read-only file.
    show rm mail/15-raffle.eml </dev/null
    show ls mail/.deleted
    show pop3fs umount mail
    wait_until has_ended || fail_with_log "pop3fs demo still runs $PATIENCE seconds after the unmount"
    demo_pid=''
}

# Runs however the script ends.
clean_up() {
    trap - EXIT
    trap '' HUP INT TERM
    set +e
    cd /
    if [[ -n $demo_pid ]]; then
        kill -TERM "$demo_pid" 2>/dev/null
        wait_until has_ended || kill -KILL "$demo_pid"
        wait "$demo_pid" 2>/dev/null
    fi
    if [[ -z $work ]]; then
        return
    fi
    if is_mounted; then
        fusermount3 -u -z -- "$work/mail" || umount -l -- "$work/mail"
    fi
    if is_mounted; then
        echo "demo.sh: $work/mail is still mounted, so $work stays" >&2
        return
    fi
    rm -rf --one-file-system -- "$work"
}

# Reads mountinfo, because stat(2) on a dead mount fails. A space in a path is \040 there.
is_mounted() {
    grep -qF -- " ${work// /\\040}/mail " /proc/self/mountinfo
}

has_ended() {
    ! kill -0 "$demo_pid" 2>/dev/null
}

is_mounted_or_ended() {
    is_mounted || has_ended
}

# wait_until CONDITION: fails when it took too long.
wait_until() {
    local deadline=$((SECONDS + PATIENCE))
    until "$1"; do
        if ((SECONDS >= deadline)); then
            return 1
        fi
        sleep 0.1
    done
}

# Prints a command and runs it.
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

fail_with_log() {
    echo 'demo.sh: what pop3fs demo said:' >&2
    cat -- "$work/log" >&2
    fail "$1"
}

main
