//! A message as one text, for grep and less.

mod flowed;
mod html;

use std::collections::BTreeMap;

use super::body::contents::{self, Item, Role};
use super::body::mime::{Bounds, Class, Entity, Media, Message, Multipart};
use super::headers::date;
use super::headers::fields::Fields;
use super::{charset, visible};
use flowed::Flow;

/// The message in UTF-8 with LF line ends: From, To, Cc, Date (ISO 8601 in the writer's zone), Subject and Attachments, as far as
/// they are there, decoded and each on one line; a blank line; the text. Of alternatives the plain text is shown, of HTML what
/// can be read. Lines in brackets tell of what is not text: `[signed: application/pgp-signature]`, `[attachment: notes.txt]`
/// before the text of one, `[message-1]` before the headers of a nested message. Control characters are pictures (U+2400), octets
/// that cannot be decoded U+FFFD. Never fails; the text is at most a small multiple of the message.
pub fn text(message: &[u8]) -> String {
    let mut view = View::default();
    view.message(message);
    view.shown
}

/// How plain text is written: all that is needed to read it but the octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain {
    charset: Option<String>,
    flow: Flow,
}

impl Plain {
    pub(super) fn of(media: &Media) -> Self {
        Self {
            charset: media.parameter("charset").map(str::to_owned),
            flow: Flow::of(media),
        }
    }

    /// What people read of the decoded octets.
    pub(super) fn text(&self, octets: &[u8]) -> String {
        let text = visible::lines(&charset::decode(self.charset.as_deref(), octets));
        self.flow.joined(text)
    }
}

/// An HTML document as it is, but in UTF-8 and with LF line ends.
pub(super) fn html_source(charset: Option<&str>, octets: &[u8]) -> String {
    let stated = || charset::stated_in_html(octets);
    let label = charset.map(str::to_owned).or_else(stated);
    charset::decode(label.as_deref(), octets).replace("\r\n", "\n")
}

#[derive(Default)]
struct View {
    shown: String,
    bounds: Bounds,
}

/// The message that is being shown.
struct Shown<'a> {
    octets: &'a [u8],
    /// By where the entity's headers begin.
    roles: BTreeMap<usize, &'a Role>,
}

impl View {
    fn message(&mut self, octets: &[u8]) {
        let message = Message::read(octets, &mut self.bounds);
        let items = contents::items(&message);
        self.headers(&message.root.fields(octets), &attachments(&items, octets));
        let roles = items
            .iter()
            .map(|item| (item.entity.header.start, &item.role));
        let shown = Shown {
            octets,
            roles: roles.collect(),
        };
        self.entity(&shown, &message.root);
        if let Some(rest) = &message.rest {
            self.mark(&format!("rest.eml: {} octets, not shown", rest.len()));
        }
    }

    /// With the blank line, even where there is no header: so no text can pass for one.
    fn headers(&mut self, fields: &Fields<'_>, attachments: &str) {
        let date = fields.date("date").map(|date| date::iso(&date));
        let lines = [
            ("From", fields.address_line("from")),
            ("To", fields.address_line("to")),
            ("Cc", fields.address_line("cc")),
            ("Date", date.or_else(|| fields.text("date"))),
            ("Subject", fields.text("subject")),
            (
                "Attachments",
                Some(attachments.to_owned()).filter(|list| !list.is_empty()),
            ),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                self.shown.push_str(&format!("{name}: {value}\n"));
            }
        }
        self.shown.push('\n');
    }

    fn entity(&mut self, shown: &Shown<'_>, entity: &Entity) {
        if let Some(protection) = protection(entity) {
            self.mark(&protection);
        }
        match entity.media.class {
            Class::Multipart(Multipart::Alternative) => {
                if let Some(part) = preferred(shown.octets, &entity.parts) {
                    self.entity(shown, part);
                }
            }
            Class::Multipart(_) => self.parts(shown, entity),
            _ => self.leaf(shown, entity),
        }
    }

    /// All parts; the signature of a signed one needs no words, since the whole is said to be signed.
    fn parts(&mut self, shown: &Shown<'_>, entity: &Entity) {
        let signature = match entity.media.class {
            Class::Multipart(Multipart::Signed) => entity.media.parameter("protocol"),
            _ => None,
        };
        for part in &entity.parts {
            if signature != Some(part.media.name()) {
                self.entity(shown, part);
            }
        }
    }

    fn leaf(&mut self, shown: &Shown<'_>, entity: &Entity) {
        match shown.roles.get(&entity.header.start) {
            Some(Role::Message(number)) => self.nested(shown, entity, *number),
            Some(Role::Attachment(name)) => {
                if let Some(text) = readable(shown.octets, entity) {
                    self.mark(&format!("attachment: {name}"));
                    self.paragraph(&text);
                }
            }
            _ => self.paragraph(&readable(shown.octets, entity).unwrap_or_default()),
        }
    }

    fn nested(&mut self, shown: &Shown<'_>, entity: &Entity, number: usize) {
        if self.bounds.nested == 0 || self.bounds.parts == 0 {
            let size = entity.content_size(shown.octets);
            return self.mark(&format!("message-{number}.eml: {size} octets, not shown"));
        }
        self.mark(&format!("message-{number}"));
        self.bounds.nested -= 1;
        self.message(&entity.content(shown.octets));
        self.bounds.nested += 1;
    }

    fn mark(&mut self, words: &str) {
        self.paragraph(&format!("[{}]", visible::line(words)));
    }

    /// A text with a line end behind it and a blank line before.
    fn paragraph(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if !self.shown.ends_with("\n\n") && self.shown != "\n" {
            self.shown.push('\n');
        }
        self.shown.push_str(text);
        if !text.ends_with('\n') {
            self.shown.push('\n');
        }
    }
}

/// Names and sizes, as in the tree of the message.
fn attachments(items: &[Item<'_>], octets: &[u8]) -> String {
    let files = items.iter().filter_map(|item| match &item.role {
        Role::Attachment(name) => Some(format!(
            "{name} ({} octets)",
            item.entity.content_size(octets)
        )),
        _ => None,
    });
    files.collect::<Vec<_>>().join(", ")
}

/// What people can read of the part; None where that is nothing.
fn readable(octets: &[u8], entity: &Entity) -> Option<String> {
    let content = || entity.content(octets);
    match entity.media.class {
        Class::Plain | Class::Readable => Some(Plain::of(&entity.media).text(&content())),
        Class::Html => {
            let source = html_source(entity.media.parameter("charset"), &content());
            Some(visible::lines(&html::readable(&source)))
        }
        _ => None,
    }
}

/// The alternative to show: plain text that says something, else HTML, else what there is; the first of equals.
fn preferred<'m>(octets: &[u8], parts: &'m [Entity]) -> Option<&'m Entity> {
    let ranked = parts.iter().map(|part| (preference(octets, part), part));
    let best = ranked.rev().max_by_key(|(preference, _)| *preference)?;
    Some(best.1).filter(|_| best.0 > 0)
}

fn preference(octets: &[u8], entity: &Entity) -> u8 {
    match entity.media.class {
        _ if entity.is_attached() => 0,
        Class::Plain if octets[entity.body.clone()].trim_ascii().is_empty() => 1,
        Class::Plain => 3,
        Class::Html => 2,
        Class::Multipart(_) => {
            let preferences = entity.parts.iter().map(|part| preference(octets, part));
            preferences.max().unwrap_or(0)
        }
        Class::Message | Class::Readable => 1,
        Class::Opaque => 0,
    }
}

/// How the part is protected (RFC 1847, RFC 8551), as far as its type tells.
fn protection(entity: &Entity) -> Option<String> {
    let media = &entity.media;
    let how = match (media.class, media.name()) {
        (Class::Multipart(Multipart::Encrypted), _) => "encrypted",
        (Class::Multipart(Multipart::Signed), _)
        | (_, "application/pkcs7-signature" | "application/x-pkcs7-signature") => "signed",
        (_, "application/pkcs7-mime" | "application/x-pkcs7-mime") => {
            pkcs7(media.parameter("smime-type"))
        }
        _ => return None,
    };
    let of = media.parameter("protocol").unwrap_or(media.name());
    Some(format!("{how}: {of}"))
}

fn pkcs7(smime_type: Option<&str>) -> &'static str {
    match smime_type {
        Some("signed-data" | "certs-only") => "signed",
        Some("compressed-data") => "compressed",
        _ => "encrypted",
    }
}
