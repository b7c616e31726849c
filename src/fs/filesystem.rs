//! The operations, without a word of FUSE: each is answered from memory, or owed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::attributes::Attributes;
use super::errno::Error;
use super::handles::Handles;
use super::mount::Access;
use super::owed::{Answer, Ledger, Patience};
use crate::maildrop::{Fault, Maildrop, Message, MessageId, Standing, Totals, Verdict};
use crate::store::Body;

/// The inode number of the root, as FUSE wants it.
pub const ROOT: u64 = 1;
/// The inode number of `.deleted`.
pub const DELETED: u64 = 2;
/// Where the pending deletions are: reached by name, never listed.
const DELETED_NAME: &str = ".deleted";
/// What the kernel keeps files in.
const PAGE: u64 = 4096;
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
    maildrop: Arc<Maildrop>,
    handles: Arc<Handles>,
    ledger: Ledger,
    access: Access,
}

/// What an inode number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Root,
    Deleted,
    Message(MessageId),
}

/// A message that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The handle to read by.
    pub handle: u64,
    /// Where its octets are.
    pub body: Place,
    /// Where set, the kernel may hold another size, and must learn better before it learns of the open.
    pub resized: Option<Resized>,
}

/// Where the octets of an open message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our own memory.
    Memory,
    /// A file, whose pages the kernel keeps.
    File,
}

/// A message whose size was shown as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resized {
    /// Its inode number.
    pub inode: u64,
    /// The last page of a message that is larger than was shown: where it begins, and its octets up to the end.
    /// sendfile(2) believes the size that the kernel has, and never asks; a page that is stored behind it corrects it. A
    /// size that was too large is corrected by the first short read. None while the message is open, for a read of it
    /// may hold the page.
    pub tail: Option<(u64, Vec<u8>)>,
}

/// Octets of a body.
#[derive(Clone, Debug)]
pub struct Slice {
    body: Arc<Body>,
    offset: u64,
    length: usize,
}

impl Slice {
    /// The octets; fewer than asked for only at the end of the body. `buffer` is as in [`Body::read_at`].
    ///
    /// # Errors
    /// [`Error::Cache`].
    pub fn octets<'a>(&'a self, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        self.body
            .read_at(self.offset, self.length, buffer)
            .map_err(|error| {
                log::warn!("the cache cannot be read: {error}");
                Error::Cache
            })
    }
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

impl Filesystem {
    /// The maildrop as a directory.
    ///
    /// # Errors
    /// When the system gives no thread to watch the replies.
    pub fn new(maildrop: Arc<Maildrop>, access: Access) -> std::io::Result<Filesystem> {
        let heard = Arc::clone(&maildrop);
        let ledger = Ledger::start(move || heard.last_heard())?;
        Ok(Filesystem {
            maildrop,
            handles: Arc::default(),
            ledger,
            access,
        })
    }

    /// Finds a name.
    ///
    /// # Errors
    /// [`Error::NotFound`], and what a bad name gives.
    pub fn lookup(&self, parent: u64, name: &str) -> Result<Attributes, Error> {
        let parent = self.node(parent)?;
        if parent == Node::Root && name == DELETED_NAME {
            return Ok(self.directory(DELETED));
        }
        let id = self.find(parent, name)?;
        self.maildrop.pass_by(id);
        Ok(Attributes::of_message(&self.maildrop.message(id)))
    }

    /// What stat shows. Waits for the headers of a message whose arrival is not known.
    pub fn getattr(&self, inode: u64, answer: Answer<Attributes>) {
        let id = match self.node(inode) {
            Ok(Node::Message(id)) => id,
            Ok(Node::Root | Node::Deleted) => return answer.give(Ok(self.directory(inode))),
            Err(error) => return answer.give(Err(error)),
        };
        let maildrop = Arc::clone(&self.maildrop);
        let message = maildrop.message(id);
        if message.arrived.is_some() {
            maildrop.pass_by(id);
            return answer.give(Ok(Attributes::of_message(&message)));
        }
        let waiter = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |arrived: Result<(), Fault>| {
                arrived?;
                Ok(Attributes::of_message(&maildrop.message(id)))
            },
        );
        self.maildrop.want_arrival(id, waiter);
    }

    /// Opens a message to be read. Waits for the body, which the handle keeps: so the size is exact from here on, and
    /// what was opened can be read whatever becomes of the message.
    pub fn open(&self, inode: u64, flags: i32, answer: Answer<Opened>) {
        let id = match self.readable(inode, flags) {
            Ok(id) => id,
            Err(error) => return answer.give(Err(error)),
        };
        if let Some(body) = self.maildrop.access_body(id) {
            return answer.give(Ok(opened(
                &self.handles,
                id,
                &self.maildrop.message(id),
                body,
            )));
        }
        let (maildrop, handles) = (Arc::clone(&self.maildrop), Arc::clone(&self.handles));
        let waiter = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |body: Result<Arc<Body>, Fault>| {
                Ok(opened(&handles, id, &maildrop.message(id), body?))
            },
        );
        self.maildrop.want_body(id, waiter);
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn read(&self, handle: u64, offset: u64, length: u32) -> Result<Slice, Error> {
        let body = self.handles.body(handle).ok_or(Error::NotOpen)?;
        Ok(Slice {
            body,
            offset,
            length: length as usize,
        })
    }

    /// Closes a handle.
    pub fn release(&self, handle: u64) {
        self.handles.close(handle);
    }

    /// Opens a directory. Waits a little for a new listing where the last one is old; without one the last is shown.
    pub fn opendir(&self, inode: u64, answer: Answer<()>) {
        match self.node(inode) {
            Ok(Node::Root | Node::Deleted) => {}
            Ok(Node::Message(_)) => return answer.give(Err(Error::NotADirectory)),
            Err(error) => return answer.give(Err(error)),
        }
        let patience = Patience::Until(LISTING_PATIENCE, ());
        let waiter = answer.owe(
            &self.ledger,
            patience,
            |_fresh_or_not: Result<(), Fault>| Ok(()),
        );
        self.maildrop.want_fresh_listing(waiter);
    }

    /// Lists a directory behind a cookie, 0 for the beginning, until `add` has no room. Cookies outlast changes.
    ///
    /// # Errors
    /// [`Error::NotADirectory`].
    pub fn readdir(
        &self,
        inode: u64,
        cookie: u64,
        mut add: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let standing = match self.node(inode)? {
            Node::Root => Standing::Listed,
            Node::Deleted => Standing::Unlinked,
            Node::Message(_) => return Err(Error::NotADirectory),
        };
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
        self.maildrop.visit_after(cookie, standing, |message| {
            let attributes = Attributes::of_message(message);
            add(&Entry {
                name: &message.name(),
                attributes,
                cookie: message.inode,
            })
        });
        Ok(())
    }

    /// Takes a message out of the root, to be deleted by the next commit.
    ///
    /// # Errors
    /// [`Error::NotFound`], or a refusal.
    pub fn unlink(&self, parent: u64, name: &str) -> Result<(), Error> {
        self.check_writable()?;
        let parent = self.node(parent)?;
        let id = self.find(parent, name)?;
        match parent {
            Node::Root => self.maildrop.unlink(id).map_err(|_| Error::NotFound),
            // What is deleted for good is deleted by a commit.
            Node::Deleted | Node::Message(_) => Err(Error::NotPermitted),
        }
    }

    /// Moves a message into `.deleted`, which unlinks it, or out of it, which restores it; under its own name.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for anything else.
    pub fn rename(&self, from: u64, name: &str, to: u64, new_name: &str) -> Result<(), Error> {
        self.check_writable()?;
        let (from, to) = (self.node(from)?, self.node(to)?);
        let id = self.find(from, name)?;
        if name != new_name {
            return Err(Error::NotPermitted);
        }
        match (from, to) {
            (Node::Root, Node::Deleted) => self.maildrop.unlink(id).map_err(|_| Error::NotFound),
            (Node::Deleted, Node::Root) => self.maildrop.restore(id).map_err(|_| Error::NotFound),
            (Node::Root, Node::Root) | (Node::Deleted, Node::Deleted) => Ok(()),
            _ => Err(Error::NotADirectory),
        }
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
        self.maildrop.commit(waiter);
    }

    /// Messages and octets, for df.
    #[must_use]
    pub fn statfs(&self) -> Totals {
        self.maildrop.totals()
    }

    /// Why nothing can be written: for every operation that would.
    #[must_use]
    pub fn refusal(&self) -> Error {
        match self.access {
            Access::ReadWrite => Error::NotPermitted,
            Access::ReadOnly => Error::ReadOnly,
        }
    }

    fn check_writable(&self) -> Result<(), Error> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }

    fn readable(&self, inode: u64, flags: i32) -> Result<MessageId, Error> {
        let Node::Message(id) = self.node(inode)? else {
            return Err(Error::IsADirectory);
        };
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(self.refusal());
        }
        Ok(id)
    }

    fn node(&self, inode: u64) -> Result<Node, Error> {
        match inode {
            ROOT => Ok(Node::Root),
            DELETED => Ok(Node::Deleted),
            _ => self
                .maildrop
                .by_inode(inode)
                .map(Node::Message)
                .ok_or(Error::Stale),
        }
    }

    fn find(&self, parent: Node, name: &str) -> Result<MessageId, Error> {
        let standing = match parent {
            Node::Root => Standing::Listed,
            Node::Deleted => Standing::Unlinked,
            Node::Message(_) => return Err(Error::NotADirectory),
        };
        self.maildrop.by_name(name, standing).ok_or(Error::NotFound)
    }

    fn directory(&self, inode: u64) -> Attributes {
        Attributes::of_directory(inode, self.maildrop.changed())
    }

    fn while_heard<T>(&self) -> Patience<T> {
        Patience::WhileHeard(self.maildrop.timeout() + GRACE)
    }
}

fn opened(handles: &Handles, id: MessageId, message: &Message, body: Arc<Body>) -> Opened {
    let resized = message.size_before.map(|before| Resized {
        inode: message.inode,
        tail: if body.len() > before && !handles.is_open(id) {
            last_page(&body)
        } else {
            None
        },
    });
    Opened {
        body: if body.in_memory() == body.len() {
            Place::Memory
        } else {
            Place::File
        },
        handle: handles.open(id, body),
        resized,
    }
}

fn last_page(body: &Body) -> Option<(u64, Vec<u8>)> {
    let offset = body.len().checked_sub(1)? / PAGE * PAGE;
    let mut buffer = Vec::new();
    let octets = body.read_at(offset, PAGE as usize, &mut buffer).ok()?;
    Some((offset, octets.to_vec()))
}
