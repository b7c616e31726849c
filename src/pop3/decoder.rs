//! Cuts the octets from the server into the replies that it owes.

use std::collections::VecDeque;
use std::fmt;

use super::body::{BodyDecoder, Piece};
use super::error::ProtocolError;
use super::limits::{
    MAX_EMPTY_LINES, MAX_LISTING, MAX_LISTING_LINE, MAX_MESSAGES, MAX_SASL_LINE, MAX_STATUS_LINE,
};
use super::line::{LineBuffer, LineEnd};
use super::reply::Status;
use super::text::ServerText;

/// The framing of a reply, which depends on the command. An `-ERR` is one line in every shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One status line. The greeting has this shape too.
    Status,
    /// A status line, then lines of a listing up to the dot line.
    Lines,
    /// A status line, then the octets of a message up to the dot line.
    Body,
    /// Any number of challenges, then a status line (RFC 5034 section 4).
    Sasl,
}

/// A part of what the server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A reply of one line is complete: a `+OK`, or any `-ERR`.
    Done(Status<'a>),
    /// The `+OK` of a longer reply. Its lines or octets follow.
    Opened(Status<'a>),
    /// A challenge in base64. The reply is still owed.
    Challenge(&'a [u8]),
    /// A line of a listing, without its line end and without a stuffed dot.
    Line(&'a [u8]),
    /// Octets of a body without stuffed dots; never empty. A body is any number of these.
    Body(&'a [u8]),
    /// A longer reply is complete.
    End,
}

/// The event for a log. It shows no octets of a body and no challenge, which belongs to the
/// authentication.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(status) | Self::Opened(status) => status.fmt(f),
            Self::Challenge(_) => f.write_str("+ ***"),
            Self::Line(line) => ServerText::from(*line).fmt(f),
            Self::Body(octets) => write!(f, "({} octets)", octets.len()),
            Self::End => f.write_str("."),
        }
    }
}

/// Cuts a stream of octets into the replies that the server owes. [`super`] states the rules.
#[derive(Debug, Default)]
pub struct Decoder {
    replies: Replies,
    line: LineBuffer,
}

impl Decoder {
    /// A decoder that expects nothing. The greeting must be expected as a [`Shape::Status`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The server owes one more reply, after those that it already owes.
    ///
    /// Call it for each command except a SASL response or cancellation, whose reply AUTH already
    /// made the server owe. The caller limits how many commands are in flight.
    pub fn expect(&mut self, shape: Shape) {
        self.replies.owed.push_back(shape);
    }

    /// How many replies are not complete, including the current one.
    pub fn owed(&self) -> usize {
        self.replies.owed.len()
    }

    /// Takes the next event from the front of `input`. None if it needs more input; then it has
    /// taken all of it.
    ///
    /// # Errors
    /// The server broke the protocol. The decoder cannot be used any more.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        while self.replies.may_skip_empty_line() && self.line.skip_empty(input) {
            self.replies.note_empty_line();
        }
        if input.is_empty() {
            return Ok(None);
        }
        if let ReplyPosition::Between = self.replies.position {
            self.replies.begin();
        }
        match &mut self.replies.position {
            ReplyPosition::Between | ReplyPosition::Unsolicited => self.unsolicited(input),
            ReplyPosition::StatusLine(shape) => {
                let shape = *shape;
                self.status_line(shape, input)
            }
            ReplyPosition::Listing { .. } => self.listing_line(input),
            ReplyPosition::Body(body) => Ok(match body.next(input) {
                Some(Piece::Octets(octets)) => Some(Event::Body(octets)),
                Some(Piece::End) => {
                    self.replies.finish();
                    Some(Event::End)
                }
                None => None,
            }),
        }
    }

    fn unsolicited<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        match self.line.take(input, MAX_STATUS_LINE)? {
            Some(line) => Err(ProtocolError::Unsolicited(ServerText::from(line.octets))),
            None => Ok(None),
        }
    }

    fn status_line<'a, 'i: 'a>(
        &'a mut self,
        shape: Shape,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let limit = if shape == Shape::Sasl {
            MAX_SASL_LINE
        } else {
            MAX_STATUS_LINE
        };
        let Some(line) = self.line.take(input, limit)? else {
            return Ok(None);
        };
        if let (Shape::Sasl, Some(text)) = (shape, challenge(line.octets)) {
            self.replies.position = ReplyPosition::Between;
            return Ok(Some(Event::Challenge(text)));
        }
        let status = Status::parse(line.octets)?;
        if status.is_ok() && self.replies.open(shape, line.end) {
            return Ok(Some(Event::Opened(status)));
        }
        self.replies.finish();
        Ok(Some(Event::Done(status)))
    }

    fn listing_line<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let Some(line) = self.line.take(input, MAX_LISTING_LINE)? else {
            return Ok(None);
        };
        if line.octets == b"." {
            self.replies.finish();
            return Ok(Some(Event::End));
        }
        self.replies.count_line(line.octets.len())?;
        let unstuffed = line.octets.strip_prefix(b".").unwrap_or(line.octets);
        Ok(Some(Event::Line(unstuffed)))
    }
}

/// The replies that the server owes, and the position in the first of them.
#[derive(Debug, Default)]
struct Replies {
    owed: VecDeque<Shape>,
    position: ReplyPosition,
    /// Empty lines that were skipped since the last reply.
    empty_lines: usize,
}

/// What the next octet of the stream belongs to.
#[derive(Debug, Default)]
enum ReplyPosition {
    /// A line that is the next reply, or that no command asked for.
    #[default]
    Between,
    StatusLine(Shape),
    Listing {
        lines: usize,
        octets: usize,
    },
    Body(BodyDecoder),
    /// A line that began while nothing was owed. It stays unsolicited even if a reply is expected
    /// before the line ends.
    Unsolicited,
}

impl Replies {
    /// Whether an empty line here is skipped. It is neither a reply nor part of one.
    fn may_skip_empty_line(&self) -> bool {
        let is_within_reply = matches!(
            self.position,
            ReplyPosition::Listing { .. } | ReplyPosition::Body(_)
        );
        !is_within_reply && self.empty_lines < MAX_EMPTY_LINES
    }

    fn note_empty_line(&mut self) {
        self.empty_lines += 1;
        if let ReplyPosition::Unsolicited = self.position {
            self.position = ReplyPosition::Between;
        }
    }

    fn begin(&mut self) {
        self.position = match self.owed.front() {
            Some(&shape) => ReplyPosition::StatusLine(shape),
            None => ReplyPosition::Unsolicited,
        };
    }

    /// Begins what follows a `+OK`. False if the reply ends with it.
    fn open(&mut self, shape: Shape, status_line_end: LineEnd) -> bool {
        self.position = match shape {
            Shape::Lines => ReplyPosition::Listing {
                lines: 0,
                octets: 0,
            },
            Shape::Body => ReplyPosition::Body(BodyDecoder::new(status_line_end)),
            Shape::Status | Shape::Sasl => return false,
        };
        true
    }

    fn count_line(&mut self, length: usize) -> Result<(), ProtocolError> {
        let ReplyPosition::Listing { lines, octets } = &mut self.position else {
            return Ok(());
        };
        *lines += 1;
        *octets += length;
        if *octets > MAX_LISTING {
            return Err(ProtocolError::ListingTooLarge { limit: MAX_LISTING });
        }
        if *lines > MAX_MESSAGES {
            return Err(ProtocolError::TooManyLines {
                limit: MAX_MESSAGES,
            });
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.owed.pop_front();
        self.empty_lines = 0;
        self.position = ReplyPosition::Between;
    }
}

/// `continue-req = "+" SP [base64] CRLF` (RFC 5034 section 6). Some servers send `+` without the
/// space if nothing follows.
fn challenge(line: &[u8]) -> Option<&[u8]> {
    match line {
        b"+" => Some(b""),
        _ => line.strip_prefix(b"+ "),
    }
}
