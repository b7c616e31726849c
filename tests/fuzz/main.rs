//! The fuzz targets of contrib/fuzz as a short test: each target runs on its seeds, on seeds that
//! are cut off, and on randomly damaged seeds. The random numbers are the same in every run.

mod mutation;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Once;

use fastrand::Rng;
use nix::sys::resource::{Resource, setrlimit};

use targets::{TARGETS, Target};

/// Limit on the address space. The inputs contain `4294967296`; a target that allocates that much
/// ends the test. Every thread needs some of it.
const MEMORY: u64 = 4 << 30;

fn bound_memory() {
    static BOUND: Once = Once::new();
    BOUND.call_once(|| setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).expect("a lower limit"));
}

/// Runs the target on its seeds and on this many damaged inputs, which takes a second or two.
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
fn names_are_harmless_and_map_back_to_unique_ids() {
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
fn dates_are_valid_and_come_from_the_headers() {
    run(targets::ARRIVAL, 3_000);
    run_cut_off(targets::ARRIVAL);
}

#[test]
fn summaries_and_titles_are_one_line_from_the_headers() {
    run(targets::HEADERS, 3_000);
    run_cut_off(targets::HEADERS);
}

#[test]
fn a_text_is_bounded_and_controls_no_terminal() {
    run(targets::TEXT, 3_000);
    run_cut_off(targets::TEXT);
}

#[test]
fn every_part_has_its_stated_size_and_a_unique_name() {
    run(targets::PARTS, 3_000);
    run_cut_off(targets::PARTS);
}

#[test]
fn a_damaged_cache_gives_no_wrong_octets() {
    run(targets::CACHE, 1_000);
}

#[test]
fn a_damaged_index_is_read_or_set_aside() {
    run(targets::INDEX, 150);
}

#[test]
fn a_query_is_understood_or_refused_with_a_reason() {
    run(targets::QUERY, 10_000);
    run_cut_off(targets::QUERY);
}

/// Otherwise contrib/fuzz would leave a target out.
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
