//! What the kernel is told without a request: changed content, vanished names, corrected sizes.
//!
//! A notification may take locks that the kernel holds for a request until that is answered, so it
//! is sent by a thread that answers none. Only the attributes of a file can be invalidated
//! anywhere: that takes no lock that a request holds.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, OnceLock};

use fuser::{INodeNo, Notifier};
use parking_lot::Mutex;

use crate::fs::kernel_view::{FileVersion, KernelView};
use crate::fs::nodes::{self, DELETED, ROOT};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::worker::Worker;
use crate::maildrop::Change;

/// The directories whose names the kernel keeps. To tell it about a name takes the lock of the
/// directory, which the kernel holds during each unlink and rename there.
pub(super) const NAMES_KEPT: [u64; 2] = [ROOT, DELETED];

/// What the kernel must no longer believe.
enum Outdated {
    /// The attributes and pages of these files.
    Files(Vec<u64>),
    /// A name in the root. mv(1) takes what the kernel knows of it along to `.deleted`.
    Name(String),
}

/// Tells the kernel what has changed.
#[derive(Clone)]
pub(super) struct KernelNotices {
    /// Empty until the session has begun.
    notifier: Arc<OnceLock<Notifier>>,
    /// Sends what may wait for a lock of the kernel.
    worker: Worker,
    /// Corrects sizes. Apart from the other notices, since opens wait for it.
    size_worker: Worker,
    corrections: Arc<Mutex<Corrections>>,
}

impl KernelNotices {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            notifier: Arc::default(),
            worker: Worker::start("notices")?,
            size_worker: Worker::start("sizes")?,
            corrections: Arc::default(),
        })
    }

    /// To be called once, before the first request is answered.
    pub(super) fn begin(&self, notifier: Notifier) {
        let _first = self.notifier.set(notifier);
    }

    /// Runs the task behind the notices that were submitted before.
    pub(super) fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.worker.submit(task);
    }

    /// Passes a change of the maildrop on to the kernel.
    pub(super) fn pass_on(&self, change: Change, filesystem: &Filesystem) {
        let outdated = match change {
            Change::Size { inode, eol } => {
                return filesystem
                    .versions_with(inode, eol)
                    .into_iter()
                    .for_each(|version| self.forget_size(version));
            }
            Change::Unlisted { inode } => return self.forget_views(inode),
            Change::Forgotten { inodes } => {
                let messages = inodes.into_iter().collect();
                self.corrections.lock().drop_unknown(&messages);
                return filesystem.drop_unknown(&messages);
            }
            Change::Directory => Outdated::Files(vec![ROOT]),
            Change::Gone { name } => Outdated::Name(name),
            // The filesystem forgets at once: nobody may be given what was made of the old content.
            Change::Content { inode } => Outdated::Files(filesystem.forget(inode).collect()),
        };
        let notifier = Arc::clone(&self.notifier);
        self.worker.submit(move || {
            if let Some(notifier) = notifier.get() {
                tell(notifier, &outdated);
            }
        });
    }

    /// Makes the kernel ask for what it has seen of a message in views, before the removal of the
    /// message is answered.
    fn forget_views(&self, message: u64) {
        if let Some(notifier) = self.notifier.get() {
            for inode in Filesystem::in_flat_views(message) {
                forget_attributes(notifier, inode);
            }
        }
    }

    /// Runs `reply` once the kernel knows the right size of the file. The kernel is told once for
    /// each version of a file. If it were told again while a program reads, it would take the end
    /// of the file for a short read, and show zeros behind it.
    pub(super) fn correct_size_then(
        &self,
        view: KernelView,
        reply: impl FnOnce() + Send + 'static,
    ) {
        if !view.may_be_resized() {
            return reply();
        }
        match self
            .corrections
            .lock()
            .join(view.version(), Box::new(reply))
        {
            Joined::Waits => {}
            Joined::Corrected(reply) => reply(),
            Joined::First => {
                let notices = self.clone();
                self.size_worker.submit(move || notices.correct_size(&view));
            }
        }
    }

    fn correct_size(&self, view: &KernelView) {
        if let Some(notifier) = self.notifier.get() {
            if let Some((offset, page)) = view.missing_tail() {
                log_failure(notifier.store(INodeNo(view.inode()), offset, &page));
            }
            forget_attributes(notifier, view.inode());
        }
        let replies = self.corrections.lock().finish(view.version());
        for reply in replies {
            reply();
        }
    }

    /// Makes the kernel ask for the size again, unless an open has had it corrected already.
    fn forget_size(&self, version: FileVersion) {
        let corrections = self.corrections.lock();
        if corrections.has_begun(version) {
            return;
        }
        if let Some(notifier) = self.notifier.get() {
            forget_attributes(notifier, version.inode);
        }
    }
}

type OpenReply = Box<dyn FnOnce() + Send>;

/// The files whose size was corrected, each in its latest version.
#[derive(Default)]
struct Corrections(HashMap<u64, Correction>);

struct Correction {
    version: FileVersion,
    progress: CorrectionProgress,
}

enum CorrectionProgress {
    /// The kernel is being told; these replies wait for that.
    Running(Vec<OpenReply>),
    Done,
}

/// What becomes of the reply to an open.
enum Joined {
    /// It waits for the correction that this open must begin.
    First,
    /// It waits for a correction that another open has begun.
    Waits,
    /// The kernel knows the size.
    Corrected(OpenReply),
}

impl Corrections {
    fn join(&mut self, version: FileVersion, reply: OpenReply) -> Joined {
        let mut waiting = match self.0.get_mut(&version.inode) {
            None => Vec::new(),
            Some(correction) if correction.version == version => {
                return match &mut correction.progress {
                    CorrectionProgress::Done => Joined::Corrected(reply),
                    CorrectionProgress::Running(waiting) => {
                        waiting.push(reply);
                        Joined::Waits
                    }
                };
            }
            Some(correction) => correction.progress.end(),
        };
        waiting.push(reply);
        let progress = CorrectionProgress::Running(waiting);
        self.0
            .insert(version.inode, Correction { version, progress });
        Joined::First
    }

    /// Gives the replies that have waited. None if a later version has taken them over.
    fn finish(&mut self, version: FileVersion) -> Vec<OpenReply> {
        match self.0.get_mut(&version.inode) {
            Some(correction) if correction.version == version => correction.progress.end(),
            _ => Vec::new(),
        }
    }

    /// Drops what is kept of messages that the maildrop does not know any more, except where
    /// replies wait.
    fn drop_unknown(&mut self, messages: &HashSet<u64>) {
        self.0.retain(|&inode, correction| {
            matches!(correction.progress, CorrectionProgress::Running(_))
                || !messages.contains(&nodes::message_of(inode))
        });
    }

    fn has_begun(&self, version: FileVersion) -> bool {
        self.0
            .get(&version.inode)
            .is_some_and(|correction| correction.version == version)
    }
}

impl CorrectionProgress {
    /// The kernel knows the size now. Returns the replies that waited for that.
    fn end(&mut self) -> Vec<OpenReply> {
        match std::mem::replace(self, Self::Done) {
            Self::Running(waiting) => waiting,
            Self::Done => Vec::new(),
        }
    }
}

fn tell(notifier: &Notifier, outdated: &Outdated) {
    match outdated {
        Outdated::Files(inodes) => {
            for inode in inodes {
                log_failure(notifier.inval_inode(INodeNo(*inode), 0, 0));
            }
        }
        Outdated::Name(name) => {
            for directory in NAMES_KEPT {
                log_failure(notifier.inval_entry(INodeNo(directory), OsStr::new(name)));
            }
        }
    }
}

/// Makes the kernel ask for the attributes again. It keeps the pages.
fn forget_attributes(notifier: &Notifier, inode: u64) {
    log_failure(notifier.inval_inode(INodeNo(inode), -1, 0));
}

/// Logs a refused notification for whoever debugs: often the kernel just does not know the file or
/// the name.
fn log_failure(told: io::Result<()>) {
    if let Err(error) = told {
        log::debug!("the kernel did not take a notification: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::view_cache::Revision;

    fn version(number: u32, size: u64) -> FileVersion {
        let message = 1 << 20;
        FileVersion {
            inode: message,
            revision: Revision { message, number },
            size,
        }
    }

    fn reply() -> OpenReply {
        Box::new(|| {})
    }

    #[test]
    fn a_size_is_corrected_once_and_other_opens_wait_for_it() {
        let mut corrections = Corrections::default();
        let version = version(0, 10);
        assert!(!corrections.has_begun(version));
        assert!(matches!(corrections.join(version, reply()), Joined::First));
        assert!(corrections.has_begun(version));
        assert!(matches!(corrections.join(version, reply()), Joined::Waits));
        assert_eq!(corrections.finish(version).len(), 2);
        let after = corrections.join(version, reply());
        assert!(matches!(after, Joined::Corrected(_)));
    }

    #[test]
    fn corrections_of_unknown_messages_are_dropped_once_done() {
        let mut corrections = Corrections::default();
        let version = version(0, 10);
        let unknown = HashSet::from([version.inode]);
        corrections.join(version, reply());
        corrections.drop_unknown(&unknown);
        assert_eq!(corrections.finish(version).len(), 1);
        corrections.drop_unknown(&HashSet::from([version.inode + 1]));
        assert!(corrections.has_begun(version));
        corrections.drop_unknown(&unknown);
        assert!(corrections.0.is_empty());
    }

    #[test]
    fn another_version_is_corrected_again_and_loses_no_reply() {
        for (old, new) in [
            (version(0, 10), version(1, 10)),
            (version(1, 10), version(1, 11)),
        ] {
            let mut corrections = Corrections::default();
            assert!(matches!(corrections.join(old, reply()), Joined::First));
            assert!(matches!(corrections.join(new, reply()), Joined::First));
            assert_eq!(corrections.finish(old).len(), 0);
            assert_eq!(corrections.finish(new).len(), 2);
        }
    }
}
