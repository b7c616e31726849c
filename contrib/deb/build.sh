#!/bin/bash
# Packs pop3fs for this Debian: contrib/deb/build.sh [PROFILE], with a profile of cargo's (release if unsaid).
# Prints the path of the package, which is in target/deb. Installs dpkg-dev where it is missing, which finds the libraries that
# the program needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. contrib/packages.sh

readonly PROFILE=${1:-release}

# Cargo says itself where the program is, whatever CARGO_TARGET_DIR or a configuration file made of it.
built() {
    cargo build --locked --bin pop3fs --profile "$PROFILE" --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

# The files, as they will lie in the system.
lay_out() {
    local program=$1 root=$2
    install -D -s "$program" "$root/usr/bin/pop3fs"
    install -D contrib/umount.fuse.pop3fs "$root/usr/sbin/umount.fuse.pop3fs"
    install -D -m 644 "contrib/systemd/pop3fs@.service" "$root/usr/lib/systemd/user/pop3fs@.service"
    copyright | write_into "$root/usr/share/doc/pop3fs/copyright" cat
    install -D -m 644 -t "$root/usr/share/doc/pop3fs" README.md contrib/CHANGELOG.md
    install -D -m 644 -t "$root/usr/share/doc/pop3fs/contrib/doc" contrib/doc/*.md
    "$program" man | write_into "$root/usr/share/man/man1/pop3fs.1.gz" gzip -9n
    write_into "$root/usr/share/bash-completion/completions/pop3fs" "$program" completions bash
    write_into "$root/usr/share/zsh/vendor-completions/_pop3fs" "$program" completions zsh
    write_into "$root/usr/share/fish/vendor_completions.d/pop3fs.fish" "$program" completions fish
}

# Every Debian system has the text of the second licence.
copyright() {
    echo 'pop3fs is licensed under either of the two licences below, at your option.'
    echo
    cat LICENSE-MIT
    echo
    echo 'Apache License, Version 2.0: see /usr/share/common-licenses/Apache-2.0'
}

write_into() {
    local path=$1
    mkdir -p "$(dirname "$path")"
    "${@:2}" >"$path"
}

# The packages of the shared libraries, as dpkg-shlibdeps finds them for something that has a debian/control.
libraries() {
    local program=$1 folder=$2
    mkdir -p "$folder/debian"
    touch "$folder/debian/control"
    (cd "$folder" && dpkg-shlibdeps -O "$program") | sed -n 's/^shlibs:Depends=//p'
}

control() {
    local version=$1 libraries=$2 size=$3
    cat <<END
Package: pop3fs
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The pop3fs authors <pop3fs@example.org>
Section: mail
Priority: optional
Installed-Size: $size
Depends: $libraries, fuse3
Recommends: ca-certificates
Suggests: rsync
Description: POP3 mailbox as a directory
 Mounts a POP3 maildrop as a directory with one file a message, so that ls,
 grep, rsync, tar and rm work on mail. Messages are fetched when they are read,
 kept in a bounded cache, and deleted on the server only when the deletions are
 committed.
END
}

ensure_packages dpkg-dev
ensure_cargo
program=$(built)
[ -x "$program" ] || fail "cargo built no program"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
mkdir "$work/root"
chmod 755 "$work/root"
lay_out "$program" "$work/root"
mkdir "$work/root/DEBIAN"
size=$(du -sk --apparent-size "$work/root" | cut -f1)
# On a line of its own: as an argument its failure would end nothing.
libraries=$(libraries "$work/root/usr/bin/pop3fs" "$work/shlibs")
control "$version" "$libraries" "$size" >"$work/root/DEBIAN/control"
mkdir -p target/deb
dpkg-deb --root-owner-group --build "$work/root" target/deb >&2
echo "target/deb/pop3fs_${version}_$(dpkg --print-architecture).deb"
