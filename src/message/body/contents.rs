//! What each part of a message is to a reader: text, an attachment, or a nested message.

use crate::message::body::mime::{Class, Entity, MessageTree};
use crate::message::file_name::{self, GivenNames};

/// A part that has no parts of its own.
#[derive(Debug)]
pub(in crate::message) struct PartItem<'m> {
    pub(in crate::message) entity: &'m Entity,
    pub(in crate::message) role: PartRole,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::message) enum PartRole {
    /// Plain text of the message itself.
    Text,
    /// HTML of the message itself.
    Html,
    /// A file with a safe name that no other attachment of the message has.
    Attachment(String),
    /// A nested message, with its number within the message around it, from 1.
    Message(usize),
}

/// All items in the message's order. Every view gives the parts the same names: of two of one name
/// the first one has it, but a file before its resource fork.
pub(in crate::message) fn items<'m>(message: &'m MessageTree) -> Vec<PartItem<'m>> {
    let mut entities = Vec::new();
    collect(&message.root, &mut entities);
    let (mut names, mut messages) = (GivenNames::default(), 0);
    let item = |(at, entity): (usize, &'m Entity)| {
        let role = match entity.media.class {
            Class::Message => {
                messages += 1;
                PartRole::Message(messages)
            }
            Class::Plain if is_text(entity, message) => PartRole::Text,
            Class::Html if is_text(entity, message) => PartRole::Html,
            _ => PartRole::Attachment(names.give(&name(entity, at + 1))),
        };
        (at, PartItem { entity, role })
    };
    let mut in_turn: Vec<_> = entities.into_iter().enumerate().collect();
    in_turn.sort_by_key(|(_, entity)| is_resource_fork(entity));
    let mut items: Vec<_> = in_turn.into_iter().map(item).collect();
    items.sort_by_key(|(at, _)| *at);
    items.into_iter().map(|(_, item)| item).collect()
}

/// The depth is limited by [`MessageTree::read`].
fn collect<'m>(entity: &'m Entity, entities: &mut Vec<&'m Entity>) {
    match entity.media.class {
        Class::Multipart(_) => entity.parts.iter().for_each(|part| collect(part, entities)),
        _ => entities.push(entity),
    }
}

/// What a Mac keeps of a file besides its octets. It has the name of the file, which is the next
/// part (RFC 1740).
fn is_resource_fork(entity: &Entity) -> bool {
    entity.media.name() == "application/applefile"
}

/// A part with a file name is a file, unless it is the whole message: some mailers name the message
/// itself.
fn is_text(entity: &Entity, message: &MessageTree) -> bool {
    let is_whole = std::ptr::eq(entity, &message.root);
    !entity.is_attached() && (is_whole || entity.file_name().is_none())
}

fn name(entity: &Entity, ordinal: usize) -> String {
    let given = entity.file_name().and_then(file_name::safe);
    given.unwrap_or_else(|| file_name::made_up(ordinal, entity.media.name()))
}
