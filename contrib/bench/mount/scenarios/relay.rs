//! Whether the relay can be measured with: it must pass far more than Dovecot sends.

use std::time::Duration;

use anyhow::Result;

use super::{Link, seconds_of};
use crate::place::Place;
use crate::raw::RawSession;
use crate::relay::Relay;
use crate::report::Report;
use crate::samples::Samples;
use crate::servers::Synthetic;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let octets = place.arguments.large_message;
    let server = Synthetic::serve(1, octets)?;
    let links = [
        Link::Direct(server.port()),
        Link::Far(Relay::start(server.port(), Duration::ZERO)?),
        Link::to(server.port(), Duration::from_millis(100))?,
    ];
    let mut seconds = links.each_ref().map(|_| Samples::default());
    for _ in 0..place.arguments.runs {
        for (link, seconds) in links.iter().zip(&mut seconds) {
            let mut session = RawSession::open(link.port())?;
            seconds.push(seconds_of(|| session.bodies())?);
            session.quit()?;
        }
    }
    let [direct, relayed, far] = seconds.map(|seconds| octets as f64 / 1e9 / seconds.median());
    report.note(format!(
        "The relay passes {relayed:.1} GB/s, and {far:.1} GB/s at 100 ms; without it there are {direct:.1} GB/s."
    ));
    Ok(())
}
