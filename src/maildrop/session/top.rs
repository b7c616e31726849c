//! Whether the server has TOP.

/// Whether the server has TOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Top {
    /// It has: CAPA announced TOP, or a TOP succeeded. An -ERR concerns the message.
    Works,
    /// Unknown. An -ERR means that the server does not know the command.
    Untried,
    /// It has not, like mpopd. The headers come from the body.
    Missing,
}
