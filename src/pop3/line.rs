//! Assembles lines from chunks.

use memchr::memchr;

use super::error::ProtocolError;
use super::text::ServerText;

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// With CRLF (RFC 1939 section 3).
    CrLf,
    /// With LF alone.
    Lf,
}

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) octets: &'a [u8],
    pub(super) end: LineEnd,
}

/// Keeps the beginning of a line until its end arrives.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    held: Vec<u8>,
    /// `held` is a line that was returned already. It is cleared before the next line.
    given: bool,
}

impl LineBuffer {
    /// Takes a line from the front of `input`. None if its end has not arrived yet.
    ///
    /// A line that is complete in `input` is not copied. `limit` is in octets without the LF.
    pub(super) fn take<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        limit: usize,
    ) -> Result<Option<Line<'a>>, ProtocolError> {
        if self.given {
            self.held.clear();
            self.given = false;
        }
        let Some(end) = memchr(b'\n', input) else {
            self.hold(input, limit)?;
            *input = &[];
            return Ok(None);
        };
        let (last, rest) = (&input[..end], &input[end + 1..]);
        *input = rest;
        if self.held.is_empty() && last.len() <= limit {
            return Ok(Some(without_cr(last)));
        }
        self.hold(last, limit)?;
        self.given = true;
        Ok(Some(without_cr(&self.held)))
    }

    /// Takes an empty line from the front of `input`. Returns false, and takes nothing, if no empty
    /// line is there or its end has not arrived yet.
    pub(super) fn skip_empty(&mut self, input: &mut &[u8]) -> bool {
        let held: &[u8] = if self.given { b"" } else { &self.held };
        let ends: &[&[u8]] = match held {
            b"" => &[b"\r\n", b"\n"],
            b"\r" => &[b"\n"],
            _ => &[],
        };
        let Some(rest) = ends.iter().find_map(|end| input.strip_prefix(*end)) else {
            return false;
        };
        *input = rest;
        self.held.clear();
        self.given = false;
        true
    }

    fn hold(&mut self, octets: &[u8], limit: usize) -> Result<(), ProtocolError> {
        let room = limit.saturating_sub(self.held.len());
        self.held
            .extend_from_slice(&octets[..octets.len().min(room)]);
        if octets.len() > room {
            return Err(ProtocolError::LineTooLong {
                limit,
                text: ServerText::from(&*self.held),
            });
        }
        Ok(())
    }
}

fn without_cr(octets: &[u8]) -> Line<'_> {
    match octets.strip_suffix(b"\r") {
        Some(octets) => Line {
            octets,
            end: LineEnd::CrLf,
        },
        None => Line {
            octets,
            end: LineEnd::Lf,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        lines: &mut LineBuffer,
        mut input: &[u8],
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ProtocolError> {
        Ok(lines
            .take(&mut input, limit)?
            .map(|line| line.octets.to_vec()))
    }

    #[test]
    fn the_limit_counts_all_octets_before_the_lf() {
        let mut lines = LineBuffer::default();
        assert_eq!(taken(&mut lines, b"abc\r\n", 4), Ok(Some(b"abc".to_vec())));
        assert_eq!(taken(&mut lines, b"ab", 4), Ok(None));
        assert_eq!(taken(&mut lines, b"c\r", 4), Ok(None));
        assert_eq!(taken(&mut lines, b"\n", 4), Ok(Some(b"abc".to_vec())));
        assert!(taken(&mut lines, b"abcd\r\n", 4).is_err());
    }

    #[test]
    fn an_empty_line_is_skipped_wherever_it_is_cut() {
        for chunks in [&[&b"\r\n"[..]][..], &[b"\n"], &[b"\r", b"\n"]] {
            let mut lines = LineBuffer::default();
            let mut skipped = 0;
            for chunk in chunks {
                let mut input = *chunk;
                skipped += usize::from(lines.skip_empty(&mut input));
                assert_eq!(taken(&mut lines, input, 4), Ok(None));
            }
            assert_eq!(skipped, 1, "{chunks:?}");
            assert!(!lines.skip_empty(&mut &b"a\r\n"[..]));
        }
    }

    #[test]
    fn an_endless_line_is_not_kept_beyond_its_limit() {
        let mut lines = LineBuffer::default();
        assert!(taken(&mut lines, &[b'x'; 100_000], 1000).is_err());
        assert!(lines.held.capacity() <= 1000);
    }
}
