//! Finding a name, and the attributes of a file.

use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::nodes::{self, FileNode, FixedDirectory};
use crate::fs::operations::attributes::{
    headers_part_attributes, message_attributes, part_attributes,
};
use crate::fs::operations::directory::{DirectoryContents, find_folder};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::{Attributes, Validity};
use crate::fs::reply::deferred::KernelReply;
use crate::fs::views::{HEADERS_NAME, HEADERS_PART};
use crate::maildrop::{Fault, Message, MessageId, Standing};

impl Filesystem {
    /// Finds a name. In the directory of a message this waits for the body.
    pub fn lookup(&self, parent: u64, name: &str, reply: KernelReply<Attributes>) {
        match self.node(parent) {
            Ok(FileNode::Part(id, directory)) => self.lookup_part(id, directory, name, reply),
            Ok(FileNode::InView(_, id)) => self.lookup_part(id, 0, name, reply),
            Ok(FileNode::Fixed(directory)) => reply.send(self.lookup_listed(directory, name)),
            Ok(FileNode::Search) => reply.send(self.lookup_query(name)),
            Ok(FileNode::InSearch(query, directory)) => {
                self.lookup_found(query, directory, name, reply);
            }
            Ok(FileNode::Message(_)) => reply.send(Err(Error::NotADirectory)),
            Err(error) => reply.send(Err(error)),
        }
    }

    fn lookup_listed(&self, parent: FixedDirectory, name: &str) -> Result<Attributes, Error> {
        if let (FixedDirectory::Root, Some(directory)) = (parent, self.hidden(name)) {
            return Ok(self.directory_attributes(directory));
        }
        let contents = self.contents(parent);
        if let DirectoryContents::Folders(view) = contents {
            return find_folder(view, name).map(|inode| self.directory_attributes(inode));
        }
        let id = self.find(contents, name)?;
        self.maildrop.pass_by(id);
        Ok(self.attributes(contents, &self.maildrop.message(id)))
    }

    fn lookup_part(
        &self,
        id: MessageId,
        directory: u16,
        name: &str,
        reply: KernelReply<Attributes>,
    ) {
        let (name, message) = (name.to_owned(), self.maildrop.message(id));
        if directory == 0 && name == HEADERS_NAME {
            return reply.send(self.lookup_headers(&message));
        }
        let revision = self.view_cache.revision(message.inode);
        let cache = Arc::clone(&self.view_cache);
        self.with_tree(id, reply, move |tree| {
            let part = tree.child(directory, &name).ok_or(Error::NotFound)?;
            if cache.is_removed(nodes::part_inode(part, message.inode)) {
                return Err(Error::NotFound);
            }
            Ok(part_attributes(revision, tree, part, &message))
        });
    }

    /// Finds the headers among the parts of a message, which takes no body.
    fn lookup_headers(&self, message: &Message) -> Result<Attributes, Error> {
        let attributes = headers_part_attributes(&self.view_cache, message);
        match self.view_cache.is_removed(attributes.inode) {
            true => Err(Error::NotFound),
            false => Ok(attributes),
        }
    }

    /// How long the kernel may keep what a name in the directory stands for.
    ///
    /// In all directories but the root names come and go without a request for that directory. In a
    /// flat view a name lasts as long as its message is listed. When that ends the kernel is told
    /// to ask for the attributes again, the answer is [`Error::Stale`], and it looks the name up
    /// again.
    #[must_use]
    pub fn name_validity(&self, directory: u64) -> Validity {
        let Ok(FileNode::Fixed(directory)) = self.node(directory) else {
            return Validity::Provisional;
        };
        match self.contents(directory) {
            DirectoryContents::Messages(Standing::Listed) => Validity::Lasting,
            DirectoryContents::View(_) => Validity::Brief,
            _ => Validity::Provisional,
        }
    }

    /// What stat(2) shows. Waits for the headers of a message if its arrival is not known.
    pub fn getattr(&self, inode: u64, reply: KernelReply<Attributes>) {
        match self.node(inode) {
            Ok(FileNode::Message(id)) => {
                self.getattr_message(DirectoryContents::Messages(Standing::Listed), id, reply);
            }
            Ok(FileNode::InView(view, id)) => {
                self.getattr_message(DirectoryContents::View(view), id, reply);
            }
            Ok(FileNode::Part(id, part)) => self.getattr_part(id, part, reply),
            Ok(FileNode::Fixed(_) | FileNode::Search | FileNode::InSearch(..)) => {
                reply.send(Ok(self.directory_attributes(inode)));
            }
            Err(error) => reply.send(Err(error)),
        }
    }

    fn getattr_message(
        &self,
        contents: DirectoryContents,
        id: MessageId,
        reply: KernelReply<Attributes>,
    ) {
        let message = self.maildrop.message(id);
        if message.is_arrival_known() {
            self.maildrop.pass_by(id);
            return reply.send(Ok(self.attributes(contents, &message)));
        }
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        let eol = self.appearance.eol;
        let waiter = reply.defer(
            &self.watchdog,
            self.silence_limit(),
            move |arrived: Result<(), Fault>| {
                let message = maildrop.message(id);
                // A date that nothing confirms is better than none.
                if message.arrived.is_none() {
                    arrived?;
                }
                Ok(message_attributes(&cache, eol, contents, &message))
            },
        );
        self.maildrop.want_arrival(id, waiter);
    }

    fn getattr_part(&self, id: MessageId, part: u16, reply: KernelReply<Attributes>) {
        if part == HEADERS_PART {
            let message = self.maildrop.message(id);
            return reply.send(Ok(headers_part_attributes(&self.view_cache, &message)));
        }
        let maildrop = Arc::clone(&self.maildrop);
        let revision = self.view_cache.revision(maildrop.message(id).inode);
        self.with_tree(id, reply, move |tree| {
            if tree.contains(part) {
                Ok(part_attributes(revision, tree, part, &maildrop.message(id)))
            } else {
                Err(Error::Stale)
            }
        });
    }
}
