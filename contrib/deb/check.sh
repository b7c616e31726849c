#!/bin/bash
# Installs a package of pop3fs, uses what it brought, removes it, and looks whether anything is left:
# contrib/deb/check.sh PACKAGE.deb. Not on a machine that has pop3fs installed already.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../packages.sh"

readonly PACKAGE=$1

work=$(mktemp -d)
clean_up() {
    ! mountpoint -q "$work/mail" || umount -l "$work/mail"
    ! is_installed || as_root dpkg --purge pop3fs >&2
    rm -rf "$work"
}

is_installed() {
    dpkg-query -W -f='${Status}' pop3fs 2>/dev/null | grep -q ' installed$'
}

# In a home of its own.
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

# Whatever dpkg does not tell on its own.
look_at_what_came() {
    man --warnings -w pop3fs >/dev/null
    bash -uc '. /usr/share/bash-completion/completions/pop3fs; complete -p pop3fs' >/dev/null
    as_at_home systemd-analyze verify --user --man=no "pop3fs@work.service"
    dpkg --verify pop3fs
}

# Whatever has our name where packages put things, whoever put it there.
ours() {
    find /etc /usr /opt /var/lib -xdev -name '*pop3fs*' | sort
}

! is_installed || fail "pop3fs is installed here already"
trap clean_up EXIT
before=$(ours)
as_root dpkg -i "$PACKAGE" >&2
[ "$(ours)" != "$before" ] || fail "nothing was installed"
use
look_at_what_came
as_root dpkg --purge pop3fs >&2
remaining=$(comm -13 <(echo "$before") <(ours))
[ -z "$remaining" ] || fail "left behind: $remaining"
! is_installed || fail "dpkg still knows it"
