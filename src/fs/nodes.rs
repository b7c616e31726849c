//! Inode numbers: what each one stands for.
//!
//! ```text
//!  bits  63   62        47 46                                   0
//!       ┌──┬──────────────┬──────────────────────────────────────┐
//!       │ 0│       0      │ 1: the root, 2: .deleted             │
//!       │ 0│       0      │ 3…: the folders of views (.maildir)  │
//!       │ 0│       0      │ 16: .text, 17: .parts…               │
//!       │ 0│       0      │ 64: .search                          │
//!       │ 0│       0      │ 1024…: a query, 64 numbers for each  │
//!       │ 0│       0      │ a message (catalogue/inode.rs)       │
//!       │ 0│ view, from 1 │ a message, as that view shows it     │
//!       │ 1│ part, from 1 │ a message: one part of it            │
//!       └──┴──────────────┴──────────────────────────────────────┘
//! ```
//! A directory in that of a query has the number that it has in the root, behind the number of the
//! query.
//!
//! The messages of a view are thus in the same order as those of the root, and read-ahead works in
//! every directory.

use crate::fs::error::Error;
use crate::fs::search::QueryId;
use crate::fs::views::ViewId;
use crate::maildrop::{Maildrop, MessageId};

/// The inode number of the root, as FUSE demands it.
pub const ROOT: u64 = 1;
/// The inode number of `.deleted`.
pub const DELETED: u64 = 2;
/// The inode number of the first folder of the first view that has folders.
const FOLDERS: u64 = 3;
/// One less than the inode number of the first view's directory.
const VIEWS: u64 = 15;
/// The inode number of `.search`.
pub(in crate::fs) const SEARCH: u64 = 64;
/// The inode number of the first query.
const QUERIES: u64 = 1 << 10;
/// How many inode numbers the directories of a query have.
const QUERY_SPAN: u64 = 64;
/// The first inode number that a message can have.
const MESSAGES: u64 = 1 << 20;
/// How many bits of an inode number tell the message.
const MESSAGE_BITS: u32 = 47;
const MESSAGE: u64 = (1 << MESSAGE_BITS) - 1;
/// The bit that marks the number of a part.
const PART: u64 = 1 << 63;

/// What an inode number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum FileNode {
    Fixed(FixedDirectory),
    /// `.search`.
    Search,
    /// The directory of a query, which is its root, or one of a view in that.
    InSearch(QueryId, FixedDirectory),
    /// A message in the root or in `.deleted`.
    Message(MessageId),
    /// A message as a view shows it.
    InView(ViewId, MessageId),
    /// A part of a message; its number is never 0.
    Part(MessageId, u16),
}

/// A directory that always exists, whatever mail there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum FixedDirectory {
    Root,
    Deleted,
    /// The directory of a view.
    View(ViewId),
    /// A folder in the directory of a view, by its place in the view's layout.
    Folder(ViewId, u8),
}

impl FixedDirectory {
    /// The directory of this inode number.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(in crate::fs) fn at(inode: u64) -> Result<Self, Error> {
        Self::by_inode(inode).ok_or(Error::Stale)
    }

    fn inode(self) -> u64 {
        match self {
            Self::Root => ROOT,
            Self::Deleted => DELETED,
            Self::View(view) => view_inode(view),
            Self::Folder(view, folder) => (FOLDERS..VIEWS)
                .zip(all_folders())
                .find(|&(_, of)| of == (view, folder))
                .map_or(ROOT, |(inode, _)| inode),
        }
    }

    fn by_inode(inode: u64) -> Option<Self> {
        match inode {
            ROOT => Some(Self::Root),
            DELETED => Some(Self::Deleted),
            _ => view_at(inode)
                .map(Self::View)
                .or_else(|| folder_at(inode).map(|(view, folder)| Self::Folder(view, folder))),
        }
    }
}

impl FileNode {
    /// What the number stands for.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(in crate::fs) fn by_inode(inode: u64, maildrop: &Maildrop) -> Result<Self, Error> {
        if let Some(directory) = FixedDirectory::by_inode(inode) {
            return Ok(Self::Fixed(directory));
        }
        if inode == SEARCH {
            return Ok(Self::Search);
        }
        if let Some((query, directory)) = search_at(inode) {
            return Ok(Self::InSearch(query, directory));
        }
        let id = maildrop.by_inode(inode & MESSAGE).ok_or(Error::Stale)?;
        let middle = (inode & !PART) >> MESSAGE_BITS;
        match (inode & PART, middle) {
            (0, 0) => Ok(Self::Message(id)),
            (0, view) => ViewId::by_number(view)
                .map(|view| Self::InView(view, id))
                .ok_or(Error::Stale),
            (_, part) => u16::try_from(part)
                .map(|part| Self::Part(id, part))
                .map_err(|_| Error::Stale),
        }
    }
}

fn view_at(inode: u64) -> Option<ViewId> {
    inode.checked_sub(VIEWS).and_then(ViewId::by_number)
}

fn search_at(inode: u64) -> Option<(QueryId, FixedDirectory)> {
    let place = inode.checked_sub(QUERIES).filter(|_| inode < MESSAGES)?;
    let query = QueryId::new(u16::try_from(place / QUERY_SPAN).ok()?);
    Some((query, FixedDirectory::by_inode(place % QUERY_SPAN)?))
}

/// The query whose own directory has that inode number.
pub(in crate::fs) fn query_at(inode: u64) -> Option<QueryId> {
    match search_at(inode)? {
        (query, FixedDirectory::Root) => Some(query),
        _ => None,
    }
}

/// The inode number of a directory in that of a query; the root is that of the query itself.
pub(in crate::fs) fn search_inode(query: QueryId, directory: FixedDirectory) -> u64 {
    QUERIES + u64::from(query.number()) * QUERY_SPAN + directory.inode()
}

/// The folders of all views, in the order of their inode numbers.
fn all_folders() -> impl Iterator<Item = (ViewId, u8)> {
    ViewId::all().flat_map(|view| {
        let folders = view.view().layout().folders();
        (0..).take(folders.len()).map(move |folder| (view, folder))
    })
}

fn folder_at(inode: u64) -> Option<(ViewId, u8)> {
    (FOLDERS..VIEWS)
        .zip(all_folders())
        .find(|&(number, _)| number == inode)
        .map(|(_, folder)| folder)
}

/// The names and inode numbers of the folders in the directory of a view.
pub(in crate::fs) fn folders_of(view: ViewId) -> impl Iterator<Item = (&'static str, u64)> {
    (FOLDERS..VIEWS)
        .zip(all_folders())
        .filter(move |&(_, (of, _))| of == view)
        .zip(view.view().layout().folders())
        .map(|((inode, _), name)| (*name, inode))
}

/// The inode number of a view's directory.
pub(in crate::fs) fn view_inode(view: ViewId) -> u64 {
    VIEWS + view.number()
}

/// The inode number of a message in a view; `message` is its inode number in the root.
pub(in crate::fs) fn in_view_inode(view: ViewId, message: u64) -> u64 {
    message | view.number() << MESSAGE_BITS
}

/// The inode number of a part, which is not 0; `message` is the message's inode number in the root.
pub(in crate::fs) fn part_inode(part: u16, message: u64) -> u64 {
    PART | message | u64::from(part) << MESSAGE_BITS
}

/// The inode number in the root of the message that a file shows, in a view or in part.
pub(in crate::fs) fn message_of(inode: u64) -> u64 {
    inode & MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_keep_their_inode_numbers_in_every_version() {
        let view = |name| ViewId::by_name(name).unwrap();
        let folders: Vec<_> = folders_of(view("maildir")).collect();
        assert_eq!(folders, [("cur", 3), ("new", 4), ("tmp", 5)]);
        let views = ["text", "parts", "named", "maildir", "headers"];
        let views = views.map(|name| view_inode(view(name)));
        assert_eq!(views, [16, 17, 18, 19, 20]);
    }

    #[test]
    fn each_inode_number_of_a_directory_leads_back_to_it() {
        let maildir = ViewId::by_name("maildir").unwrap();
        for (place, (_, inode)) in (0..).zip(folders_of(maildir)) {
            let folder = FixedDirectory::Folder(maildir, place);
            assert_eq!(FixedDirectory::by_inode(inode), Some(folder));
        }
        for view in ViewId::all() {
            let directory = FixedDirectory::by_inode(view_inode(view));
            assert_eq!(directory, Some(FixedDirectory::View(view)));
        }
        assert_eq!(FixedDirectory::by_inode(6), None);
    }

    #[test]
    fn each_directory_of_a_query_has_an_inode_number_of_its_own() {
        let maildir = ViewId::by_name("maildir").unwrap();
        let mut directories = vec![FixedDirectory::Root, FixedDirectory::Folder(maildir, 2)];
        directories.extend(ViewId::all().map(FixedDirectory::View));
        for query in [0, 1, 9_999].map(QueryId::new) {
            for &directory in &directories {
                let inode = search_inode(query, directory);
                assert!(inode < MESSAGES);
                assert_eq!(search_at(inode), Some((query, directory)));
            }
        }
        assert_eq!(query_at(SEARCH), None);
        assert_eq!(search_at(QUERIES), None);
    }
}
