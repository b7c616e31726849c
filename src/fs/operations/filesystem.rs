//! The filesystem, and what all of its operations share.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::fs::appearance::Appearance;
use crate::fs::error::Error;
use crate::fs::mount::Access;
use crate::fs::nodes::{self, FileNode};
use crate::fs::open_files::OpenHandles;
use crate::fs::operations::stat::{FileKind, SpaceTotals};
use crate::fs::readings::{PageUse, Readings};
use crate::fs::reply::deferred::{KernelReply, WaitLimit, Watchdog};
use crate::fs::search::Searches;
use crate::fs::view_cache::ViewCache;
use crate::fs::views::{ViewId, ViewLayout};
use crate::fs::worker::Worker;
use crate::maildrop::{Consent, Fault, Maildrop, Standing, Verdict};

/// How much longer than the longest silence of the server a reply is deferred: the engine ends the
/// session after that silence, and must do so first. Otherwise a program that tries again at once
/// would wait for the dead session.
const GRACE: Duration = Duration::from_millis(500);

/// The free octets that df(1) shows where nobody knows them.
const UNKNOWN_SPACE: u64 = 1 << 50;
/// The same for the number of files.
const UNKNOWN_FILES: u64 = 1_000_000_000;

/// A maildrop as a filesystem.
#[derive(Debug)]
pub struct Filesystem {
    pub(in crate::fs) maildrop: Arc<Maildrop>,
    pub(in crate::fs) open_files: Arc<OpenHandles>,
    pub(in crate::fs) view_cache: Arc<ViewCache>,
    pub(in crate::fs) readings: Arc<Readings>,
    /// Whether the kernel keeps pages of bodies in files of their own.
    pub(in crate::fs) disk_pages: OnceLock<PageUse>,
    pub(in crate::fs) watchdog: Watchdog,
    /// Makes files and trees for the views.
    pub(in crate::fs) view_maker: Worker,
    pub(in crate::fs) appearance: Appearance,
    /// None where nothing is indexed.
    pub(in crate::fs) searches: Option<Arc<Searches>>,
}

impl Filesystem {
    /// A maildrop as a filesystem.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(maildrop: Arc<Maildrop>, appearance: Appearance) -> std::io::Result<Self> {
        let heard = Arc::clone(&maildrop);
        let watchdog = Watchdog::start(move || heard.last_heard())?;
        Ok(Self {
            maildrop,
            open_files: Arc::default(),
            view_cache: Arc::new(ViewCache::new()),
            readings: Arc::new(Readings::new()),
            disk_pages: OnceLock::new(),
            watchdog,
            view_maker: Worker::start("views")?,
            appearance,
            searches: None,
        })
    }

    /// With `.search` in the root.
    #[must_use]
    pub fn with_searches(self, searches: Option<Arc<Searches>>) -> Self {
        Self { searches, ..self }
    }

    /// Deletes on the server what was unlinked. The reply tells whether everything was deleted.
    /// Until it comes the kernel keeps the directory locked, and `ls` waits: it comes within one
    /// timeout, and the commit may go on.
    pub fn fsyncdir(&self, reply: KernelReply<()>) {
        let limit = WaitLimit::Total(self.maildrop.timeout() + GRACE, Err(Error::CommitGoesOn));
        let waiter = reply.defer(&self.watchdog, limit, |verdict: Result<Verdict, Fault>| {
            let verdict = verdict?;
            if verdict.is_complete() {
                Ok(())
            } else {
                Err(Error::Kept(verdict.kept.len()))
            }
        });
        self.maildrop.commit(Consent::Unsaid, waiter);
    }

    /// The totals for df(1). POP3 does not tell how much room a maildrop has. A mount from which
    /// nothing can be removed is shown as full; any other as nearly empty, since a full filesystem
    /// sets off alarms.
    #[must_use]
    pub fn statfs(&self) -> SpaceTotals {
        let totals = self.maildrop.totals();
        let (free, free_files) = match self.appearance.access {
            Access::ReadWrite => (UNKNOWN_SPACE, UNKNOWN_FILES),
            Access::ReadOnly => (0, 0),
        };
        SpaceTotals {
            used: totals.octets,
            free,
            messages: totals.messages,
            free_files,
        }
    }

    /// Notes that the kernel asks for something.
    pub(in crate::fs) fn note_request(&self) {
        if let Some(searches) = &self.searches {
            searches.note_request();
        }
    }

    /// Whether the engine has nothing to fetch, to list or to commit.
    #[must_use]
    pub fn is_engine_idle(&self) -> bool {
        !self.maildrop.has_work()
    }

    /// Answers access(2). Messages can be removed, so that `W_OK` is granted: rm(1) would ask for
    /// each.
    ///
    /// # Errors
    /// [`Error::NotExecutable`] for `X_OK` on a file; [`Error::Stale`].
    pub fn access(&self, inode: u64, mask: i32) -> Result<(), Error> {
        let is_file = self.kind(self.node(inode)?) == Some(FileKind::File);
        if is_file && mask & libc::X_OK != 0 {
            return Err(Error::NotExecutable);
        }
        Ok(())
    }

    /// Notes that bodies in files of their own are opened with direct I/O. By default the kernel
    /// keeps their pages.
    pub(in crate::fs) fn note_direct_io(&self) {
        let _the_same_before = self.disk_pages.set(PageUse::Bypassed);
    }

    /// Why nothing can be written, for each operation that would write.
    #[must_use]
    pub fn write_refusal(&self) -> Error {
        match self.appearance.access {
            Access::ReadWrite => Error::NotPermitted,
            Access::ReadOnly => Error::ReadOnly,
        }
    }

    /// Forgets what was made of a message, whose content is another now. Gives the inode numbers of
    /// all files that show it.
    pub(in crate::fs) fn forget(&self, message: u64) -> impl Iterator<Item = u64> {
        let parts = self.view_cache.forget(message);
        let in_views = ViewId::all().map(move |view| nodes::in_view_inode(view, message));
        std::iter::once(message).chain(in_views).chain(parts)
    }

    /// Drops what is kept of messages that the maildrop does not know any more.
    pub(in crate::fs) fn drop_unknown(&self, messages: &HashSet<u64>) {
        self.view_cache.drop_unknown(messages);
    }

    /// What the inode number stands for.
    ///
    /// # Errors
    /// [`Error::Stale`], after which the kernel looks the name up again. A message that is not
    /// listed is in no view any more, but a file that is still open keeps its attributes.
    pub(in crate::fs) fn node(&self, inode: u64) -> Result<FileNode, Error> {
        let node = FileNode::by_inode(inode, &self.maildrop)?;
        match node {
            FileNode::InView(_, id) | FileNode::Part(id, _)
                if self.maildrop.standing(id) != Standing::Listed
                    && !self.readings.is_open(inode) =>
            {
                Err(Error::Stale)
            }
            _ => Ok(node),
        }
    }

    /// The inode numbers of what flat views show of a message: the kernel may keep their names.
    pub(in crate::fs) fn in_flat_views(message: u64) -> impl Iterator<Item = u64> {
        ViewId::all()
            .filter(|view| view.view().layout() == ViewLayout::Flat)
            .map(move |view| nodes::in_view_inode(view, message))
    }

    pub(in crate::fs) fn silence_limit<T>(&self) -> WaitLimit<T> {
        WaitLimit::Silence(self.maildrop.timeout() + GRACE)
    }
}
