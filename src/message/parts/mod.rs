//! A message as a directory.
//!
//! ```text
//! headers              the header block, unchanged
//! message.eml          the whole message, unchanged
//! text.txt             its plain text in UTF-8, with LF
//! text.html            its HTML in UTF-8, with LF
//! attachments/NAME     decoded; the sender's name made safe, or part-3.pdf
//! message-1/           a nested message: a directory like this one
//! message-2.eml        a nested message too deep to be a directory
//! rest.eml             if there are too many parts: the rest of the message, unchanged
//! ```
//! What a message does not have is not there. A tree is small and holds nothing of the message:
//! each file knows where its octets are and reads them from the message when they are needed.
//!
//! Limits: 1,000 parts in all, 32 levels of multiparts, 16 levels of messages, 16 MiB of texts, and
//! 256 KiB of each header block. What is deeper is one file, and so is a larger text.

mod location;

use std::borrow::Cow;
use std::ops::Range;

use super::body::contents::{self, PartItem, PartRole};
use super::body::mime::{Bounds, Entity, MessageTree};
use super::body::transfer::Encoding;
use super::headers::block::{Owner, with_lf};
use super::text::{Plain, TextCharset};
use location::Location;

/// The entries of a message or of its attachments, in the order above. Names are unique, safe, and
/// at most 255 octets long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// In a whole tree: one for each part, and at most five more for each message.
    pub entries: Vec<PartEntry>,
}

/// A name in a [`Directory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartEntry {
    /// Without `/` and control characters, and without a dot or `-` at the start.
    pub name: String,
    /// What has the name.
    pub node: PartNode,
}

/// What a name in a [`Directory`] stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartNode {
    /// `attachments`, or a nested message.
    Directory(Directory),
    /// Octets.
    File(File),
}

/// A file whose octets are made when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    size: u64,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// Unchanged, or decoded.
    Octets(Location),
    /// The plain texts of the message at the location, one after another.
    Text(Location, Vec<Written<Plain>>),
    /// Its HTML documents, with their charsets.
    Html(Location, Vec<Written<TextCharset>>),
}

/// A text as it is written in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written<T> {
    range: Range<usize>,
    encoding: Encoding,
    /// How the decoded octets become text.
    form: T,
}

/// The tree of a message. Decodes its texts once; attachments are only measured. Never fails:
/// octets that are no mail have at least `headers` and `message.eml`.
pub fn parts(message: &[u8]) -> Directory {
    let mut bounds = Bounds::default();
    let location = Location::whole(message);
    directory(message, Owner::Message, &location, &mut bounds)
}

impl Directory {
    /// The entry of the name.
    pub fn get(&self, name: &str) -> Option<&PartNode> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map(|entry| &entry.node)
    }

    fn add(&mut self, name: impl Into<String>, node: PartNode) {
        let name = name.into();
        self.entries.push(PartEntry { name, node });
    }
}

impl File {
    /// The exact number of octets that [`Self::octets`] returns.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file's octets, read from the message that the tree was made of. Another message gives
    /// other octets, but no panic.
    pub fn octets<'m>(&self, message: &'m [u8]) -> Cow<'m, [u8]> {
        self.content.octets(message)
    }
}

impl Content {
    fn octets<'m>(&self, message: &'m [u8]) -> Cow<'m, [u8]> {
        match self {
            Self::Octets(location) => location.octets(message),
            Self::Text(location, texts) => {
                Cow::Owned(plain_text(texts, &location.octets(message)).into_bytes())
            }
            Self::Html(location, documents) => {
                Cow::Owned(html(documents, &location.octets(message)).into_bytes())
            }
        }
    }
}

impl<T> Written<T> {
    fn new(entity: &Entity, form: T) -> Self {
        Self {
            range: entity.body.clone(),
            encoding: entity.encoding,
            form,
        }
    }

    fn decoded<'a>(&self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        self.encoding
            .decode(octets.get(self.range.clone()).unwrap_or_default())
    }
}

fn plain_text(texts: &[Written<Plain>], octets: &[u8]) -> String {
    joined(
        texts
            .iter()
            .map(|text| text.form.text(&text.decoded(octets))),
    )
}

fn html(documents: &[Written<TextCharset>], octets: &[u8]) -> String {
    joined(
        documents
            .iter()
            .map(|document| document.form.html_source(&document.decoded(octets))),
    )
}

/// Joins texts; each begins on a new line.
fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.fold(String::new(), |mut joined, text| {
        if !joined.is_empty() && !joined.ends_with('\n') {
            joined.push('\n');
        }
        joined + &text
    })
}

/// `octets` are those of the message that is shown; `location` is their place in the outermost
/// message.
fn directory(octets: &[u8], owner: Owner, location: &Location, bounds: &mut Bounds) -> Directory {
    let octets = &*with_lf(octets);
    let message = MessageTree::read(octets, owner, bounds);
    let items = contents::items(&message);
    let tree = MessageFiles {
        octets,
        location,
        charset: message.charset.as_deref(),
    };
    let mut directory = Directory::default();
    directory.add("headers", tree.range(&message.root.header));
    directory.add("message.eml", tree.range(&(0..octets.len())));
    tree.add_texts(&items, &mut directory);
    tree.add_attachments(&items, &mut directory);
    tree.add_messages(&items, bounds, &mut directory);
    if let Some(rest) = &message.rest {
        directory.add("rest.eml", tree.range(rest));
    }
    directory
}

struct MessageFiles<'a> {
    octets: &'a [u8],
    location: &'a Location,
    /// The first that the message states.
    charset: Option<&'a str>,
}

impl MessageFiles<'_> {
    fn add_texts(&self, items: &[PartItem<'_>], directory: &mut Directory) {
        let texts: Vec<_> = of_role(items, &PartRole::Text)
            .map(|entity| Written::new(entity, Plain::of(&entity.media, self.charset)))
            .collect();
        let documents: Vec<_> = of_role(items, &PartRole::Html)
            .map(|entity| Written::new(entity, TextCharset::of(&entity.media, self.charset)))
            .collect();
        if !texts.is_empty() {
            let size = plain_text(&texts, self.octets).len();
            directory.add(
                "text.txt",
                made(size, Content::Text(self.location.clone(), texts)),
            );
        }
        if !documents.is_empty() {
            let size = html(&documents, self.octets).len();
            directory.add(
                "text.html",
                made(size, Content::Html(self.location.clone(), documents)),
            );
        }
    }

    fn add_attachments(&self, items: &[PartItem<'_>], directory: &mut Directory) {
        let mut attachments = Directory::default();
        for item in items {
            if let PartRole::Attachment(name) = &item.role {
                attachments.add(name, self.file(item.entity));
            }
        }
        if !attachments.entries.is_empty() {
            directory.add("attachments", PartNode::Directory(attachments));
        }
    }

    fn add_messages(&self, items: &[PartItem<'_>], bounds: &mut Bounds, directory: &mut Directory) {
        for item in items {
            let PartRole::Message(number) = item.role else {
                continue;
            };
            if bounds.nested == 0 || bounds.parts == 0 {
                directory.add(format!("message-{number}.eml"), self.file(item.entity));
                continue;
            }
            let octets = item.entity.content(self.octets);
            let location = self.decoded(item.entity);
            let nested = within(bounds, |bounds| {
                self::directory(&octets, Owner::Nested, &location, bounds)
            });
            directory.add(format!("message-{number}"), PartNode::Directory(nested));
        }
    }

    /// The entity's content.
    fn file(&self, entity: &Entity) -> PartNode {
        let location = self.decoded(entity);
        PartNode::File(File {
            size: entity.content_size(self.octets),
            content: Content::Octets(location),
        })
    }

    /// Octets as they are.
    fn range(&self, range: &Range<usize>) -> PartNode {
        PartNode::File(File {
            size: range.len() as u64,
            content: Content::Octets(self.location.within(range)),
        })
    }

    fn decoded(&self, entity: &Entity) -> Location {
        let size = entity.content_size(self.octets) as usize;
        self.location.decoded(&entity.body, entity.encoding, size)
    }
}

fn made(size: usize, content: Content) -> PartNode {
    let size = size as u64;
    PartNode::File(File { size, content })
}

fn of_role<'m>(items: &'m [PartItem<'m>], role: &'m PartRole) -> impl Iterator<Item = &'m Entity> {
    items
        .iter()
        .filter(move |item| item.role == *role)
        .map(|item| item.entity)
}

/// Reads one level deeper; the parts that were read stay counted.
fn within<T>(bounds: &mut Bounds, read: impl FnOnce(&mut Bounds) -> T) -> T {
    bounds.nested -= 1;
    let read = read(bounds);
    bounds.nested += 1;
    read
}
