//! The operations, without a word of FUSE: each is answered from memory, or owed.

use std::sync::Arc;
use std::time::Duration;

use crate::fs::error::Error;
use crate::fs::mount::Access;
use crate::fs::nodes::{self, DELETED, Folder, Node, ROOT};
use crate::fs::open_files::Handles;
use crate::fs::operations::readdir::Listing;
use crate::fs::operations::stat::{Attributes, Kind, Validity};
use crate::fs::operations::xattr::Xattrs;
use crate::fs::reply::deferred::{Answer, Ledger, Patience};
use crate::fs::view_cache::Derived;
use crate::fs::views::{Form, Tree, ViewId};
use crate::fs::worker::Workshop;
use crate::maildrop::{Consent, Fault, Maildrop, Message, MessageId, Standing, Totals, Verdict};
use crate::message::parts::File;
use crate::store::Eol;

/// Where the pending deletions are: reached by name, never listed.
const DELETED_NAME: &str = ".deleted";
/// How much longer than the server's longest silence a reply is owed: the engine, which ends the session then, is to tell
/// first, or whoever asks again at once would wait for the session that is over.
const GRACE: Duration = Duration::from_millis(500);

/// The maildrop as a directory.
#[derive(Debug)]
pub struct Filesystem {
    pub(in crate::fs) maildrop: Arc<Maildrop>,
    pub(in crate::fs) handles: Arc<Handles>,
    pub(in crate::fs) derived: Arc<Derived>,
    pub(in crate::fs) ledger: Ledger,
    pub(in crate::fs) workshop: Workshop,
    pub(in crate::fs) appearance: Appearance,
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
            Ok(Node::Folder(folder)) => answer.give(self.lookup_listed(folder, name)),
            Ok(Node::Message(_)) => answer.give(Err(Error::NotADirectory)),
            Err(error) => answer.give(Err(error)),
        }
    }

    fn lookup_listed(&self, parent: Folder, name: &str) -> Result<Attributes, Error> {
        if let (Folder::Root, Some(directory)) = (parent, hidden(name)) {
            return Ok(self.directory(directory));
        }
        let listing = self.listing(parent);
        if listing == Listing::Maildir {
            return self.find_mailbox(name).map(|inode| self.directory(inode));
        }
        let id = self.find(listing, name)?;
        self.maildrop.pass_by(id);
        Ok(self.attributes(listing, &self.maildrop.message(id)))
    }

    pub(in crate::fs) fn find_mailbox(&self, name: &str) -> Result<u64, Error> {
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
            Ok(Node::Folder(_)) => answer.give(Ok(self.directory(inode))),
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

    /// Commits: what is unlinked is deleted on the server. The answer is the verdict.
    pub fn fsyncdir(&self, answer: Answer<()>) {
        let patience = Patience::WhileHeard(self.maildrop.commit_timeout() + GRACE);
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
    pub(in crate::fs) fn forget(&self, message: u64) -> impl Iterator<Item = u64> {
        let parts = self.derived.forget(message);
        Self::shown_as(message).chain(parts)
    }

    /// The inode numbers of all that the message of this inode number is shown as.
    fn shown_as(message: u64) -> impl Iterator<Item = u64> {
        let shown = ViewId::all().map(move |view| nodes::of_shown(view, message));
        std::iter::once(message).chain(shown)
    }

    /// Those of them that are the message itself with these line ends.
    pub(in crate::fs) fn shown_with(&self, message: u64, eol: Eol) -> impl Iterator<Item = u64> {
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

    pub(in crate::fs) fn node(&self, inode: u64) -> Result<Node, Error> {
        Node::of(inode, &self.maildrop)
    }

    /// None where the parts of the message would tell.
    pub(in crate::fs) fn kind(&self, node: Node) -> Option<Kind> {
        match node {
            Node::Folder(_) => Some(Kind::Directory),
            Node::Message(_) => Some(Kind::File),
            Node::Shown(view, _) => Some(kind_in(view)),
            Node::Part(id, part) => {
                let tree = self.derived.tree(self.maildrop.message(id).inode)?;
                Some(kind_of_part(&tree, part))
            }
        }
    }

    pub(in crate::fs) fn attributes(&self, listing: Listing, message: &Message) -> Attributes {
        attributes(&self.derived, self.appearance.eol, listing, message)
    }

    pub(in crate::fs) fn directory(&self, inode: u64) -> Attributes {
        let modified = match self.node(inode) {
            // Readers look no further into a Maildir's directory whose time is as before.
            Ok(Node::Folder(Folder::Mailbox(_))) => self.maildrop.changed_or_marked(),
            _ => self.maildrop.changed(),
        };
        Attributes::of_directory(inode, modified)
    }

    pub(in crate::fs) fn while_heard<T>(&self) -> Patience<T> {
        Patience::WhileHeard(self.maildrop.timeout() + GRACE)
    }
}

/// The hidden directory of that name in the root.
pub(in crate::fs) fn hidden(name: &str) -> Option<u64> {
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

pub(in crate::fs) fn of_part(tree: &Tree, part: u16, message: &Message) -> Attributes {
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
