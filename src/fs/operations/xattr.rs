//! Extended attributes: facts about a message for programs that do not want to read it.
//!
//! | name | value |
//! |---|---|
//! | `user.pop3.uidl` | the unique-id, with the octets that the server sent |
//! | `user.mime_type` | the media type of the file: `message/rfc822`, or that of the view |
//! | `user.xdg.origin.email.subject`, `.from`, `.message-id` | from the headers, decoded (the common attributes of freedesktop.org) |
//!
//! A listing names only attributes that have a value, because `rsync -X` and `cp --preserve=xattr`
//! fail on a name that was listed and has none. So the listing needs the headers, as the values do.

use std::sync::Arc;

use crate::fs::appearance::Xattrs;
use crate::fs::error::Error;
use crate::fs::nodes::FileNode;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::reply::deferred::KernelReply;
use crate::fs::views::MESSAGE_TYPE;
use crate::maildrop::{Fault, Maildrop, Message, MessageId};
use crate::message::Outlined;

#[derive(Clone, Copy)]
enum ExtendedAttribute {
    UniqueId,
    MediaType,
    Header(Outlined),
}

/// What the attributes are made of.
struct KnownFacts {
    message: Message,
    media_type: &'static str,
    outline: Option<String>,
}

impl KnownFacts {
    fn of(maildrop: &Maildrop, id: MessageId, media_type: &'static str) -> Self {
        Self {
            message: maildrop.message(id),
            media_type,
            outline: maildrop.outline(id),
        }
    }
}

const ATTRIBUTES: [(&str, ExtendedAttribute); 5] = [
    ("user.pop3.uidl", ExtendedAttribute::UniqueId),
    ("user.mime_type", ExtendedAttribute::MediaType),
    (
        "user.xdg.origin.email.subject",
        ExtendedAttribute::Header(Outlined::Subject),
    ),
    (
        "user.xdg.origin.email.from",
        ExtendedAttribute::Header(Outlined::From),
    ),
    (
        "user.xdg.origin.email.message-id",
        ExtendedAttribute::Header(Outlined::MessageId),
    ),
];

impl ExtendedAttribute {
    /// The value; none if the message has none.
    fn of(self, known: &KnownFacts) -> Option<Vec<u8>> {
        match self {
            Self::MediaType => Some(known.media_type.into()),
            Self::UniqueId => known.message.unique_id().map(<[u8]>::to_vec),
            Self::Header(outlined) => outlined.of(known.outline.as_deref()?).map(Into::into),
        }
    }
}

impl Filesystem {
    /// The value of an attribute. Waits for the headers of the message if they tell it and are not
    /// known.
    pub fn getxattr(&self, inode: u64, name: &str, reply: KernelReply<Vec<u8>>) {
        let (id, media_type) = match self.attributed(inode) {
            Ok(Some(attributed)) => attributed,
            Ok(None) => return reply.send(Err(Error::NoAttribute)),
            Err(error) => return reply.send(Err(error)),
        };
        let known = ATTRIBUTES.into_iter().find(|&(known, _)| known == name);
        let Some((_, attribute)) = known else {
            return reply.send(Err(Error::NoAttribute));
        };
        let value = move |known: &KnownFacts| attribute.of(known).ok_or(Error::NoAttribute);
        match attribute {
            ExtendedAttribute::Header(_) => self.with_outline(id, media_type, reply, value),
            _ => reply.send(value(&KnownFacts::of(&self.maildrop, id, media_type))),
        }
    }

    /// The names of the attributes that have a value, each ended by a NUL. Waits for the headers of
    /// the message if they are not known.
    pub fn listxattr(&self, inode: u64, reply: KernelReply<Vec<u8>>) {
        let (id, media_type) = match self.attributed(inode) {
            Ok(Some(attributed)) => attributed,
            Ok(None) => return reply.send(Ok(Vec::new())),
            Err(error) => return reply.send(Err(error)),
        };
        self.with_outline(id, media_type, reply, |known| {
            let names = ATTRIBUTES
                .into_iter()
                .filter(|&(_, attribute)| attribute.of(known).is_some())
                .map(|(name, _)| format!("{name}\0"));
            Ok(names.collect::<String>().into_bytes())
        });
    }

    fn with_outline(
        &self,
        id: MessageId,
        media_type: &'static str,
        reply: KernelReply<Vec<u8>>,
        then: impl FnOnce(&KnownFacts) -> Result<Vec<u8>, Error> + Send + 'static,
    ) {
        let maildrop = Arc::clone(&self.maildrop);
        let waiter = reply.defer(
            &self.watchdog,
            self.silence_limit(),
            move |headers: Result<(), Fault>| {
                headers?;
                then(&KnownFacts::of(&maildrop, id, media_type))
            },
        );
        self.maildrop.want_outline(id, waiter);
    }

    /// The message that a file shows, and the media type of the file; none for directories and
    /// parts.
    fn attributed(&self, inode: u64) -> Result<Option<(MessageId, &'static str)>, Error> {
        if self.appearance.xattrs == Xattrs::Hidden {
            return Err(Error::NoAttributes);
        }
        Ok(match self.node(inode)? {
            FileNode::Message(id) => Some((id, MESSAGE_TYPE)),
            FileNode::InView(view, id) => view.view().media_type().map(|name| (id, name)),
            FileNode::Fixed(_) | FileNode::Part(..) | FileNode::Search | FileNode::InSearch(..) => {
                None
            }
        })
    }
}
