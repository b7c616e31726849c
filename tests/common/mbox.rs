//! An mbox file on disk, written and read without any mail program.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::corpus;
use super::launch::give_to_mail_owner;

const SEPARATOR: &[u8] = b"From sender@example.org Thu Jan  1 00:00:00 2024\n";

/// An mbox file.
#[derive(Debug)]
pub(super) struct Mbox {
    path: PathBuf,
}

impl Mbox {
    pub(super) fn create(path: PathBuf, messages: &[Vec<u8>]) -> Self {
        fs::write(&path, b"").expect("an mbox");
        give_to_mail_owner(&path);
        let mbox = Self { path };
        for message in messages {
            mbox.deliver(message);
        }
        mbox
    }

    /// Appends one more message, with LF line ends. No session may be open: an append takes no
    /// lock.
    pub(super) fn deliver(&self, message: &[u8]) {
        let mut octets = SEPARATOR.to_vec();
        octets.extend(corpus::with_lf(message));
        if octets.last() != Some(&b'\n') {
            octets.push(b'\n');
        }
        octets.push(b'\n');
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&octets))
            .expect("a delivery");
    }

    /// The current messages with CRLF line ends and with the headers that the server has added.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let stored = fs::read(&self.path).expect("an mbox");
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let mut after_blank_line = true;
        for line in stored.split_inclusive(|&octet| octet == b'\n') {
            if after_blank_line && line.starts_with(b"From ") {
                messages.push(Vec::new());
            } else if let Some(message) = messages.last_mut() {
                message.extend_from_slice(line);
            }
            after_blank_line = line == b"\n";
        }
        messages
            .iter()
            .map(|message| corpus::with_crlf(message.strip_suffix(b"\n").unwrap_or(message)))
            .collect()
    }
}
