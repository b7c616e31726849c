//! Taking messages out of directories, moving and flagging them.

use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::mount::Access;
use crate::fs::nodes::{self, Folder, Node};
use crate::fs::operations::filesystem::{Filesystem, hidden};
use crate::fs::operations::readdir::Listing;
use crate::fs::operations::stat::Kind;
use crate::fs::reply::deferred::Answer;
use crate::fs::views::Mailbox;
use crate::maildrop::{Fault, MessageId, Standing};

impl Filesystem {
    /// Takes a message out of the maildrop, to be deleted by the next commit: a file, or a message in parts with all that is
    /// in its directory. A part alone is only hidden, until that directory is removed or the mount ends: `rm -r` empties a
    /// directory before it removes it.
    pub fn remove(&self, parent: u64, name: &str, kind: Kind, answer: Answer<()>) {
        match self.check_writable().and_then(|()| self.node(parent)) {
            Ok(Node::Part(id, directory)) => self.remove_part(id, directory, name, answer),
            Ok(Node::Shown(_, id)) => self.remove_part(id, 0, name, answer),
            Ok(Node::Folder(folder)) => answer.give(self.unlink_listed(folder, name, kind)),
            Ok(Node::Message(_)) => answer.give(Err(Error::NotADirectory)),
            Err(error) => answer.give(Err(error)),
        }
    }

    fn unlink_listed(&self, parent: Folder, name: &str, kind: Kind) -> Result<(), Error> {
        if parent == Folder::Root && hidden(name).is_some() {
            return Err(self.refusal());
        }
        let listing = self.listing(parent);
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
        .map_err(of_name)?;
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
        let from = left_by(from, name)?;
        let listing = self.listing(from);
        if listing == Listing::Maildir {
            return self.find_mailbox(name).and(Err(Error::NotPermitted));
        }
        let id = self.find(listing, name)?;
        if let (Folder::Mailbox(_), Node::Folder(Folder::Mailbox(to))) = (from, to) {
            return self.flag(id, to, new_name);
        }
        if name != new_name {
            return Err(Error::NotPermitted);
        }
        match (from, to) {
            (Folder::Root, Node::Folder(Folder::Deleted)) => {
                self.derived.restore(self.maildrop.message(id).inode);
                self.maildrop.unlink_shown(id).map_err(of_name)
            }
            (Folder::Deleted, Node::Folder(Folder::Root)) => {
                self.maildrop.restore(id).map_err(of_name)
            }
            (Folder::Root, Node::Folder(Folder::Root))
            | (Folder::Deleted, Node::Folder(Folder::Deleted)) => Ok(()),
            (_, Node::Message(_)) => Err(Error::NotADirectory),
            _ => Err(Error::NotPermitted),
        }
    }

    fn flag(&self, id: MessageId, to: Mailbox, entry: &str) -> Result<(), Error> {
        let mark = to.mark_for(&self.maildrop.message(id), entry);
        self.maildrop.mark(id, mark.ok_or(Error::NotPermitted)?)?;
        Ok(())
    }

    fn check_writable(&self) -> Result<(), Error> {
        match self.appearance.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }
}

/// The directory that something of this name can leave.
fn left_by(from: Node, name: &str) -> Result<Folder, Error> {
    match from {
        Node::Folder(Folder::Root) if hidden(name).is_some() => Err(Error::NotPermitted),
        Node::Folder(folder) => Ok(folder),
        Node::Message(_) => Err(Error::NotADirectory),
        Node::Shown(..) | Node::Part(..) => Err(Error::NotPermitted),
    }
}

/// Why a name could not be moved or removed: another has taken it out of its directory first, or the maildrop takes nothing.
fn of_name(fault: Fault) -> Error {
    match fault {
        Fault::Departed => Error::NotFound,
        fault => fault.into(),
    }
}
