# Sourced by the scripts here: installs missing Debian packages, and checks what a FUSE mount needs of the system.
# shellcheck shell=bash

announce() { printf '\n== %s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo: cannot run $*"
    fi
}

# ensure_packages PACKAGE…: installs those that are missing.
ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    announce "apt-get install ${missing[*]}"
    command -v apt-get >/dev/null || fail "the contents of these Debian packages are missing: ${missing[*]}"
    install_packages "${missing[@]}"
}

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# Installs packages without starting their services: the tests start servers of their own.
install_packages() {
    local policy=/usr/sbin/policy-rc.d added=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        added=yes
    fi
    local status=0
    apt_get update -q >&2 && apt_get install -qy --no-install-recommends "$@" >&2 || status=$?
    [ -z "$added" ] || as_root rm -f "$policy"
    [ "$status" -eq 0 ] || fail "apt-get could not install $*"
}

# Another program may be installing packages at the same time: wait for it.
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"; }

ensure_cargo() {
    export PATH="$PATH:$HOME/.cargo/bin"
    command -v cargo >/dev/null || fail "cargo is missing: see https://rustup.rs"
}

ensure_fuse() {
    [ -c /dev/fuse ] || as_root modprobe fuse 2>/dev/null || true
    [ -c /dev/fuse ] || fail "/dev/fuse is missing: modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN"
}
