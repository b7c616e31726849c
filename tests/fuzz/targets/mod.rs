//! What has to hold for any octets, a module for each of our parsers. An input is octets as they come from outside, with no
//! structure of its own where that is possible: so an input that breaks a property can be read and sent.
//!
//! They are run from two places: with seeded damage by this test, and by the fuzzer (contrib/fuzz).
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each of those that include this uses a part of it"
)]

mod arrival;
mod cache;
mod damage;
mod decoder;
#[path = "../../common/decoding.rs"]
mod decoding;
mod headers;
mod index;
pub mod mails;
mod names;
mod options;
pub mod parts;
mod query;
mod source;
mod text;

/// A parser under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// As the fuzzer calls it.
    pub name: &'static str,
    /// Panics if a property does not hold for the octets.
    pub check: fn(&[u8]),
    /// Inputs to begin with, from which others are made.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    const fn new(name: &'static str, check: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, check, seeds }
    }
}

pub const DECODER: Target = Target::new("decoder", decoder::check, decoder::seeds);
pub const NAMES: Target = Target::new("names", names::check, names::seeds);
pub const SOURCE: Target = Target::new("source", source::check, source::seeds);
pub const OPTIONS: Target = Target::new("options", options::check, options::seeds);
pub const ARRIVAL: Target = Target::new("arrival", arrival::check, arrival::seeds);
pub const HEADERS: Target = Target::new("headers", headers::check, mails::octets);
pub const TEXT: Target = Target::new("text", text::check, mails::octets);
pub const PARTS: Target = Target::new("parts", parts::check, mails::octets);
pub const CACHE: Target = Target::new("cache", cache::check, cache::seeds);
pub const INDEX: Target = Target::new("index", index::check, index::seeds);
pub const QUERY: Target = Target::new("query", query::check, query::seeds);

/// All of them.
pub const TARGETS: [Target; 11] = [
    DECODER, NAMES, SOURCE, OPTIONS, ARRIVAL, HEADERS, TEXT, PARTS, CACHE, INDEX, QUERY,
];

/// Everything that a message goes through.
pub fn survive(message: &[u8]) {
    for target in [ARRIVAL, HEADERS, TEXT, PARTS] {
        (target.check)(message);
    }
}
