//! The folders of control sockets. Only its owner can enter such a folder.

use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::unistd::geteuid;

use crate::fs::mount::DeviceNumber;

/// The folders for our own sockets, the preferred first: `$XDG_RUNTIME_DIR/pop3fs`,
/// `/run/user/UID/pop3fs`, `/run/pop3fs` for root, `/tmp/pop3fs-UID`.
pub(super) fn own() -> Vec<PathBuf> {
    let named = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut folders = Vec::new();
    folders.extend(named.filter(|dir| is_of(dir, geteuid().as_raw())));
    folders.iter_mut().for_each(|dir| dir.push("pop3fs"));
    folders.extend(of(geteuid().as_raw()));
    folders
}

/// The folders for the sockets of `uid` that do not depend on an environment.
pub(super) fn of(uid: u32) -> Vec<PathBuf> {
    let runtime = PathBuf::from(format!("/run/user/{uid}"));
    let mut folders = Vec::new();
    if is_of(&runtime, uid) {
        folders.push(runtime.join("pop3fs"));
    }
    if uid == 0 {
        folders.push("/run/pop3fs".into());
    }
    folders.push(format!("/tmp/pop3fs-{uid}").into());
    folders
}

/// Makes the folder unless it exists, and refuses one that others can use.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    check_private(folder, geteuid().as_raw())
}

/// The name of a daemon's socket.
pub(super) fn socket_name(device: DeviceNumber, pid: u32) -> String {
    format!("{device}-{pid}.sock")
}

/// The sockets in `folder` of the daemons of `device`, the newest first. The daemons may have
/// ended.
///
/// Returns none from a folder that other users than `uid` can use: a socket there could be
/// anybody's.
pub(super) fn sockets(folder: &Path, uid: u32, device: DeviceNumber) -> Vec<PathBuf> {
    if check_private(folder, uid).is_err() {
        return Vec::new();
    }
    let beginning = format!("{device}-");
    let mut found: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(&beginning))
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// Needed in /tmp, where any user can make the folder, or a symbolic link in its place.
fn check_private(folder: &Path, uid: u32) -> io::Result<()> {
    let found = folder.symlink_metadata()?;
    if is_private(&found, uid) {
        return Ok(());
    }
    let why = format!(
        "{} is not a directory of user id {uid} alone (mode 0700): remove it",
        folder.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn is_private(found: &Metadata, uid: u32) -> bool {
    found.is_dir() && found.uid() == uid && found.mode() & 0o077 == 0
}

/// Under `su`, XDG_RUNTIME_DIR often belongs to another user.
fn is_of(dir: &Path, uid: u32) -> bool {
    dir.is_absolute()
        && dir
            .metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    const DEVICE: DeviceNumber = DeviceNumber {
        major: 0,
        minor: 52,
    };

    fn uid() -> u32 {
        geteuid().as_raw()
    }

    #[test]
    fn a_new_folder_is_private_and_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pop3fs");
        make(&folder).unwrap();
        make(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        File::create(dir.path().join(socket_name(DEVICE, 1))).unwrap();
        assert!(make(dir.path()).is_err());
        assert!(sockets(dir.path(), uid(), DEVICE).is_empty());
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pop3fs");
        make(&folder).unwrap();
        assert!(check_private(&folder, uid()).is_ok());
        assert!(check_private(&folder, uid() + 1).is_err());
    }

    #[test]
    fn a_symbolic_link_to_a_private_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("real");
        make(&folder).unwrap();
        let link = dir.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(make(&link).is_err());
    }

    #[test]
    fn sockets_are_those_of_the_device_the_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pop3fs");
        make(&folder).unwrap();
        for (name, seconds) in [
            ("0:52-9.sock", 10),
            ("0:52-10.sock", 30),
            ("0:52-8.sock", 20),
            ("0:5-1.sock", 40),
        ] {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::create(folder.join(name))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        let names: Vec<_> = sockets(&folder, uid(), DEVICE)
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["0:52-10.sock", "0:52-8.sock", "0:52-9.sock"]);
    }

    #[test]
    fn there_is_always_a_folder_to_try() {
        assert_eq!(of(12345).last().unwrap(), Path::new("/tmp/pop3fs-12345"));
        assert!(of(0).contains(&PathBuf::from("/run/pop3fs")));
    }
}
