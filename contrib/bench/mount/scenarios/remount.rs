//! `grep -rl` of what an earlier mount has fetched, beside bindfs over the same files; then once more in the same mount,
//! beside the files themselves.

use std::time::Duration;

use anyhow::Result;

use crate::place::{Cache, Place};
use crate::relay::Relay;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let local = place.local_copy(&dovecot)?;
    let relay = Relay::start(dovecot.port(), Duration::ZERO)?;
    let earlier = place.mount(relay.port(), Cache::Empty)?;
    place.grep(earlier.path(), &maildrop)?;
    earlier.umount()?;

    let before = relay.asked();
    let mut sides = Sides::default();
    for _ in 0..place.arguments.runs {
        let mount = place.mount(relay.port(), Cache::Kept)?;
        sides.pop3fs.push(place.grep(mount.path(), &maildrop)?);
        sides.again.push(place.grep(mount.path(), &maildrop)?);
        mount.umount()?;
        let bindfs = place.bind(local)?;
        sides.bindfs.push(place.grep(bindfs.path(), &maildrop)?);
        sides
            .bindfs_again
            .push(place.grep(bindfs.path(), &maildrop)?);
        drop(bindfs);
        sides.local.push(place.grep(local, &maildrop)?);
    }
    sides.tell(relay.asked().since(before), report);
    Ok(())
}

/// Seconds.
#[derive(Default)]
struct Sides {
    pop3fs: Samples,
    again: Samples,
    bindfs: Samples,
    bindfs_again: Samples,
    local: Samples,
}

impl Sides {
    fn tell(&self, commands: u64, report: &mut Report) {
        report.add(Row {
            what: "`grep -rl` after a remount".to_owned(),
            ours: self.pop3fs.seconds(),
            beside: Some(("bindfs", self.bindfs.seconds())),
            demand: Demand::Within {
                must: 1.2,
                aim: Some(0.8),
            },
        });
        report.add(Row {
            what: "RETR and TOP of that".to_owned(),
            ours: Figure::Commands(commands as f64),
            beside: None,
            demand: Demand::AtMost {
                must: 0.0,
                aim: None,
            },
        });
        for beside in [
            ("bindfs, again", &self.bindfs_again),
            ("local folder", &self.local),
        ] {
            report.add(Row {
                what: "`grep -rl` again in that mount".to_owned(),
                ours: self.again.seconds(),
                beside: Some((beside.0, beside.1.seconds())),
                demand: Demand::Reported,
            });
        }
    }
}
