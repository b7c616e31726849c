//! The command line of the bench.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::maildrop::Seed;

/// The messages of the README's figures.
const FULL_SIZE: u32 = 10_000;

/// The round-trip times of the README's chart.
const CHARTED: usize = 3;

/// pop3fs beside raw POP3, mpop, curl, bindfs and local folders, all in one run
#[derive(Debug, Parser)]
#[command(name = "contrib/bench/run.sh")]
pub(crate) struct Arguments {
    /// Only these scenarios
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Scenario::value_variants().to_vec())]
    pub(crate) only: Vec<Scenario>,
    /// How often each side runs; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Round-trip times in milliseconds
    #[arg(long, value_delimiter = ',', default_value = "0,20,100")]
    pub(crate) round_trips: Vec<u64>,
    /// Realistic messages, 21 kB each on average
    #[arg(long, default_value_t = FULL_SIZE)]
    pub(crate) messages: u32,
    /// Small messages, for mounting and listing
    #[arg(long, default_value_t = 100_000)]
    pub(crate) small_messages: u32,
    /// Messages of the synthetic server, for mounting and listing
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) synthetic_messages: u32,
    /// Octets of the one large message
    #[arg(long, default_value_t = 1 << 30)]
    pub(crate) large_message: u64,
    /// Other messages for another number
    #[arg(long, default_value = "1")]
    pub(crate) seed: Seed,
    /// Seconds that any one program may take
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// Another pop3fs, which grep and remount measure in turn with this one
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) other: Option<PathBuf>,
    /// More -o options for pop3fs
    #[arg(short = 'o', value_name = "OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Given by cargo bench
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Whether the relay is fast enough to measure with
    Relay,
    /// Cold grep -rl beside the raw limit, mpop and curl, by round-trip time
    Grep,
    /// Mount and ls -f of many small messages
    Listing,
    /// Mount and ls -f of very many messages of the synthetic server
    Million,
    /// Cold ls -l and grep of .headers beside every TOP at once; ls -l again beside a local folder
    Headers,
    /// grep -rl after a remount, and again, beside the floor, bindfs and a local folder
    Remount,
    /// ls and grep of the views beside those of the root, after a remount and again
    Views,
    /// ls of a query beside notmuch; time, memory and disk that the index takes
    Search,
    /// rsync -a with nothing new after a remount
    Rsync,
    /// The end of a mount from which every message was removed, beside every DELE at once
    Commit,
    /// cat of one message while grep -r runs
    Interactive,
    /// One large message beside curl
    Large,
}

impl Arguments {
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }

    /// Whether the figures are those that the README shows.
    pub(crate) fn is_full_size(&self) -> bool {
        self.messages == FULL_SIZE && self.round_trips.len() >= CHARTED && self.options.is_empty()
    }
}
