#!/usr/bin/env bash
# Builds pop3fs and shows it on its embedded maildrop: no account, no network, nothing left behind but the build and
# the Debian packages that were missing. Wants a Rust toolchain and /dev/fuse.
set -euo pipefail

readonly patience=30 # seconds for the mount to appear, and for its process to end

work=''     # the temporary folder; physical, as /proc/self/mountinfo names it
demo_pid='' # the process that serves the mount

main() {
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    require_toolchain
    install_what_is_missing
    require_fuse
    build
    make_work_folder
    mount_the_demo
    look_around
    copy_twice
    delete_one_and_unmount
}

require_toolchain() {
    has cargo || fail 'cargo is not here: a Rust toolchain comes from https://rustup.rs'
}

require_fuse() {
    [[ -c /dev/fuse ]] || fail '/dev/fuse is not here: load the module (modprobe fuse), or give it to the container'
}

install_what_is_missing() {
    local packages=()
    has cc || packages+=(gcc libc6-dev)
    has pkg-config || packages+=(pkg-config)
    pkg-config --exists openssl 2>/dev/null || packages+=(libssl-dev)
    has rsync || packages+=(rsync)
    has fusermount3 || packages+=(fuse3)
    if ((${#packages[@]} == 0)); then
        return
    fi

    has apt-get || fail "what these Debian packages hold is missing: ${packages[*]}"
    local as_root=()
    if ((EUID != 0)); then
        has sudo || fail "missing; as root: apt-get install ${packages[*]}"
        as_root=(sudo)
    fi
    show "${as_root[@]}" apt-get update -q
    show "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${packages[@]}"
}

# Puts the binary's folder at the front of PATH. Cargo says itself where the binary is, whatever CARGO_TARGET_DIR,
# CARGO_BUILD_TARGET or a configuration file made of it.
build() {
    local source binary
    source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
    echo '$ cargo build --release --locked'
    binary=$(cargo build --release --locked --bin pop3fs --manifest-path "$source/Cargo.toml" \
        --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    [[ -x $binary ]] || fail 'cargo built no binary'
    PATH=$(dirname -- "$binary"):$PATH
}

# The working folder from here on. What pop3fs keeps for later goes there, too.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/pop3fs-demo.XXXXXX")
    work=$(cd -- "$work" && pwd -P)
    cd -- "$work"
    export XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
    export XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/run
    mkdir -m 700 -- "$XDG_RUNTIME_DIR"
}

mount_the_demo() {
    echo
    echo '$ pop3fs demo mail &'
    pop3fs demo mail >log 2>&1 </dev/null &
    demo_pid=$!
    wait_until is_mounted_or_ended || fail_with_log "no mount after $patience seconds"
    is_mounted || fail_with_log 'pop3fs demo ended without a mount'
}

look_around() {
    show ls -l mail
    show grep -r invoice mail
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
    # On a terminal, rm may ask about a file that is read-only.
    show rm mail/15-raffle.eml </dev/null
    show pop3fs umount mail
    wait_until has_ended || fail_with_log "pop3fs demo still runs $patience seconds after the unmount"
    demo_pid=''
}

# Runs on every way out.
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

# Read from mountinfo, since stat(2) on a dead mount fails. A space in a path is \040 there.
is_mounted() {
    grep -qF -- " ${work// /\\040}/mail " /proc/self/mountinfo
}

has_ended() {
    ! kill -0 "$demo_pid" 2>/dev/null
}

is_mounted_or_ended() {
    is_mounted || has_ended
}

# wait_until CONDITION: false when the patience is at its end.
wait_until() {
    local deadline=$((SECONDS + patience))
    until "$1"; do
        if ((SECONDS >= deadline)); then
            return 1
        fi
        sleep 0.1
    done
}

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

has() {
    command -v "$1" >/dev/null
}

fail() {
    echo "demo.sh: $1" >&2
    exit 1
}

fail_with_log() {
    echo 'demo.sh: what pop3fs demo said:' >&2
    cat -- "$work/log" >&2
    fail "$1"
}

main
