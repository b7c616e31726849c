//! The identity of a message on a server without UIDL: a digest of its headers.
//!
//! ```text
//! unique-id = "headers-" 32HEXDIG    ; SHA-256 of the fields that TOP shows above the empty line
//! ```
//! Messages with equal headers share this identity, as messages may share a unique-id. LIST's
//! octets are not part of it, because some servers change them from one session to the next. The
//! fields in which mbox servers record what was read are not part of it either.

use memchr::memchr_iter;
use sha2::{Digest, Sha256};

use crate::pop3::UniqueId;
use crate::store::Row;

/// The most octets of headers that are examined for a digest, a date or a title. Real mail stays
/// below this; anything beyond is ignored.
pub(crate) const LONGEST_HEADERS: usize = 256 * 1024;
/// The beginning of a unique-id made from headers.
const PREFIX: &str = "headers-";
/// How many octets of the SHA-256 digest are kept.
const DIGEST_OCTETS: usize = 16;
/// Fields that a server adds and changes when a message is read. c-client and mailutils do so in
/// their mbox formats.
const SERVER_FIELDS: [&str; 9] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-UIDL",
    "X-IMAP",
    "X-IMAPbase",
    "Content-Length",
    "Lines",
];

/// The identity of a message with these headers. Anything after the empty line is ignored.
pub(crate) fn of_headers(message: &[u8]) -> UniqueId {
    let (digest, _) = digest_of_fields(message);
    let digest = hex::encode(&digest.finalize()[..DIGEST_OCTETS]);
    UniqueId::from_wire(format!("{PREFIX}{digest}").as_bytes())
}

/// The digest of the headers by which a message is identified. None where UIDL identifies it.
pub(crate) fn digest_in(unique_id: &UniqueId) -> Option<[u8; DIGEST_OCTETS]> {
    let digits = unique_id.as_bytes().strip_prefix(PREFIX.as_bytes())?;
    let mut digest = [0; DIGEST_OCTETS];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

/// How the headers of a message end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderEnd {
    /// With an empty line.
    EmptyLine,
    /// Without an empty line: the message has no body, or the headers were cut.
    Missing,
}

/// The digest of the header fields above the empty line, except fields that servers add.
pub(crate) fn digest_of_fields(message: &[u8]) -> (Sha256, HeaderEnd) {
    let mut digest = Sha256::new();
    let mut is_kept = true;
    for line in lines(&message[..message.len().min(LONGEST_HEADERS)]) {
        if line.is_empty() {
            return (digest, HeaderEnd::EmptyLine);
        }
        // A folded line belongs to the field above it (RFC 5322 section 2.2.3).
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            is_kept = !is_server_field(line);
        }
        if is_kept {
            digest.update(line);
            digest.update(b"\n");
        }
    }
    (digest, HeaderEnd::Missing)
}

/// [`Identity::Uidl`] if the index has a message whose unique-id came by UIDL. `None` if that is
/// unknown.
pub(crate) fn remembered(rows: &[Row]) -> Option<Identity> {
    let by_uidl = rows.iter().any(|row| is_of_uidl(&row.uidl));
    by_uidl.then_some(Identity::Uidl)
}

/// Whether this unique-id came by UIDL, and was not made from headers.
pub(crate) fn is_of_uidl(unique_id: &[u8]) -> bool {
    !unique_id.starts_with(PREFIX.as_bytes())
}

/// The lines, without CRLF or LF.
fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let is_last_open = !octets.is_empty() && !octets.ends_with(b"\n");
    memchr_iter(b'\n', octets)
        .chain(is_last_open.then_some(octets.len()))
        .map(move |end| {
            let line = &octets[start..end];
            start = end + 1;
            line.strip_suffix(b"\r").unwrap_or(line)
        })
}

fn is_server_field(line: &[u8]) -> bool {
    let name = line.split(|&octet| octet == b':').next();
    let name = name.unwrap_or_default().trim_ascii_end();
    SERVER_FIELDS
        .iter()
        .any(|note| name.eq_ignore_ascii_case(note.as_bytes()))
}

/// What identifies a message across sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Its unique-id.
    Uidl,
    /// A digest of its headers, because the server has no UIDL.
    Headers,
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::store::Row;

    fn id(message: &str) -> UniqueId {
        of_headers(message.as_bytes())
    }

    #[test]
    fn the_identity_depends_on_headers_alone() {
        let plain = id("From: a\r\nSubject: b\r\n\r\n");
        assert_eq!(plain, id("From: a\r\nSubject: b\r\n\r\nbody\r\n"));
        assert_eq!(plain, id("From: a\nSubject: b\n\nbody\n"));
        assert_eq!(plain, id("From: a\r\nSubject: b"));
        assert_ne!(plain, id("From: a\r\nSubject: c\r\n\r\n"));
        assert_ne!(plain, id("From: a\r\n Subject: b\r\n\r\n"));
        assert_eq!(plain.as_bytes().len(), PREFIX.len() + 32);
    }

    #[test]
    fn fields_that_servers_add_do_not_change_the_identity() {
        let plain = id("From: a\r\nSubject: b\r\n\r\n");
        for noted in [
            "From: a\r\nStatus: RO\r\nSubject: b\r\n\r\n",
            "X-UIDL: abc\r\n folded\r\nFrom: a\r\nSubject: b\r\nstatus : O\r\n\r\n",
        ] {
            assert_eq!(plain, id(noted), "{noted}");
        }
        assert_ne!(
            plain,
            id("From: a\r\nStatus-Of-Things: x\r\nSubject: b\r\n\r\n")
        );
    }

    #[test]
    fn empty_and_oversized_headers_have_an_identity() {
        assert_eq!(id(""), id("\r\nbody"));
        let endless = "x".repeat(2 * LONGEST_HEADERS);
        assert_eq!(id(&endless), id(&endless[..LONGEST_HEADERS]));
    }

    #[test]
    fn only_a_unique_id_by_uidl_shows_that_uidl_works() {
        let row = |uidl: &UniqueId| Row {
            uidl: uidl.octets(),
            ordinal: 1,
            inode: 1 << 30,
            size: None,
            arrived: None,
            listed: 1,
            read: false,
            title: None,
            mark: None,
            crlfs: None,
            outline: None,
            top_digest: None,
            body_digest: None,
            first_listed: None,
            departed: None,
            twins: NonZeroU32::new(1),
        };
        let by_headers = row(&id("From: a\r\n\r\n"));
        let by_uidl = row(&UniqueId::from_wire(b"0001"));
        assert_eq!(remembered(&[]), None);
        assert_eq!(remembered(std::slice::from_ref(&by_headers)), None);
        assert_eq!(remembered(&[by_headers, by_uidl]), Some(Identity::Uidl));
    }
}
