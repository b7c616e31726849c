//! What a kernel believes of a mount, until it is told better.

use std::collections::HashMap;

use pop3fs::fs::{Attributes, Validity};
use pop3fs::maildrop::{Change, Maildrop, Standing};

/// Names and sizes that were shown to last. Nothing is asked again for them.
#[derive(Default)]
pub(crate) struct Kernel {
    /// The inode number behind a name of the root.
    names: HashMap<String, u64>,
    /// By inode number.
    sizes: HashMap<u64, u64>,
    /// Changes heard: what was asked for before one is not believed after it.
    heard: usize,
}

impl Kernel {
    pub(crate) fn hear(&mut self, change: &Change) {
        self.heard += 1;
        match change {
            Change::Gone { name } => self.forget(name),
            Change::Size { inode, .. } | Change::Content { inode } => {
                self.sizes.remove(inode);
            }
            Change::Directory => {}
        }
    }

    /// How many changes were heard: to be passed with what is asked for from here on.
    pub(crate) fn heard(&self) -> usize {
        self.heard
    }

    /// An entry of the root was shown.
    pub(crate) fn see(&mut self, heard: usize, name: &str, attributes: &Attributes) {
        if heard != self.heard {
            return;
        }
        self.names.insert(name.to_owned(), attributes.inode);
        if attributes.validity == Validity::Lasting {
            self.sizes.insert(attributes.inode, attributes.size);
        }
    }

    /// The user moved it away.
    pub(crate) fn forget(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// What it believes and is not so.
    pub(crate) fn error(&self, maildrop: &Maildrop) -> Option<String> {
        for (name, inode) in &self.names {
            let id = maildrop.by_name(name, Standing::Listed);
            let is = id.map(|id| maildrop.message(id).inode);
            if is != Some(*inode) {
                return Some(format!("the name {name} is {is:?}, not {inode}"));
            }
        }
        for (inode, size) in &self.sizes {
            let id = maildrop.by_inode(*inode);
            let is = id.map(|id| maildrop.message(id).size());
            if is != Some(*size) {
                return Some(format!("the size of {inode} is {is:?}, not {size}"));
            }
        }
        None
    }
}
