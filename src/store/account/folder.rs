//! Where the cache of one account is.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess, geteuid};
use sha2::{Digest, Sha256};

use crate::store::StoreError;

/// What can be read of an account in the name of its folder, at most.
const PREFIX: usize = 64;
/// The octets of the account's digest in the name of its folder.
const DIGEST: usize = 8;
/// The hexadecimal digits of these.
pub(super) const DIGITS: usize = 2 * DIGEST;

/// The cache directory of one account: it exists, it is ours, and nobody else may enter.
#[derive(Debug, Clone)]
pub struct CacheFolder {
    path: PathBuf,
}

impl CacheFolder {
    /// Makes `base` and the account's folder in it where they are missing, and checks both: folders of the effective user,
    /// no symbolic links. The account's folder is closed to others (0700) if need be. A base that others may write to is
    /// refused, because they could exchange what is in it; one that they may read is the user's choice. One that we may not
    /// write to is refused as well: SQLite would take it or not, as the last mount has left it.
    pub fn open(base: &Path, account: &str) -> Result<Self, StoreError> {
        // Without a slash at the end, after which lstat(2) would follow a link.
        let base: PathBuf = base.components().collect();
        make(&base, DirBuilder::new().recursive(true))?;
        refuse_if_writable(&base, &own_folder(&base)?)?;
        let path = base.join(folder_name(account));
        make(&path, &mut DirBuilder::new())?;
        close(&path, &own_folder(&path)?)?;
        refuse_if_read_only(&path)?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Checks that `metadata`, of `path` itself and not of what a link there points to, says that the effective user owns it.
pub(in crate::store) fn refuse_if_anothers(
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

/// What is safe and readable of the account, and a digest of all of it: one folder an account, whatever its name.
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

/// A folder that nobody else can enter, where there is none.
pub(in crate::store) fn make(path: &Path, builder: &mut DirBuilder) -> Result<(), StoreError> {
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
    refuse_if_anothers(path, &metadata)?;
    Ok(metadata)
}

fn refuse_if_writable(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(StoreError::WritableByOthers {
        path: path.into(),
        mode,
    })
}

fn refuse_if_read_only(path: &Path) -> Result<(), StoreError> {
    eaccess(path, AccessFlags::W_OK).map_err(StoreError::io("write to", path))
}

fn close(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if metadata.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(StoreError::io("close to others", path))
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
    fn base_and_folder_are_made_for_the_owner_only() {
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
    fn the_name_of_a_folder_can_be_read() {
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
    fn an_open_folder_is_closed() {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        chmod(folder.path(), 0o755);
        CacheFolder::open(base.path(), ACCOUNT).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_base_that_others_may_write_to_is_refused_and_left_as_it_is() {
        let base = tempfile::tempdir().unwrap();
        for open in [0o770, 0o702, 0o777] {
            chmod(base.path(), open);
            let error = CacheFolder::open(base.path(), ACCOUNT).unwrap_err();
            assert!(matches!(error, StoreError::WritableByOthers { mode, .. } if mode == open));
            assert_eq!(mode(base.path()), open);
        }
    }

    #[test]
    fn a_base_that_others_may_read_holds_a_folder_that_they_may_not() {
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
    fn what_another_user_owns_is_refused() {
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
