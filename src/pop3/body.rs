//! Decodes a body from chunks: a line with only a dot ends it, and a stuffed dot is removed.

use std::sync::LazyLock;

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
    /// As the server ended the status line. A message's author controls how the lines of the body
    /// end.
    line_end: LineEnd,
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
    pub(super) fn new(line_end: LineEnd) -> Self {
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

    fn run_length(&self, input: &[u8]) -> usize {
        if self.position == LinePosition::InsideAfterCr && input.starts_with(b"\n") {
            return 1;
        }
        let length = match self.line_end {
            LineEnd::CrLf => CRLF_DOT.find(input).map(|at| at + 2),
            LineEnd::Lf => LF_DOT.find(input).map(|at| at + 1),
        };
        length.unwrap_or(input.len())
    }

    fn position_after(&self, octets: &[u8]) -> LinePosition {
        let after_cr = self.position == LinePosition::InsideAfterCr;
        match (octets, self.line_end) {
            ([.., b'\n'], LineEnd::Lf) | ([.., b'\r', b'\n'], _) => LinePosition::Start,
            ([b'\n'], _) if after_cr => LinePosition::Start,
            ([.., b'\r'], _) => LinePosition::InsideAfterCr,
            _ => LinePosition::Inside,
        }
    }
}
