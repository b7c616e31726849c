//! What the kernel is told without a request: changed content, vanished names, corrected sizes.
//!
//! A notification may take locks that the kernel holds for a request until that is answered, so it
//! is sent by a thread that answers none. Two take no such lock, and any thread sends them: to make
//! the kernel forget the attributes of a file, and to give it pages of a file that nobody has had
//! open.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use fuser::{INodeNo, Notifier};
use parking_lot::Mutex;

use crate::fs::fuse::first_open::{Joined, OpenedVersions};
use crate::fs::kernel_view::{FileVersion, KernelView};
use crate::fs::nodes::{DELETED, ROOT};
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
    /// Stores pages that may have to wait for a program that reads them. Apart from the other
    /// notices, since opens wait for it.
    page_worker: Worker,
    opened: Arc<Mutex<OpenedVersions>>,
}

impl KernelNotices {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            notifier: Arc::default(),
            worker: Worker::start("notices")?,
            page_worker: Worker::start("pages")?,
            opened: Arc::default(),
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
                self.opened.lock().drop_unknown(&messages);
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

    /// Runs `reply` once the kernel was told of this version of the file.
    pub(super) fn tell_then(&self, view: KernelView, reply: impl FnOnce() + Send + 'static) {
        let reply = Box::new(reply);
        let joined = self.opened.lock().join(view.version(), reply);
        match joined {
            Joined::Waits => {}
            Joined::Told(reply) => reply(),
            Joined::FirstOpen => self.tell_of_version(&view, view.first_pages()),
            Joined::OtherVersion => {
                let notices = self.clone();
                self.page_worker
                    .submit(move || notices.tell_of_version(&view, view.missing_tail()));
            }
        }
    }

    /// Gives the kernel these octets of the file, and its size.
    fn tell_of_version(&self, view: &KernelView, given: Option<Range<u64>>) {
        if let Some(notifier) = self.notifier.get() {
            let store = |offset, octets: &[u8]| {
                log_failure(notifier.store(INodeNo(view.inode()), offset, octets));
            };
            if let Some(given) = given {
                view.give_pages(given, store);
            }
            if view.may_be_resized() {
                forget_attributes(notifier, view.inode());
            }
        }
        let replies = self.opened.lock().finish(view.version());
        for reply in replies {
            reply();
        }
    }

    /// Makes the kernel ask for the size again, unless it was told when this version was opened.
    fn forget_size(&self, version: FileVersion) {
        let opened = self.opened.lock();
        if opened.has(version) {
            return;
        }
        if let Some(notifier) = self.notifier.get() {
            forget_attributes(notifier, version.inode);
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
