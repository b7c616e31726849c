//! What the fuzzer looks for at length (contrib/fuzz), looked for in seconds and without it: every target over its seeds, over
//! these cut off, and over what a seeded chance makes of them.

mod mutation;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Once;

use fastrand::Rng;
use nix::sys::resource::{Resource, setrlimit};

use targets::{TARGETS, Target};

/// Of addresses: an allocation of a number that came (`4294967296` is in the inputs) ends the test. Each thread needs some.
const MEMORY: u64 = 4 << 30;

fn bound_memory() {
    static BOUND: Once = Once::new();
    BOUND.call_once(|| setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).expect("a lower limit"));
}

/// The target over so many inputs; all of them take a second or two without optimisation.
fn run(target: Target, cases: u64) {
    bound_memory();
    let seeds = (target.seeds)();
    seeds.iter().for_each(|seed| (target.check)(seed));
    for seed in 0..cases {
        let mut rng = Rng::with_seed(seed);
        let chosen = rng.choice(&seeds).expect("a seed");
        (target.check)(&mutation::damaged(chosen, &mut rng));
    }
}

fn run_cut_off(target: Target) {
    bound_memory();
    for seed in (target.seeds)() {
        (0..seed.len())
            .step_by(7)
            .for_each(|end| (target.check)(&seed[..end]));
    }
}

#[test]
fn replies_are_decoded_alike_in_every_chunking() {
    run(targets::DECODER, 5_000);
    run_cut_off(targets::DECODER);
}

#[test]
fn names_are_harmless_and_tell_their_unique_ids() {
    run(targets::NAMES, 2_000);
}

#[test]
fn a_source_is_an_account_or_refused_without_its_password() {
    run(targets::SOURCE, 10_000);
}

#[test]
fn options_are_within_their_ranges_or_refused() {
    run(targets::OPTIONS, 3_000);
}

#[test]
fn dates_are_of_our_calendar_and_of_the_headers() {
    run(targets::ARRIVAL, 3_000);
    run_cut_off(targets::ARRIVAL);
}

#[test]
fn summaries_and_names_for_people_are_of_the_headers_and_of_one_line() {
    run(targets::HEADERS, 3_000);
    run_cut_off(targets::HEADERS);
}

#[test]
fn a_text_steers_no_terminal_and_has_a_bound() {
    run(targets::TEXT, 3_000);
    run_cut_off(targets::TEXT);
}

#[test]
fn every_part_has_the_size_and_a_name_of_its_own() {
    run(targets::PARTS, 3_000);
    run_cut_off(targets::PARTS);
}

#[test]
fn a_damaged_cache_gives_no_other_octets() {
    run(targets::CACHE, 1_000);
}

#[test]
fn a_damaged_index_is_read_or_set_aside() {
    run(targets::INDEX, 150);
}

#[test]
fn a_query_is_understood_or_refused_in_words() {
    run(targets::QUERY, 10_000);
    run_cut_off(targets::QUERY);
}

/// Otherwise the fuzzer has never run what this test runs.
#[test]
fn the_fuzzer_knows_every_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/fuzz/fuzz_targets");
    let known: BTreeSet<String> = fs::read_dir(folder)
        .expect("the fuzzer's targets")
        .map(|entry| entry.expect("a target").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let ours = TARGETS.map(|target| target.name.to_owned());
    assert_eq!(known, BTreeSet::from(ours));
}
