//! Limits of what a server may send, and of the length of a command.

/// The longest status line in octets, without its LF.
///
/// RFC 2449 section 4 allows 512 octets with the line end. Some servers quote header lines or URLs
/// in errors, so longer ones are accepted.
pub const MAX_STATUS_LINE: usize = 8 * 1024;

/// The most empty lines in a row that are skipped before a reply. Some servers send one. A server
/// that sends more has lost its way.
pub const MAX_EMPTY_LINES: usize = 4;

/// The longest line of LIST, UIDL or CAPA in octets, without its LF. RFC 1939 section 7 allows 70
/// octets for a unique-id, but some servers send longer ones.
pub const MAX_LISTING_LINE: usize = 8 * 1024;

/// The longest line of a SASL exchange in octets, without its LF.
///
/// RFC 5034 section 4 exempts these from the other limits; Kerberos tickets with many groups come
/// near 48 KiB.
pub const MAX_SASL_LINE: usize = 64 * 1024;

/// The most messages of a maildrop, and so the most lines of a listing. Each message takes a few
/// hundred octets of memory, so this bounds the memory of a mount.
pub const MAX_MESSAGES: usize = 1_000_000;

/// The most octets of a listing, without line ends: more than [`MAX_MESSAGES`] lines with
/// unique-ids of 70 octets.
pub const MAX_LISTING: usize = 128 * 1024 * 1024;

/// The most lines of CAPA that are kept. The registry of capabilities has about 20.
pub const MAX_CAPABILITY_LINES: usize = 1_000;

/// The most SASL mechanisms that are kept. The registry has about 50, and servers offer less than
/// ten.
pub const MAX_SASL_MECHANISMS: usize = 64;

/// The longest name of a SASL mechanism in octets (RFC 4422 section 3.1).
pub const MAX_MECHANISM_NAME: usize = 20;

/// The longest command in octets, CRLF included (RFC 2449 section 4). SASL responses are exempt
/// (RFC 5034 section 4).
pub const COMMAND_LENGTH: usize = 255;

/// The most characters of a server's text in a log or an error. A longer text is cut.
pub const MAX_SERVER_TEXT: usize = 200;
