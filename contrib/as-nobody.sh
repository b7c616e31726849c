#!/bin/bash
# as-nobody.sh COMMAND…: root runs a command as Debian's `nobody`, who mounts through fusermount3.
# In a mount namespace of its own that user may open /dev/fuse, has a home, and can reach the command.
set -euo pipefail

if [ "${1-}" != --in-namespace ]; then
    exec unshare --mount "$0" --in-namespace "$@"
fi
shift

# Prints the first folder on the way to $1 that others may not enter, such as /root.
closed_on_the_way_to() {
    local folder='' name
    local -a names
    IFS=/ read -ra names <<<"${1#/}"
    for name in "${names[@]}"; do
        folder+=/$name
        case $(stat -c %A "$folder") in
            *[xt]) ;;
            *) echo "$folder"; return ;;
        esac
    done
}

# Hides everything in that folder but the way to $1, and lets others enter it.
open_the_way_to() {
    local closed
    closed=$(closed_on_the_way_to "$1")
    [ -n "$closed" ] || return 0
    mkdir "$home/here"
    mount --bind "$1" "$home/here"
    mount -t tmpfs -o mode=755 none "$closed"
    mkdir -p "$1"
    mount --move "$home/here" "$1"
    cd "$1"
}

let_everyone_at_fuse() {
    mount -t tmpfs none "$home"
    mknod -m 666 "$home/fuse" c 10 229
    mount --bind "$home/fuse" /dev/fuse
    umount "$home"
}

home=$(mktemp -d)
trap 'rm -rf --one-file-system "$home"' EXIT
let_everyone_at_fuse
open_the_way_to "$PWD"
chown nobody:nogroup "$home"
setpriv --reuid=nobody --regid=nogroup --clear-groups \
    env HOME="$home" TMPDIR="$home" USER=nobody LOGNAME=nobody "$@"
