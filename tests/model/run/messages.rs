//! The user's operations on messages.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use pop3fs::fs::{Attributes, Error, ROOT};
use pop3fs::maildrop::Standing as Shown;

use super::comparison::equal;
use super::{Check, OpenFile, Run, known, picked};
use crate::mail::{EPOCH, Mail};
use crate::operations::Pick;
use crate::reference::Standing;
use crate::server::Broken;

impl Run {
    pub(super) fn with_any(
        &mut self,
        pick: Pick,
        then: impl FnOnce(&mut Run, &str) -> Check,
    ) -> Check {
        let names: Vec<String> = self.reference.known.keys().cloned().collect();
        picked(&names, pick).map_or(Ok(()), |name| then(self, name))
    }

    pub(super) fn lookup_name(&mut self, name: &str) -> Check {
        let found = self.steadily(|run| run.mounted().lookup_name(name).wait())??;
        let standing = known(&mut self.reference, name)?.standing;
        match (standing, found) {
            (Standing::Listed, Ok(attributes)) => self.check_attributes(name, &attributes),
            (Standing::Unlinked | Standing::Departed, Err(Error::NotFound)) => Ok(()),
            (standing, found) => Err(format!(
                "{name} is {standing:?}, and looked up gives {found:?}"
            )),
        }
    }

    /// The inode number of a name, if the mount has shown it.
    fn inode(&self, name: &str) -> Option<u64> {
        self.reference.known.get(name)?.inode
    }

    pub(super) fn stat(&mut self, name: &str) -> Check {
        let Some(inode) = self.inode(name) else {
            return Ok(());
        };
        let before = self.server.broken();
        let shown = self.mounted().attributes(inode).wait()?;
        self.check_stat(name, before, shown)
    }

    fn check_stat(
        &mut self,
        name: &str,
        before: Broken,
        shown: Result<Attributes, Error>,
    ) -> Check {
        self.catch_up()?;
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => return self.check_failure(name, before, &error),
        };
        let known = known(&mut self.reference, name)?;
        let seconds = shown
            .modified
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        // The headers of a message are not asked for again once two sessions broke over them: it has
        // the date of its first listing then.
        let is_given_up = self.server.broken().replies() >= before.replies() + 2;
        if known.arrived.is_none()
            && !is_given_up
            && self.server.misreplied() == 0
            && !known
                .possible()
                .any(|mail| mail.arrived() as u64 == seconds)
        {
            return Err(format!("{name} arrived {} s late", seconds as i64 - EPOCH));
        }
        let is_dated = |mail: &&Mail| mail.arrived() as u64 == seconds;
        let dated = known.possible().find(is_dated).cloned();
        known.shown = dated.or(known.shown.take());
        // If a listing came in between, the size may be that of either version.
        if known.lately.len() > 1 {
            return Ok(());
        }
        self.check_attributes(name, &shown)
    }

    pub(super) fn open(&mut self, name: &str) -> Check<Option<usize>> {
        let Some(inode) = self.inode(name) else {
            return Ok(None);
        };
        let before = self.server.broken();
        let opened = self.mounted().open(inode).wait()?;
        self.catch_up()?;
        match opened {
            Ok(opened) => self.check_opened(name, inode, opened.handle),
            Err(error) => self.check_failure(name, before, &error).map(|()| None),
        }
    }

    /// The place of the file among those that are open; none if it cannot be read.
    fn check_opened(&mut self, name: &str, inode: u64, handle: u64) -> Check<Option<usize>> {
        self.tally.opened += 1;
        let Some(octets) = self.octets(handle, 0, u32::MAX)? else {
            self.mounted().filesystem.release(handle);
            return Ok(None);
        };
        let known = known(&mut self.reference, name)?;
        let Some(version) = known.version(&octets).cloned() else {
            let is = String::from_utf8_lossy(&octets[..octets.len().min(40)]).into_owned();
            return Err(format!(
                "{name} has {} octets, {is:?} …, and should be {:?}",
                octets.len(),
                known.lately
            ));
        };
        let content = Arc::clone(&version.content);
        known.shown = Some(version);
        if known.lately.len() == 1 {
            known.is_seen = true;
            let size = self.steadily(|run| {
                let maildrop = &run.mounted().maildrop;
                maildrop
                    .by_inode(inode)
                    .map(|id| maildrop.message(id).size())
            })?;
            let known = self::known(&mut self.reference, name)?;
            if known.is_seen {
                equal(
                    &format!("the size of {name} that is open"),
                    &size,
                    &Some(content.len() as u64),
                )?;
            }
        }
        self.open.push(OpenFile { handle, content });
        Ok(Some(self.open.len() - 1))
    }

    /// None if the read fails, and may fail.
    fn octets(&mut self, handle: u64, offset: u64, length: u32) -> Check<Option<Vec<u8>>> {
        let before = self.server.broken();
        let octets = self.mounted().octets(handle, offset, length).wait()?;
        self.catch_up()?;
        match octets {
            Ok(octets) => Ok(Some(octets)),
            Err(error) => self.check_read_failure(before, &error).map(|()| None),
        }
    }

    pub(super) fn read(&mut self, open: Pick, offset: u16, length: u16) -> Check {
        let Some(file) = picked(&self.open, open) else {
            return Ok(());
        };
        let (handle, content) = (file.handle, Arc::clone(&file.content));
        let Some(octets) = self.octets(handle, offset.into(), length.into())? else {
            return Ok(());
        };
        let start = usize::from(offset).min(content.len());
        let end = (start + usize::from(length)).min(content.len());
        equal("what was read", &octets.as_slice(), &&content[start..end])
    }

    pub(super) fn close(&mut self, open: Pick) -> Check {
        if self.open.is_empty() {
            return Ok(());
        }
        let file = self.open.remove(usize::from(open) % self.open.len());
        self.mounted().filesystem.release(file.handle);
        Ok(())
    }

    pub(super) fn cat(&mut self, name: &str) -> Check {
        if let Some(at) = self.open(name)? {
            let file = self.open.remove(at);
            self.mounted().filesystem.release(file.handle);
        }
        Ok(())
    }

    pub(super) fn walk(&mut self) -> Check {
        let entries = self.steadily(|run| run.mounted().entries(ROOT))?;
        self.check_entries("the root", &entries, Standing::Listed)?;
        for (name, _) in entries {
            self.reference.begin_operation();
            self.cat(&name)?;
        }
        Ok(())
    }

    pub(super) fn together(&mut self) -> Check {
        let names: Vec<(String, u64)> = self
            .reference
            .known
            .iter()
            .filter(|(_, known)| known.standing == Standing::Listed)
            .filter_map(|(name, known)| Some((name.clone(), known.inode?)))
            .collect();
        let before = self.server.broken();
        let mounted = self.mounted();
        let ask = |(name, inode): (String, u64)| {
            (name, inode, mounted.attributes(inode), mounted.open(inode))
        };
        let asked: Vec<_> = names.into_iter().rev().map(ask).collect();
        let mut answered = Vec::new();
        for (name, inode, attributes, opened) in asked {
            answered.push((name, inode, attributes.wait()?, opened.wait()?));
        }
        self.catch_up()?;
        for (name, inode, attributes, opened) in answered {
            if let Err(error) = &attributes {
                self.check_failure(&name, before, error)?;
            }
            match opened {
                Ok(opened) => {
                    if let Some(at) = self.check_opened(&name, inode, opened.handle)? {
                        let file = self.open.remove(at);
                        self.mounted().filesystem.release(file.handle);
                    }
                }
                Err(error) => self.check_failure(&name, before, &error)?,
            }
        }
        Ok(())
    }

    pub(super) fn unlink(&mut self, pick: Pick) -> Check {
        let names = self.reference.names(Standing::Listed);
        let Some(name) = picked(&names, pick) else {
            return Ok(());
        };
        let done = self.mounted().unlink(name).wait()?;
        self.moved(name, done, Standing::Unlinked)
    }

    pub(super) fn restore(&mut self, pick: Pick) -> Check {
        let names = self.reference.names(Standing::Unlinked);
        let Some(name) = picked(&names, pick) else {
            return Ok(());
        };
        let done = self.mounted().restore(name);
        self.moved(name, done, Standing::Listed)
    }

    /// Records that a message was unlinked or restored, unless a listing in between overrides that.
    fn moved(&mut self, name: &str, done: Result<(), Error>, to: Standing) -> Check {
        let standing = |shown: Option<Shown>| match shown {
            Some(Shown::Listed) => Standing::Listed,
            Some(Shown::Unlinked) => Standing::Unlinked,
            Some(Shown::Departed) | None => Standing::Departed,
        };
        let (before, _) = self.server.listings();
        if done.is_ok() {
            self.mounted().kernel.lock().forget(name);
            let known = known(&mut self.reference, name)?;
            known.standing = to;
            known.unlink();
        }
        let inode = self.inode(name);
        let shown = self.steadily(|run| {
            let maildrop = &run.mounted().maildrop;
            inode
                .and_then(|inode| maildrop.by_inode(inode))
                .map(|id| maildrop.message(id).standing)
        })?;
        if self.server.listings().0 == before {
            return done.map_err(|error| format!("{name}: {error}"));
        }
        known(&mut self.reference, name)?.standing = standing(shown);
        Ok(())
    }

    pub(super) fn refresh(&mut self) -> Check {
        let opened = self.mounted().open_directory().wait()?.map(drop);
        opened.map_err(|error| format!("the directory cannot be opened: {error}"))
    }
}
