//! Line ends: CRLF as the server sends them, LF as the tools of this system like them.
use std::borrow::Cow;

use memchr::memmem;

/// The octets with every CRLF as LF. A bare CR or LF stays.
pub fn to_lf(octets: &[u8]) -> Cow<'_, [u8]> {
    let mut pieces = lf_pieces(octets);
    let first = pieces.next().unwrap_or_default();
    if first.len() == octets.len() {
        return Cow::Borrowed(octets);
    }
    let mut converted = Vec::with_capacity(octets.len());
    converted.extend_from_slice(first);
    pieces.for_each(|piece| converted.extend_from_slice(piece));
    Cow::Owned(converted)
}

/// How many octets [`to_lf`] gives, without making them.
pub fn lf_size(octets: &[u8]) -> u64 {
    let dropped = memmem::find_iter(octets, b"\r\n").count();
    (octets.len() - dropped) as u64
}

/// What [`to_lf`] gives, in pieces of the original: nothing is copied.
pub fn lf_pieces(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memmem::find_iter(octets, b"\r\n").chain(std::iter::once(octets.len()));
    ends.map(move |end| {
        let piece = &octets[start..end];
        start = end + 1;
        piece
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn crlf_becomes_lf_and_nothing_else_changes() {
        for (octets, expected) in [
            (&b"a\r\nb\r\n"[..], &b"a\nb\n"[..]),
            (b"\r\n\r\n", b"\n\n"),
            (b"\r\r\n\r", b"\r\n\r"),
            (b"a\nb\rc", b"a\nb\rc"),
            (b"\0\r\n\xff", b"\0\n\xff"),
            (b"", b""),
        ] {
            assert_eq!(&*to_lf(octets), expected);
            assert_eq!(lf_size(octets), expected.len() as u64);
        }
    }

    #[test]
    fn what_has_no_crlf_is_not_copied() {
        assert!(matches!(to_lf(b"a\nb"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn size_pieces_and_octets_agree(octets in prop::collection::vec(prop::sample::select(b"a\r\n".to_vec()), 0..40)) {
            let converted = to_lf(&octets);
            prop_assert_eq!(converted.len() as u64, lf_size(&octets));
            prop_assert_eq!(lf_pieces(&octets).collect::<Vec<_>>().concat(), converted.as_ref());
            let text = String::from_utf8(octets.clone()).unwrap();
            let replaced = text.replace("\r\n", "\n");
            prop_assert_eq!(replaced.as_bytes(), converted.as_ref());
        }
    }
}
