//! `cat` of one message that was never read, alone and while `grep -r` keeps the link busy.

use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::Running;
use crate::filesystems::Pop3fs;
use crate::maildrop::{Maildrop, NEEDLE};
use crate::place::{Cache, Place};
use crate::relay::Relay;
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Where in the directory the messages stand that are read, in hundredths: far from where grep
/// begins, the farthest first.
const POSITIONS: [usize; 3] = [95, 85, 75];

/// Everyday mail: its own octets must not count.
const MOST_OCTETS: u64 = 8_000;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let relay = Relay::start(dovecot.port(), ROUND_TRIP)?;
    let mut alone = Samples::default();
    let mut beside_grep = Samples::default();
    for _ in 0..place.arguments.runs {
        let mount = place.mount(relay.port(), Cache::Empty)?;
        alone.extend(cat_each(place, &mount, &maildrop)?);
        mount.umount()?;
        let mount = place.mount(relay.port(), Cache::Empty)?;
        beside_grep.extend(while_grep_runs(place, &mount, &relay, &maildrop)?);
        mount.umount()?;
    }
    let extra = (beside_grep.median() - alone.median()) / ROUND_TRIP.as_secs_f64();
    report.add(Row {
        what: format!(
            "`cat` of one message while `grep -r` runs, {} ms: more than alone",
            ROUND_TRIP.as_millis()
        ),
        ours: Figure::RoundTrips(extra),
        beside: None,
        demand: Demand::AtMost {
            must: 5.0,
            aim: Some(3.0),
        },
    });
    report.note(format!(
        "That `cat` takes {:.0} ms alone and {:.0} ms beside `grep -r`.",
        alone.median() * 1e3,
        beside_grep.median() * 1e3
    ));
    Ok(())
}

/// Begins when grep has a twentieth of the messages, and must end before grep does.
fn while_grep_runs(
    place: &Place,
    mount: &Pop3fs,
    relay: &Relay,
    maildrop: &Maildrop,
) -> Result<Vec<f64>> {
    let under_way = relay.asked().bodies + u64::from(maildrop.messages() / 20);
    let mut grep = Command::new("grep");
    let mut grep = Running::start(grep.args(["-rl", NEEDLE]).arg(mount.path()))?;
    while relay.asked().bodies < under_way && !grep.has_ended()? {
        thread::sleep(Duration::from_millis(1));
    }
    let seconds = cat_each(place, mount, maildrop)?;
    ensure!(
        !grep.has_ended()?,
        "grep had ended before: take more --messages"
    );
    Ok(seconds)
}

/// Seconds of each; nothing but its `cat` asks for the message.
fn cat_each(place: &Place, mount: &Pop3fs, maildrop: &Maildrop) -> Result<Vec<f64>> {
    let messages = in_maildrop_order(mount.path())?;
    POSITIONS
        .iter()
        .map(|position| {
            let index = maildrop.first_within(MOST_OCTETS, messages.len() * position / 100)?;
            let message = messages
                .get(index)
                .context("the mount has fewer messages")?;
            Ok(place.run(Command::new("cat").arg(message))?.seconds)
        })
        .collect()
}

/// Which the inode numbers tell.
fn in_maildrop_order(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries: Vec<(u64, PathBuf)> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| (entry.ino(), entry.path())))
        .collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries.into_iter().map(|(_, path)| path).collect())
}
