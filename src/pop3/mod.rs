//! The POP3 protocol without input or output: bytes in, events out.
//!
//! # Theory of operation
//!
//! POP3 (RFC 1939) is a queue. The client writes commands, the server answers them in their order, and nothing in a reply
//! says which command it answers or how long it is. So whoever writes a [`Command`] also tells the [`Decoder`] the
//! [`Shape`] of the reply that is now owed, and the decoder cuts what the server sends along that queue:
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
//! The rules, which hold for every way of cutting the input into chunks:
//!
//! 1. A reply leaves the queue with `Done` or `End`, and only then does the next one begin.
//! 2. Octets that come while nothing is owed are [`ProtocolError::Unsolicited`], never the start of the next reply, even if
//!    a command is written before their line has ended: Dovecot and mailutils say `-ERR` before they close an idle session.
//! 3. A multi-line reply ends with its dot line and nothing else; the octets that LIST or RETR announce are a hint.
//! 4. Nothing is allocated from a number that the server sent, and no line is kept beyond its cap ([`limits`]).
//! 5. After an error the place in the stream is unknown: the session is over, and its decoder with it.
//!
//! # Which dot line ends a body
//!
//! RFC 1939 section 3 ends lines with CRLF, so a bare LF is an octet of the message. Were `LF . CRLF` an end too, anyone
//! who gets such octets past a server that does not rewrite line ends could end a message early and have the rest of it
//! read as replies. A few servers do end their lines with LF alone, though. The decoder believes the lines that an
//! author of mail does not write: if the status line of the reply, or the first line of the body (a trace header of the
//! delivering server), ends with a bare LF, then LF ends every line of that body; otherwise only CRLF does, both
//! for the end and for the removal of a stuffed dot. The dot line itself may end with CRLF or LF in either case: after a
//! line end, a server that stuffs dots cannot mean anything else by it.
//!
//! # What is left to the driver
//!
//! Time-outs, and end of file while [`Decoder::owed`] is not 0. After the `Done` of STLS any octet left in the input was
//! sent in clear and ends the session (CVE-2020-14954, CVE-2021-22947).

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
