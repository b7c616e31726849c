//! A mount that has ended here and lives on in another mount namespace or in a bind mount.

use pop3fs::fs::{DELETED, Error, ROOT};

use super::comparison::equal;
use super::{Check, OpenFile, Run, known};
use crate::mounted::Mounted;

/// The mount after its last commit, and what programs have open in it.
pub(super) struct Held {
    mounted: Mounted,
    open: Vec<OpenFile>,
}

impl Run {
    /// Keeps a mount after its last commit. Nothing can be changed in it any more, each request is
    /// answered, and what can be opened is right.
    pub(super) fn hold(&mut self, mounted: Mounted, mut open: Vec<OpenFile>) -> Check {
        for (name, _) in mounted.entries(DELETED) {
            assert_read_only(&name, &mounted.restore(&name))?;
        }
        for (name, attributes) in mounted.entries(ROOT) {
            assert_read_only(&name, &mounted.unlink(&name).wait()?)?;
            let _may_be_unknown = mounted.attributes(attributes.inode).wait()?;
            let Ok(opened) = mounted.open(attributes.inode).wait()? else {
                continue;
            };
            let octets = mounted.octets(opened.handle, 0, u32::MAX).wait()?;
            let Some(octets) = self.unless_damaged(octets)? else {
                continue;
            };
            let version = known(&mut self.reference, &name)?.version(&octets);
            let version = version.ok_or_else(|| format!("{name} is wrong after the end"))?;
            open.push(OpenFile {
                handle: opened.handle,
                content: version.content.clone(),
            });
        }
        self.held = Some(Held { mounted, open });
        self.check_the_held()
    }

    /// What is open in the mount that has ended can be read as before.
    pub(super) fn check_the_held(&self) -> Check {
        let Some(Held { mounted, open }) = &self.held else {
            return Ok(());
        };
        for file in open {
            let octets = mounted.octets(file.handle, 0, u32::MAX).wait()?;
            let Some(octets) = self.unless_damaged(octets)? else {
                continue;
            };
            equal(
                "what is open in the mount that has ended",
                &octets.as_slice(),
                &&*file.content,
            )?;
        }
        Ok(())
    }

    /// A mount that has ended fetches nothing: what is damaged in the cache cannot be read there.
    fn unless_damaged(&self, octets: Result<Vec<u8>, Error>) -> Check<Option<Vec<u8>>> {
        match octets {
            Ok(octets) => Ok(Some(octets)),
            Err(_) if self.is_damaged => Ok(None),
            Err(error) => Err(format!("a read in the mount that has ended: {error}")),
        }
    }
}

fn assert_read_only(name: &str, changed: &Result<(), Error>) -> Check {
    match changed {
        Err(Error::ReadOnly) => Ok(()),
        changed => Err(format!("{name} after the end of the mount: {changed:?}")),
    }
}
