//! `ls -l` and `grep -r` of `.headers`: cold beside TOP of every message at once, and `ls -l` the
//! second time beside the same files in a local folder.
//!
//! `grep -r` opens and reads each file, which takes the smallest filesystem longer than the server
//! takes for all TOPs. So its bound is both: TOP of every message, then `grep -r` of the same files
//! in the floor.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{Link, round_trips, seconds_of};
use crate::maildrop::Maildrop;
use crate::place::{Cache, Place, rsync};
use crate::raw::RawSession;
use crate::report::{Demand, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

/// How often the second listing is measured in a mount: one alone takes too little time to tell
/// much.
const LOOKS: u32 = 5;
/// The folder with a copy of `.headers`.
const HEADERS: &str = "headers";

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let local = place.local_copy(&dovecot)?;
    for round_trip in round_trips(place) {
        let what = format!("`ls -l`, {} ms", round_trip.as_millis());
        match Sides::measure(place, &maildrop, &dovecot, local, round_trip) {
            Ok(sides) => sides.tell(&what, report),
            Err(error) => report.failed(&what, &error),
        }
    }
    Ok(())
}

/// Seconds.
#[derive(Default)]
struct Sides {
    raw: Samples,
    cold: Samples,
    named: Samples,
    named_again: Samples,
    headers: Samples,
    headers_again: Samples,
    /// Every TOP at once, then the floor with what TOP gave.
    raw_and_floor: Samples,
    again: Samples,
    local: Samples,
}

impl Sides {
    fn measure(
        place: &Place,
        maildrop: &Maildrop,
        dovecot: &Dovecot,
        local: &Path,
        round_trip: Duration,
    ) -> Result<Self> {
        let link = Link::to(dovecot.port(), round_trip)?;
        let messages = maildrop.messages();
        let mut sides = Self::default();
        for _ in 0..place.arguments.runs {
            let mut session = RawSession::open(link.port())?;
            let raw = seconds_of(|| session.headers())?;
            sides.raw.push(raw);
            session.quit()?;
            let mount = place.mount(link.port(), Cache::Empty)?;
            sides.cold.push(place.list("-l", mount.path(), messages)?);
            for _ in 0..LOOKS {
                sides.again.push(place.list("-l", mount.path(), messages)?);
                sides.local.push(place.list("-l", local, messages)?);
            }
            mount.umount()?;
            sides.name(place, link.port(), messages)?;
            sides.search(place, link.port(), messages)?;
            let floor = place.floor(&place.folder(HEADERS)?)?;
            let in_floor = place.grep_headers(floor.path(), messages)?;
            sides.raw_and_floor.push(raw + in_floor);
        }
        Ok(sides)
    }

    /// The names for people: cold, and from the index after a remount.
    fn name(&mut self, place: &Place, port: u16, messages: u32) -> Result<()> {
        let mount = place.mount(port, Cache::Empty)?;
        let view = mount.path().join(".named");
        self.named.push(place.list("-f", &view, messages)?);
        mount.umount()?;
        let mount = place.mount(port, Cache::Kept)?;
        self.named_again.push(place.list("-f", &view, messages)?);
        mount.umount()
    }

    /// The headers: cold, and from the cache after a remount.
    fn search(&mut self, place: &Place, port: u16, messages: u32) -> Result<()> {
        let mount = place.mount(port, Cache::Empty)?;
        let view = mount.path().join(".headers");
        self.headers.push(place.grep_headers(&view, messages)?);
        place.run(rsync(&view, &place.folder(HEADERS)?).arg("--quiet"))?;
        mount.umount()?;
        let mount = place.mount(port, Cache::Kept)?;
        self.headers_again
            .push(place.grep_headers(&view, messages)?);
        mount.umount()
    }

    fn tell(&self, what: &str, report: &mut Report) {
        report.add(Row {
            what: format!("cold {what}"),
            ours: self.cold.seconds(),
            beside: Some(("every TOP at once", self.raw.seconds())),
            demand: Demand::Within {
                must: 2.0,
                aim: Some(1.3),
            },
        });
        report.add(Row {
            what: format!("cold {}", what.replace("ls -l", "ls .named")),
            ours: self.named.seconds(),
            beside: Some(("every TOP at once", self.raw.seconds())),
            demand: Demand::Within {
                must: 2.0,
                aim: None,
            },
        });
        report.add(Row {
            what: format!("{}, after a remount", what.replace("ls -l", "ls .named")),
            ours: self.named_again.seconds(),
            beside: Some(("every TOP at once", self.raw.seconds())),
            demand: Demand::Reported,
        });
        let grep = what.replace("ls -l", "grep -rl .headers");
        report.add(Row {
            what: format!("cold {grep}"),
            ours: self.headers.seconds(),
            beside: Some(("every TOP at once", self.raw.seconds())),
            demand: Demand::Reported,
        });
        report.add(Row {
            what: format!("cold {grep}"),
            ours: self.headers.seconds(),
            beside: Some(("every TOP, then the floor", self.raw_and_floor.seconds())),
            demand: Demand::Within {
                must: 1.0,
                aim: None,
            },
        });
        report.add(Row {
            what: format!("{grep}, after a remount"),
            ours: self.headers_again.seconds(),
            beside: Some(("every TOP at once", self.raw.seconds())),
            demand: Demand::Reported,
        });
        report.add(Row {
            what: format!("second {what}"),
            ours: self.again.seconds(),
            beside: Some(("local folder", self.local.seconds())),
            demand: Demand::Within {
                must: 1.5,
                aim: None,
            },
        });
    }
}
