//! A Maildir on disk, written and read without any mail program.

use std::fs;
use std::path::PathBuf;

use super::corpus;
use super::launch::give_to_mail_owner;

/// Unix time in the first message's file name; each further message is one second younger.
const FIRST_DELIVERY: u64 = 1_700_000_000;

/// A Maildir whose messages are numbered in the order of their delivery.
#[derive(Debug)]
pub(super) struct Maildir {
    root: PathBuf,
    delivered: u64,
}

impl Maildir {
    pub(super) fn create(root: PathBuf, messages: &[Vec<u8>]) -> Self {
        fs::create_dir(&root).expect("a Maildir");
        give_to_mail_owner(&root);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir(root.join(part)).expect("a Maildir's part");
            give_to_mail_owner(&root.join(part));
        }
        let mut maildir = Self { root, delivered: 0 };
        for message in messages {
            maildir.deliver(message);
        }
        maildir
    }

    /// Stores one more message, with LF line ends as on any Unix.
    pub(super) fn deliver(&mut self, message: &[u8]) {
        let seconds = FIRST_DELIVERY + self.delivered;
        let name = format!("{seconds}.M{:06}P1.loopback", self.delivered);
        let unfinished = self.root.join("tmp").join(&name);
        fs::write(&unfinished, corpus::with_lf(message)).expect("a message");
        give_to_mail_owner(&unfinished);
        fs::rename(&unfinished, self.root.join("new").join(&name)).expect("a delivery");
        self.delivered += 1;
    }

    /// The current messages in the order of delivery, with CRLF line ends.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let mut paths: Vec<PathBuf> = ["cur", "new"]
            .iter()
            .flat_map(|part| fs::read_dir(self.root.join(part)).expect("a Maildir's part"))
            .map(|entry| entry.expect("a Maildir's entry").path())
            .collect();
        paths.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        paths
            .iter()
            .map(|path| corpus::with_crlf(&fs::read(path).expect("a stored message")))
            .collect()
    }
}
