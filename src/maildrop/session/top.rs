//! Whether the server has TOP.

/// Whether TOP gives the headers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Top {
    /// CAPA says so, or the first TOP did: an -ERR is about the message.
    Works,
    /// Not known: an -ERR means that the command is not known to the server.
    Untried,
    /// mpopd has none: a body tells the headers.
    Missing,
}
