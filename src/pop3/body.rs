//! Decodes a body from chunks: a line with only a dot ends it, and a stuffed dot is removed.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::line::LineEnd;

static CRLF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n."));
static LF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

/// A part of a body, or its end.
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
/// Everything but a possible dot line is passed on as slices of the input. The length of a line is
/// not limited. [`super`] says when a bare LF ends a line, and when it is an octet of the message.
#[derive(Debug)]
pub(super) struct BodyDecoder {
    position: LinePosition,
    /// `None` until the first line of the body has ended.
    line_end: Option<LineEnd>,
}

/// The position of the next octet in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinePosition {
    Start,
    Inside,
    InsideAfterCr,
    /// After a dot at the start. The dot was not passed on.
    AfterDot,
    /// After a dot and a CR at the start. Neither was passed on.
    AfterDotCr,
}

impl BodyDecoder {
    /// A decoder for the body behind a status line that ended like this.
    pub(super) fn new(status_line_end: LineEnd) -> Self {
        let line_end = match status_line_end {
            LineEnd::Lf => Some(LineEnd::Lf),
            LineEnd::CrLf => None,
        };
        Self {
            position: LinePosition::Start,
            line_end,
        }
    }

    /// Takes a piece from the front of `input`. None if nothing can be passed on yet.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        while let Some((&octet, rest)) = input.split_first() {
            match (self.position, octet) {
                (LinePosition::Start, b'.') => self.position = LinePosition::AfterDot,
                (LinePosition::AfterDot, b'\r') => self.position = LinePosition::AfterDotCr,
                (LinePosition::AfterDot | LinePosition::AfterDotCr, b'\n') => {
                    *input = rest;
                    return Some(Piece::End);
                }
                (LinePosition::AfterDotCr, _) => {
                    self.position = LinePosition::InsideAfterCr;
                    return Some(Piece::Octets(b"\r"));
                }
                _ => return Some(Piece::Octets(self.run(input))),
            }
            *input = rest;
        }
        None
    }

    /// Takes octets up to the first that may end the body. `input` must not be empty, nor begin
    /// with a dot at the start of a line.
    fn run<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        let length = self.run_length(input);
        let (octets, rest) = input.split_at(length);
        self.position = self.position_after(octets);
        *input = rest;
        octets
    }

    fn run_length(&mut self, input: &[u8]) -> usize {
        if self.position == LinePosition::InsideAfterCr && input.starts_with(b"\n") {
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

    /// The length of the first line if its end has come. That end says how all lines end.
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

    fn position_after(&self, octets: &[u8]) -> LinePosition {
        let after_cr = self.position == LinePosition::InsideAfterCr;
        match (octets, self.line_end) {
            ([.., b'\n'], Some(LineEnd::Lf)) | ([.., b'\r', b'\n'], _) => LinePosition::Start,
            ([b'\n'], _) if after_cr => LinePosition::Start,
            ([.., b'\r'], _) => LinePosition::InsideAfterCr,
            _ => LinePosition::Inside,
        }
    }
}
