//! `.maildir/`: the messages as a Maildir, for mail readers
//! (<https://cr.yp.to/proto/maildir.html>).
//!
//! ```text
//! entry = time "." name ".pop3fs" [ info ]     ; time: of arrival; name: as in the root, without .eml
//! if that leaves no room for all flags in 255 octets:
//! entry = time ".~" tag ".pop3fs" [ info ]     ; tag: as in .named; no name begins with "~"
//! info  = ":2," *ALPHA                         ; flags, as the mail reader wrote them
//! mark  = ("new" / "cur") [ info ]             ; what the index keeps of a message
//! ```
//! A message is in `new` until a mail reader moves it to `cur`. Mail readers move and flag messages
//! by rename(2). POP3 has no flags, so only the index of this machine keeps them.

use std::str::FromStr;

use crate::fs::views::{ListingNeeds, MessageView, ViewForm, ViewLayout, with_ending};
use crate::maildrop::{Maildrop as Mail, Message, MessageId, NAME_MAX, SUFFIX, Standing, Tag};

/// The end of the part of an entry that never changes.
const HOST: &str = ".pop3fs";
/// What is in front of the flags.
const FLAGS: &str = ":2,";
/// More flags than there are letters make no sense.
const MOST_FLAGS: usize = 52;
/// Octets of the longest time with its dot. The index may hold any number.
const TIME_MAX: usize = "-9223372036854775808.".len();
/// The longest name, in octets, that an entry has room for.
const STEM_MAX: usize = NAME_MAX - TIME_MAX - HOST.len() - FLAGS.len() - MOST_FLAGS;
/// What is in front of the tag in an entry.
const TAGGED: &str = "~";

/// The folders. Mail is delivered through `tmp`, and nothing is delivered here, so that one is
/// always empty.
const FOLDERS: [&str; 3] = ["cur", "new", "tmp"];
/// The place of `cur`.
const CUR: u8 = 0;
/// The place of `new`.
const NEW: u8 = 1;

pub(super) struct MaildirView;

impl MessageView for MaildirView {
    fn name(&self) -> &'static str {
        "maildir"
    }

    fn entry(&self, message: &Message) -> String {
        let (_, info) = folder_and_info(message);
        format!("{}{info}", base(message))
    }

    fn find(&self, entry: &str, mail: &Mail) -> Option<MessageId> {
        // The last occurrence counts: a unique-id may contain HOST, an info cannot.
        let (base, _) = entry.rsplit_once(HOST)?;
        let (_, name) = base.split_once('.')?;
        let has_entry = |message: &Message| self.entry(message) == entry;
        if let Some(tag) = name.strip_prefix(TAGGED) {
            return mail.by_tag(Tag::from_str(tag).ok()?, has_entry);
        }
        let id = mail.by_name(&format!("{name}{SUFFIX}"), Standing::Listed)?;
        has_entry(&mail.message(id)).then_some(id)
    }

    fn form(&self) -> ViewForm {
        ViewForm::WithLf
    }

    fn needs(&self) -> ListingNeeds {
        ListingNeeds::Titles
    }

    fn layout(&self) -> ViewLayout {
        ViewLayout::Folders(&FOLDERS)
    }

    fn folder_of(&self, message: &Message) -> u8 {
        folder_and_info(message).0
    }

    fn can_hold(&self, folder: u8) -> bool {
        matches!(folder, CUR | NEW)
    }

    /// None unless the entry is the message's own with other flags, and the folder holds mail.
    fn mark_for(&self, message: &Message, folder: u8, entry: &str) -> Option<String> {
        if !self.can_hold(folder) {
            return None;
        }
        let info = entry.strip_prefix(&base(message))?;
        is_info(info).then(|| format!("{}{info}", folder_name(folder)))
    }
}

fn folder_name(folder: u8) -> &'static str {
    FOLDERS[usize::from(folder)]
}

fn folder_and_info(message: &Message) -> (u8, &str) {
    let mark = message.mark.as_deref().unwrap_or_default();
    let in_cur = mark.strip_prefix(folder_name(CUR));
    let in_new = || mark.strip_prefix(folder_name(NEW));
    match in_cur {
        Some(info) => (CUR, info),
        None => (NEW, in_new().unwrap_or_default()),
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
