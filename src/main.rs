//! `pop3fs`: arguments in, exit code out.

fn main() {}
