#!/bin/bash
# Looks through a package of pop3fs, installs it, uses what it brought, removes it, and looks whether anything is left:
# contrib/deb/check.sh PACKAGE.deb. Not on a machine that has pop3fs installed already.
set -euo pipefail
# shellcheck source=contrib/packages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../packages.sh"

readonly PACKAGE=$1

work=$(mktemp -d)
is_ours=
clean_up() {
    ! mountpoint -q "$work/mail" || umount -l "$work/mail"
    [ -z "$is_ours" ] || ! is_installed || as_root dpkg --purge pop3fs >&2
    rm -rf --one-file-system "$work"
}

# Another check may have the package installed at this moment: wait until it is done.
wait_for_other_checks() {
    exec {lock}</var/lib/dpkg/info
    flock --timeout 600 "$lock" || fail "another check of the package does not end"
}

is_installed() {
    dpkg-query -W -f='${Status}' pop3fs 2>/dev/null | grep -q ' installed$'
}

# Runs a command in a home of its own.
as_at_home() {
    env HOME="$work" XDG_CACHE_HOME="$work/cache" XDG_RUNTIME_DIR="$work/run" "$@"
}

# Mounts the maildrop that is in the program, reads it, removes a mail of it, and unmounts.
use() {
    mkdir -m 700 "$work/run" "$work/mail"
    touch "$work/said"
    as_at_home /usr/bin/pop3fs demo "$work/mail" >"$work/said" &
    local demo=$!
    until grep -q Ctrl-C "$work/said"; do
        kill -0 "$demo" || fail "pop3fs demo ended without a mount"
        sleep 0.1
    done
    grep -rlq invoice "$work/mail"
    rm -f "$work/mail/15-raffle.eml"
    [ "$(as_at_home /usr/bin/pop3fs umount "$work/mail")" = "1 message deleted on the server" ]
    wait "$demo"
}

# Debian's own checks. As root lintian warns that it does not need to be root.
look_through() {
    lintian --fail-on error,warning "$PACKAGE" 2> >(grep -v 'root privileges' >&2)
    mkdir "$work/unpacked"
    dpkg-deb --extract "$PACKAGE" "$work/unpacked"
    local page
    for page in "$work"/unpacked/usr/share/man/man*/*.gz; do
        gunzip --keep "$page"
        check_manual_page "${page%.gz}"
    done
}

check_manual_page() {
    local said
    said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$1" 2>&1 >/dev/null; mandoc -Tlint "$1") || true
    [ -z "$said" ] || fail "$said"
}

# Checks what dpkg does not tell by itself.
look_at_what_came() {
    man -w pop3fs umount.fuse.pop3fs >/dev/null
    bash -uc '. /usr/share/bash-completion/completions/pop3fs; complete -p pop3fs' >/dev/null
    as_at_home systemd-analyze verify --user --man=no "pop3fs@work.service"
    dpkg --verify pop3fs
}

# Whatever has our name where packages put things, whoever put it there.
ours() {
    find /etc /usr /opt /var/lib -xdev -name '*pop3fs*' | sort
}

trap clean_up EXIT
look_through
wait_for_other_checks
! is_installed || fail "pop3fs is installed here already"
before=$(ours)
is_ours=yes
as_root dpkg -i "$PACKAGE" >&2
[ "$(ours)" != "$before" ] || fail "nothing was installed"
use
look_at_what_came
as_root dpkg --purge pop3fs >&2
remaining=$(comm -13 <(echo "$before") <(ours))
[ -z "$remaining" ] || fail "left behind: $remaining"
! is_installed || fail "dpkg still knows it"
