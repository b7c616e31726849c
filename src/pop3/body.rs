//! A body out of chunks: the dot line is its end, and a stuffed dot is not part of it.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::line::LineEnd;

static CRLF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n."));
static LF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

/// Part of a body, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Octets(&'a [u8]),
    End,
}

/// The body of RETR or TOP (RFC 1939 section 3):
///
/// ```text
/// body     = *line "." CRLF
/// line     = ["."] *OCTET CRLF       ; the dot is stuffed where the octets begin with one
/// ```
///
/// Everything but a possible dot line is passed on as it came, in slices of the input. No line has a length limit.
/// Where a bare LF ends a line, and where it is an octet of the message, is told in the page of [`super`].
#[derive(Debug)]
pub(super) struct BodyDecoder {
    place: Place,
    /// `None` until the first line of the body has ended.
    line_end: Option<LineEnd>,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    InsideAfterCr,
    /// After a dot at the start, which was not passed on.
    AfterDot,
    /// After a dot and a CR at the start, neither of which was passed on.
    AfterDotCr,
}

impl BodyDecoder {
    /// The body that follows a status line with this end.
    pub(super) fn new(status_line_end: LineEnd) -> Self {
        let line_end = match status_line_end {
            LineEnd::Lf => Some(LineEnd::Lf),
            LineEnd::CrLf => None,
        };
        Self {
            place: Place::Start,
            line_end,
        }
    }

    /// Takes a piece from the front of `input`; `None` when nothing of it can be passed on yet.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        while let Some((&octet, rest)) = input.split_first() {
            match (self.place, octet) {
                (Place::Start, b'.') => self.place = Place::AfterDot,
                (Place::AfterDot, b'\r') => self.place = Place::AfterDotCr,
                (Place::AfterDot | Place::AfterDotCr, b'\n') => {
                    *input = rest;
                    return Some(Piece::End);
                }
                (Place::AfterDotCr, _) => {
                    self.place = Place::InsideAfterCr;
                    return Some(Piece::Octets(b"\r"));
                }
                _ => return Some(Piece::Octets(self.run(input))),
            }
            *input = rest;
        }
        None
    }

    /// Takes octets up to the first place that needs a closer look. `input` is not empty, and does not begin with a dot at
    /// the start of a line.
    fn run<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        let length = self.run_length(input);
        let (octets, rest) = input.split_at(length);
        self.place = self.place_after(octets);
        *input = rest;
        octets
    }

    fn run_length(&mut self, input: &[u8]) -> usize {
        if self.place == Place::InsideAfterCr && input.starts_with(b"\n") {
            self.line_end.get_or_insert(LineEnd::CrLf);
            return 1;
        }
        let length = match self.line_end {
            None => self.first_line(input),
            Some(LineEnd::CrLf) => CRLF_DOT.find(input).map(|at| at + 2),
            Some(LineEnd::Lf) => LF_DOT.find(input).map(|at| at + 1),
        };
        length.unwrap_or(input.len())
    }

    /// How much of the input the first line takes, if its end is there, which tells what ends the others.
    fn first_line(&mut self, input: &[u8]) -> Option<usize> {
        let lf = memchr(b'\n', input)?;
        let end = if input[..lf].ends_with(b"\r") {
            LineEnd::CrLf
        } else {
            LineEnd::Lf
        };
        self.line_end = Some(end);
        Some(lf + 1)
    }

    fn place_after(&self, octets: &[u8]) -> Place {
        let after_cr = self.place == Place::InsideAfterCr;
        match (octets, self.line_end) {
            ([.., b'\n'], Some(LineEnd::Lf)) | ([.., b'\r', b'\n'], _) => Place::Start,
            ([b'\n'], _) if after_cr => Place::Start,
            ([.., b'\r'], _) => Place::InsideAfterCr,
            _ => Place::Inside,
        }
    }
}
