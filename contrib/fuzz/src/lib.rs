//! Gives the fuzzer the properties of tests/fuzz and their seeds.

#[path = "../../../tests/fuzz/targets/mod.rs"]
pub mod targets;

use std::fs;
use std::path::Path;

use targets::Target;

/// Puts the seeds of a target into the corpus that cargo-fuzz reads. Code makes them, so that the
/// repository holds no seed.
pub fn sow(target: Target) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    fs::create_dir_all(&corpus).expect("a folder for the seeds");
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed).expect("a seed");
    }
}
