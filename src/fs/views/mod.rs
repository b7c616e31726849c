//! The views: other forms of the same messages, each in a hidden directory of its own.
//!
//! A view names each message, and makes what is shown of it out of its octets; the rest is the same for all of them
//! (filesystem.rs). A new one is a file here and a line in [`VIEWS`], at its end: a view's place is in its inode numbers.

mod maildir;
mod named;
mod parts;
mod text;

pub(super) use maildir::Mailbox;
pub(super) use parts::Tree;

use crate::maildrop::{Maildrop, Message, MessageId, SUFFIX, Standing};
use crate::store::Eol;

/// Each view, in the order of their inode numbers.
const VIEWS: [&dyn View; 4] = [&text::Text, &parts::Parts, &named::Named, &maildir::Maildir];
/// The place of the one whose directory holds directories.
const MAILDIR: ViewId = ViewId(3);

/// One way to show the messages.
pub(super) trait View: Sync {
    /// The name of its directory, without the dot in front: what `-o view=` takes.
    fn name(&self) -> &'static str;

    /// What a message is called in the directory.
    fn entry(&self, message: &Message) -> String;

    /// The listed message that an entry stands for.
    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId>;

    /// What is made of a message.
    fn form(&self) -> Form;

    /// The media type of its files; none where a message is a directory.
    fn media_type(&self) -> Option<&'static str> {
        Some(MESSAGE_TYPE)
    }

    /// What must be known to list the directory.
    fn needs(&self) -> Needs {
        Needs::Names
    }
}

/// What a listing is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// What the server's listing tells.
    Names,
    /// The headers of every message.
    Titles,
}

/// What a view makes of a message.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// The message, as the root shows it.
    AsItIs,
    /// The message with LF line ends.
    WithLf,
    /// A file of these octets.
    File(fn(&[u8]) -> Vec<u8>),
    /// A directory: a [`Tree`].
    Directory,
}

impl Form {
    /// The line ends of a message that is not made into anything else; `root` are those in the root.
    pub(super) fn eol(self, root: Eol) -> Option<Eol> {
        match self {
            Form::AsItIs => Some(root),
            Form::WithLf => Some(Eol::Lf),
            Form::File(_) | Form::Directory => None,
        }
    }
}

/// A view, by its place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewId(u8);

impl ViewId {
    /// The view of that name, as in `-o view=text`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<ViewId> {
        Self::all().find(|id| id.view().name() == name)
    }

    /// The view whose hidden directory has that name.
    pub(super) fn by_directory(name: &str) -> Option<ViewId> {
        name.strip_prefix('.').and_then(Self::by_name)
    }

    pub(super) fn by_number(number: u64) -> Option<ViewId> {
        Self::all().find(|id| id.number() == number)
    }

    /// The names of all views.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(|id| id.view().name())
    }

    pub(super) fn all() -> impl Iterator<Item = ViewId> {
        (0..).map(ViewId).take(VIEWS.len())
    }

    /// From 1; the same in every version.
    pub(super) fn number(self) -> u64 {
        u64::from(self.0) + 1
    }

    /// The view that has [`Mailbox`]es.
    pub(super) fn maildir() -> ViewId {
        MAILDIR
    }

    pub(super) fn view(self) -> &'static dyn View {
        VIEWS[usize::from(self.0)]
    }
}

/// The media type of a message (RFC 2046 section 5.2.1).
pub(super) const MESSAGE_TYPE: &str = "message/rfc822";

/// A message's name with another ending.
fn with_ending(message: &Message, ending: &str) -> String {
    let name = message.name();
    let stem = name.strip_suffix(SUFFIX).unwrap_or(&name);
    format!("{stem}{ending}")
}

/// The message that [`with_ending`] calls so.
fn without_ending(entry: &str, ending: &str, maildrop: &Maildrop) -> Option<MessageId> {
    let stem = entry.strip_suffix(ending)?;
    maildrop.by_name(&format!("{stem}{SUFFIX}"), Standing::Listed)
}
