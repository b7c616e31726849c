//! When a query is asked, and where.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time now, and the zone whose days are meant.
#[derive(Debug, Clone)]
pub struct Clock {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl Clock {
    /// The machine's time and zone.
    pub fn system() -> Self {
        Self {
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }

    /// This time, in Unix seconds, and UTC.
    pub fn utc(now: i64) -> Self {
        Self::at(now, TimeZone::UTC)
    }

    /// This time, in Unix seconds, in a zone of the machine's time zone database; None where it
    /// knows no such zone.
    pub fn named(now: i64, zone: &str) -> Option<Self> {
        Some(Self::at(now, TimeZone::get(zone).ok()?))
    }

    fn at(now: i64, zone: TimeZone) -> Self {
        let now = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { now, zone }
    }
}
