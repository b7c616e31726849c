//! One connection to the server, and what this mount has learnt about the server's behaviour.

pub(crate) mod capa;
pub(crate) mod deletion_breaks;
pub(crate) mod last_heard;
pub(crate) mod link;
pub(crate) mod listed_sizes;
pub(crate) mod pipelining;
pub(crate) mod quirks;
pub(crate) mod reply_rate;
mod secrets;
pub(crate) mod step_check;
pub(crate) mod tops;
