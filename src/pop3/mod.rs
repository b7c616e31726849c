//! The POP3 protocol without input or output: bytes in, events out.
//!
//! # Theory of operation
//!
//! POP3 (RFC 1939) is a queue. The client writes commands, and the server answers them in order.
//! Nothing in a reply says which command it answers or how long it is. So a driver that writes a
//! [`Command`] also tells the [`Decoder`] the [`Shape`] of the reply that the server now owes. The
//! decoder cuts what the server sends along that queue:
//!
//! ```text
//!              expect(shape)                        Event
//!                    |                                ^
//!                    v                                |
//!  owed: [ Status, Body, Body, Lines ]   --->  cut the front reply
//!                                                     ^
//!                                         octets in chunks of any size
//!
//!                 -ERR text, or +OK to a Status ------------------> Done
//!               /
//!  status line ---+OK to Lines or Body ---> Opened ---> Line*, Body* ---> End
//!               \
//!                 "+ " text to a Sasl -------> Challenge ---> status line again
//! ```
//!
//! These rules hold however the input is cut into chunks:
//!
//! 1. A reply leaves the queue with `Done` or `End`. Only then does the next one begin.
//! 2. Octets that arrive while nothing is owed are [`ProtocolError::Unsolicited`]. They are never
//!    the start of the next reply, even if a command is written before their line has ended.
//!    Dovecot and mailutils send such an `-ERR` before they close an idle session.
//! 3. Only the dot line ends a multi-line reply. The sizes that LIST or RETR announce are hints.
//! 4. No memory is allocated from a number that the server sent, and no line is kept beyond its
//!    limit ([`limits`]).
//! 5. An empty line before a reply is skipped. Some servers send one. It cannot hide that replies
//!    are out of step, because what is left of a reply of several lines ends with its dot line.
//! 6. After an error the position in the stream is unknown, so the session must end.
//!
//! # Which dot line ends a body
//!
//! RFC 1939 section 3 ends lines with CRLF, so a bare LF is an octet of the message. If `LF . CRLF`
//! ended a body too, then anyone who gets such octets past a server that does not rewrite line ends
//! could end a message early and have the rest of it read as replies. A few servers do end their
//! lines with LF alone, however.
//!
//! So the decoder learns the line end from the status line of the reply, which no author of mail
//! writes. If that ends with a bare LF, LF ends every line of the body. Otherwise only CRLF does,
//! both before the dot line and before a stuffed dot. The dot line itself may end with CRLF or LF:
//! after a line end, a server that stuffs dots can mean nothing else by it.
//!
//! # What is left to the driver
//!
//! Timeouts, and the end of the stream while [`Decoder::owed`] is not 0. After the `Done` of STLS,
//! octets left in the input were sent in the clear, and the driver must end the session
//! (CVE-2020-14954, CVE-2021-22947).

pub mod capability;
pub mod command;
pub mod decoder;
pub mod error;
pub mod limits;
pub mod reply;
pub mod types;

mod body;
mod line;
mod text;

pub use capability::{Capabilities, Expire};
pub use command::Command;
pub use decoder::{Decoder, Event, Shape};
pub use error::{Argument, CommandError, ProtocolError};
pub use reply::{Indicator, ResponseCode, Stat, Status};
pub use text::ServerText;
pub use types::{MessageNumber, UniqueId};
