//! `rsync -a` with nothing new, after a remount, beside rsync of the same files from a local
//! folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::place::{self, Cache, Place};
use crate::relay::Relay;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let local = place.local_copy(&dovecot)?;
    let relay = Relay::start(dovecot.port(), Duration::ZERO)?;
    let backup = place.empty_folder("backup")?;
    let backup_of_local = place.empty_folder("backup-of-local")?;
    let earlier = place.mount(relay.port(), Cache::Empty)?;
    place.run(&mut place::rsync(earlier.path(), &backup))?;
    earlier.umount()?;
    place.run(&mut place::rsync(local, &backup_of_local))?;

    let before = relay.asked();
    let mut pop3fs = Samples::default();
    let mut beside = Samples::default();
    for _ in 0..place.arguments.runs {
        let mount = place.mount(relay.port(), Cache::Kept)?;
        pop3fs.push(nothing_new(place, mount.path(), &backup)?);
        mount.umount()?;
        beside.push(nothing_new(place, local, &backup_of_local)?);
    }
    report.add(Row {
        what: "`rsync -a` with nothing new, after a remount".to_owned(),
        ours: pop3fs.seconds(),
        beside: Some(("rsync of a local folder", beside.seconds())),
        demand: Demand::Within {
            must: 2.0,
            aim: None,
        },
    });
    report.add(Row {
        what: "RETR and TOP of that".to_owned(),
        ours: Figure::Commands(relay.asked().since(before) as f64),
        beside: None,
        demand: Demand::AtMost {
            must: 0.0,
            aim: None,
        },
    });
    Ok(())
}

/// Seconds of an rsync that must find nothing to copy.
fn nothing_new(place: &Place, from: &Path, to: &Path) -> Result<f64> {
    let finished = place.run(&mut place::rsync(from, to))?;
    let copied = finished
        .stdout
        .split(|&octet| octet == b'\n')
        .filter(|line| line.starts_with(b">f"))
        .count();
    ensure!(copied == 0, "rsync copied {copied} files again");
    Ok(finished.seconds)
}
