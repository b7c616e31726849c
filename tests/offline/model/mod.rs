//! Random sequences of servers that go and come back, links that break, removals and mounts that
//! end in every way, compared with a reference.
//!
//! ```text
//!  steps.rs ──▶ run.rs ──▶ mounted.rs: maildrop, index and cached bodies ──▶ provider.rs, over TCP
//!                 │  ▲                                                          │
//!                 ▼  └──────────── compare ◀──── reference.rs ◀─────────────────┘
//! ```
//! All but the kernel is real, and a mount takes milliseconds: many more sequences run than with
//! the program (sequences.rs). tests/model has what happens to a mount that begins with its server.
//!
//! * `POP3FS_MODEL_SEQUENCES`: how many sequences to run; 50 by default.
//! * `POP3FS_MODEL_SEED`: the seed of the first sequence; later sequences count up from it. A
//!   failure names the seed of its sequence.

mod mounted;
mod provider;
mod reference;
mod run;
mod steps;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use run::Tally;

const SEQUENCES: u64 = 50;
/// The first seed, unless POP3FS_MODEL_SEED gives another one.
const SEED: u64 = 7_000_000;
/// Sequences that run at the same time; they mostly wait for a pause between logins.
const AT_ONCE: usize = 16;
/// Time limit for shrinking a failure, in milliseconds.
const SHRINKING: u32 = 60_000;

#[test]
fn offline_mounts_agree_with_the_reference() {
    let count = number("POP3FS_MODEL_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = number("POP3FS_MODEL_SEED").unwrap_or(SEED);
    let (next, failure) = (AtomicU64::new(0), Mutex::new(None));
    let tally = Mutex::new(Tally::default());
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
    let named = |told: String| format!("POP3FS_MODEL_SEED={seed} POP3FS_MODEL_SEQUENCES=1: {told}");
    let sequence = steps::sequences()
        .new_tree(&mut runner)
        .map_err(|reason| named(reason.to_string()))?;
    let outcome = runner.run_one(sequence, |sequence| match run::run(&sequence) {
        Ok(of_one) => {
            tally.lock().add(of_one);
            Ok(())
        }
        Err(told) => {
            eprintln!("{}", named(told.clone()));
            Err(TestCaseError::fail(told))
        }
    });
    outcome
        .map(drop)
        .map_err(|error| named(format!("{error:#}")))
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
