//! What a directory contains, and how a name in it is found.

use crate::fs::error::Error;
use crate::fs::nodes::{self, DELETED, FixedDirectory, SEARCH};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::views::{ListingNeeds, ViewId, ViewLayout};
use crate::maildrop::{Maildrop, Message, MessageId, Standing};

/// The directory of the pending deletions. It is found by name and never listed.
const DELETED_NAME: &str = ".deleted";
/// The directory of the searches. It is found by name and never listed.
const SEARCH_NAME: &str = ".search";

/// What a directory contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum DirectoryContents {
    /// Messages of this standing as they are.
    Messages(Standing),
    /// The messages as a view shows them.
    View(ViewId),
    /// Those messages of a view that are in one of its folders.
    Folder(ViewId, u8),
    /// The folders of a view.
    Folders(ViewId),
}

impl DirectoryContents {
    fn of_view(view: ViewId) -> Self {
        match view.view().layout() {
            ViewLayout::Flat => Self::View(view),
            ViewLayout::Folders(_) => Self::Folders(view),
        }
    }

    /// The view that shows the messages; none if they are as they are, or if there are none.
    pub(in crate::fs) fn view(self) -> Option<ViewId> {
        match self {
            Self::View(view) | Self::Folder(view, _) => Some(view),
            Self::Messages(_) | Self::Folders(_) => None,
        }
    }

    pub(in crate::fs) fn needs(self) -> ListingNeeds {
        self.view()
            .map_or(ListingNeeds::Names, |view| view.view().needs())
    }

    pub(in crate::fs) fn standing(self) -> Standing {
        match self {
            Self::Messages(standing) => standing,
            Self::View(_) | Self::Folder(..) | Self::Folders(_) => Standing::Listed,
        }
    }

    pub(in crate::fs) fn contains(self, message: &Message) -> bool {
        match self {
            Self::Folder(view, folder) => view.view().folder_of(message) == folder,
            Self::Messages(_) | Self::View(_) => true,
            Self::Folders(_) => false,
        }
    }
}

impl Filesystem {
    pub(in crate::fs) fn contents(&self, directory: FixedDirectory) -> DirectoryContents {
        match directory {
            FixedDirectory::Root => self.appearance.root.map_or(
                DirectoryContents::Messages(Standing::Listed),
                DirectoryContents::of_view,
            ),
            FixedDirectory::Deleted => DirectoryContents::Messages(Standing::Unlinked),
            FixedDirectory::View(view) => DirectoryContents::of_view(view),
            FixedDirectory::Folder(view, folder) => DirectoryContents::Folder(view, folder),
        }
    }

    /// Finds a message by its name in the directory.
    pub(in crate::fs) fn find(
        &self,
        contents: DirectoryContents,
        name: &str,
    ) -> Result<MessageId, Error> {
        find_in(&self.maildrop, contents, name)
    }

    /// The inode number of the hidden directory of that name in the root.
    pub(in crate::fs) fn hidden(&self, name: &str) -> Option<u64> {
        match name {
            DELETED_NAME => Some(DELETED),
            SEARCH_NAME if self.searches.is_some() => Some(SEARCH),
            _ => ViewId::by_directory(name).map(nodes::view_inode),
        }
    }
}

/// The message of that name.
pub(in crate::fs) fn find_in(
    maildrop: &Maildrop,
    contents: DirectoryContents,
    name: &str,
) -> Result<MessageId, Error> {
    let found = match contents.view() {
        Some(view) => view.view().find(name, maildrop),
        None => maildrop.by_name(name, contents.standing()),
    };
    found
        .filter(|&id| contents.contains(&maildrop.message(id)))
        .ok_or(Error::NotFound)
}

/// The inode number of a view's folder.
pub(in crate::fs) fn find_folder(view: ViewId, name: &str) -> Result<u64, Error> {
    nodes::folders_of(view)
        .find(|&(folder, _)| folder == name)
        .map(|(_, inode)| inode)
        .ok_or(Error::NotFound)
}
