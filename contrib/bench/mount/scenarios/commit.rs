//! The end of a mount from which every message was removed, beside DELE of every message at once.
//!
//! The mount has shown the dates, so that each message is shown again before it is deleted.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{Link, round_trips, seconds_of};
use crate::maildrop::{LinkedMaildrop, Maildrop};
use crate::place::{Cache, Place};
use crate::raw::RawSession;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

/// A commit may take so many times what the DELEs take, and this many round trips more.
const MOST: f64 = 1.5;
const ROUND_TRIPS_MORE: f64 = 1.0;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    for round_trip in round_trips(place) {
        let what = format!(
            "`umount` after {} removals, {} ms",
            maildrop.messages(),
            round_trip.as_millis()
        );
        match Sides::measure(place, &maildrop, round_trip) {
            Ok(sides) => sides.tell(&what, round_trip, report),
            Err(error) => report.failed(&what, &error),
        }
    }
    Ok(())
}

/// Seconds.
#[derive(Default)]
struct Sides {
    raw: Samples,
    removal: Samples,
    commit: Samples,
}

impl Sides {
    fn measure(place: &Place, maildrop: &Maildrop, round_trip: Duration) -> Result<Self> {
        let mut sides = Self::default();
        for _ in 0..place.arguments.runs {
            sides.delete_at_once(maildrop, round_trip)?;
            sides.remove_and_commit(place, maildrop, round_trip)?;
        }
        Ok(sides)
    }

    fn delete_at_once(&mut self, maildrop: &Maildrop, round_trip: Duration) -> Result<()> {
        let linked = LinkedMaildrop::of(maildrop)?;
        let dovecot = Dovecot::serve(&linked.maildrop)?;
        let link = Link::to(dovecot.port(), round_trip)?;
        let session = RawSession::open(link.port())?;
        self.raw.push(seconds_of(|| session.delete_all())?);
        Ok(())
    }

    fn remove_and_commit(
        &mut self,
        place: &Place,
        maildrop: &Maildrop,
        round_trip: Duration,
    ) -> Result<()> {
        let linked = LinkedMaildrop::of(maildrop)?;
        let dovecot = Dovecot::serve(&linked.maildrop)?;
        let link = Link::to(dovecot.port(), round_trip)?;
        let mount = place.mount(link.port(), Cache::Empty)?;
        place.list("-l", mount.path(), maildrop.messages())?;
        let mut remove = Command::new("find");
        remove
            .arg(mount.path())
            .args(["-maxdepth", "1", "-name", "*.eml", "-delete"]);
        self.removal.push(place.run(&mut remove)?.seconds);
        self.commit.push(seconds_of(|| {
            mount.umount_and_delete()?;
            Ok(0)
        })?);
        let left = RawSession::open(dovecot.port())?.messages();
        anyhow::ensure!(left == 0, "{left} messages are left");
        Ok(())
    }

    fn tell(&self, what: &str, round_trip: Duration, report: &mut Report) {
        report.add(Row {
            what: what.replace("`umount` after", "`find -delete`:"),
            ours: self.removal.seconds(),
            beside: None,
            demand: Demand::Reported,
        });
        let demand = match round_trip.is_zero() {
            true => Demand::Within {
                must: MOST,
                aim: None,
            },
            false => Demand::Reported,
        };
        report.add(Row {
            what: what.to_owned(),
            ours: self.commit.seconds(),
            beside: Some(("every DELE at once, QUIT", self.raw.seconds())),
            demand,
        });
        if round_trip.is_zero() {
            return;
        }
        let more = self.commit.median() - MOST * self.raw.median();
        report.add(Row {
            what: format!("beyond {MOST} × that"),
            ours: Figure::RoundTrips(more.max(0.0) / round_trip.as_secs_f64()),
            beside: None,
            demand: Demand::AtMost {
                must: ROUND_TRIPS_MORE,
                aim: None,
            },
        });
    }
}
