//! The operations, without a word of FUSE: each is answered from memory, or owed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::attributes::{Attributes, Kind, Validity};
use super::derived::Derived;
use super::errno::Error;
use super::handles::Handles;
use super::mount::Access;
use super::nodes::{self, DELETED, Node, ROOT};
use super::owed::{Answer, Ledger, Patience};
use super::views::{Form, Mailbox, Needs, Tree, ViewId};
use super::workshop::Workshop;
use super::xattrs::Xattrs;
use crate::maildrop::{
    Consent, Fault, Maildrop, Message, MessageId, Standing, Totals, Verdict, Waiter,
};
use crate::message::parts::File;
use crate::store::Eol;

/// Where the pending deletions are: reached by name, never listed.
const DELETED_NAME: &str = ".deleted";
/// The longest wait for a new listing when a directory is opened; then the last one is shown.
const LISTING_PATIENCE: Duration = Duration::from_secs(5);
/// How much longer than the server's longest silence a reply is owed: the engine, which ends the session then, is to tell
/// first, or whoever asks again at once would wait for the session that is over.
const GRACE: Duration = Duration::from_millis(500);
/// A server may be silent for so many time-outs while it deletes.
const COMMIT_PATIENCE: u32 = 5;

/// The maildrop as a directory.
#[derive(Debug)]
pub struct Filesystem {
    pub(super) maildrop: Arc<Maildrop>,
    pub(super) handles: Arc<Handles>,
    pub(super) derived: Arc<Derived>,
    pub(super) ledger: Ledger,
    pub(super) workshop: Workshop,
    pub(super) appearance: Appearance,
}

/// How the maildrop looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appearance {
    /// Whether messages can be removed.
    pub access: Access,
    /// What the root is instead of the messages as they are.
    pub root: Option<ViewId>,
    /// How lines end in the root, and where else messages are shown as they are.
    pub eol: Eol,
    /// Whether messages have extended attributes.
    pub xattrs: Xattrs,
}

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
enum Listing {
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
    fn view(self) -> Option<ViewId> {
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

/// The handle of a directory that is the same whoever opens it.
const NO_HANDLE: u64 = 0;

impl Filesystem {
    /// The maildrop as a directory.
    ///
    /// # Errors
    /// When the system gives no thread to watch the replies, or to make views.
    pub fn new(maildrop: Arc<Maildrop>, appearance: Appearance) -> std::io::Result<Filesystem> {
        let heard = Arc::clone(&maildrop);
        let ledger = Ledger::start(move || heard.last_heard())?;
        Ok(Filesystem {
            maildrop,
            handles: Arc::default(),
            derived: Arc::new(Derived::new()),
            ledger,
            workshop: Workshop::open("views")?,
            appearance,
        })
    }

    /// Finds a name. Waits for the body of a message whose parts are looked at.
    pub fn lookup(&self, parent: u64, name: &str, answer: Answer<Attributes>) {
        match self.node(parent) {
            Ok(Node::Part(id, directory)) => self.lookup_part(id, directory, name, answer),
            Ok(Node::Shown(_, id)) => self.lookup_part(id, 0, name, answer),
            Ok(node) => answer.give(self.lookup_listed(node, name)),
            Err(error) => answer.give(Err(error)),
        }
    }

    fn lookup_listed(&self, parent: Node, name: &str) -> Result<Attributes, Error> {
        if let (Node::Root, Some(directory)) = (parent, hidden(name)) {
            return Ok(self.directory(directory));
        }
        let listing = self.listing(parent)?;
        if listing == Listing::Maildir {
            return self.find_mailbox(name).map(|inode| self.directory(inode));
        }
        let id = self.find(listing, name)?;
        self.maildrop.pass_by(id);
        Ok(self.attributes(listing, &self.maildrop.message(id)))
    }

    fn find_mailbox(&self, name: &str) -> Result<u64, Error> {
        let directory = nodes::in_maildir().into_iter().find(|&(of, _)| of == name);
        directory.map(|(_, inode)| inode).ok_or(Error::NotFound)
    }

    fn lookup_part(&self, id: MessageId, directory: u16, name: &str, answer: Answer<Attributes>) {
        let (name, message) = (name.to_owned(), self.maildrop.message(id));
        let derived = Arc::clone(&self.derived);
        self.with_tree(id, answer, move |tree| {
            let part = tree.child(directory, &name).ok_or(Error::NotFound)?;
            if derived.is_removed(nodes::of_part(part, message.inode)) {
                return Err(Error::NotFound);
            }
            Ok(of_part(tree, part, &message))
        });
    }

    /// How long a name in the directory stands for what it stands for.
    #[must_use]
    pub fn name_validity(&self, directory: u64) -> Validity {
        // Elsewhere names come and go behind the kernel's back: with an unlink in another directory, a commit, a restore.
        match (directory, self.appearance.root) {
            (ROOT, None) => Validity::Lasting,
            _ => Validity::Provisional,
        }
    }

    /// What stat shows. Waits for the headers of a message whose arrival is not known.
    pub fn getattr(&self, inode: u64, answer: Answer<Attributes>) {
        match self.node(inode) {
            Ok(Node::Message(id)) => {
                self.getattr_listed(Listing::Messages(Standing::Listed), id, answer);
            }
            Ok(Node::Shown(view, id)) => self.getattr_listed(Listing::View(view), id, answer),
            Ok(Node::Part(id, part)) => self.getattr_part(id, part, answer),
            Ok(Node::Root | Node::Deleted | Node::View(_) | Node::Mailbox(_) | Node::Tmp) => {
                answer.give(Ok(self.directory(inode)));
            }
            Err(error) => answer.give(Err(error)),
        }
    }

    fn getattr_listed(&self, listing: Listing, id: MessageId, answer: Answer<Attributes>) {
        let message = self.maildrop.message(id);
        if message.arrived.is_some() {
            self.maildrop.pass_by(id);
            return answer.give(Ok(self.attributes(listing, &message)));
        }
        let (maildrop, derived) = (Arc::clone(&self.maildrop), Arc::clone(&self.derived));
        let eol = self.appearance.eol;
        let waiter = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |arrived: Result<(), Fault>| {
                arrived?;
                Ok(attributes(&derived, eol, listing, &maildrop.message(id)))
            },
        );
        self.maildrop.want_arrival(id, waiter);
    }

    fn getattr_part(&self, id: MessageId, part: u16, answer: Answer<Attributes>) {
        let maildrop = Arc::clone(&self.maildrop);
        self.with_tree(id, answer, move |tree| {
            if tree.contains(part) {
                Ok(of_part(tree, part, &maildrop.message(id)))
            } else {
                Err(Error::Stale)
            }
        });
    }

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
            Node::Root | Node::Deleted | Node::View(_) | Node::Mailbox(_) | Node::Tmp => {
                self.open_listing(node, answer);
            }
            Node::Shown(_, id) | Node::Part(id, _) | Node::Message(id) => {
                let handles = Arc::clone(&self.handles);
                self.with_tree(id, answer, move |tree| {
                    let handle = handles.open_tree(Arc::clone(tree));
                    Ok(OpenedDirectory { handle })
                });
            }
        }
    }

    fn open_listing(&self, directory: Node, answer: Answer<OpenedDirectory>) {
        let opened = OpenedDirectory { handle: NO_HANDLE };
        let needs = self.listing(directory).map(Listing::needs);
        if let Ok(Needs::Titles) = needs {
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
            node => {
                match self.listing(node)? {
                    Listing::Maildir => self.list_maildir(cookie, add),
                    Listing::Nothing => {}
                    listing => self.list_messages(listing, cookie, add),
                }
                Ok(())
            }
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

    /// Takes a message out of the maildrop, to be deleted by the next commit: a file, or a message in parts with all that is
    /// in its directory. A part alone is only hidden, until that directory is removed or the mount ends: `rm -r` empties a
    /// directory before it removes it.
    pub fn remove(&self, parent: u64, name: &str, kind: Kind, answer: Answer<()>) {
        match self.check_writable().and_then(|()| self.node(parent)) {
            Ok(Node::Part(id, directory)) => self.remove_part(id, directory, name, answer),
            Ok(Node::Shown(_, id)) => self.remove_part(id, 0, name, answer),
            Ok(node) => answer.give(self.unlink_listed(node, name, kind)),
            Err(error) => answer.give(Err(error)),
        }
    }

    fn unlink_listed(&self, parent: Node, name: &str, kind: Kind) -> Result<(), Error> {
        if parent == Node::Root && hidden(name).is_some() {
            return Err(self.refusal());
        }
        let listing = self.listing(parent)?;
        if listing == Listing::Maildir {
            return self.find_mailbox(name).and(Err(self.refusal()));
        }
        let id = self.find(listing, name)?;
        let message = self.maildrop.message(id);
        match (self.attributes(listing, &message).kind, kind) {
            (Kind::File, Kind::Directory) => return Err(Error::NotADirectory),
            (Kind::Directory, Kind::File) => return Err(Error::IsADirectory),
            _ => {}
        }
        match listing {
            // What is deleted for good is deleted by a commit.
            Listing::Messages(Standing::Unlinked | Standing::Departed) => {
                return Err(Error::NotPermitted);
            }
            Listing::Messages(Standing::Listed) => self.maildrop.unlink(id),
            _ => self.maildrop.unlink_shown(id),
        }
        .map_err(|_| Error::NotFound)?;
        self.derived.restore(message.inode);
        Ok(())
    }

    fn remove_part(&self, id: MessageId, directory: u16, name: &str, answer: Answer<()>) {
        let (name, message) = (name.to_owned(), self.maildrop.message(id).inode);
        let derived = Arc::clone(&self.derived);
        self.with_tree(id, answer, move |tree| {
            let part = tree.child(directory, &name).ok_or(Error::NotFound)?;
            let is_left = |(child, _)| !derived.is_removed(nodes::of_part(child, message));
            if tree.children(part).any(is_left) {
                return Err(Error::NotEmpty);
            }
            derived.remove(nodes::of_part(part, message));
            Ok(())
        });
    }

    /// Moves a message into `.deleted`, which unlinks it, or out of it, which restores it; under its own name. In the Maildir
    /// a mail reader moves and flags.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for anything else.
    pub fn rename(&self, from: u64, name: &str, to: u64, new_name: &str) -> Result<(), Error> {
        self.check_writable()?;
        let (from, to) = (self.node(from)?, self.node(to)?);
        let is_hidden = from == Node::Root && hidden(name).is_some();
        if is_hidden || matches!(from, Node::Shown(..) | Node::Part(..)) {
            return Err(Error::NotPermitted);
        }
        let listing = self.listing(from)?;
        if listing == Listing::Maildir {
            return self.find_mailbox(name).and(Err(Error::NotPermitted));
        }
        let id = self.find(listing, name)?;
        if let (Node::Mailbox(_), Node::Mailbox(to)) = (from, to) {
            return self.flag(id, to, new_name);
        }
        if name != new_name {
            return Err(Error::NotPermitted);
        }
        match (from, to) {
            (Node::Root, Node::Deleted) => {
                self.derived.restore(self.maildrop.message(id).inode);
                self.maildrop.unlink_shown(id).map_err(|_| Error::NotFound)
            }
            (Node::Deleted, Node::Root) => self.maildrop.restore(id).map_err(|_| Error::NotFound),
            (Node::Root, Node::Root) | (Node::Deleted, Node::Deleted) => Ok(()),
            (_, Node::Message(_)) => Err(Error::NotADirectory),
            _ => Err(Error::NotPermitted),
        }
    }

    fn flag(&self, id: MessageId, to: Mailbox, entry: &str) -> Result<(), Error> {
        let mark = to.mark_for(&self.maildrop.message(id), entry);
        self.maildrop.mark(id, mark.ok_or(Error::NotPermitted)?);
        Ok(())
    }

    /// Commits: what is unlinked is deleted on the server. The answer is the verdict.
    pub fn fsyncdir(&self, answer: Answer<()>) {
        let patience = Patience::WhileHeard(self.maildrop.timeout() * COMMIT_PATIENCE);
        let waiter = answer.owe(&self.ledger, patience, |verdict: Result<Verdict, Fault>| {
            let verdict = verdict?;
            if verdict.is_complete() {
                Ok(())
            } else {
                Err(Error::Kept(verdict.kept.len()))
            }
        });
        self.maildrop.commit(Consent::Unsaid, waiter);
    }

    /// Messages and octets, for df.
    #[must_use]
    pub fn statfs(&self) -> Totals {
        self.maildrop.totals()
    }

    /// Forgets what was made of a message whose content is another now. Gives the inode numbers of all that it is shown as.
    pub(super) fn forget(&self, message: u64) -> impl Iterator<Item = u64> {
        let parts = self.derived.forget(message);
        Self::shown_as(message).chain(parts)
    }

    /// The inode numbers of all that the message of this inode number is shown as.
    fn shown_as(message: u64) -> impl Iterator<Item = u64> {
        let shown = ViewId::all().map(move |view| nodes::of_shown(view, message));
        std::iter::once(message).chain(shown)
    }

    /// Those of them that are the message itself with these line ends.
    pub(super) fn shown_with(&self, message: u64, eol: Eol) -> impl Iterator<Item = u64> {
        let root = self.appearance.eol;
        let itself = (root == eol).then_some(message);
        let views = ViewId::all().filter(move |view| view.view().form().eol(root) == Some(eol));
        let shown = views.map(move |view| nodes::of_shown(view, message));
        itself.into_iter().chain(shown)
    }

    /// Why nothing can be written: for every operation that would.
    #[must_use]
    pub fn refusal(&self) -> Error {
        match self.appearance.access {
            Access::ReadWrite => Error::NotPermitted,
            Access::ReadOnly => Error::ReadOnly,
        }
    }

    fn check_writable(&self) -> Result<(), Error> {
        match self.appearance.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }

    pub(super) fn node(&self, inode: u64) -> Result<Node, Error> {
        Node::of(inode, &self.maildrop)
    }

    /// None where the parts of the message would tell.
    pub(super) fn kind(&self, node: Node) -> Option<Kind> {
        match node {
            Node::Root | Node::Deleted | Node::View(_) | Node::Mailbox(_) | Node::Tmp => {
                Some(Kind::Directory)
            }
            Node::Message(_) => Some(Kind::File),
            Node::Shown(view, _) => Some(kind_in(view)),
            Node::Part(id, part) => {
                let tree = self.derived.tree(self.maildrop.message(id).inode)?;
                Some(kind_of_part(&tree, part))
            }
        }
    }

    fn listing(&self, directory: Node) -> Result<Listing, Error> {
        match directory {
            Node::Root => Ok(self
                .appearance
                .root
                .map_or(Listing::Messages(Standing::Listed), Listing::of)),
            Node::Deleted => Ok(Listing::Messages(Standing::Unlinked)),
            Node::View(view) => Ok(Listing::of(view)),
            Node::Mailbox(mailbox) => Ok(Listing::Mailbox(mailbox)),
            Node::Tmp => Ok(Listing::Nothing),
            Node::Message(_) | Node::Shown(..) | Node::Part(..) => Err(Error::NotADirectory),
        }
    }

    fn find(&self, listing: Listing, name: &str) -> Result<MessageId, Error> {
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

    fn attributes(&self, listing: Listing, message: &Message) -> Attributes {
        attributes(&self.derived, self.appearance.eol, listing, message)
    }

    fn directory(&self, inode: u64) -> Attributes {
        let modified = match self.node(inode) {
            // Readers look no further into a Maildir's directory whose time is as before.
            Ok(Node::Mailbox(_)) => self.maildrop.changed_or_marked(),
            _ => self.maildrop.changed(),
        };
        Attributes::of_directory(inode, modified)
    }

    pub(super) fn while_heard<T>(&self) -> Patience<T> {
        Patience::WhileHeard(self.maildrop.timeout() + GRACE)
    }
}

/// The hidden directory of that name in the root.
fn hidden(name: &str) -> Option<u64> {
    if name == DELETED_NAME {
        return Some(DELETED);
    }
    ViewId::by_directory(name).map(nodes::of_view)
}

/// `eol` are the line ends in the root.
fn attributes(derived: &Derived, eol: Eol, listing: Listing, message: &Message) -> Attributes {
    let Some(view) = listing.view() else {
        return Attributes::of_message(message, eol);
    };
    let inode = nodes::of_shown(view, message.inode);
    let form = view.view().form();
    let size = match (form.eol(eol), kind_in(view)) {
        (Some(eol), _) => message.size_with(eol),
        (None, Kind::Directory) => 0,
        (None, Kind::File) => derived.size(inode).unwrap_or(message.size()),
    };
    Attributes::of_shown(message, inode, kind_in(view), size)
}

fn kind_in(view: ViewId) -> Kind {
    match view.view().form() {
        Form::AsItIs | Form::WithLf | Form::File(_) => Kind::File,
        Form::Directory => Kind::Directory,
    }
}

fn of_part(tree: &Tree, part: u16, message: &Message) -> Attributes {
    let inode = nodes::of_part(part, message.inode);
    let size = tree.file(part).map_or(0, File::size);
    Attributes::of_shown(message, inode, kind_of_part(tree, part), size)
}

fn kind_of_part(tree: &Tree, part: u16) -> Kind {
    match tree.file(part) {
        Some(_) => Kind::File,
        None => Kind::Directory,
    }
}
