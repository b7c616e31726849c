//! Extended attributes: what a message is and what it says of itself, for programs that ask without reading it.
//!
//! | name | value |
//! |---|---|
//! | `user.pop3.uidl` | the unique-id, octet by octet as the server gives it |
//! | `user.mime_type` | of the file: `message/rfc822`, or what a view makes of it |
//! | `user.xdg.origin.email.subject`, `.from`, `.message-id` | of the headers, decoded (freedesktop's common attributes) |
//!
//! A listing names those that have a value, and so needs the headers as the values do, which it mostly asks for: `rsync -X` and
//! `cp --preserve=xattr` fail on a name that was listed and has none.

use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::nodes::Node;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::reply::deferred::Answer;
use crate::fs::views::MESSAGE_TYPE;
use crate::maildrop::{Fault, Maildrop, Message, MessageId};
use crate::message::Outlined;

/// Whether messages have extended attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xattrs {
    /// The kernel is told so once and never asks again: `ls -l` would ask twice of each file.
    Hidden,
    /// They have.
    Shown,
}

#[derive(Clone, Copy)]
enum Attribute {
    UniqueId,
    MediaType,
    Header(Outlined),
}

/// What the attributes are made of.
struct Known {
    message: Message,
    media_type: &'static str,
    outline: Option<String>,
}

impl Known {
    fn of(maildrop: &Maildrop, id: MessageId, media_type: &'static str) -> Known {
        Known {
            message: maildrop.message(id),
            media_type,
            outline: maildrop.outline(id),
        }
    }
}

const ATTRIBUTES: [(&str, Attribute); 5] = [
    ("user.pop3.uidl", Attribute::UniqueId),
    ("user.mime_type", Attribute::MediaType),
    (
        "user.xdg.origin.email.subject",
        Attribute::Header(Outlined::Subject),
    ),
    (
        "user.xdg.origin.email.from",
        Attribute::Header(Outlined::From),
    ),
    (
        "user.xdg.origin.email.message-id",
        Attribute::Header(Outlined::MessageId),
    ),
];

impl Attribute {
    /// Its value, out of what is known; none where it has none.
    fn of(self, known: &Known) -> Option<Vec<u8>> {
        match self {
            Attribute::MediaType => Some(known.media_type.into()),
            Attribute::UniqueId => known.message.unique_id().map(<[u8]>::to_vec),
            Attribute::Header(outlined) => outlined.of(known.outline.as_deref()?).map(Into::into),
        }
    }
}

impl Filesystem {
    /// The value of an attribute. Waits for the headers of a message where they tell it and are not known.
    pub fn getxattr(&self, inode: u64, name: &str, answer: Answer<Vec<u8>>) {
        let (id, media_type) = match self.attributed(inode) {
            Ok(Some(attributed)) => attributed,
            Ok(None) => return answer.give(Err(Error::NoAttribute)),
            Err(error) => return answer.give(Err(error)),
        };
        let known = ATTRIBUTES.into_iter().find(|&(known, _)| known == name);
        let Some((_, attribute)) = known else {
            return answer.give(Err(Error::NoAttribute));
        };
        let value = move |known: &Known| attribute.of(known).ok_or(Error::NoAttribute);
        match attribute {
            Attribute::Header(_) => self.with_outline(id, media_type, answer, value),
            _ => answer.give(value(&Known::of(&self.maildrop, id, media_type))),
        }
    }

    /// The names of the attributes that have a value, each ended by a NUL. Waits for the headers of a message that are not
    /// known.
    pub fn listxattr(&self, inode: u64, answer: Answer<Vec<u8>>) {
        let (id, media_type) = match self.attributed(inode) {
            Ok(Some(attributed)) => attributed,
            Ok(None) => return answer.give(Ok(Vec::new())),
            Err(error) => return answer.give(Err(error)),
        };
        self.with_outline(id, media_type, answer, |known| {
            let has_value = |&(_, attribute): &(&str, Attribute)| attribute.of(known).is_some();
            let names = ATTRIBUTES.into_iter().filter(has_value);
            let ended = names.map(|(name, _)| format!("{name}\0"));
            Ok(ended.collect::<String>().into_bytes())
        });
    }

    fn with_outline(
        &self,
        id: MessageId,
        media_type: &'static str,
        answer: Answer<Vec<u8>>,
        then: impl FnOnce(&Known) -> Result<Vec<u8>, Error> + Send + 'static,
    ) {
        let maildrop = Arc::clone(&self.maildrop);
        let waiter = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |asked: Result<(), Fault>| {
                asked?;
                then(&Known::of(&maildrop, id, media_type))
            },
        );
        self.maildrop.want_outline(id, waiter);
    }

    /// The message that a file shows, and the file's media type; none for what is not a message.
    fn attributed(&self, inode: u64) -> Result<Option<(MessageId, &'static str)>, Error> {
        if self.appearance.xattrs == Xattrs::Hidden {
            return Err(Error::NoAttributes);
        }
        Ok(match self.node(inode)? {
            Node::Message(id) => Some((id, MESSAGE_TYPE)),
            Node::Shown(view, id) => view.view().media_type().map(|name| (id, name)),
            Node::Folder(_) | Node::Part(..) => None,
        })
    }
}
