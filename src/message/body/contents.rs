//! What the parts of a message are to a reader: its text, files that came with it, messages in it.

use crate::message::body::mime::{Class, Entity, Message};
use crate::message::file_name::{self, Names};

/// A part that is not divided further.
#[derive(Debug)]
pub(in crate::message) struct Item<'m> {
    pub(in crate::message) entity: &'m Entity,
    pub(in crate::message) role: Role,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::message) enum Role {
    /// Plain text of the message itself.
    Text,
    /// HTML of the message itself.
    Html,
    /// A file under a safe name, which no other attachment of the message has.
    Attachment(String),
    /// A nested message: the how manieth of its message, from 1.
    Message(usize),
}

/// All items in the message's order. The parts of a message have the same names wherever they are shown.
pub(in crate::message) fn items(message: &Message) -> Vec<Item<'_>> {
    let mut entities = Vec::new();
    collect(&message.root, &mut entities);
    let (mut names, mut messages) = (Names::default(), 0);
    let role = |(at, entity): (usize, &'_ Entity)| match entity.media.class {
        Class::Message => {
            messages += 1;
            Role::Message(messages)
        }
        Class::Plain if is_text(entity, message) => Role::Text,
        Class::Html if is_text(entity, message) => Role::Html,
        _ => Role::Attachment(names.give(&name(entity, at + 1))),
    };
    let roles: Vec<Role> = entities.iter().copied().enumerate().map(role).collect();
    entities
        .into_iter()
        .zip(roles)
        .map(|(entity, role)| Item { entity, role })
        .collect()
}

/// Depth is bounded by the reader of the structure.
fn collect<'m>(entity: &'m Entity, entities: &mut Vec<&'m Entity>) {
    match entity.media.class {
        Class::Multipart(_) => entity.parts.iter().for_each(|part| collect(part, entities)),
        _ => entities.push(entity),
    }
}

/// A part with a file name is a file, unless it is the whole message: some mailers name that too.
fn is_text(entity: &Entity, message: &Message) -> bool {
    let is_whole = std::ptr::eq(entity, &message.root);
    !entity.is_attached() && (is_whole || entity.file_name().is_none())
}

fn name(entity: &Entity, ordinal: usize) -> String {
    let given = entity.file_name().and_then(file_name::safe);
    given.unwrap_or_else(|| file_name::made_up(ordinal, entity.media.name()))
}
