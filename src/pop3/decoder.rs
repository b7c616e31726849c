//! What the server writes, cut into the replies that are owed.

use std::collections::VecDeque;
use std::fmt;

use super::body::{BodyDecoder, Piece};
use super::error::ProtocolError;
use super::limits::{MAX_LISTING, MAX_LISTING_LINE, MAX_MESSAGES, MAX_SASL_LINE, MAX_STATUS_LINE};
use super::line::{LineBuffer, LineEnd};
use super::reply::Status;
use super::text::ServerText;

/// How a reply is framed, which only the command tells. An `-ERR` is one line for every shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One status line; the greeting too.
    Status,
    /// A status line, then lines of a listing up to the dot line.
    Lines,
    /// A status line, then the octets of a message up to the dot line.
    Body,
    /// Any number of challenges, then a status line (RFC 5034 section 4).
    Sasl,
}

/// What came from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The reply is complete: a `+OK` of one line, or any `-ERR`.
    Done(Status<'a>),
    /// The `+OK` of a reply of several lines; its lines or octets follow.
    Opened(Status<'a>),
    /// A challenge, still in base64. The reply stays owed.
    Challenge(&'a [u8]),
    /// A line of a listing, without its end and without a stuffed dot.
    Line(&'a [u8]),
    /// Octets of a body as the message has them, never empty. A body is any number of these, none for an empty one.
    Body(&'a [u8]),
    /// The reply of several lines is complete.
    End,
}

/// The event for a log: no octet of a body, and nothing of a challenge, which is a part of the authentication.
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

/// Cuts a stream of octets into the replies that are owed. The rules are told in the page of [`super`].
#[derive(Debug, Default)]
pub struct Decoder {
    replies: Replies,
    line: LineBuffer,
}

impl Decoder {
    /// A decoder that owes nothing: the greeting too has to be expected, as [`Shape::Status`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The server owes one reply more, after those it already owes.
    ///
    /// To be called for each command but a SASL response or cancellation, whose reply is the one that AUTH made owed.
    /// The caller bounds how many commands are in flight.
    pub fn expect(&mut self, shape: Shape) {
        self.replies.owed.push_back(shape);
    }

    /// How many replies are not complete, the one under way included.
    pub fn owed(&self) -> usize {
        self.replies.owed.len()
    }

    /// Takes the next event from the front of `input`; `None` when it needs more, and then has taken all of it.
    ///
    /// # Errors
    /// The server broke the protocol. The decoder is then of no more use.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if input.is_empty() {
            return Ok(None);
        }
        if let Place::Between = self.replies.place {
            self.replies.begin();
        }
        match &mut self.replies.place {
            Place::Between | Place::Unsolicited => self.unsolicited(input),
            Place::StatusLine(shape) => {
                let shape = *shape;
                self.status_line(shape, input)
            }
            Place::Listing { .. } => self.listing_line(input),
            Place::Body(body) => Ok(match body.next(input) {
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
            self.replies.place = Place::Between;
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

/// The replies owed, and the place within the first of them.
#[derive(Debug, Default)]
struct Replies {
    owed: VecDeque<Shape>,
    place: Place,
}

/// Where in the stream the next octet stands.
#[derive(Debug, Default)]
enum Place {
    /// Before a line that is the next reply, or that nobody asked for.
    #[default]
    Between,
    StatusLine(Shape),
    Listing {
        lines: usize,
        octets: usize,
    },
    Body(BodyDecoder),
    /// In a line that began while nothing was owed, and that stays so whatever is expected before it ends.
    Unsolicited,
}

impl Replies {
    fn begin(&mut self) {
        self.place = match self.owed.front() {
            Some(&shape) => Place::StatusLine(shape),
            None => Place::Unsolicited,
        };
    }

    /// Whether more than this `+OK` belongs to the reply.
    fn open(&mut self, shape: Shape, status_line_end: LineEnd) -> bool {
        self.place = match shape {
            Shape::Lines => Place::Listing {
                lines: 0,
                octets: 0,
            },
            Shape::Body => Place::Body(BodyDecoder::new(status_line_end)),
            Shape::Status | Shape::Sasl => return false,
        };
        true
    }

    fn count_line(&mut self, length: usize) -> Result<(), ProtocolError> {
        let Place::Listing { lines, octets } = &mut self.place else {
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
        self.place = Place::Between;
    }
}

/// `continue-req = "+" SP [base64] CRLF` (RFC 5034 section 6). Some servers leave out the space before nothing.
fn challenge(line: &[u8]) -> Option<&[u8]> {
    match line {
        b"+" => Some(b""),
        _ => line.strip_prefix(b"+ "),
    }
}
