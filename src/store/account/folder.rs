//! The folder of one account's cache.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess, geteuid};
use sha2::{Digest, Sha256};

use crate::store::StoreError;

/// The index in the folder of an account.
pub(in crate::store) const INDEX_FILE: &str = "index.sqlite";
/// The folder of the bodies in the folder of an account.
pub(in crate::store) const BODIES_FOLDER: &str = "bodies";
/// The most characters of the account in the name of its folder.
const PREFIX: usize = 64;
/// The octets of the account's digest in the name of its folder.
const DIGEST: usize = 8;
/// The hexadecimal digits of that digest.
pub(super) const DIGITS: usize = 2 * DIGEST;

/// The folder of one account's cache. It exists, it belongs to the effective user, and nobody else
/// may enter it.
#[derive(Debug, Clone)]
pub struct CacheFolder {
    path: PathBuf,
}

impl CacheFolder {
    /// Creates `base` and the account's folder in it if they are missing, and checks both.
    ///
    /// Both must belong to the effective user, and neither may be a symbolic link. The account's
    /// folder is closed to others (0700) if it is not. A base that others may write to is refused,
    /// because they could replace what is in it; others may read it if the user allows that. A
    /// folder that we may not write to is refused too, because SQLite would sometimes accept it.
    ///
    /// # Errors
    /// A folder is not as described, or cannot be created.
    pub fn open(base: &Path, account: &str) -> Result<Self, StoreError> {
        // With a slash at the end, lstat(2) would follow a link.
        let base: PathBuf = base.components().collect();
        make_private_folder(&base, DirBuilder::new().recursive(true))?;
        refuse_writable_by_others(&base, &own_folder(&base)?)?;
        let path = base.join(folder_name(account));
        make_private_folder(&path, &mut DirBuilder::new())?;
        close_to_others(&path, &own_folder(&path)?)?;
        refuse_read_only(&path)?;
        Ok(Self { path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, which no other account's folder has.
    pub(in crate::store) fn name(&self) -> &str {
        let name = self.path.file_name().and_then(OsStr::to_str);
        name.unwrap_or_default()
    }
}

/// Checks that the effective user owns `path`. `metadata` must be that of `path` itself, not of
/// what a symbolic link there points to.
pub(in crate::store) fn refuse_other_owner(
    path: &Path,
    metadata: &Metadata,
) -> Result<(), StoreError> {
    if metadata.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(StoreError::AnotherOwner {
        path: path.into(),
        owner: metadata.uid(),
    })
}

/// The safe characters of the account and a digest of all of it, so that each account has a folder
/// of its own whatever it is called.
pub(super) fn folder_name(account: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "@-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let prefix: String = account
        .trim_start_matches(['.', '-'])
        .chars()
        .take(PREFIX)
        .map(safe)
        .collect();
    let digest = Sha256::digest(account);
    let digest = hex::encode(&digest[..DIGEST]);
    if prefix.is_empty() {
        digest
    } else {
        format!("{prefix}-{digest}")
    }
}

/// Creates a folder that nobody else may enter, unless something stands there already.
pub(in crate::store) fn make_private_folder(
    path: &Path,
    builder: &mut DirBuilder,
) -> Result<(), StoreError> {
    match builder.mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::io("create", path)(error))
        }
        _ => Ok(()),
    }
}

fn own_folder(path: &Path) -> Result<Metadata, StoreError> {
    let metadata = fs::symlink_metadata(path).map_err(StoreError::io("look at", path))?;
    if !metadata.is_dir() {
        return Err(StoreError::NotAFolder { path: path.into() });
    }
    refuse_other_owner(path, &metadata)?;
    Ok(metadata)
}

fn refuse_writable_by_others(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(StoreError::WritableByOthers {
        path: path.into(),
        mode,
    })
}

fn refuse_read_only(path: &Path) -> Result<(), StoreError> {
    eaccess(path, AccessFlags::W_OK).map_err(StoreError::io("write to", path))
}

fn close_to_others(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if metadata.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(StoreError::io("forbid others to enter", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    const ACCOUNT: &str = "alice@mail.example.org:995";

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_the_owner_may_enter_base_and_folder() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join(".cache/pop3fs");
        let folder = CacheFolder::open(&base, ACCOUNT).unwrap();
        assert_eq!(folder.path().parent(), Some(base.as_path()));
        assert_eq!((mode(&base), mode(folder.path())), (0o700, 0o700));
    }

    #[test]
    fn an_account_has_the_same_folder_every_time() {
        let base = tempfile::tempdir().unwrap();
        let first = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        let second = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        assert_eq!(first.path(), second.path());
    }

    #[test]
    fn the_name_of_a_folder_starts_with_the_account() {
        assert!(folder_name(ACCOUNT).starts_with("alice@mail.example.org_995-"));
    }

    #[test]
    fn accounts_that_look_alike_have_different_folders() {
        assert_ne!(folder_name("a/b"), folder_name("a:b"));
        assert_ne!(folder_name(&"a".repeat(100)), folder_name(&"a".repeat(101)));
    }

    #[test]
    fn no_account_leads_out_of_the_base() {
        for account in [
            "",
            ".",
            "..",
            "../../etc",
            "/etc",
            "-rf",
            "a\0b",
            "ä/ö",
            &"x".repeat(1000),
        ] {
            let name = folder_name(account);
            assert!(name.len() <= 255 && !name.starts_with(['.', '-']), "{name}");
            assert!(
                name.chars().all(|c| c.is_ascii_graphic() && c != '/'),
                "{name}"
            );
        }
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        chmod(folder.path(), 0o755);
        CacheFolder::open(base.path(), ACCOUNT).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_base_that_others_may_write_to_is_refused_unchanged() {
        let base = tempfile::tempdir().unwrap();
        for open in [0o770, 0o702, 0o777] {
            chmod(base.path(), open);
            let error = CacheFolder::open(base.path(), ACCOUNT).unwrap_err();
            assert!(matches!(error, StoreError::WritableByOthers { mode, .. } if mode == open));
            assert_eq!(mode(base.path()), open);
        }
    }

    #[test]
    fn others_may_read_the_base_but_not_the_folder() {
        let base = tempfile::tempdir().unwrap();
        chmod(base.path(), 0o755);
        let folder = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        assert_eq!((mode(base.path()), mode(folder.path())), (0o755, 0o700));
    }

    #[test]
    fn a_base_that_is_a_link_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let link = home.path().join("link");
        symlink(
            tempfile::tempdir().unwrap().path(),
            home.path().join("dangling"),
        )
        .unwrap();
        symlink(home.path(), &link).unwrap();
        for base in [link.clone(), link.join("")] {
            let error = CacheFolder::open(&base, ACCOUNT).unwrap_err();
            assert!(matches!(error, StoreError::NotAFolder { .. }), "{error}");
        }
        assert!(CacheFolder::open(&home.path().join("dangling"), ACCOUNT).is_err());
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), base.path().join(folder_name(ACCOUNT))).unwrap();
        let error = CacheFolder::open(base.path(), ACCOUNT).unwrap_err();
        assert!(matches!(error, StoreError::NotAFolder { .. }), "{error}");
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let mut path = Path::new("/");
        if geteuid().is_root() {
            path = base.path();
            chown(path, Some(1), None).unwrap();
        }
        let error = own_folder(path).unwrap_err();
        assert!(matches!(error, StoreError::AnotherOwner { .. }), "{error}");
    }
}
