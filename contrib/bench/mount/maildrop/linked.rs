//! A copy of a maildrop from which messages may be deleted.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use anyhow::{Context, Result};

use super::Maildrop;
use crate::servers::mail_owner;
use crate::started::Folder;

/// Its files are hard links: no octets are copied. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct LinkedMaildrop {
    pub(crate) maildrop: Maildrop,
    _folder: Folder,
}

impl LinkedMaildrop {
    /// A copy beside the maildrop, without what a server has written there.
    pub(crate) fn of(original: &Maildrop) -> Result<Self> {
        let parent = original.folder.parent().context("a folder of maildrops")?;
        let folder = Folder::create(parent)?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let maildrop = Maildrop {
            folder: folder.path().to_owned(),
            ..*original
        };
        for part in ["cur", "new", "tmp"] {
            let path = maildrop.maildir().join(part);
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
            chown(&path, mail_owner(), mail_owner())?;
        }
        chown(maildrop.maildir(), mail_owner(), mail_owner())?;
        let to = maildrop.maildir().join("cur");
        for entry in fs::read_dir(original.maildir().join("cur"))? {
            let entry = entry?;
            fs::hard_link(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(Self {
            maildrop,
            _folder: folder,
        })
    }
}
