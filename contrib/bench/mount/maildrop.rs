//! Seeded maildrops on disk, made once: a Maildir each, for Dovecot.

mod author;
mod linked;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub(crate) use author::{Kind, NEEDLE, Seed};
pub(crate) use linked::LinkedMaildrop;

use crate::servers::mail_owner;

/// Counted up whenever the same seed makes other messages.
const EDITION: u32 = 1;

/// The time in the first message's file name, in Unix seconds; each next message is one second
/// younger.
const FIRST_DELIVERY: usize = 1_700_000_000;

/// Every hundredth message holds the needle.
const NEEDLE_EVERY: u32 = 100;

/// A Maildir that is complete.
#[derive(Debug)]
pub(crate) struct Maildrop {
    folder: PathBuf,
    messages: u32,
    octets: u64,
}

impl Maildrop {
    /// Finds the maildrop in `parent`, or makes it there.
    pub(crate) fn of(parent: &Path, kind: Kind, messages: u32, seed: Seed) -> Result<Self> {
        let folder = parent.join(format!("{kind}-{messages}-{seed}-{EDITION}"));
        match fs::read_to_string(folder.join("octets")) {
            Ok(octets) => Ok(Self {
                octets: octets.trim().parse()?,
                folder,
                messages,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Self::make(folder, kind, messages, seed)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder that holds `cur`, `new` and `tmp`.
    pub(crate) fn maildir(&self) -> PathBuf {
        self.folder.join("Maildir")
    }

    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// Of all messages, as POP3 sends them.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// How many messages hold [`NEEDLE`].
    pub(crate) fn needles(&self) -> usize {
        (0..self.messages)
            .filter(|&index| holds_needle(index))
            .count()
    }

    /// The first message from `index` on, in maildrop order and counted from 0, that takes at most
    /// so many octets on disk.
    pub(crate) fn first_within(&self, octets: u64, index: usize) -> Result<usize> {
        let maildir = self.maildir();
        for index in index..self.messages as usize {
            if path(&maildir, index).metadata()?.len() <= octets {
                return Ok(index);
            }
        }
        bail!("no message of at most {octets} octets is left")
    }

    fn make(folder: PathBuf, kind: Kind, messages: u32, seed: Seed) -> Result<Self> {
        eprintln!("bench: making {messages} messages in {}", folder.display());
        // What an interrupted run has left.
        let _ = fs::remove_dir_all(&folder);
        let mut maildrop = Self {
            folder,
            messages,
            octets: 0,
        };
        let maildir = maildrop.maildir();
        for part in ["cur", "new", "tmp"] {
            let part = maildir.join(part);
            fs::create_dir_all(&part).with_context(|| format!("create {}", part.display()))?;
            chown(&part, mail_owner(), mail_owner())?;
        }
        chown(&maildir, mail_owner(), mail_owner())?;
        for index in 0..messages {
            maildrop.octets += deliver(&maildir, index, &author::write(kind, seed, index))?;
        }
        let done = maildrop.folder.join("octets");
        fs::write(done, maildrop.octets.to_string())?;
        Ok(maildrop)
    }
}

fn holds_needle(index: u32) -> bool {
    index % NEEDLE_EVERY == NEEDLE_EVERY / 2
}

/// Stores the message as any Unix does, with LF line ends; returns its octets with CRLF.
fn deliver(maildir: &Path, index: u32, message: &str) -> Result<u64> {
    let path = path(maildir, index as usize);
    fs::write(&path, message).with_context(|| format!("write {}", path.display()))?;
    chown(&path, mail_owner(), mail_owner())?;
    let line_ends = memchr::memchr_iter(b'\n', message.as_bytes()).count();
    Ok((message.len() + line_ends) as u64)
}

/// Under a name that sorts by `index`, and that no server changes: the message has been seen.
fn path(maildir: &Path, index: usize) -> PathBuf {
    let seconds = FIRST_DELIVERY + index;
    maildir.join(format!("cur/{seconds}.M{index:07}P1.bench:2,S"))
}
