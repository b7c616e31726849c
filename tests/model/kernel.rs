//! Simulates what the kernel caches of a mount until it is notified.

use std::collections::HashMap;

use pop3fs::fs::{Attributes, Validity};
use pop3fs::maildrop::{Change, Maildrop, Standing};

/// Names and sizes that the mount showed as lasting, so the kernel does not ask for them again.
#[derive(Default)]
pub(crate) struct Kernel {
    /// The inode number behind a name of the root.
    names: HashMap<String, u64>,
    /// The size by inode number.
    sizes: HashMap<u64, u64>,
    /// How many notifications came. A reply to a request from before a notification is not cached.
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
            Change::Directory | Change::Unlisted { .. } | Change::Forgotten { .. } => {}
        }
    }

    /// How many notifications came so far; pass this to [`Kernel::see`] with later replies.
    pub(crate) fn heard(&self) -> usize {
        self.heard
    }

    /// The mount showed an entry of the root.
    pub(crate) fn see(&mut self, heard: usize, name: &str, attributes: &Attributes) {
        if heard != self.heard {
            return;
        }
        self.names.insert(name.to_owned(), attributes.inode);
        if attributes.validity == Validity::Lasting {
            self.sizes.insert(attributes.inode, attributes.size);
        }
    }

    /// The user moved the file away.
    pub(crate) fn forget(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Describes a cached name or size that is wrong.
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
