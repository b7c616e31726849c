//! `.parts/NAME/`: a message as a directory of its headers, texts, attachments and nested messages.

use super::{Form, View, with_ending, without_ending};
use crate::maildrop::{Maildrop, Message, MessageId};
use crate::message::parts::{self, Directory, File, Node};

pub(super) struct Parts;

impl View for Parts {
    fn name(&self) -> &'static str {
        "parts"
    }

    fn entry(&self, message: &Message) -> String {
        with_ending(message, "")
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        without_ending(entry, "", maildrop)
    }

    fn form(&self) -> Form {
        Form::Directory
    }

    fn media_type(&self) -> Option<&'static str> {
        None
    }
}

/// The parts of one message, each with a number: 0 is the message's own directory, and a directory's number is less
/// than those of what it holds. The same message always gives the same tree.
#[derive(Debug)]
pub(in crate::fs) struct Tree(Vec<Part>);

#[derive(Debug)]
struct Part {
    name: String,
    parent: u16,
    /// None for a directory.
    file: Option<File>,
}

impl Tree {
    /// Of a message's octets.
    pub(in crate::fs) fn of(message: &[u8]) -> Tree {
        let mut tree = Tree(Vec::new());
        let root = Node::Directory(parts::parts(message));
        tree.add(0, String::new(), root);
        tree
    }

    fn add(&mut self, parent: u16, name: String, node: Node) {
        // Parts are bounded far below.
        let Ok(number) = u16::try_from(self.0.len()) else {
            return;
        };
        let (file, directory) = match node {
            Node::File(file) => (Some(file), Directory::default()),
            Node::Directory(directory) => (None, directory),
        };
        self.0.push(Part { name, parent, file });
        for entry in directory.entries {
            self.add(number, entry.name, entry.node);
        }
    }

    /// What a directory holds: numbers and names, by number.
    pub(in crate::fs) fn children(&self, directory: u16) -> impl Iterator<Item = (u16, &str)> {
        (0..)
            .zip(&self.0)
            .skip(1)
            .filter(move |(_, part)| part.parent == directory)
            .map(|(number, part)| (number, part.name.as_str()))
    }

    pub(in crate::fs) fn child(&self, directory: u16, name: &str) -> Option<u16> {
        self.children(directory)
            .find(|&(_, child)| child == name)
            .map(|(number, _)| number)
    }

    /// The greatest number of a part.
    pub(in crate::fs) fn last(&self) -> u16 {
        // `add` numbers no part that has no room here.
        u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
    }

    /// Whether there is such a part.
    pub(in crate::fs) fn contains(&self, part: u16) -> bool {
        usize::from(part) < self.0.len()
    }

    /// None for a directory.
    pub(in crate::fs) fn file(&self, part: u16) -> Option<&File> {
        self.0.get(usize::from(part))?.file.as_ref()
    }
}
