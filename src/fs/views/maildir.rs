//! `.maildir/`: the messages as mail readers like them (<https://cr.yp.to/proto/maildir.html>).
//!
//! ```text
//! entry = time "." name ".pop3fs" [ info ]     ; time: of arrival; name: as in the root, without .eml
//! a name that leaves no room for all flags in 255 octets:
//! entry = time ".~" tag ".pop3fs" [ info ]     ; tag: as in .named; no name begins with "~"
//! info  = ":2," *ALPHA                         ; flags, as the reader wrote them
//! mark  = ("new" / "cur") [ info ]             ; what the index keeps of a message
//! ```
//! A message is in `new` until a reader moves it. A reader flags and moves by rename(2); the mark is ours alone: POP3 has none.

use std::str::FromStr;

use super::{Form, Needs, View, with_ending};
use crate::maildrop::{Maildrop as Mail, Message, MessageId, NAME_MAX, SUFFIX, Standing, Tag};

/// What ends the part of an entry that never changes.
const HOST: &str = ".pop3fs";
/// What begins the flags.
const FLAGS: &str = ":2,";
/// More flags than there are letters make no sense.
const MOST_FLAGS: usize = 52;
/// Octets of the longest time with its dot: an index can hold any number.
const TIME_MAX: usize = "-9223372036854775808.".len();
/// The longest name that stands in an entry.
const STEM_MAX: usize = NAME_MAX - TIME_MAX - HOST.len() - FLAGS.len() - MOST_FLAGS;
/// What begins the tag in an entry.
const TAGGED: &str = "~";

pub(super) struct Maildir;

/// One of the two directories that messages are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Mailbox {
    /// No reader has taken it yet.
    New,
    /// A reader has.
    Cur,
}

impl View for Maildir {
    fn name(&self) -> &'static str {
        "maildir"
    }

    fn entry(&self, message: &Message) -> String {
        let (_, info) = mark(message);
        format!("{}{info}", base(message))
    }

    fn find(&self, entry: &str, mail: &Mail) -> Option<MessageId> {
        // The last one: a unique-id may hold it, an info does not.
        let (base, _) = entry.rsplit_once(HOST)?;
        let (_, name) = base.split_once('.')?;
        let is_called_so = |message: &Message| self.entry(message) == entry;
        if let Some(tag) = name.strip_prefix(TAGGED) {
            return mail.by_tag(Tag::from_str(tag).ok()?, is_called_so);
        }
        let id = mail.by_name(&format!("{name}{SUFFIX}"), Standing::Listed)?;
        is_called_so(&mail.message(id)).then_some(id)
    }

    fn form(&self) -> Form {
        Form::WithLf
    }

    fn needs(&self) -> Needs {
        Needs::Titles
    }
}

impl Mailbox {
    pub(in crate::fs) const ALL: [Mailbox; 2] = [Mailbox::Cur, Mailbox::New];

    /// Its directory's name.
    pub(in crate::fs) fn name(self) -> &'static str {
        match self {
            Mailbox::New => "new",
            Mailbox::Cur => "cur",
        }
    }

    pub(in crate::fs) fn holds(self, message: &Message) -> bool {
        mark(message).0 == self
    }

    /// The mark of a message that is moved here under a new name. None where the name is not the message's with other flags.
    pub(in crate::fs) fn mark_for(self, message: &Message, entry: &str) -> Option<String> {
        let info = entry.strip_prefix(&base(message))?;
        is_info(info).then(|| format!("{}{info}", self.name()))
    }
}

/// Where a message is, and its info.
fn mark(message: &Message) -> (Mailbox, &str) {
    let mark = message.mark.as_deref().unwrap_or_default();
    let in_cur = mark.strip_prefix(Mailbox::Cur.name());
    let in_new = || mark.strip_prefix(Mailbox::New.name());
    match in_cur {
        Some(info) => (Mailbox::Cur, info),
        None => (Mailbox::New, in_new().unwrap_or_default()),
    }
}

/// The part of an entry that never changes.
fn base(message: &Message) -> String {
    let time = message.arrived.unwrap_or_default();
    let name = with_ending(message, "");
    if name.len() <= STEM_MAX {
        format!("{time}.{name}{HOST}")
    } else {
        format!("{time}.{TAGGED}{}{HOST}", message.tag())
    }
}

fn is_info(info: &str) -> bool {
    let flags = info.strip_prefix(FLAGS).unwrap_or(info);
    info.is_empty()
        || info.starts_with(FLAGS)
            && flags.len() <= MOST_FLAGS
            && flags.bytes().all(|flag| flag.is_ascii_alphabetic())
}
