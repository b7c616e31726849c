//! Listing directories, and finding by name what they list.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::fs::error::Error;
use crate::fs::nodes::{self, Folder, Node, ROOT};
use crate::fs::operations::filesystem::{Filesystem, of_part};
use crate::fs::operations::stat::{Attributes, Kind};
use crate::fs::reply::deferred::{Answer, Patience};
use crate::fs::views::{Mailbox, Needs, ViewId};
use crate::maildrop::{Fault, MessageId, Standing, Waiter};

/// The longest wait for a new listing when a directory is opened; then the last one is shown.
const LISTING_PATIENCE: Duration = Duration::from_secs(5);
/// The handle of a directory that is the same whoever opens it.
const NO_HANDLE: u64 = 0;

/// A directory that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedDirectory {
    /// The handle to list by.
    pub handle: u64,
}

/// An entry of a directory.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a str,
    /// What stat would show.
    pub attributes: Attributes,
    /// Where the listing goes on behind this entry.
    pub cookie: u64,
}

/// What a directory of messages lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Listing {
    Messages(Standing),
    View(ViewId),
    /// Those of the Maildir that are in one of its directories.
    Mailbox(Mailbox),
    /// Not messages, but the Maildir's directories.
    Maildir,
    Nothing,
}

impl Listing {
    /// Of a view's directory.
    fn of(view: ViewId) -> Listing {
        if view == ViewId::maildir() {
            Listing::Maildir
        } else {
            Listing::View(view)
        }
    }

    /// How its messages are shown; none where as they are.
    pub(in crate::fs) fn view(self) -> Option<ViewId> {
        match self {
            Listing::View(view) => Some(view),
            Listing::Mailbox(_) => Some(ViewId::maildir()),
            Listing::Messages(_) | Listing::Maildir | Listing::Nothing => None,
        }
    }

    fn needs(self) -> Needs {
        self.view().map_or(Needs::Names, |view| view.view().needs())
    }
}

impl Filesystem {
    /// Opens a directory. Waits a little for a new listing where the last one is old; without one the last is shown.
    /// Waits for the body of a message whose parts are looked at.
    pub fn opendir(&self, inode: u64, answer: Answer<OpenedDirectory>) {
        let node = match self.node(inode) {
            Ok(node) if self.kind(node) == Some(Kind::File) => {
                return answer.give(Err(Error::NotADirectory));
            }
            Ok(node) => node,
            Err(error) => return answer.give(Err(error)),
        };
        match node {
            Node::Folder(folder) => self.open_listing(folder, answer),
            Node::Shown(_, id) | Node::Part(id, _) | Node::Message(id) => {
                let handles = Arc::clone(&self.handles);
                self.with_tree(id, answer, move |tree| {
                    let handle = handles.open_tree(Arc::clone(tree));
                    Ok(OpenedDirectory { handle })
                });
            }
        }
    }

    fn open_listing(&self, folder: Folder, answer: Answer<OpenedDirectory>) {
        let opened = OpenedDirectory { handle: NO_HANDLE };
        if let Needs::Titles = self.listing(folder).needs() {
            return self.open_titled(opened, answer);
        }
        let waiter = answer.owe(
            &self.ledger,
            Patience::Until(LISTING_PATIENCE, opened),
            move |_fresh_or_not: Result<(), Fault>| Ok(opened),
        );
        self.maildrop.want_fresh_listing(LISTING_PATIENCE, waiter);
    }

    /// As long as it takes: a name that is shown never changes.
    fn open_titled(&self, opened: OpenedDirectory, answer: Answer<OpenedDirectory>) {
        let titled = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |titled: Result<(), Fault>| titled.map(|()| opened).map_err(Error::from),
        );
        let maildrop = Arc::clone(&self.maildrop);
        let listed = Waiter::new(|| true, move |_fresh_or_not| maildrop.want_titles(titled));
        self.maildrop.want_fresh_listing(LISTING_PATIENCE, listed);
    }

    /// Closes a directory.
    pub fn releasedir(&self, handle: u64) {
        if handle != NO_HANDLE {
            self.handles.close_tree(handle);
        }
    }

    /// Whether a listing can carry the attributes of most messages. Where it cannot, the kernel makes an inode of each for
    /// nothing, and asks for it again.
    #[must_use]
    pub fn knows_most_times(&self) -> bool {
        let (mut known, mut unknown) = (0_usize, 0_usize);
        self.maildrop.visit_after(0, Standing::Listed, |message| {
            match message.arrived {
                Some(_) => known += 1,
                None => unknown += 1,
            }
            ControlFlow::Continue(())
        });
        known >= unknown
    }

    /// Lists a directory behind a cookie, 0 for the beginning, until `add` has no room. Cookies outlast changes.
    ///
    /// # Errors
    /// [`Error::NotADirectory`], [`Error::NotOpen`].
    pub fn readdir(
        &self,
        inode: u64,
        handle: u64,
        cookie: u64,
        mut add: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let node = self.node(inode)?;
        for (name, of, place) in [(".", inode, 1), ("..", ROOT, 2)] {
            let dots = Entry {
                name,
                attributes: self.directory(of),
                cookie: place,
            };
            if cookie < place && add(&dots).is_break() {
                return Ok(());
            }
        }
        match node {
            Node::Shown(_, id) => self.list_parts(id, 0, handle, cookie, add),
            Node::Part(id, directory) => self.list_parts(id, directory, handle, cookie, add),
            Node::Folder(folder) => {
                self.list_folder(folder, cookie, add);
                Ok(())
            }
            Node::Message(_) => Err(Error::NotADirectory),
        }
    }

    fn list_folder(
        &self,
        folder: Folder,
        cookie: u64,
        add: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) {
        match self.listing(folder) {
            Listing::Maildir => self.list_maildir(cookie, add),
            Listing::Nothing => {}
            listing => self.list_messages(listing, cookie, add),
        }
    }

    fn list_messages(
        &self,
        listing: Listing,
        cookie: u64,
        mut add: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) {
        let standing = match listing {
            Listing::Messages(standing) => standing,
            _ => Standing::Listed,
        };
        self.maildrop.visit_after(cookie, standing, |message| {
            if matches!(listing, Listing::Mailbox(mailbox) if !mailbox.holds(message)) {
                return ControlFlow::Continue(());
            }
            let name = match listing.view() {
                None => message.name(),
                Some(view) => view.view().entry(message),
            };
            add(&Entry {
                name: &name,
                attributes: self.attributes(listing, message),
                cookie: message.inode,
            })
        });
    }

    fn list_maildir(&self, cookie: u64, mut add: impl FnMut(&Entry<'_>) -> ControlFlow<()>) {
        for (name, inode) in nodes::in_maildir() {
            let entry = Entry {
                name,
                attributes: self.directory(inode),
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
        mut add: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let tree = self.handles.tree(handle).ok_or(Error::NotOpen)?;
        let message = self.maildrop.message(id);
        for (part, name) in tree.children(directory) {
            let attributes = of_part(&tree, part, &message);
            // Behind those of the dots.
            let place = u64::from(part) + 2;
            if place <= cookie || self.derived.is_removed(attributes.inode) {
                continue;
            }
            let entry = Entry {
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

    pub(in crate::fs) fn listing(&self, folder: Folder) -> Listing {
        match folder {
            Folder::Root => self
                .appearance
                .root
                .map_or(Listing::Messages(Standing::Listed), Listing::of),
            Folder::Deleted => Listing::Messages(Standing::Unlinked),
            Folder::View(view) => Listing::of(view),
            Folder::Mailbox(mailbox) => Listing::Mailbox(mailbox),
            Folder::Tmp => Listing::Nothing,
        }
    }

    pub(in crate::fs) fn find(&self, listing: Listing, name: &str) -> Result<MessageId, Error> {
        let found = match listing {
            Listing::Messages(standing) => self.maildrop.by_name(name, standing),
            Listing::View(view) => view.view().find(name, &self.maildrop),
            Listing::Mailbox(mailbox) => ViewId::maildir()
                .view()
                .find(name, &self.maildrop)
                .filter(|&id| mailbox.holds(&self.maildrop.message(id))),
            Listing::Maildir | Listing::Nothing => None,
        };
        found.ok_or(Error::NotFound)
    }
}
