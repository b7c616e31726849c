//! Removing messages, moving them to and from `.deleted`, and flagging them in a Maildir.

use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::mount::Access;
use crate::fs::nodes::{self, FileNode, FixedDirectory};
use crate::fs::operations::directory::{DirectoryContents, find_folder};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::FileKind;
use crate::fs::readings::{FileContent, Readings};
use crate::fs::reply::deferred::KernelReply;
use crate::fs::view_cache::ViewCache;
use crate::fs::views::{PartTree, ViewForm, ViewId};
use crate::maildrop::{Fault, Message, MessageId, Remover, Standing};
use crate::store::Eol;

impl Filesystem {
    /// Removes a message, which the next commit deletes on the server. The message is a file, or a
    /// directory of its parts, which may be full. A single part is only hidden until that directory
    /// is removed or the mount ends: `rm -r` empties a directory before it removes it.
    pub fn remove(&self, parent: u64, name: &str, kind: FileKind, reply: KernelReply<()>) {
        match self.check_writable().and_then(|()| self.node(parent)) {
            Ok(FileNode::Part(id, directory)) => self.remove_part(id, directory, name, reply),
            Ok(FileNode::InView(_, id)) => self.remove_part(id, 0, name, reply),
            Ok(FileNode::Fixed(directory)) => {
                let removed = self.unlink_listed(directory, name, kind, reply.caller());
                reply.send(removed);
            }
            Ok(FileNode::Search) => reply.send(self.unpin(name, kind)),
            Ok(FileNode::InSearch(query, directory)) => {
                self.remove_found(query, directory, name, kind, reply);
            }
            Ok(FileNode::Message(_)) => reply.send(Err(Error::NotADirectory)),
            Err(error) => reply.send(Err(error)),
        }
    }

    fn unlink_listed(
        &self,
        parent: FixedDirectory,
        name: &str,
        kind: FileKind,
        thread: u32,
    ) -> Result<(), Error> {
        if parent == FixedDirectory::Root && self.hidden(name).is_some() {
            return Err(self.write_refusal());
        }
        let contents = self.contents(parent);
        if let DirectoryContents::Folders(view) = contents {
            return find_folder(view, name).and(Err(self.write_refusal()));
        }
        let id = self.find(contents, name)?;
        let message = self.maildrop.message(id);
        check_kind(self.attributes(contents, &message).kind, kind)?;
        let remover = remover(&self.readings, &self.view_cache, contents, &message, thread);
        match contents {
            // Only a commit deletes for good.
            DirectoryContents::Messages(Standing::Unlinked | Standing::Departed) => {
                return Err(Error::NotPermitted);
            }
            DirectoryContents::Messages(Standing::Listed) => self.maildrop.unlink(id, remover),
            _ => self.maildrop.unlink_shown(id, remover),
        }
        .map_err(removal_error)?;
        self.view_cache.restore(message.inode);
        Ok(())
    }

    fn remove_part(&self, id: MessageId, directory: u16, name: &str, reply: KernelReply<()>) {
        let (name, message) = (name.to_owned(), self.maildrop.message(id).inode);
        let cache = Arc::clone(&self.view_cache);
        self.with_tree(id, reply, move |tree| {
            let part = tree.child(directory, &name).ok_or(Error::NotFound)?;
            let is_left = |(child, _)| !cache.is_removed(nodes::part_inode(child, message));
            if tree.children(part).any(is_left) {
                return Err(Error::NotEmpty);
            }
            cache.remove(nodes::part_inode(part, message));
            Ok(())
        });
    }

    /// Moves a message into `.deleted`, which unlinks it, or out of it, which restores it; the name
    /// stays. In a Maildir, mail readers move and flag messages this way.
    ///
    /// `thread` is the id of the thread that asks, or 0.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for any other move.
    pub fn rename(
        &self,
        from: u64,
        name: &str,
        to: u64,
        new_name: &str,
        thread: u32,
    ) -> Result<(), Error> {
        self.check_writable()?;
        let (from, to) = (self.node(from)?, self.node(to)?);
        if let FileNode::InSearch(_, directory) = from {
            return self.rename_found(directory, name, to, new_name);
        }
        let from = self.source_directory(from, name)?;
        let contents = self.contents(from);
        if let DirectoryContents::Folders(view) = contents {
            return find_folder(view, name).and(Err(Error::NotPermitted));
        }
        let id = self.find(contents, name)?;
        match (from, to) {
            (
                FixedDirectory::Folder(view, _),
                FileNode::Fixed(FixedDirectory::Folder(to_view, folder)),
            ) if view == to_view => self.mark(id, view, folder, new_name),
            _ if name != new_name => Err(Error::NotPermitted),
            _ => self.move_message(id, from, to, thread),
        }
    }

    /// In a Maildir of a search, mail readers mark messages.
    fn rename_found(
        &self,
        from: FixedDirectory,
        name: &str,
        to: FileNode,
        new_name: &str,
    ) -> Result<(), Error> {
        match (from, to) {
            (
                FixedDirectory::Folder(view, _),
                FileNode::InSearch(_, FixedDirectory::Folder(to_view, folder)),
            ) if view == to_view => {
                let id = self.find(self.contents(from), name)?;
                self.mark(id, view, folder, new_name)
            }
            _ => Err(Error::NotPermitted),
        }
    }

    fn move_message(
        &self,
        id: MessageId,
        from: FixedDirectory,
        to: FileNode,
        thread: u32,
    ) -> Result<(), Error> {
        match (from, to) {
            (FixedDirectory::Root, FileNode::Fixed(FixedDirectory::Deleted)) => {
                let message = self.maildrop.message(id);
                let contents = self.contents(from);
                let remover = remover(&self.readings, &self.view_cache, contents, &message, thread);
                self.maildrop
                    .unlink_shown(id, remover)
                    .map_err(removal_error)?;
                self.view_cache.restore(message.inode);
                Ok(())
            }
            (FixedDirectory::Deleted, FileNode::Fixed(FixedDirectory::Root)) => {
                self.maildrop.restore(id).map_err(removal_error)
            }
            (FixedDirectory::Root, FileNode::Fixed(FixedDirectory::Root))
            | (FixedDirectory::Deleted, FileNode::Fixed(FixedDirectory::Deleted)) => Ok(()),
            (_, FileNode::Message(_)) => Err(Error::NotADirectory),
            _ => Err(Error::NotPermitted),
        }
    }

    fn mark(&self, id: MessageId, view: ViewId, folder: u8, entry: &str) -> Result<(), Error> {
        let mark = view
            .view()
            .mark_for(&self.maildrop.message(id), folder, entry);
        self.maildrop
            .mark(id, mark.ok_or(Error::NotPermitted)?)
            .map_err(removal_error)
    }

    /// The directory that this name is moved out of.
    fn source_directory(&self, from: FileNode, name: &str) -> Result<FixedDirectory, Error> {
        match from {
            FileNode::Fixed(FixedDirectory::Root) if self.hidden(name).is_some() => {
                Err(Error::NotPermitted)
            }
            FileNode::Fixed(directory) => Ok(directory),
            FileNode::Message(_) => Err(Error::NotADirectory),
            FileNode::InView(..)
            | FileNode::Part(..)
            | FileNode::Search
            | FileNode::InSearch(..) => Err(Error::NotPermitted),
        }
    }

    fn check_writable(&self) -> Result<(), Error> {
        match self.appearance.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }
}

/// That rmdir(2) is asked for a directory, and unlink(2) for a file.
pub(super) fn check_kind(found: FileKind, asked: FileKind) -> Result<(), Error> {
    match (found, asked) {
        (FileKind::File, FileKind::Directory) => Err(Error::NotADirectory),
        (FileKind::Directory, FileKind::File) => Err(Error::IsADirectory),
        _ => Ok(()),
    }
}

/// Why a message could not be removed, restored or marked. If somebody else was first, the name is
/// gone. Once the last commit has begun, nothing can be changed any more.
pub(super) fn removal_error(fault: Fault) -> Error {
    match fault {
        Fault::Departed => Error::NotFound,
        Fault::Ending => Error::ReadOnly,
        fault => fault.into(),
    }
}

/// Whether the process that removes a message in this directory has read it: the message itself in
/// any form that shows it unchanged, or what it removes, a text or all parts. Who has read the
/// headers has not read the message.
pub(super) fn remover(
    readings: &Readings,
    cache: &ViewCache,
    contents: DirectoryContents,
    message: &Message,
    thread: u32,
) -> Remover {
    let revision = cache.revision(message.inode).number;
    let has_read = |inode| readings.has_read(thread, FileContent { inode, revision });
    let unchanged = ViewId::all()
        .filter(|view| view.view().form().eol(Eol::Crlf).is_some())
        .map(|view| nodes::in_view_inode(view, message.inode));
    if std::iter::once(message.inode)
        .chain(unchanged)
        .any(has_read)
    {
        return Remover::HasReadIt;
    }
    let has_read_form = contents
        .view()
        .is_some_and(|view| match view.view().form() {
            ViewForm::Directory => cache
                .tree(message.inode)
                .is_some_and(|tree| parts(&tree, message.inode).all(has_read)),
            ViewForm::Headers => false,
            _ => has_read(nodes::in_view_inode(view, message.inode)),
        });
    match has_read_form {
        true => Remover::HasReadIt,
        false => Remover::HasNot,
    }
}

/// The inode numbers of the files in a tree, which has at least one.
fn parts(tree: &PartTree, message: u64) -> impl Iterator<Item = u64> {
    (1..=tree.last())
        .filter(|&part| tree.file(part).is_some())
        .map(move |part| nodes::part_inode(part, message))
}
