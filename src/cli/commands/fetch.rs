//! `pop3fs fetch`: shows progress, as a bar on a terminal and as lines elsewhere.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::commands::answer::{print, respond};
use crate::cli::control::{Request, ask_for_long};
use crate::cli::shown::size;
use crate::maildrop::{Depth, Progress};

/// How often a line of progress is written without a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// The bar counts octets of bodies, and messages of headers.
const OF_BODIES: &str =
    "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left, {msg}";
const OF_HEADERS: &str = "{bar:30} {pos} of {len} messages, {rate}, {eta} left";

/// `pop3fs fetch DIR [--headers]`: waits until all is fetched. Ctrl-C ends it; what was fetched is
/// kept.
pub fn fetch(dir: &Path, depth: Depth) -> ExitCode {
    let mut shown = FetchDisplay::new(depth);
    let request = Request::Fetch { depth };
    let answered = ask_for_long(dir, &request, &mut |progress| shown.update(progress));
    shown.bar.finish_and_clear();
    print(&respond(answered))
}

/// The progress. The bar hides itself where standard error is not a terminal.
struct FetchDisplay {
    bar: ProgressBar,
    depth: Depth,
    begun: Begun,
    last_line: Instant,
}

/// Whether the first progress has come. Its messages were in the cache before, and do not count for
/// the rate.
enum Begun {
    NotYet,
    Yes,
}

impl FetchDisplay {
    fn new(depth: Depth) -> Self {
        let template = match depth {
            Depth::Body => OF_BODIES,
            Depth::Headers => OF_HEADERS,
        };
        let style = ProgressStyle::with_template(template);
        Self {
            bar: ProgressBar::new(0).with_style(
                style.unwrap_or(ProgressStyle::default_bar()).with_key(
                    "rate",
                    |state: &ProgressState, rate: &mut dyn std::fmt::Write| {
                        let _a_bar_without_rate = write!(rate, "{:.0}/s", state.per_sec());
                    },
                ),
            ),
            depth,
            begun: Begun::NotYet,
            last_line: Instant::now(),
        }
    }

    fn update(&mut self, progress: Progress) {
        if self.bar.is_hidden() {
            return self.write_line(progress);
        }
        let (now, all) = match self.depth {
            Depth::Body => (progress.octets, progress.total_octets),
            Depth::Headers => (progress.messages, progress.total_messages),
        };
        self.bar.set_length(all);
        self.bar.set_message(of_messages(progress));
        self.bar.set_position(now);
        if let Begun::NotYet = self.begun {
            self.begun = Begun::Yes;
            self.bar.reset_eta();
        }
    }

    fn write_line(&mut self, progress: Progress) {
        if self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            eprintln!("{}", line(progress));
        }
    }
}

fn line(progress: Progress) -> String {
    match progress.total_octets {
        0 => of_messages(progress),
        all => format!(
            "{}, {} of {}",
            of_messages(progress),
            size(progress.octets),
            size(all)
        ),
    }
}

fn of_messages(progress: Progress) -> String {
    format!(
        "{} of {} messages",
        progress.messages, progress.total_messages
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_progress_is_a_line() {
        let mut progress = Progress {
            messages: 3,
            total_messages: 12,
            ..Progress::default()
        };
        assert_eq!(line(progress), "3 of 12 messages");
        progress.octets = 2048;
        progress.total_octets = 3 * 1024 * 1024;
        assert_eq!(line(progress), "3 of 12 messages, 2 KiB of 3 MiB");
    }

    #[test]
    fn the_templates_of_the_bar_are_sound() {
        for template in [OF_BODIES, OF_HEADERS] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
