//! The home directory of the user who runs us, and the folders below it.
//!
//! HOME cannot be trusted: mount(8) with `setuid=alice` in fstab starts us as alice with
//! `HOME=/root`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid};

/// `$HOME` if this user owns it, else the home in the user database. None where neither names one.
pub(super) fn home() -> Option<PathBuf> {
    let user = geteuid();
    let named = env::var_os("HOME").map(PathBuf::from);
    match named.filter(|path| path.is_absolute() && !is_anothers(path, user)) {
        Some(path) => Some(path),
        None => Some(User::from_uid(user).ok()??.dir),
    }
}

/// Where the configuration is: `$XDG_CONFIG_HOME`, else `~/.config`.
pub(super) fn config() -> Option<PathBuf> {
    folder(env::var_os("XDG_CONFIG_HOME"), home, ".config")
}

/// Where caches are kept: `$XDG_CACHE_HOME/pop3fs`, else `~/.cache/pop3fs`.
pub(super) fn cache() -> Option<PathBuf> {
    Some(folder(env::var_os("XDG_CACHE_HOME"), home, ".cache")?.join("pop3fs"))
}

/// Whether the group has no members but this user, as the groups that many systems make for each
/// user. With them the umask is 002, and every file of the user can be written by that group.
pub(super) fn is_own_private_group(gid: u32) -> bool {
    let user = User::from_uid(geteuid()).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    match (user, group) {
        (Some(user), Some(group)) => is_private_group(&user, &group),
        _ => false,
    }
}

/// The group of root is not private: system users can have it as their main group.
fn is_private_group(user: &User, group: &Group) -> bool {
    !user.uid.is_root()
        && group.gid == user.gid
        && group.name == user.name
        && group.mem.iter().all(|member| *member == user.name)
}

/// A relative path in the variable is ignored (XDG Base Directory Specification).
fn folder(
    named: Option<OsString>,
    home: impl FnOnce() -> Option<PathBuf>,
    below_home: &str,
) -> Option<PathBuf> {
    match named.map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(path) => Some(path),
        None => Some(home()?.join(below_home)),
    }
}

/// Whether another user owns `home`. Root may use any: under sudo, HOME can be the caller's.
fn is_anothers(home: &Path, user: Uid) -> bool {
    !user.is_root() && fs::metadata(home).is_ok_and(|metadata| metadata.uid() != user.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_is_ignored() {
        let home = || Some(PathBuf::from("/home/alice"));
        let cache = |named: Option<&str>| folder(named.map(OsString::from), home, ".cache");
        assert_eq!(cache(Some("/var/cache")), Some("/var/cache".into()));
        for ignored in [Some("cache"), Some(""), None] {
            assert_eq!(cache(ignored), Some("/home/alice/.cache".into()));
        }
        assert_eq!(folder(None, || None, ".cache"), None);
    }

    #[test]
    fn a_private_group_has_only_its_user() {
        let mut user = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        let mut group = Group::from_gid(Gid::from_raw(0)).unwrap().unwrap();
        group.mem = Vec::new();
        assert!(!is_private_group(&user, &group));
        (user.uid, user.name) = (Uid::from_raw(1000), "al".to_owned());
        (user.gid, group.gid) = (Gid::from_raw(1000), Gid::from_raw(1000));
        assert!(!is_private_group(&user, &group));
        group.name = "al".to_owned();
        assert!(is_private_group(&user, &group));
        group.mem = vec!["al".to_owned(), "bo".to_owned()];
        assert!(!is_private_group(&user, &group));
    }

    #[test]
    fn a_home_of_another_owner_is_ignored_except_by_root() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Uid::from_raw(fs::metadata(folder.path()).unwrap().uid());
        let other = Uid::from_raw(owner.as_raw() + 1);
        assert!(!is_anothers(folder.path(), owner));
        assert!(is_anothers(folder.path(), other));
        assert!(!is_anothers(folder.path(), Uid::from_raw(0)));
        assert!(!is_anothers(&folder.path().join("nothing"), other));
    }
}
