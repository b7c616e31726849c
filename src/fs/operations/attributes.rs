//! The attributes of messages, of what views make of them, and of directories.

use crate::fs::kernel_view::FileVersion;
use crate::fs::nodes::{self, FileNode, FixedDirectory};
use crate::fs::operations::directory::DirectoryContents;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::{Attributes, FileKind, Validity};
use crate::fs::view_cache::{Revision, ViewCache};
use crate::fs::views::{HEADERS_PART, PartTree, ViewForm, ViewId, expected_headers};
use crate::maildrop::Message;
use crate::message::parts::File;
use crate::store::Eol;

impl Filesystem {
    pub(in crate::fs) fn attributes(
        &self,
        contents: DirectoryContents,
        message: &Message,
    ) -> Attributes {
        message_attributes(&self.view_cache, self.appearance.eol, contents, message)
    }

    pub(in crate::fs) fn directory_attributes(&self, inode: u64) -> Attributes {
        let modified = match self.node(inode) {
            // Mail readers do not look into a folder whose time is as before, so a new flag must
            // change it.
            Ok(
                FileNode::Fixed(FixedDirectory::Folder(view, folder))
                | FileNode::InSearch(_, FixedDirectory::Folder(view, folder)),
            ) if view.view().can_hold(folder) => self.maildrop.changed_or_marked(),
            _ => self.maildrop.changed(),
        };
        Attributes::of_directory(inode, modified)
    }

    /// None for a part whose tree is not in memory.
    pub(in crate::fs) fn kind(&self, node: FileNode) -> Option<FileKind> {
        match node {
            FileNode::Fixed(_) | FileNode::Search | FileNode::InSearch(..) => {
                Some(FileKind::Directory)
            }
            FileNode::Message(_) => Some(FileKind::File),
            FileNode::InView(view, _) => Some(kind_in(view)),
            FileNode::Part(id, part) => {
                let tree = self.view_cache.tree(self.maildrop.message(id).inode)?;
                Some(part_kind(&tree, part))
            }
        }
    }

    /// All files that show the message itself with these line ends. Nothing if there is no such
    /// message.
    pub(in crate::fs) fn versions_with(&self, message: u64, eol: Eol) -> Vec<FileVersion> {
        let Some(id) = self.maildrop.by_inode(message) else {
            return Vec::new();
        };
        let size = self.maildrop.message(id).size_with(eol);
        let revision = self.view_cache.revision(message);
        let root = self.appearance.eol;
        let itself = (root == eol).then_some(message);
        let in_views = ViewId::all()
            .filter(|view| view.view().form().eol(root) == Some(eol))
            .map(|view| nodes::in_view_inode(view, message));
        let version = |inode| FileVersion {
            inode,
            revision,
            size,
        };
        itself.into_iter().chain(in_views).map(version).collect()
    }
}

/// `eol` are the line ends of the root.
pub(in crate::fs) fn message_attributes(
    cache: &ViewCache,
    eol: Eol,
    contents: DirectoryContents,
    message: &Message,
) -> Attributes {
    let revision = cache.revision(message.inode);
    let Some(view) = contents.view() else {
        return unless_altered(revision, Attributes::of_message(message, eol));
    };
    let inode = nodes::in_view_inode(view, message.inode);
    let kind = kind_in(view);
    let size = match view.view().form() {
        ViewForm::Unchanged => message.size_with(eol),
        ViewForm::WithLf => message.size_with(Eol::Lf),
        ViewForm::Directory => 0,
        ViewForm::File(_) => cache.size(inode).unwrap_or(message.size()),
        ViewForm::Headers => headers_size(cache, inode, message),
    };
    unless_altered(revision, Attributes::of_view(message, inode, kind, size))
}

/// The headers in a directory of parts that nobody has looked into: a TOP shows them. All sizes of
/// parts are exact, so the kernel must not keep this one until it is.
pub(in crate::fs) fn headers_part_attributes(cache: &ViewCache, message: &Message) -> Attributes {
    let inode = nodes::part_inode(HEADERS_PART, message.inode);
    let size = headers_size(cache, inode, message);
    let attributes = Attributes::of_view(message, inode, FileKind::File, size);
    match cache.size(inode) {
        Some(_) => unless_altered(cache.revision(message.inode), attributes),
        None => provisional(attributes),
    }
}

/// The size of a file with the headers.
fn headers_size(cache: &ViewCache, inode: u64, message: &Message) -> u64 {
    cache
        .size(inode)
        .unwrap_or(expected_headers(message.size()))
}

pub(in crate::fs) fn part_attributes(
    revision: Revision,
    tree: &PartTree,
    part: u16,
    message: &Message,
) -> Attributes {
    let inode = nodes::part_inode(part, message.inode);
    let size = tree.file(part).map_or(0, File::size);
    let kind = part_kind(tree, part);
    unless_altered(revision, Attributes::of_view(message, inode, kind, size))
}

/// The kernel must not keep the attributes of a message that has other content than before: a
/// program that reads the old content to its end makes the kernel believe in the old size.
fn unless_altered(revision: Revision, attributes: Attributes) -> Attributes {
    match revision.is_first() {
        true => attributes,
        false => provisional(attributes),
    }
}

fn provisional(attributes: Attributes) -> Attributes {
    Attributes {
        validity: Validity::Provisional,
        ..attributes
    }
}

fn kind_in(view: ViewId) -> FileKind {
    match view.view().form() {
        ViewForm::Unchanged | ViewForm::WithLf | ViewForm::File(_) | ViewForm::Headers => {
            FileKind::File
        }
        ViewForm::Directory => FileKind::Directory,
    }
}

fn part_kind(tree: &PartTree, part: u16) -> FileKind {
    match tree.file(part) {
        Some(_) => FileKind::File,
        None => FileKind::Directory,
    }
}
