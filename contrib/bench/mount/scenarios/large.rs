//! One large message: `cat` beside curl.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::peers;
use crate::place::{Cache, Place};
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Synthetic;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let octets = place.arguments.large_message;
    let server = Synthetic::serve(1, octets)?;
    let mut curl = Samples::default();
    let mut pop3fs = Samples::default();
    let mut peak = Samples::default();
    for _ in 0..place.arguments.runs {
        curl.push(peers::curl_to_nowhere(place, server.port())?);
        let mount = place.mount(server.port(), Cache::Empty)?;
        let message = fs::read_dir(mount.path())?
            .next()
            .context("no message")??
            .path();
        // To nowhere, as curl does: the disk is not what is measured.
        let mut cat = Command::new("sh");
        cat.args(["-c", "exec cat \"$0\" >/dev/null"]).arg(&message);
        pop3fs.push(place.run(&mut cat)?.seconds);
        ensure!(message.metadata()?.len() == octets, "a short message");
        peak.push(mount.memory()?.peak);
        mount.umount()?;
    }
    let rate = |seconds: &Samples| Figure::OctetsPerSecond(octets as f64 / seconds.median());
    let size = octets >> 20;
    report.add(Row {
        what: format!("`cat` of a message of {size} MiB"),
        ours: rate(&pop3fs),
        beside: Some(("curl", rate(&curl))),
        demand: Demand::AsFast {
            must: 0.7,
            aim: Some(0.9),
        },
    });
    report.add(Row {
        what: format!("`cat` of a message of {size} MiB: peak memory"),
        ours: Figure::Mebibytes(peak.largest()),
        beside: None,
        demand: Demand::AtMost {
            must: 160.0,
            aim: Some(96.0),
        },
    });
    Ok(())
}
