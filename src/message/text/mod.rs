//! A message as one text, for grep and less.

mod alternatives;
mod flowed;
mod html;

use std::collections::{BTreeMap, HashSet};

use super::body::contents::{self, PartItem, PartRole};
use super::body::mime::{Bounds, Class, Entity, Media, MessageTree, Multipart};
use super::file_name;
use super::headers::block::{Owner, with_lf};
use super::headers::date::WrittenDate;
use super::headers::fields::Fields;
use super::{charset, visible};
use alternatives::Choice;
use flowed::Flow;

/// The message in UTF-8 with LF line ends: From, To, Cc, Date (ISO 8601 in the writer's zone),
/// Subject and Attachments if they are there, decoded and each on one line; a blank line; the text.
/// Of alternatives the plain text is shown, or the HTML if that says more, or both if each says
/// something of its own; of HTML what can be read. Lines in brackets mark what is not
/// text: `[signed: application/pgp-signature]`, `[attachment: notes.txt]` before the text of an
/// attachment, `[message-1: minutes.eml]` before the headers of a nested message. Control
/// characters are shown as pictures (U+2400), octets that cannot be decoded as U+FFFD. Never fails;
/// the length of the text is at most that of the message times a small constant.
pub fn text(message: &[u8]) -> String {
    let mut view = View {
        shown: String::new(),
        bounds: Bounds::default(),
        comparable: 2 * message.len(),
    };
    view.message(message, Owner::Message);
    view.shown
}

/// How plain text is written: all that is needed to read its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain {
    charset: TextCharset,
    flow: Flow,
}

impl Plain {
    pub(super) fn of(media: &Media, message: Option<&str>) -> Self {
        Self {
            charset: TextCharset::of(media, message),
            flow: Flow::of(media),
        }
    }

    /// The readable form of the decoded octets.
    pub(super) fn text(&self, octets: &[u8]) -> String {
        let text = visible::lines(&self.charset.decode(octets));
        self.flow.joined(text)
    }
}

/// The charset of a text, as far as a message states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextCharset {
    /// By the text itself.
    Own(String),
    /// By another part of the message.
    OfMessage(Option<String>),
}

impl TextCharset {
    pub(super) fn of(media: &Media, message: Option<&str>) -> Self {
        match media.parameter("charset") {
            Some(label) => Self::Own(label.to_owned()),
            None => Self::OfMessage(message.map(str::to_owned)),
        }
    }

    fn decode(&self, octets: &[u8]) -> String {
        match self {
            Self::Own(label) => charset::decode(Some(label), octets),
            Self::OfMessage(label) => charset::decode_unlabelled(label.as_deref(), octets),
        }
    }

    /// An HTML document as it is, but in UTF-8 and with LF line ends. It may state its charset
    /// itself, which counts where the header tells none.
    pub(super) fn html_source(&self, octets: &[u8]) -> String {
        let stated = || charset::stated_in_html(octets).map(Self::Own);
        let text = match self {
            Self::Own(label) if charset::is_followed(label, octets) => self.decode(octets),
            _ => stated().as_ref().unwrap_or(self).decode(octets),
        };
        // As the HTML standard reads line ends.
        text.replace("\r\n", "\n").replace('\r', "\n")
    }
}

struct View {
    shown: String,
    bounds: Bounds,
    /// How many octets may still be read to compare alternatives.
    comparable: usize,
}

/// The message that is being shown.
struct Shown<'a> {
    octets: &'a [u8],
    charset: Option<&'a str>,
    /// By where the entity's headers begin.
    roles: BTreeMap<usize, &'a PartRole>,
}

impl View {
    fn message(&mut self, octets: &[u8], owner: Owner) {
        let octets = &*with_lf(octets);
        let message = MessageTree::read(octets, owner, &mut self.bounds);
        let items = contents::items(&message);
        let fields = message
            .root
            .fields(octets)
            .or_charset(message.charset.as_deref());
        self.headers(&fields, &attachments(&items, octets));
        let roles = items
            .iter()
            .map(|item| (item.entity.header.start, &item.role));
        let shown = Shown {
            octets,
            charset: message.charset.as_deref(),
            roles: roles.collect(),
        };
        self.entity(&shown, &message.root);
        if let Some(rest) = &message.rest {
            self.mark(&format!("rest.eml: {} octets, not shown", rest.len()));
        }
    }

    /// With the blank line, even if there is no header: so no text can look like a header.
    fn headers(&mut self, fields: &Fields<'_>, attachments: &str) {
        let date = fields.date("date").map(WrittenDate::iso);
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
        if let Some(remark) = remark(entity) {
            self.mark(&remark);
        }
        match entity.media.class {
            Class::Multipart(Multipart::Alternative) => self.alternatives(shown, entity),
            Class::Multipart(_) => self.parts(shown, entity),
            _ => self.leaf(shown, entity),
        }
    }

    /// All parts but the signature of a signed multipart: the mark says that it is signed.
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

    /// The chosen text, and the attachments and messages of all parts, which are no alternatives of
    /// it.
    fn alternatives(&mut self, shown: &Shown<'_>, entity: &Entity) {
        let chosen = self.chosen(shown, &entity.parts);
        for (at, part) in entity.parts.iter().enumerate() {
            if chosen.contains(&at) {
                self.entity(shown, part);
            } else {
                self.without_texts(shown, part);
            }
        }
    }

    fn without_texts(&mut self, shown: &Shown<'_>, entity: &Entity) {
        for part in &entity.parts {
            self.without_texts(shown, part);
        }
        let is_attached = matches!(
            shown.role(entity),
            Some(PartRole::Attachment(_) | PartRole::Message(_))
        );
        if is_attached && !is_form_of_text(entity) {
            self.leaf(shown, entity);
        }
    }

    /// Places of the alternatives to show: the plain text if it has any, else HTML, else another
    /// form of the text. Where plain text and HTML differ, see [`Choice`]. Two texts of one type
    /// are no alternatives of each other.
    fn chosen(&mut self, shown: &Shown<'_>, parts: &[Entity]) -> Vec<usize> {
        let ranks: Vec<Rank> = parts.iter().map(|part| shown.rank(part)).collect();
        let best = ranks.iter().max().copied().unwrap_or(Rank::None);
        let Some(first) = ranks
            .iter()
            .position(|rank| *rank == best && best > Rank::None)
        else {
            return Vec::new();
        };
        let html =
            (0..parts.len()).rfind(|at| *at != first && shown.has(&parts[*at], &PartRole::Html));
        let (Rank::Plain, Some(html)) = (best, html) else {
            return self.with_others(shown, parts, first);
        };
        let plain = self.sample(shown, &parts[first], &PartRole::Text);
        match Choice::between(&plain, &self.sample(shown, &parts[html], &PartRole::Html)) {
            Choice::Plain => self.with_others(shown, parts, first),
            Choice::Html => vec![html],
            Choice::Both => vec![first, html],
        }
    }

    /// The part, and the later texts of its type that say something else.
    fn with_others(&mut self, shown: &Shown<'_>, parts: &[Entity], first: usize) -> Vec<usize> {
        let mut chosen = vec![first];
        let Some(role @ (PartRole::Text | PartRole::Html)) = shown.role(&parts[first]) else {
            return chosen;
        };
        let is_same = |at: &usize| shown.role(&parts[*at]) == Some(role);
        let others: Vec<usize> = (first + 1..parts.len()).filter(is_same).collect();
        if others.is_empty() {
            return chosen;
        }
        let mut seen = HashSet::from([self.sample(shown, &parts[first], role)]);
        for other in others {
            let text = self.sample(shown, &parts[other], role);
            if !text.trim().is_empty() && seen.insert(text) {
                chosen.push(other);
            }
        }
        chosen
    }

    /// The readable form of the entity's texts of a role, as far as texts may still be compared.
    fn sample(&mut self, shown: &Shown<'_>, entity: &Entity, role: &PartRole) -> String {
        if shown.role(entity) == Some(role) {
            let left = self.comparable.checked_sub(entity.body.len());
            self.comparable = left.unwrap_or(0);
            return left
                .and_then(|_| shown.readable(entity))
                .unwrap_or_default();
        }
        let parts = entity.parts.iter();
        parts.map(|part| self.sample(shown, part, role)).collect()
    }

    fn leaf(&mut self, shown: &Shown<'_>, entity: &Entity) {
        match shown.role(entity) {
            Some(PartRole::Message(number)) => self.nested(shown, entity, *number),
            Some(PartRole::Attachment(name)) => {
                if let Some(text) = shown.readable(entity) {
                    self.mark(&format!("attachment: {name}"));
                    self.paragraph(&text);
                }
            }
            _ => self.paragraph(&shown.readable(entity).unwrap_or_default()),
        }
    }

    fn nested(&mut self, shown: &Shown<'_>, entity: &Entity, number: usize) {
        if self.bounds.nested == 0 || self.bounds.parts == 0 {
            let size = entity.content_size(shown.octets);
            return self.mark(&format!("message-{number}.eml: {size} octets, not shown"));
        }
        match entity.file_name().and_then(file_name::safe) {
            Some(name) => self.mark(&format!("message-{number}: {name}")),
            None => self.mark(&format!("message-{number}")),
        }
        self.bounds.nested -= 1;
        self.message(&entity.content(shown.octets), Owner::Nested);
        self.bounds.nested += 1;
    }

    fn mark(&mut self, words: &str) {
        self.paragraph(&format!("[{}]", visible::line(words)));
    }

    /// A text with a blank line before it and a line end behind it.
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

/// Names and sizes, as in the parts view.
fn attachments(items: &[PartItem<'_>], octets: &[u8]) -> String {
    let files = items.iter().filter_map(|item| match &item.role {
        PartRole::Attachment(name) => Some(format!(
            "{name} ({} octets)",
            item.entity.content_size(octets)
        )),
        _ => None,
    });
    files.collect::<Vec<_>>().join(", ")
}

/// How much an alternative is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    None,
    /// Blank plain text, or another form of the text.
    Poor,
    Html,
    Plain,
}

impl Shown<'_> {
    fn role(&self, entity: &Entity) -> Option<&PartRole> {
        let is_leaf = !matches!(entity.media.class, Class::Multipart(_));
        let role = self.roles.get(&entity.header.start).filter(|_| is_leaf);
        role.copied()
    }

    /// The readable form of the part; None if it has none.
    fn readable(&self, entity: &Entity) -> Option<String> {
        let media = &entity.media;
        let content = || entity.content(self.octets);
        match media.class {
            Class::Plain | Class::Readable => Some(Plain::of(media, self.charset).text(&content())),
            Class::Html => {
                let source = TextCharset::of(media, self.charset).html_source(&content());
                Some(visible::lines(&html::readable(&source)))
            }
            _ => None,
        }
    }

    fn rank(&self, entity: &Entity) -> Rank {
        let is_blank = || self.octets[entity.body.clone()].trim_ascii().is_empty();
        match self.role(entity) {
            Some(PartRole::Text) if is_blank() => Rank::Poor,
            Some(PartRole::Text) => Rank::Plain,
            Some(PartRole::Html) => Rank::Html,
            _ if is_form_of_text(entity) => Rank::Poor,
            _ => {
                let ranks = entity.parts.iter().map(|part| self.rank(part));
                ranks.max().unwrap_or(Rank::None)
            }
        }
    }

    fn has(&self, entity: &Entity, role: &PartRole) -> bool {
        self.role(entity) == Some(role) || entity.parts.iter().any(|part| self.has(part, role))
    }
}

/// Whether the part is the text once more, in a form that few readers of mail show.
fn is_form_of_text(entity: &Entity) -> bool {
    let is_form = matches!(
        entity.media.name(),
        "text/enriched"
            | "text/richtext"
            | "text/x-amp-html"
            | "text/watch-html"
            | "text/markdown"
            | "text/x-markdown"
    );
    is_form && !entity.is_attached() && entity.file_name().is_none()
}

/// How the part is protected (RFC 1847, RFC 8551), or where its body is (RFC 2017, RFC 2046 section
/// 5.2.3), according to its type.
fn remark(entity: &Entity) -> Option<String> {
    let media = &entity.media;
    let how = match (media.class, media.name()) {
        (Class::Multipart(Multipart::Encrypted), _) => "encrypted",
        (Class::Multipart(Multipart::Signed), _)
        | (_, "application/pkcs7-signature" | "application/x-pkcs7-signature") => "signed",
        (_, "application/pkcs7-mime" | "application/x-pkcs7-mime") => {
            pkcs7(media.parameter("smime-type"))
        }
        (_, "message/external-body") => {
            let places = ["url", "name", "server"];
            let mut stated = places.iter().filter_map(|place| media.parameter(place));
            return Some(format!("external: {}", stated.next()?));
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
