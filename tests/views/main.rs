//! What the views make of a message, through the public functions of `pop3fs::message`: octets in, text and trees out. No mount,
//! no server.

mod attachments;
mod corpus;
mod hostile;
mod mutations;
mod python;
mod texts;
mod trees;

use pop3fs::message::parts::{Directory, Node};

/// The message as it comes from the wire: every line end of the literal is CRLF.
fn wire(message: &str) -> Vec<u8> {
    message.replace('\n', "\r\n").into_bytes()
}

/// The text view of a message given with LF.
fn text(message: &str) -> String {
    pop3fs::message::text(&wire(message))
}

/// A file of a tree.
struct Leaf {
    /// `message-1/attachments/a.pdf`
    path: String,
    octets: Vec<u8>,
}

/// All files of the message's tree in its order; each has the size that it tells.
fn leaves(message: &[u8]) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    collect(&pop3fs::message::parts(message), message, "", &mut leaves);
    leaves
}

fn collect(directory: &Directory, message: &[u8], parent: &str, leaves: &mut Vec<Leaf>) {
    for entry in &directory.entries {
        let path = format!("{parent}{}", entry.name);
        match &entry.node {
            Node::Directory(inner) => collect(inner, message, &format!("{path}/"), leaves),
            Node::File(file) => {
                let octets = file.octets(message).into_owned();
                assert_eq!(octets.len() as u64, file.size(), "{path}");
                leaves.push(Leaf { path, octets });
            }
        }
    }
}

/// The paths of all files of the message's tree.
fn paths(message: &[u8]) -> Vec<String> {
    leaves(message).into_iter().map(|leaf| leaf.path).collect()
}

/// The octets of one file.
fn file(message: &[u8], path: &str) -> Vec<u8> {
    let found = leaves(message).into_iter().find(|leaf| leaf.path == path);
    found
        .unwrap_or_else(|| panic!("{path} in {:?}", paths(message)))
        .octets
}

/// One file that is text.
fn text_file(message: &[u8], path: &str) -> String {
    String::from_utf8(file(message, path)).expect("UTF-8")
}
