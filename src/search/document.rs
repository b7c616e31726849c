//! What of a message is found by its words.

use crate::message::{self, parts};

/// The most octets of a message's text that are indexed.
const TEXT_MAX: usize = 4 * 1024 * 1024;

/// The texts of a message, decoded, by where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Names and addresses of the authors.
    pub from: String,
    /// Those of the field To.
    pub to: String,
    /// Those of the field Cc.
    pub cc: String,
    /// What it is about.
    pub subject: String,
    /// Name and identifier of the mailing list (RFC 2919), and where it is posted to (RFC 2369).
    pub list: String,
    /// The names of the files that came with it, and with the messages in it, a line each.
    pub attachments: String,
    /// What the text view shows behind the headers, at most 4 MiB of it. It has no encrypted part.
    pub text: String,
}

impl Document {
    /// Of a message, of which the end may be missing.
    pub fn of(message: &[u8]) -> Self {
        let headers = message::envelope(message::header_block(message));
        let mut attachments = String::new();
        collect_names(&message::parts(message), &mut attachments);
        Self {
            from: headers.from.unwrap_or_default(),
            to: headers.to.unwrap_or_default(),
            cc: headers.cc.unwrap_or_default(),
            subject: headers.subject.unwrap_or_default(),
            list: headers.list.unwrap_or_default(),
            attachments,
            text: readable(message),
        }
    }

    /// Whether a file came with it.
    pub fn has_attachment(&self) -> bool {
        !self.attachments.is_empty()
    }
}

/// The text view without the headers on top, which a blank line ends.
fn readable(message: &[u8]) -> String {
    let text = message::text(message);
    let start = match text.starts_with('\n') {
        true => 1,
        false => text.find("\n\n").map_or(text.len(), |end| end + 2),
    };
    let end = (start..=text.len().min(start + TEXT_MAX)).rfind(|&end| text.is_char_boundary(end));
    text[start..end.unwrap_or(start)].to_owned()
}

fn collect_names(directory: &parts::Directory, names: &mut String) {
    for entry in &directory.entries {
        match &entry.node {
            parts::PartNode::Directory(inner) if entry.name == "attachments" => {
                inner
                    .entries
                    .iter()
                    .for_each(|file| push_line(&file.name, names));
            }
            parts::PartNode::Directory(inner) => collect_names(inner, names),
            parts::PartNode::File(_) => (),
        }
    }
}

fn push_line(name: &str, lines: &mut String) {
    if !lines.is_empty() {
        lines.push('\n');
    }
    lines.push_str(name);
}
