//! What is measured. All sides of a comparison run in turn, as often as asked, and the median of
//! each counts.

mod commit;
mod grep;
mod headers;
mod interactive;
mod large;
mod listing;
mod relay;
mod remount;
mod rsync;
mod search;
mod views;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::arguments::Scenario;
use crate::place::Place;
use crate::relay::Relay;
use crate::report::Report;

impl Scenario {
    /// Adds what it finds to the report, also where it fails half-way.
    pub(crate) fn measure(self, place: &Place, report: &mut Report) -> Result<()> {
        match self {
            Self::Relay => relay::measure(place, report),
            Self::Grep => grep::measure(place, report),
            Self::Listing => listing::of_small_messages(place, report),
            Self::Million => listing::of_synthetic_messages(place, report),
            Self::Headers => headers::measure(place, report),
            Self::Remount => remount::measure(place, report),
            Self::Views => views::measure(place, report),
            Self::Search => search::measure(place, report),
            Self::Rsync => rsync::measure(place, report),
            Self::Commit => commit::measure(place, report),
            Self::Interactive => interactive::measure(place, report),
            Self::Large => large::measure(place, report),
        }
    }
}

/// The way to a server.
enum Link {
    /// Nothing stands between: it would take time of a processor.
    Direct(u16),
    Far(Relay),
}

impl Link {
    fn to(server: u16, round_trip: Duration) -> Result<Self> {
        if round_trip.is_zero() {
            return Ok(Self::Direct(server));
        }
        Relay::start(server, round_trip).map(Self::Far)
    }

    fn port(&self) -> u16 {
        match self {
            Self::Direct(port) => *port,
            Self::Far(relay) => relay.port(),
        }
    }
}

fn round_trips(place: &Place) -> impl Iterator<Item = Duration> {
    let arguments = &place.arguments.round_trips;
    arguments.iter().copied().map(Duration::from_millis)
}

/// Seconds that the work takes.
fn seconds_of(work: impl FnOnce() -> Result<u64>) -> Result<f64> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}
