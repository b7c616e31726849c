//! The tree of a message: every file has the size that it tells, under a name that is safe and its own.

use std::collections::HashSet;

use pop3fs::message::parts::{Directory, PartNode};

/// A file of a tree.
pub struct Leaf {
    /// `message-1/attachments/a.pdf`
    pub path: String,
    pub octets: Vec<u8>,
}

/// The most octets of a file for one of the message: eight for a C1 control.
const GROWTH: usize = 8;

pub fn check(octets: &[u8]) {
    let leaves = leaves(octets);
    let most = 64 + GROWTH * octets.len();
    let long = leaves.iter().find(|leaf| leaf.octets.len() > most);
    assert!(
        long.is_none(),
        "{:?} of {}",
        long.map(|leaf| (&leaf.path, leaf.octets.len())),
        octets.len()
    );
    let whole = leaves.iter().find(|leaf| leaf.path == "message.eml");
    assert_eq!(whole.expect("the whole message").octets, octets);
}

/// All files of the message's tree in its order; each has the size that it tells, and a name of its own.
pub fn leaves(message: &[u8]) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    collect(&pop3fs::message::parts(message), message, "", &mut leaves);
    leaves
}

fn collect(directory: &Directory, message: &[u8], parent: &str, leaves: &mut Vec<Leaf>) {
    let mut given = HashSet::new();
    for entry in &directory.entries {
        let path = format!("{parent}{}", entry.name);
        is_safe(&entry.name);
        assert!(given.insert(&entry.name), "{path} twice");
        match &entry.node {
            PartNode::Directory(inner) => collect(inner, message, &format!("{path}/"), leaves),
            PartNode::File(file) => {
                let octets = file.octets(message).into_owned();
                assert_eq!(octets.len() as u64, file.size(), "{path}");
                // A message that changed gives whatever is there.
                let _other = file.octets(&message[..message.len() / 2]);
                leaves.push(Leaf { path, octets });
            }
        }
    }
}

fn is_safe(name: &str) {
    assert!(!name.is_empty() && name.len() <= 255, "{name:?}");
    assert!(!name.starts_with(['.', '-']), "{name:?}");
    assert!(
        !name.contains(|character: char| character == '/' || character.is_control()),
        "{name:?}"
    );
}
