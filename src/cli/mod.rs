//! Arguments, options, passwords, the daemon and its control socket.
pub mod arguments;
pub mod options;
pub mod source;
