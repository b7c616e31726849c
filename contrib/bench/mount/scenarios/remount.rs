//! `grep -rl` of what an earlier mount has fetched, and once more in the same mount, beside the
//! same files shown by the floor, by bindfs and by the local filesystem.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::filesystems::Pop3fs;
use crate::maildrop::Maildrop;
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
    let port = relay.port();
    let earlier = [
        Some(place.mount(port, Cache::Empty)?),
        place.mount_other(port, Cache::Empty)?,
    ];
    for mount in earlier.into_iter().flatten() {
        place.grep(mount.path(), &maildrop)?;
        mount.umount()?;
    }

    let before = relay.asked();
    let mut sides = Sides::default();
    for _ in 0..place.arguments.runs {
        sides.run(place, &maildrop, local, port)?;
    }
    sides.tell(relay.asked().since(before), report);
    Ok(())
}

#[derive(Default)]
struct Sides {
    pop3fs: Side,
    other: Side,
    floor: Side,
    bindfs: Side,
    local: Side,
}

/// The seconds of two passes over the same files, and the seconds of CPU time of grep and the
/// filesystem together.
#[derive(Default)]
struct Side {
    first: Samples,
    again: Samples,
    first_cpu: Samples,
    again_cpu: Samples,
}

impl Sides {
    fn run(&mut self, place: &Place, maildrop: &Maildrop, local: &Path, port: u16) -> Result<()> {
        let no_process = || Ok(0.0);
        let mounted = |side: &mut Side, mount: Pop3fs| -> Result<()> {
            side.run(place, mount.path(), maildrop, || mount.cpu_seconds())?;
            mount.umount()
        };
        mounted(&mut self.pop3fs, place.mount(port, Cache::Kept)?)?;
        let floor = place.floor(local)?;
        self.floor
            .run(place, floor.path(), maildrop, || floor.cpu_seconds())?;
        drop(floor);
        if let Some(other) = place.mount_other(port, Cache::Kept)? {
            mounted(&mut self.other, other)?;
        }
        let bindfs = place.bind(local)?;
        self.bindfs
            .run(place, bindfs.path(), maildrop, || bindfs.cpu_seconds())?;
        drop(bindfs);
        self.local.run(place, local, maildrop, no_process)
    }

    fn tell(&self, commands: u64, report: &mut Report) {
        let first = "`grep -rl` after a remount";
        let again = "`grep -rl` again in that mount";
        for (side, demand) in [
            (("floor", &self.floor), within(0.6, 0.4)),
            (("bindfs", &self.bindfs), within(1.2, 0.8)),
            (("local folder", &self.local), Demand::Reported),
            (("other pop3fs", &self.other), Demand::Reported),
        ] {
            tell_seconds(
                first,
                side,
                demand,
                &self.pop3fs,
                |side| &side.first,
                report,
            );
        }
        report.add(Row {
            what: "RETR and TOP of that".to_owned(),
            ours: Figure::Commands(commands as f64),
            beside: None,
            demand: Demand::AtMost {
                must: 0.0,
                aim: None,
            },
        });
        for (side, demand) in [
            (("floor", &self.floor), within(0.5, 0.3)),
            (("bindfs", &self.bindfs), Demand::Reported),
            (("local folder", &self.local), within(4.0, 2.5)),
            (("other pop3fs", &self.other), Demand::Reported),
        ] {
            tell_seconds(
                again,
                side,
                demand,
                &self.pop3fs,
                |side| &side.again,
                report,
            );
        }
        for side in [
            ("floor", &self.floor),
            ("bindfs", &self.bindfs),
            ("local folder", &self.local),
            ("other pop3fs", &self.other),
        ] {
            let cpu = |what: &str| format!("{what}: CPU seconds");
            let (ours, none) = (&self.pop3fs, Demand::Reported);
            tell_seconds(
                &cpu(first),
                side,
                none,
                ours,
                |side| &side.first_cpu,
                report,
            );
            tell_seconds(
                &cpu(again),
                side,
                none,
                ours,
                |side| &side.again_cpu,
                report,
            );
        }
    }
}

impl Side {
    /// `cpu` tells the CPU seconds of the filesystem so far.
    fn run(
        &mut self,
        place: &Place,
        folder: &Path,
        maildrop: &Maildrop,
        cpu: impl Fn() -> Result<f64>,
    ) -> Result<()> {
        for (seconds, cpu_seconds) in [
            (&mut self.first, &mut self.first_cpu),
            (&mut self.again, &mut self.again_cpu),
        ] {
            let before = cpu()?;
            let grep = place.grep_all(folder, maildrop)?;
            seconds.push(grep.seconds);
            cpu_seconds.push(grep.cpu + cpu()? - before);
        }
        Ok(())
    }
}

fn within(must: f64, aim: f64) -> Demand {
    Demand::Within {
        must,
        aim: Some(aim),
    }
}

fn tell_seconds(
    what: &str,
    (name, beside): (&'static str, &Side),
    demand: Demand,
    ours: &Side,
    samples: impl Fn(&Side) -> &Samples,
    report: &mut Report,
) {
    if samples(beside).is_empty() {
        return;
    }
    report.add(Row {
        what: what.to_owned(),
        ours: samples(ours).seconds(),
        beside: Some((name, samples(beside).seconds())),
        demand,
    });
}
