//! `.parts/NAME/`: a message as a directory of its headers, texts, attachments and nested messages.

use crate::fs::views::{MessageView, ViewForm, with_ending, without_ending};
use crate::maildrop::{Maildrop, Message, MessageId};
use crate::message::parts::{self, Directory, File, PartNode};

/// The number of the file with the headers: each message has it, and its tree begins with it.
pub(in crate::fs) const HEADERS_PART: u16 = 1;
/// Its name.
pub(in crate::fs) const HEADERS_NAME: &str = "headers";
/// About the octets of memory that tell where the content of a part is.
const PLACE: usize = 128;

pub(super) struct PartsView;

impl MessageView for PartsView {
    fn name(&self) -> &'static str {
        "parts"
    }

    fn entry(&self, message: &Message) -> String {
        with_ending(message, "")
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        without_ending(entry, "", maildrop)
    }

    fn form(&self) -> ViewForm {
        ViewForm::Directory
    }

    fn media_type(&self) -> Option<&'static str> {
        None
    }
}

/// The parts of one message. Each has a number: 0 is the directory of the message itself, and the
/// number of a directory is less than the numbers of what it contains. The same message always
/// gives the same tree.
#[derive(Debug)]
pub(in crate::fs) struct PartTree(Vec<NumberedPart>);

#[derive(Debug)]
struct NumberedPart {
    name: String,
    parent: u16,
    /// None for a directory.
    file: Option<File>,
}

impl PartTree {
    /// The parts of a message with this content.
    pub(in crate::fs) fn new(message: &[u8]) -> Self {
        let mut tree = Self(Vec::new());
        let root = PartNode::Directory(parts::parts(message));
        tree.add(0, String::new(), root);
        tree
    }

    fn add(&mut self, parent: u16, name: String, node: PartNode) {
        // message::parts allows far fewer parts.
        let Ok(number) = u16::try_from(self.0.len()) else {
            return;
        };
        let (file, directory) = match node {
            PartNode::File(file) => (Some(file), Directory::default()),
            PartNode::Directory(directory) => (None, directory),
        };
        self.0.push(NumberedPart { name, parent, file });
        for entry in directory.entries {
            self.add(number, entry.name, entry.node);
        }
    }

    /// The numbers and names of what a directory contains, in the order of the numbers.
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
        // `add` gives no part a number that does not fit.
        u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
    }

    /// About how many octets of memory it takes. The same tree always takes the same.
    pub(in crate::fs) fn octets(&self) -> usize {
        let each = size_of::<NumberedPart>() + PLACE;
        self.0.iter().map(|part| each + part.name.len()).sum()
    }

    /// Whether there is a part of that number.
    pub(in crate::fs) fn contains(&self, part: u16) -> bool {
        usize::from(part) < self.0.len()
    }

    /// None for a directory.
    pub(in crate::fs) fn file(&self, part: u16) -> Option<&File> {
        self.0.get(usize::from(part))?.file.as_ref()
    }
}
