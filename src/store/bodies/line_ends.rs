//! Line ends: CRLF as the server sends them, LF as the programs of this system expect them.
//!
//! A body is kept with CRLF and read with either. A read with LF drops the CR of each CRLF; a bare
//! CR or LF stays. So that a read may begin anywhere, a table notes for each block of the body at
//! which offset it begins with LF. The table is made when the body arrives, or when it is first
//! read through.

use memchr::{memchr, memchr_iter};

/// The most octets that a read with LF scans in vain. A block's note takes 8 octets.
const BLOCK: u64 = 64 * 1024;

/// How the lines of a file end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eol {
    /// In CRLF: every octet is as the server sent it.
    #[default]
    Crlf,
    /// In LF.
    Lf,
}

impl Eol {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 2] = [Self::Crlf, Self::Lf];
}

/// The CRLFs of a body, counted in all and up to each block.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    octets: u64,
    crlfs: u64,
    /// The offset with LF of each block but the first.
    blocks: Vec<u64>,
    ends_in_cr: bool,
}

/// The octets of a body to read for a range of the body with LF.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BlockRange {
    /// The offset in the body, at the start of a block.
    pub(super) start: u64,
    /// Whole blocks and one octet more, which tells whether a CR at their end is dropped.
    pub(super) length: usize,
    /// The octets in front of the range that was asked for, after the CRs are dropped.
    pub(super) ahead: usize,
}

impl LineEnds {
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut line_ends = Self::default();
        line_ends.push(octets);
        line_ends
    }

    /// Counts the line ends in the next octets.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.ends_in_cr && octets.first() == Some(&b'\n') {
            self.crlfs += 1;
        }
        let mut rest = octets;
        while !rest.is_empty() {
            let at = self.octets % BLOCK;
            if at == 0 && self.octets > 0 {
                self.blocks.push(self.octets - self.crlfs);
            }
            let (block, behind) = rest.split_at(rest.len().min((BLOCK - at) as usize));
            self.crlfs += crlfs(block);
            self.octets += block.len() as u64;
            self.ends_in_cr = block.last() == Some(&b'\r');
            if self.ends_in_cr && behind.first() == Some(&b'\n') {
                self.crlfs += 1;
            }
            rest = behind;
        }
    }

    /// The CRLFs so far.
    pub(super) fn crlfs(&self) -> u64 {
        self.crlfs
    }

    /// What to read for `length` octets at `offset` of the body with LF.
    pub(super) fn range_of(&self, offset: u64, length: u64) -> BlockRange {
        let end = offset.saturating_add(length);
        let first = self.blocks.partition_point(|&block| block <= offset);
        let last = self.blocks.partition_point(|&block| block < end);
        let begins = first.checked_sub(1).map_or(0, |at| self.blocks[at]);
        let start = first as u64 * BLOCK;
        let end = self.octets.min((last as u64 + 1) * BLOCK + 1);
        BlockRange {
            start,
            length: (end - start) as usize,
            ahead: (offset - begins) as usize,
        }
    }
}

/// The CRLFs with both octets in `octets`.
fn crlfs(octets: &[u8]) -> u64 {
    let is_crlf = |&at: &usize| at > 0 && octets[at - 1] == b'\r';
    memchr_iter(b'\n', octets).filter(is_crlf).count() as u64
}

/// Drops the CR of every CRLF in place, and returns how many octets are left.
pub(super) fn to_lf(octets: &mut [u8]) -> usize {
    let (mut from, mut to) = (0, 0);
    while let Some(found) = memchr(b'\n', &octets[from..]) {
        let lf = from + found;
        let end = lf - usize::from(found > 0 && octets[lf - 1] == b'\r');
        octets.copy_within(from..end, to);
        to += end - from;
        octets[to] = b'\n';
        (from, to) = (lf + 1, to + 1);
    }
    let rest = octets.len() - from;
    octets.copy_within(from.., to);
    to + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_lf(octets: &[u8]) -> Vec<u8> {
        let mut octets = octets.to_vec();
        let length = to_lf(&mut octets);
        octets.truncate(length);
        octets
    }

    #[test]
    fn crlf_becomes_lf_and_nothing_else_changes() {
        for (octets, expected) in [
            (&b"a\r\nb\r\n"[..], &b"a\nb\n"[..]),
            (b"\r\n\r\n", b"\n\n"),
            (b"\r\r\n\r", b"\r\n\r"),
            (b"\n\r\n\n\r", b"\n\n\n\r"),
            (b"a\nb\rc", b"a\nb\rc"),
            (b"\0\r\n\xff", b"\0\n\xff"),
            (b"", b""),
        ] {
            assert_eq!(with_lf(octets), expected);
            let dropped = LineEnds::of(octets).crlfs();
            assert_eq!(dropped, (octets.len() - expected.len()) as u64);
        }
    }

    /// A few blocks, with all kinds of line ends anywhere in them.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let ends = prop::sample::select(vec!["", "\r\n", "\r", "\n", "\r\r\n", "\r\n\r\n"]);
        let near_a_block = (BLOCK as usize - 6)..(BLOCK as usize + 2);
        let line = (prop_oneof![0..6_usize, near_a_block], ends);
        prop::collection::vec(line, 0..8).prop_map(|lines| {
            let lines = lines
                .into_iter()
                .map(|(length, end)| "x".repeat(length) + end);
            lines.collect::<String>().into_bytes()
        })
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_give_the_same_count(octets in octets(), at in any::<prop::sample::Index>()) {
            let at = at.index(octets.len() + 1);
            let mut pieces = LineEnds::default();
            pieces.push(&octets[..at]);
            pieces.push(&octets[at..]);
            let whole = LineEnds::of(&octets);
            prop_assert_eq!((pieces.crlfs, pieces.blocks), (whole.crlfs, whole.blocks));
        }

        #[test]
        fn dropping_crs_equals_replacing_crlf_by_lf(octets in octets()) {
            let text = String::from_utf8(octets.clone()).unwrap();
            let replaced = text.replace("\r\n", "\n");
            prop_assert_eq!(octets.len() as u64 - LineEnds::of(&octets).crlfs(), replaced.len() as u64);
            prop_assert!(with_lf(&octets) == replaced.as_bytes());
        }
    }
}
