//! Which maildrop to use, and as which user: SOURCE, the accounts of the configuration file, the
//! password.

pub mod source;

mod command_output;
mod terminal;

pub(in crate::cli) mod config;
pub(in crate::cli) mod netrc;
pub(in crate::cli) mod password;
pub(in crate::cli) mod secret;
pub(in crate::cli) mod server_access;
pub(in crate::cli) mod target;
