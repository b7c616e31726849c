//! A message as a directory.
//!
//! ```text
//! headers              the header block as it is
//! message.eml          the whole message as it is
//! text.txt             its plain text in UTF-8, with LF
//! text.html            its HTML in UTF-8, with LF
//! attachments/NAME     decoded, under the sender's names made safe, or part-3.pdf
//! message-1/           a nested message: the same again
//! message-2.eml        one that lies too deep to be a directory
//! rest.eml             as it is, from the first of the parts that are too many to the end
//! ```
//! What a message has not is not there. A tree is small and owns nothing of the message: each file knows where its octets are,
//! and gives them when it has the message again.
//!
//! Looked at are 1,000 parts in all, 32 multiparts and 16 messages within each other, 16 MiB of texts, and 256 KiB of each header
//! block. What lies deeper is one file, and so is a larger text.

mod location;

use std::borrow::Cow;
use std::ops::Range;

use super::body::contents::{self, Item, Role};
use super::body::mime::{Bounds, Entity, Message};
use super::body::transfer::Encoding;
use super::text::{Plain, html_source};
use location::Location;

/// The entries of a message or of its attachments, in the order above; names are unique, safe, and at most 255 octets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// In a whole tree one for each part, and at most five more for each message.
    pub entries: Vec<Entry>,
}

/// A name in a [`Directory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Without `/`, control characters, and a dot or `-` in front.
    pub name: String,
    /// What has the name.
    pub node: Node,
}

/// What a name in a [`Directory`] stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `attachments`, or a nested message.
    Directory(Directory),
    /// Octets.
    File(File),
}

/// A file whose octets are made when they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    size: u64,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// As they are, or decoded.
    Octets(Location),
    /// The plain texts of the message at the location, one after another.
    Text(Location, Vec<Written<Plain>>),
    /// Its HTML documents, with their charsets.
    Html(Location, Vec<Written<Option<String>>>),
}

/// A text as it is written in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written<T> {
    range: Range<usize>,
    encoding: Encoding,
    /// What turns the decoded octets into text.
    form: T,
}

/// The tree of a message. Takes the time to decode its texts once; attachments are only measured. Never fails: what is no mail
/// has `message.eml` and what else can be told.
pub fn parts(message: &[u8]) -> Directory {
    let mut bounds = Bounds::default();
    directory(message, &Location::whole(message), &mut bounds)
}

impl Directory {
    /// The entry of the name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map(|entry| &entry.node)
    }

    fn add(&mut self, name: impl Into<String>, node: Node) {
        let name = name.into();
        self.entries.push(Entry { name, node });
    }
}

impl File {
    /// Exactly how many octets [`Self::octets`] gives.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file's octets, out of the message that its tree was made of. Another message gives other octets, but no panic.
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

fn html(documents: &[Written<Option<String>>], octets: &[u8]) -> String {
    joined(
        documents
            .iter()
            .map(|document| html_source(document.form.as_deref(), &document.decoded(octets))),
    )
}

/// Texts that begin on lines of their own.
fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.fold(String::new(), |mut joined, text| {
        if !joined.is_empty() && !joined.ends_with('\n') {
            joined.push('\n');
        }
        joined + &text
    })
}

/// `octets` are those of the message that is shown, `location` is where they are in the outermost one.
fn directory(octets: &[u8], location: &Location, bounds: &mut Bounds) -> Directory {
    let message = Message::read(octets, bounds);
    let items = contents::items(&message);
    let tree = Tree { octets, location };
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

struct Tree<'a> {
    octets: &'a [u8],
    location: &'a Location,
}

impl Tree<'_> {
    fn add_texts(&self, items: &[Item<'_>], directory: &mut Directory) {
        let texts: Vec<_> = of_role(items, &Role::Text)
            .map(|entity| Written::new(entity, Plain::of(&entity.media)))
            .collect();
        let documents: Vec<_> = of_role(items, &Role::Html)
            .map(|entity| {
                Written::new(entity, entity.media.parameter("charset").map(str::to_owned))
            })
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

    fn add_attachments(&self, items: &[Item<'_>], directory: &mut Directory) {
        let mut attachments = Directory::default();
        for item in items {
            if let Role::Attachment(name) = &item.role {
                attachments.add(name, self.file(item.entity));
            }
        }
        if !attachments.entries.is_empty() {
            directory.add("attachments", Node::Directory(attachments));
        }
    }

    fn add_messages(&self, items: &[Item<'_>], bounds: &mut Bounds, directory: &mut Directory) {
        for item in items {
            let Role::Message(number) = item.role else {
                continue;
            };
            if bounds.nested == 0 || bounds.parts == 0 {
                directory.add(format!("message-{number}.eml"), self.file(item.entity));
                continue;
            }
            let octets = item.entity.content(self.octets);
            let location = self.decoded(item.entity);
            let nested = within(bounds, |bounds| self::directory(&octets, &location, bounds));
            directory.add(format!("message-{number}"), Node::Directory(nested));
        }
    }

    /// The entity's content.
    fn file(&self, entity: &Entity) -> Node {
        let location = self.decoded(entity);
        Node::File(File {
            size: entity.content_size(self.octets),
            content: Content::Octets(location),
        })
    }

    /// Octets as they are.
    fn range(&self, range: &Range<usize>) -> Node {
        Node::File(File {
            size: range.len() as u64,
            content: Content::Octets(self.location.within(range)),
        })
    }

    fn decoded(&self, entity: &Entity) -> Location {
        let size = entity.content_size(self.octets) as usize;
        self.location.decoded(&entity.body, entity.encoding, size)
    }
}

fn made(size: usize, content: Content) -> Node {
    let size = size as u64;
    Node::File(File { size, content })
}

fn of_role<'m>(items: &'m [Item<'m>], role: &'m Role) -> impl Iterator<Item = &'m Entity> {
    items
        .iter()
        .filter(move |item| item.role == *role)
        .map(|item| item.entity)
}

/// One message deeper; the parts that were used up stay so.
fn within<T>(bounds: &mut Bounds, read: impl FnOnce(&mut Bounds) -> T) -> T {
    bounds.nested -= 1;
    let read = read(bounds);
    bounds.nested += 1;
    read
}
