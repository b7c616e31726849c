//! The views: other forms of the same messages, each in a hidden directory of its own.
//!
//! A view names each message and says what is made of it. To add one: write a file here and add a
//! line at the end of [`VIEWS`]. The place of a view in that table is part of its inode numbers, so
//! the order never changes.

mod headers;
mod maildir;
mod named;
mod parts;
mod text;

pub(in crate::fs) use headers::expected_headers;
pub(in crate::fs) use parts::{HEADERS_NAME, HEADERS_PART, PartTree};

use crate::maildrop::{Maildrop, Message, MessageId, SUFFIX, Standing};
use crate::store::Eol;

/// All views, in the order of their inode numbers.
const VIEWS: [&dyn MessageView; 5] = [
    &text::TextView,
    &parts::PartsView,
    &named::NamedView,
    &maildir::MaildirView,
    &headers::HeadersView,
];

/// One way to show the messages.
pub(in crate::fs) trait MessageView: Sync {
    /// The name of its directory without the dot in front, and the value of `-o view=`.
    fn name(&self) -> &'static str;

    /// The name of a message in the view.
    fn entry(&self, message: &Message) -> String;

    /// The listed message that has this name in the view.
    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId>;

    /// What the view makes of a message.
    fn form(&self) -> ViewForm;

    /// The media type of its files; none if a message is a directory.
    fn media_type(&self) -> Option<&'static str> {
        Some(MESSAGE_TYPE)
    }

    /// What must be known before the directory can be listed.
    fn needs(&self) -> ListingNeeds {
        ListingNeeds::Names
    }

    /// Where its messages are.
    fn layout(&self) -> ViewLayout {
        ViewLayout::Flat
    }

    /// The folder that a message is in, by its place in [`ViewLayout::Folders`].
    fn folder_of(&self, _message: &Message) -> u8 {
        0
    }

    /// Whether messages can be in that folder.
    fn can_hold(&self, _folder: u8) -> bool {
        true
    }

    /// The mark that the index keeps of a message when a user moves it to that folder under a new
    /// name. None if the view does not allow the move.
    fn mark_for(&self, _message: &Message, _folder: u8, _entry: &str) -> Option<String> {
        None
    }
}

/// Where a view has its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum ViewLayout {
    /// In the directory of the view.
    Flat,
    /// In folders of these names, which are in the directory of the view.
    Folders(&'static [&'static str]),
}

impl ViewLayout {
    /// The names of its folders, in the order of their inode numbers.
    pub(in crate::fs) fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Flat => &[],
            Self::Folders(names) => names,
        }
    }
}

/// What must be known before a directory can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum ListingNeeds {
    /// What the server's listing tells.
    Names,
    /// The headers of every message.
    Titles,
}

/// What a view makes of a message.
#[derive(Clone, Copy)]
pub(in crate::fs) enum ViewForm {
    /// The message, with the line ends of the root.
    Unchanged,
    /// The message with LF line ends.
    WithLf,
    /// A file with the content that the function makes of the message.
    File(fn(&[u8]) -> Vec<u8>),
    /// A file with the headers of the message, with the line ends of the root.
    Headers,
    /// A directory: a [`PartTree`].
    Directory,
}

impl ViewForm {
    /// The line ends, if the view shows the message itself; `root` are the line ends of the root.
    pub(in crate::fs) fn eol(self, root: Eol) -> Option<Eol> {
        match self {
            Self::Unchanged => Some(root),
            Self::WithLf => Some(Eol::Lf),
            Self::File(_) | Self::Headers | Self::Directory => None,
        }
    }
}

/// A view, by its place in the table of views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewId(u8);

impl ViewId {
    /// The view of that name, as in `-o view=text`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|id| id.view().name() == name)
    }

    /// The view whose hidden directory has that name.
    pub(in crate::fs) fn by_directory(name: &str) -> Option<Self> {
        name.strip_prefix('.').and_then(Self::by_name)
    }

    pub(in crate::fs) fn by_number(number: u64) -> Option<Self> {
        Self::all().find(|id| id.number() == number)
    }

    /// The names of all views.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(|id| id.view().name())
    }

    pub(in crate::fs) fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(VIEWS.len())
    }

    /// From 1, and the same in every version.
    pub(in crate::fs) fn number(self) -> u64 {
        u64::from(self.0) + 1
    }

    pub(in crate::fs) fn view(self) -> &'static dyn MessageView {
        VIEWS[usize::from(self.0)]
    }
}

/// The media type of a message (RFC 2046 section 5.2.1).
pub(in crate::fs) const MESSAGE_TYPE: &str = "message/rfc822";

/// The name of a message in the root, with another ending.
fn with_ending(message: &Message, ending: &str) -> String {
    let name = message.name();
    let stem = name.strip_suffix(SUFFIX).unwrap_or(&name);
    format!("{stem}{ending}")
}

/// The listed message for which [`with_ending`] gives this name.
fn without_ending(entry: &str, ending: &str, maildrop: &Maildrop) -> Option<MessageId> {
    let stem = entry.strip_suffix(ending)?;
    maildrop.by_name(&format!("{stem}{SUFFIX}"), Standing::Listed)
}
