#!/bin/bash
# Packs pop3fs for this Debian: contrib/deb/build.sh [PROFILE], with one of cargo's profiles, or else `release`.
# Prints the path of the package, which is in target/deb. Installs dpkg-dev, which finds the libraries that the program needs.
# DEBFULLNAME and DEBEMAIL name the maintainer of the package, as for other tools of Debian.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=contrib/packages.sh
. contrib/packages.sh

readonly PROFILE=${1:-release}
readonly MAINTAINER="${DEBFULLNAME:-The pop3fs authors} <${DEBEMAIL:-pop3fs@example.org}>"

# Builds the program and prints its path, which CARGO_TARGET_DIR or a configuration file may change.
built() {
    cargo build --locked --bin pop3fs --profile "$PROFILE" --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

# Puts the files where they will be in the system.
lay_out() {
    local program=$1 root=$2
    install -D -s "$program" "$root/usr/bin/pop3fs"
    install -D contrib/umount.fuse.pop3fs "$root/usr/sbin/umount.fuse.pop3fs"
    install -D -m 644 "contrib/systemd/pop3fs@.service" "$root/usr/lib/systemd/user/pop3fs@.service"
    copyright | write_into "$root/usr/share/doc/pop3fs/copyright" cat
    changelog | write_into "$root/usr/share/doc/pop3fs/changelog.gz" gzip -9n
    install -D -m 644 -t "$root/usr/share/doc/pop3fs" README.md contrib/CHANGELOG.md
    install -D -m 644 -t "$root/usr/share/doc/pop3fs/contrib/doc" contrib/doc/*.md
    "$program" man | write_into "$root/usr/share/man/man1/pop3fs.1.gz" gzip -9n
    write_into "$root/usr/share/man/man8/umount.fuse.pop3fs.8.gz" gzip -9n <contrib/umount.fuse.pop3fs.8
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

# contrib/CHANGELOG.md in Debian's form. Its versions are dated by the last commit that changed it.
changelog() {
    local date
    date=$(git log -1 --format=%cD -- contrib/CHANGELOG.md 2>/dev/null) || true
    awk -v date="${date:-$(date -R -r contrib/CHANGELOG.md)}" -v maintainer="$MAINTAINER" '
        function finish() { if (version) printf "\n -- %s  %s\n\n", maintainer, date }
        /^## / { finish(); version = $2; printf "pop3fs (%s) unstable; urgency=medium\n\n", version }
        /^\* / && version { print "  " $0 }
        /^  / && version { print "  " $0 }
        END { finish() }
    ' contrib/CHANGELOG.md
}

# write_into PATH COMMAND…: makes a file, and its folder, of what the command prints.
write_into() {
    local path=$1
    mkdir -p "$(dirname "$path")"
    "${@:2}" >"$path"
}

# Prints the packages of the shared libraries. dpkg-shlibdeps wants a debian/control in the folder where it runs.
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
Maintainer: $MAINTAINER
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
# On a line of its own: the script would not end if this failed in an argument.
libraries=$(libraries "$work/root/usr/bin/pop3fs" "$work/shlibs")
control "$version" "$libraries" "$size" >"$work/root/DEBIAN/control"
(cd "$work/root" && find usr -type f -exec md5sum {} +) >"$work/md5sums"
mv "$work/md5sums" "$work/root/DEBIAN/md5sums"
mkdir -p target/deb
dpkg-deb --root-owner-group --build "$work/root" target/deb >&2
echo "target/deb/pop3fs_${version}_$(dpkg --print-architecture).deb"
