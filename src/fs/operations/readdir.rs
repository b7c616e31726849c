//! Opening and listing directories.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::fs::error::Error;
use crate::fs::nodes::{self, FileNode, FixedDirectory, ROOT};
use crate::fs::operations::attributes::part_attributes;
use crate::fs::operations::directory::DirectoryContents;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::{Attributes, FileKind};
use crate::fs::reply::deferred::{KernelReply, WaitLimit};
use crate::fs::views::{ListingNeeds, ViewId};
use crate::maildrop::{Fault, MessageId, Standing, Waiter};

/// How long the open of a directory waits for a new listing. After that the last one is shown.
pub(super) const LISTING_WAIT: Duration = Duration::from_secs(5);
/// The handle of every directory that needs none of its own.
const NO_HANDLE: u64 = 0;

/// A directory that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedDirectory {
    /// The handle to list it by.
    pub handle: u64,
}

/// An entry of a directory.
#[derive(Debug)]
pub struct DirectoryEntry<'a> {
    /// The name.
    pub name: &'a str,
    /// What stat(2) would show.
    pub attributes: Attributes,
    /// Where the listing goes on after this entry.
    pub cookie: u64,
}

impl Filesystem {
    /// Opens a directory. If the listing is old this waits a little for a new one. The directory of
    /// a message waits for the body.
    pub fn opendir(&self, inode: u64, reply: KernelReply<OpenedDirectory>) {
        let node = match self.node(inode) {
            Ok(node) if self.kind(node) == Some(FileKind::File) => {
                return reply.send(Err(Error::NotADirectory));
            }
            Ok(node) => node,
            Err(error) => return reply.send(Err(error)),
        };
        match node {
            FileNode::Fixed(directory) => self.open_listing(directory, reply),
            FileNode::Search => reply.send(Ok(OpenedDirectory { handle: NO_HANDLE })),
            FileNode::InSearch(query, directory) => {
                let opened = OpenedDirectory { handle: NO_HANDLE };
                self.open_search(query, directory, opened, reply);
            }
            FileNode::InView(_, id) | FileNode::Part(id, _) | FileNode::Message(id) => {
                let open_files = Arc::clone(&self.open_files);
                self.with_tree(id, reply, move |tree| {
                    let handle = open_files.open_tree(Arc::clone(tree));
                    Ok(OpenedDirectory { handle })
                });
            }
        }
    }

    fn open_listing(&self, directory: FixedDirectory, reply: KernelReply<OpenedDirectory>) {
        let opened = OpenedDirectory { handle: NO_HANDLE };
        if let ListingNeeds::Titles = self.contents(directory).needs() {
            return self.open_titled(opened, reply);
        }
        let waiter = reply.defer(
            &self.watchdog,
            WaitLimit::Total(LISTING_WAIT, Ok(opened)),
            move |_new_listing_or_not: Result<(), Fault>| Ok(opened),
        );
        self.maildrop.want_fresh_listing(LISTING_WAIT, waiter);
    }

    /// Waits until every title is known, however long that takes: a name that was shown must never
    /// change.
    fn open_titled(&self, opened: OpenedDirectory, reply: KernelReply<OpenedDirectory>) {
        let titled = reply.defer(
            &self.watchdog,
            self.silence_limit(),
            move |titled: Result<(), Fault>| titled.map(|()| opened).map_err(Error::from),
        );
        let maildrop = Arc::clone(&self.maildrop);
        let listed = Waiter::new(
            || true,
            move |_new_listing_or_not| maildrop.want_titles(titled),
        );
        self.maildrop.want_fresh_listing(LISTING_WAIT, listed);
    }

    /// Closes a directory.
    pub fn releasedir(&self, handle: u64) {
        if handle != NO_HANDLE {
            self.open_files.close_tree(handle);
        }
    }

    /// Whether the arrival of most messages is known, so that listings can carry their attributes.
    /// If it is not, a listing with attributes has no use: the kernel asks again for each.
    #[must_use]
    pub fn knows_most_times(&self) -> bool {
        let (mut known, mut unknown) = (0_usize, 0_usize);
        self.maildrop.visit_after(0, Standing::Listed, |message| {
            match message.is_arrival_known() {
                true => known += 1,
                false => unknown += 1,
            }
            ControlFlow::Continue(())
        });
        known >= unknown
    }

    /// Lists a directory from behind a cookie (0: from the beginning) until `add` has no room. A
    /// cookie stays valid when the directory changes.
    ///
    /// # Errors
    /// [`Error::NotADirectory`], [`Error::NotOpen`].
    pub fn readdir(
        &self,
        inode: u64,
        handle: u64,
        cookie: u64,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let node = self.node(inode)?;
        for (name, of, place) in [(".", inode, 1), ("..", ROOT, 2)] {
            let dots = DirectoryEntry {
                name,
                attributes: self.directory_attributes(of),
                cookie: place,
            };
            if cookie < place && add(&dots).is_break() {
                return Ok(());
            }
        }
        match node {
            FileNode::InView(_, id) => self.list_parts(id, 0, handle, cookie, add),
            FileNode::Part(id, directory) => self.list_parts(id, directory, handle, cookie, add),
            FileNode::Message(_) => Err(Error::NotADirectory),
            FileNode::Search => self.list_pinned(cookie, add),
            FileNode::InSearch(query, directory) => self.list_search(query, directory, cookie, add),
            FileNode::Fixed(directory) => {
                match self.contents(directory) {
                    DirectoryContents::Folders(view) => self.list_folders(view, cookie, add),
                    contents => self.list_messages(contents, cookie, |_| true, add),
                }
                Ok(())
            }
        }
    }

    /// Lists those messages whose inode numbers are wanted.
    pub(super) fn list_messages(
        &self,
        contents: DirectoryContents,
        cookie: u64,
        is_wanted: impl Fn(u64) -> bool,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) {
        let standing = contents.standing();
        self.maildrop.visit_after(cookie, standing, |message| {
            if !is_wanted(message.inode) || !contents.contains(message) {
                return ControlFlow::Continue(());
            }
            let name = match contents.view() {
                None => message.name(),
                Some(view) => view.view().entry(message),
            };
            add(&DirectoryEntry {
                name: &name,
                attributes: self.attributes(contents, message),
                cookie: message.inode,
            })
        });
    }

    fn list_folders(
        &self,
        view: ViewId,
        cookie: u64,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) {
        for (name, inode) in nodes::folders_of(view) {
            let entry = DirectoryEntry {
                name,
                attributes: self.directory_attributes(inode),
                // Greater than the cookies of the dots.
                cookie: inode,
            };
            if inode > cookie && add(&entry).is_break() {
                return;
            }
        }
    }

    fn list_parts(
        &self,
        id: MessageId,
        directory: u16,
        handle: u64,
        cookie: u64,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let tree = self.open_files.tree(handle).ok_or(Error::NotOpen)?;
        let message = self.maildrop.message(id);
        let revision = self.view_cache.revision(message.inode);
        for (part, name) in tree.children(directory) {
            let attributes = part_attributes(revision, &tree, part, &message);
            // Greater than the cookies of the dots.
            let place = u64::from(part) + 2;
            if place <= cookie || self.view_cache.is_removed(attributes.inode) {
                continue;
            }
            let entry = DirectoryEntry {
                name,
                attributes,
                cookie: place,
            };
            if add(&entry).is_break() {
                break;
            }
        }
        Ok(())
    }
}
