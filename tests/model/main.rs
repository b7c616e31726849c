//! The model: random sequences of everything that can happen to a mount, compared with a reference.
//!
//! ```text
//!  sequence (operations.rs) ──▶ run.rs ──▶ fs::Filesystem, maildrop, store ──▶ server.rs, over TCP
//!                                 │  ▲                                            │
//!                                 ▼  └── compare ──── reference.rs ◀── events ────┘
//! ```
//! The mount is real except for the kernel, which kernel.rs simulates. The server keeps to the
//! protocol and breaks off where a sequence says so. After each operation the names, inode numbers,
//! sizes, contents, pending deletions and the mailbox must be those of the reference; an operation
//! may fail only if a fault of the server excuses it; and the mount never sends DELE for a message
//! that was not unlinked.
//!
//! * `POP3FS_MODEL_SEQUENCES`: how many sequences to run; 200 by default.
//! * `POP3FS_MODEL_SEED`: the seed of the first sequence; later sequences count up from it. A
//!   failure names the seed of its sequence.
//!
//! Sequences that once failed are kept in found.rs, shrunk: a seed gives another sequence after a
//! change of the generator.

#[path = "../common/mod.rs"]
mod common;

mod digests;
mod found;
mod kernel;
mod mail;
mod mounted;
mod operations;
mod reference;
mod run;
mod server;

use std::env;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use run::Tally;

const SEQUENCES: u64 = 200;
/// The first seed, unless POP3FS_MODEL_SEED gives another one. Long runs look for new failures.
const SEED: u64 = 5_000_000;
/// Sequences that run at the same time; they mostly wait.
const AT_ONCE: usize = 4;
/// Time limit for shrinking a failure, in milliseconds.
const SHRINKING: u32 = 120_000;

#[test]
fn a_mount_agrees_with_the_reference_whatever_happens() {
    // RUST_LOG=trace shows the commands of a sequence.
    let log = env_logger::Env::default().default_filter_or("off");
    env_logger::Builder::from_env(log).init();
    let count = number("POP3FS_MODEL_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = number("POP3FS_MODEL_SEED").unwrap_or(SEED);
    let (next, failure, tally) = (
        AtomicU64::new(0),
        Mutex::new(None),
        Mutex::new(Tally::default()),
    );
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while failure.lock().is_none() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    if let Err(told) = run_one(seed.wrapping_add(at), &tally) {
                        failure.lock().get_or_insert(told);
                    }
                }
            });
        }
    });
    if let Some(told) = failure.into_inner() {
        panic!("{told}");
    }
    println!(
        "{count} sequences from seed {seed} in {} s: {:?}",
        begin.elapsed().as_secs(),
        tally.into_inner()
    );
}

/// Runs the sequence of a seed. A failure is shrunk and returned as text.
fn run_one(seed: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let config = Config {
        failure_persistence: None,
        max_shrink_time: SHRINKING,
        ..Config::default()
    };
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &octets);
    let mut runner = TestRunner::new_with_rng(config, random);
    let sequence = operations::sequences()
        .new_tree(&mut runner)
        .map_err(|reason| reason.to_string())?;
    let has_failed = AtomicBool::new(false);
    let outcome = runner.run_one(sequence, |sequence| match run::run(&sequence) {
        Ok(of_one) if !has_failed.load(Ordering::Relaxed) => {
            tally.lock().add(of_one);
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(told) => {
            if !has_failed.swap(true, Ordering::Relaxed) {
                eprintln!("POP3FS_MODEL_SEED={seed} POP3FS_MODEL_SEQUENCES=1: {told}");
            }
            Err(TestCaseError::fail(told))
        }
    });
    outcome
        .map(drop)
        .map_err(|error| format!("POP3FS_MODEL_SEED={seed} POP3FS_MODEL_SEQUENCES=1: {error:#}"))
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
