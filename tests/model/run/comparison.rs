//! The comparisons after each operation.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use pop3fs::fs::{Attributes, DELETED, Error, ROOT};
use pop3fs::maildrop::Fault;

use super::{Check, EXCUSE, Run, known, serials};
use crate::common::PATIENCE;
use crate::reference::Standing;
use crate::server::Broken;

impl Run {
    pub(super) fn check(&mut self) -> Check {
        self.list()?;
        self.check_the_pending()?;
        self.check_the_kernel()?;
        self.check_the_held()?;
        if let Some(complaint) = self.server.complaints().pop() {
            return Err(complaint);
        }
        let (ours, theirs) = (
            serials(&self.reference.mailbox),
            serials(&self.server.mailbox()),
        );
        equal("the messages left on the server", &theirs, &ours)
    }

    pub(super) fn list(&mut self) -> Check {
        let (root, deleted, totals, heard) = self.steadily(|run| {
            let mounted = run.mounted();
            let (heard, totals) = (mounted.kernel.lock().heard(), mounted.maildrop.totals());
            let (root, deleted) = (mounted.entries(ROOT), mounted.entries(DELETED));
            (root, deleted, totals, heard)
        })?;
        let mut kernel = self.mounted().kernel.lock();
        for (name, attributes) in &root {
            kernel.see(heard, name, attributes);
        }
        drop(kernel);
        self.check_entries("the root", &root, Standing::Listed)?;
        self.check_entries(".deleted", &deleted, Standing::Unlinked)?;
        equal(
            "the messages of statfs",
            &totals.messages,
            &(root.len() as u64),
        )
    }

    pub(super) fn check_entries(
        &mut self,
        directory: &str,
        entries: &[(String, Attributes)],
        standing: Standing,
    ) -> Check {
        if !entries.is_sorted_by_key(|(_, attributes)| attributes.inode) {
            return Err(format!("{directory} is out of order: {entries:?}"));
        }
        let mut names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        equal(
            &format!("the names in {directory}"),
            &names,
            &self.reference.names(standing),
        )?;
        entries
            .iter()
            .try_for_each(|(name, attributes)| self.check_attributes(name, attributes))
    }

    fn check_the_pending(&mut self) -> Check {
        let mut pending = self.steadily(|run| run.mounted().maildrop.pending())?;
        pending.sort();
        equal(
            "the pending deletions",
            &pending,
            &self.reference.names(Standing::Unlinked),
        )
    }

    /// The kernel must be notified of every change that it did not cause; shortly after the change.
    fn check_the_kernel(&self) -> Check {
        let mounted = self.mounted();
        let deadline = Instant::now() + PATIENCE;
        while let Some(error) = mounted.kernel.lock().error(&mounted.maildrop) {
            if Instant::now() > deadline {
                return Err(format!("the kernel was not told: {error}"));
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Compares what stat shows, and records what must not change from now on.
    pub(super) fn check_attributes(&mut self, name: &str, shown: &Attributes) -> Check {
        if self.reference.inode_is_anothers(name, shown.inode) {
            return Err(format!(
                "{name} has the inode number {} of another",
                shown.inode
            ));
        }
        let known = known(&mut self.reference, name)?;
        // The mount drops what it has learnt, the size as well, if a reply made it doubt a removal.
        let is_doubted = self.server.has_raised_doubt(&known.mail);
        let sizes = match is_doubted {
            false => known.sizes(),
            true => known.sizes_if_doubted(),
        };
        if !sizes.contains(&shown.size) {
            return Err(format!(
                "{name} has size {}, not one of {sizes:?}",
                shown.size
            ));
        }
        equal(
            &format!("the inode of {name}"),
            &shown.inode,
            known.inode.get_or_insert(shown.inode),
        )?;
        // The date may change once the mount notices that a reply was wrong.
        if shown.modified == UNIX_EPOCH || is_doubted {
            return Ok(());
        }
        let since = shown.modified.duration_since(UNIX_EPOCH);
        if since.is_ok_and(|since| known.may_arrive(since.as_secs())) {
            known.arrived = Some(shown.modified);
        }
        equal(
            &format!("the mtime of {name}"),
            &shown.modified,
            known.arrived.get_or_insert(shown.modified),
        )
    }

    /// Whether faults of the server excuse this failure.
    fn excuses(&self, before: Broken, error: &Error) -> bool {
        let after = self.server.broken();
        after.at_login > before.at_login
            || before.at_login_in_a_row > 0
            || after.by_silence > before.by_silence
            || before.silent > 0
            || after.later - before.later >= EXCUSE
            || (self.is_silent_at_times && error.errno() == libc::ETIMEDOUT)
    }

    /// Only what is damaged in the cache has to be fetched again, which may fail. The message may
    /// also have gone, or be another.
    pub(super) fn check_read_failure(&mut self, before: Broken, error: &Error) -> Check {
        self.tally.failed += 1;
        let is_right = matches!(error, Error::Cache) || self.excuses(before, error);
        match self.is_damaged && is_right {
            true => Ok(()),
            false => Err(format!("a read of an open file: {error} ({error:?})")),
        }
    }

    pub(super) fn check_failure(&mut self, name: &str, before: Broken, error: &Error) -> Check {
        self.tally.failed += 1;
        let is_excused = self.excuses(before, error);
        let known = known(&mut self.reference, name)?;
        let is_right = matches!(error, Error::Maildrop(Fault::Departed)) && known.was_absent;
        if is_right || is_excused {
            return Ok(());
        }
        Err(format!("{name}: {error} ({error:?})"))
    }
}

/// Describes a difference.
pub(super) fn equal<T: PartialEq + Debug>(what: &str, is: &T, should_be: &T) -> Check {
    if is == should_be {
        return Ok(());
    }
    Err(format!("{what}: {is:?}, and should be {should_be:?}"))
}
