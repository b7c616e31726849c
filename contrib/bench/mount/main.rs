//! pop3fs beside raw POP3, mpop, curl, notmuch, bindfs and local folders: `contrib/bench/run.sh`.
//!
//! Every comparison is made in one run on one machine, its sides in turn, and told as a ratio: the
//! absolute times are the machine's. The messages are the same for the same seed. A relay adds the
//! round-trip time, since not every kernel has netem.

mod arguments;
mod chart;
mod command;
mod filesystems;
mod floor;
mod maildrop;
mod peers;
mod place;
mod raw;
mod relay;
mod report;
mod samples;
mod scenarios;
mod servers;
mod started;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use arguments::Arguments;
use place::Place;
use report::Report;

fn main() -> Result<ExitCode> {
    // `cargo test --all-targets` runs benches too, without this word.
    if !std::env::args().any(|word| word == "--bench") {
        eprintln!(
            "bench: nothing is measured but by contrib/bench/run.sh or cargo bench --bench mount"
        );
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((folder, mount_point)) = asked_for_floor() {
        floor::serve(&folder, &mount_point).context("the floor")?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse();
    started::end_everything_on_signals()?;
    let place = Place::create(arguments)?;
    let mut report = Report::default();
    for &scenario in &place.arguments.only {
        eprintln!("bench: {scenario:?}");
        if let Err(error) = scenario.measure(&place, &mut report) {
            report.failed(&format!("{scenario:?}"), &error);
        }
    }
    publish(&place, &report)?;
    Ok(match report.has_failures() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// The folder and the mount point, if this process is to be the floor.
fn asked_for_floor() -> Option<(PathBuf, PathBuf)> {
    let mut words = std::env::args_os().skip_while(|word| word != floor::WORD);
    words.next()?;
    Some((words.next()?.into(), words.next()?.into()))
}

/// The table to standard output and `target/bench/result.md`, the chart to its place.
fn publish(place: &Place, report: &Report) -> Result<()> {
    let text = format!("{}\n{}", surroundings(place), report.markdown());
    print!("{text}");
    let result = place.results().join("result.md");
    fs::write(&result, text).with_context(|| format!("write {}", result.display()))?;
    let title = format!(
        "Searching {} messages that were never seen before",
        place.arguments.messages
    );
    if let Some(svg) = report.curve.svg(&title) {
        let path = chart_path(place);
        fs::write(&path, svg).with_context(|| format!("write {}", path.display()))?;
        eprintln!("bench: chart in {}", path.display());
    }
    Ok(())
}

/// The README shows the chart of the full size; others stay out of the source.
fn chart_path(place: &Place) -> PathBuf {
    const NAME: &str = "round-trip.svg";
    match place.arguments.is_full_size() {
        true => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("contrib/bench")
            .join(NAME),
        false => place.results().join(NAME),
    }
}

/// What the figures depend on.
fn surroundings(place: &Place) -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let programs: Vec<String> = [
        ["dovecot", "--version"],
        ["mpop", "--version"],
        ["curl", "--version"],
        ["notmuch", "--version"],
        ["bindfs", "--version"],
        ["rsync", "--version"],
    ]
    .iter()
    .filter_map(version)
    .collect();
    format!(
        "pop3fs {}, Linux {}, {processors} processors; {}; median of {} runs.\n",
        env!("CARGO_PKG_VERSION"),
        kernel.trim(),
        programs.join("; "),
        place.arguments.runs
    )
}

/// The first line that a program says of itself, with its name.
fn version([program, option]: &[&str; 2]) -> Option<String> {
    let output = Command::new(program).arg(option).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.split(['(', ',']).next()?.trim();
    let version = line
        .split(' ')
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("{program} {version}"))
}
