//! Mounting and `ls -f`, beside UIDL and LIST of the same maildrop.

use anyhow::Result;

use super::seconds_of;
use crate::place::{Cache, Place};
use crate::raw::RawSession;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::{Dovecot, Synthetic};

/// Of each message of the synthetic server, by its LIST.
const OCTETS_EACH: u64 = 2_000;

/// Dovecot with many small messages.
pub(super) fn of_small_messages(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.small()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let sides = Sides::measure(place, dovecot.port(), maildrop.messages())?;
    let within = Demand::Within {
        must: 2.0,
        aim: Some(1.2),
    };
    let at_most = Demand::AtMost {
        must: 96.0,
        aim: Some(48.0),
    };
    sides.tell(maildrop.messages(), [within, at_most], report);
    Ok(())
}

/// The synthetic server with very many messages.
pub(super) fn of_synthetic_messages(place: &Place, report: &mut Report) -> Result<()> {
    let messages = place.arguments.synthetic_messages;
    let server = Synthetic::serve(messages, OCTETS_EACH)?;
    let sides = Sides::measure(place, server.port(), messages)?;
    sides.tell(messages, [Demand::Reported; 2], report);
    Ok(())
}

/// Seconds, and MiB of pop3fs.
#[derive(Default)]
struct Sides {
    raw: Samples,
    pop3fs: Samples,
    again: Samples,
    resident: Samples,
    peak: Samples,
}

impl Sides {
    fn measure(place: &Place, port: u16, messages: u32) -> Result<Self> {
        let mut sides = Self::default();
        for _ in 0..place.arguments.runs {
            sides.raw.push(seconds_of(|| {
                let mut session = RawSession::open(port)?;
                let octets = session.listing()?;
                session.quit()?;
                Ok(octets)
            })?);
            let mount = place.mount(port, Cache::Empty)?;
            let listing = place.list("-f", mount.path(), messages)?;
            sides.pop3fs.push(mount.mount_seconds() + listing);
            sides.again.push(place.list("-f", mount.path(), messages)?);
            let memory = mount.memory()?;
            sides.resident.push(memory.resident);
            sides.peak.push(memory.peak);
            mount.umount()?;
        }
        Ok(sides)
    }

    fn tell(&self, messages: u32, [time, memory]: [Demand; 2], report: &mut Report) {
        report.add(Row {
            what: format!("mount and `ls -f` of {messages}"),
            ours: self.pop3fs.seconds(),
            beside: Some(("login, UIDL and LIST", self.raw.seconds())),
            demand: time,
        });
        report.add(Row {
            what: format!("`ls -f` of {messages}, again"),
            ours: self.again.seconds(),
            beside: None,
            demand: Demand::Reported,
        });
        report.add(Row {
            what: format!("resident memory with {messages} listed"),
            ours: Figure::Mebibytes(self.resident.largest()),
            beside: None,
            demand: memory,
        });
        report.add(Row {
            what: format!("peak memory with {messages} listed"),
            ours: Figure::Mebibytes(self.peak.largest()),
            beside: None,
            demand: Demand::Reported,
        });
    }
}
