//! Searching a maildrop that was never seen before: `grep -rl`, beside fetching it as fast as the
//! server can send it, and beside fetching it by mpop or curl and then searching the files.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Link, round_trips};
use crate::chart::Point;
use crate::maildrop::Maildrop;
use crate::peers;
use crate::place::{Cache, Place};
use crate::raw::RawSession;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    report.note(format!(
        "{} messages of {:.0} MB; the raw limit is RETR of all of them in one write after the login; pop3fs and mpop are compared \
         with their login and listing, pop3fs and the raw limit without.",
        maildrop.messages(),
        maildrop.octets() as f64 / 1e6
    ));
    for round_trip in round_trips(place) {
        let what = format!("cold `grep -rl`, {} ms", round_trip.as_millis());
        match Sides::measure(place, &maildrop, &dovecot, round_trip) {
            Ok(sides) => sides.tell(&what, round_trip, report),
            Err(error) => report.failed(&what, &error),
        }
    }
    Ok(())
}

/// Seconds, and MiB of pop3fs.
#[derive(Default)]
struct Sides {
    raw: Samples,
    mpop: Samples,
    curl: Samples,
    grep: Samples,
    mount_and_grep: Samples,
    other: Samples,
    peak: Samples,
}

impl Sides {
    fn measure(
        place: &Place,
        maildrop: &Maildrop,
        dovecot: &Dovecot,
        round_trip: Duration,
    ) -> Result<Self> {
        let link = Link::to(dovecot.port(), round_trip)?;
        let mut sides = Self::default();
        // From here on every message is in the page cache, for whoever comes first.
        raw(dovecot.port(), maildrop)?;
        for _ in 0..place.arguments.runs {
            settle();
            sides.raw.push(raw(link.port(), maildrop)?);
            settle();
            sides.pop3fs(place, maildrop, link.port())?;
            settle();
            if let Some(other) = place.mount_other(link.port(), Cache::Empty)? {
                sides.other.push(place.grep(other.path(), maildrop)?);
                other.umount()?;
                settle();
            }
            let (fetching, maildir) = peers::mpop(place, link.port())?;
            sides.mpop.push(fetching + place.grep(&maildir, maildrop)?);
            // It waits for each reply before the next command: at a distance it has nothing to
            // tell.
            if round_trip.is_zero() {
                settle();
                let (fetching, folder) = peers::curl(place, link.port(), maildrop.messages())?;
                sides.curl.push(fetching + place.grep(&folder, maildrop)?);
            }
        }
        Ok(sides)
    }

    fn pop3fs(&mut self, place: &Place, maildrop: &Maildrop, port: u16) -> Result<()> {
        let mount = place.mount(port, Cache::Empty)?;
        let seconds = place.grep(mount.path(), maildrop)?;
        self.grep.push(seconds);
        self.mount_and_grep.push(mount.mount_seconds() + seconds);
        self.peak.push(mount.memory()?.peak);
        mount.umount()
    }

    fn tell(&self, what: &str, round_trip: Duration, report: &mut Report) {
        let milliseconds = round_trip.as_millis();
        let aim = if milliseconds == 20 { 1.2 } else { 1.5 };
        report.add(Row {
            what: what.to_owned(),
            ours: self.grep.seconds(),
            beside: Some(("raw limit", self.raw.seconds())),
            demand: Demand::Within {
                must: 2.0,
                aim: Some(aim),
            },
        });
        if !self.other.is_empty() {
            report.add(Row {
                what: what.to_owned(),
                ours: self.grep.seconds(),
                beside: Some(("other pop3fs", self.other.seconds())),
                demand: Demand::Reported,
            });
        }
        report.add(Row {
            what: format!("mount and {what}"),
            ours: self.mount_and_grep.seconds(),
            beside: Some(("mpop + grep", self.mpop.seconds())),
            demand: faster_than_mpop(round_trip),
        });
        if round_trip.is_zero() {
            report.add(Row {
                what: format!("mount and {what}"),
                ours: self.mount_and_grep.seconds(),
                beside: Some(("curl + grep", self.curl.seconds())),
                demand: Demand::Reported,
            });
        }
        report.add(Row {
            what: format!("{what}: peak memory"),
            ours: Figure::Mebibytes(self.peak.largest()),
            beside: None,
            demand: Demand::AtMost {
                must: 160.0,
                aim: Some(96.0),
            },
        });
        report.curve.add(Point {
            milliseconds: u64::try_from(milliseconds).unwrap_or(u64::MAX),
            raw: self.raw.median(),
            pop3fs: self.mount_and_grep.median(),
            mpop: self.mpop.median(),
        });
    }
}

fn faster_than_mpop(round_trip: Duration) -> Demand {
    let must = match round_trip.as_millis() {
        0..100 => 3.0,
        _ => 8.0,
    };
    Demand::AsFast { must, aim: None }
}

/// Writes out what the side before has left in memory, which the next one would pay for.
fn settle() {
    nix::unistd::sync();
}

/// Every octet must have come.
fn raw(port: u16, maildrop: &Maildrop) -> Result<f64> {
    let mut session = RawSession::open(port)?;
    let begun = Instant::now();
    let octets = session.bodies()?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        octets > maildrop.octets(),
        "{octets} octets have come instead of {} and their status lines",
        maildrop.octets()
    );
    session.quit()?;
    Ok(seconds)
}
