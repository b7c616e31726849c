//! The views of what an earlier mount has fetched, beside the root: `ls -l` of `.named` and
//! `.text`, `grep -rl` of `.text`, and `find .parts`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::maildrop::Maildrop;
use crate::place::{Cache, Place};
use crate::report::{Demand, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let earlier = place.mount(dovecot.port(), Cache::Empty)?;
    place.grep(earlier.path(), &maildrop)?;
    place.list("-l", earlier.path(), maildrop.messages())?;
    earlier.umount()?;
    let mut sides = [Sides::default(), Sides::default()];
    for _ in 0..place.arguments.runs {
        let mount = place.mount(dovecot.port(), Cache::Kept)?;
        for pass in &mut sides {
            pass.run(place, mount.path(), &maildrop)?;
        }
        mount.umount()?;
    }
    let [first, again] = sides;
    first.tell("after a remount", [2.0, 2.0], None, report);
    again.tell("again", [2.0, 2.0], Some(1.5), report);
    Ok(())
}

/// Seconds of one pass over everything.
#[derive(Default)]
struct Sides {
    root: Samples,
    named: Samples,
    text: Samples,
    grep_root: Samples,
    grep_text: Samples,
    parts: Samples,
}

impl Sides {
    fn run(&mut self, place: &Place, mount: &Path, maildrop: &Maildrop) -> Result<()> {
        let messages = maildrop.messages();
        let [named, text, parts] = [".named", ".text", ".parts"].map(|view| mount.join(view));
        self.root.push(place.list("-l", mount, messages)?);
        self.named.push(place.list("-l", &named, messages)?);
        self.text.push(place.list("-l", &text, messages)?);
        self.grep_root.push(place.grep(mount, maildrop)?);
        let grep = place.grep_any(&text)?;
        ensure!(grep.lines() > 0, "grep found nothing in .text");
        self.grep_text.push(grep.seconds);
        let find = place.run(Command::new("find").arg(&parts))?;
        ensure!(
            find.lines() > messages as usize,
            "find shows too little of .parts"
        );
        self.parts.push(find.seconds);
        Ok(())
    }

    fn tell(&self, when: &str, listing: [f64; 2], grep: Option<f64>, report: &mut Report) {
        let must = |must| Demand::Within { must, aim: None };
        let [named, text] = listing.map(must);
        let grep = grep.map_or(Demand::Reported, must);
        for (what, ours, beside, demand) in [
            (
                "`ls -l .named`",
                &self.named,
                ("`ls -l`", &self.root),
                named,
            ),
            ("`ls -l .text`", &self.text, ("`ls -l`", &self.root), text),
            (
                "`grep -rl` of .text",
                &self.grep_text,
                ("`grep -rl`", &self.grep_root),
                grep,
            ),
            (
                "`find .parts`",
                &self.parts,
                ("`ls -l`", &self.root),
                Demand::Reported,
            ),
        ] {
            report.add(Row {
                what: format!("{what}, {when}"),
                ours: ours.seconds(),
                beside: Some((beside.0, beside.1.seconds())),
                demand,
            });
        }
    }
}
