//! `ls` of a query beside `notmuch search` of the same messages in a local folder; and what the
//! index takes: time of a cold `grep -rl`, memory, and room on the disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::maildrop::{Maildrop, NEEDLE};
use crate::peers::Notmuch;
use crate::place::{Cache, Place};
use crate::report::{Demand, Figure, Report, Row};
use crate::samples::Samples;
use crate::servers::Dovecot;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// A word of few messages, and one of most.
const WORDS: [&str; 2] = [NEEDLE, "invoice"];

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    let maildrop = place.realistic()?;
    let dovecot = Dovecot::serve(&maildrop)?;
    let local = place.local_copy(&dovecot)?;
    let notmuch = Notmuch::index(place, local)?;
    let mut sides = Sides::default();
    for _ in 0..place.arguments.runs {
        sides.without_index(place, &maildrop, dovecot.port())?;
        sides.with_index(place, &maildrop, dovecot.port())?;
        sides.search(place, &notmuch, dovecot.port())?;
    }
    sides.tell(octets_of_text(local)?, report);
    Ok(())
}

/// Seconds, and MiB.
#[derive(Default)]
struct Sides {
    pop3fs: [Samples; WORDS.len()],
    notmuch: [Samples; WORDS.len()],
    grep: Samples,
    grep_without: Samples,
    peak: Samples,
    peak_without: Samples,
    file: Samples,
}

impl Sides {
    fn without_index(&mut self, place: &Place, maildrop: &Maildrop, port: u16) -> Result<()> {
        let mount = place.mount_with(port, Cache::Empty, "index=off")?;
        self.grep_without.push(place.grep(mount.path(), maildrop)?);
        self.peak_without.push(mount.memory()?.peak);
        mount.umount()
    }

    fn with_index(&mut self, place: &Place, maildrop: &Maildrop, port: u16) -> Result<()> {
        let mount = place.mount(port, Cache::Empty)?;
        self.grep.push(place.grep(mount.path(), maildrop)?);
        mount.wait_for_index(maildrop.messages())?;
        self.peak.push(mount.memory()?.peak);
        let file = mount.index_file()?;
        self.file.push(fs::metadata(file)?.len() as f64 / MEBIBYTE);
        mount.umount()
    }

    /// After a remount: nothing has been asked before.
    fn search(&mut self, place: &Place, notmuch: &Notmuch, port: u16) -> Result<()> {
        let mount = place.mount(port, Cache::Kept)?;
        for (word, (ours, theirs)) in WORDS
            .iter()
            .zip(self.pop3fs.iter_mut().zip(&mut self.notmuch))
        {
            let result = mount.path().join(".search").join(word);
            let ls = place.run(Command::new("ls").arg(result))?;
            let search = notmuch.search(place, word)?;
            ensure!(
                ls.lines() == search.lines() && ls.lines() > 0,
                "{word}: ls shows {} messages, notmuch {}",
                ls.lines(),
                search.lines()
            );
            ours.push(ls.seconds);
            theirs.push(search.seconds);
        }
        mount.umount()
    }

    fn tell(&self, octets_of_text: u64, report: &mut Report) {
        let within = |must| Demand::Within { must, aim: None };
        for (word, (ours, theirs)) in WORDS.iter().zip(self.pop3fs.iter().zip(&self.notmuch)) {
            report.add(Row {
                what: format!("`ls .search/{word}`, after a remount"),
                ours: ours.seconds(),
                beside: Some(("notmuch search", theirs.seconds())),
                demand: within(2.0),
            });
        }
        report.add(Row {
            what: "cold `grep -rl` with a search index".to_owned(),
            ours: self.grep.seconds(),
            beside: Some(("without one", self.grep_without.seconds())),
            demand: within(1.15),
        });
        report.add(Row {
            what: "peak memory that the search index adds".to_owned(),
            ours: Figure::Mebibytes(self.peak.largest() - self.peak_without.largest()),
            beside: None,
            demand: Demand::AtMost {
                must: 32.0,
                aim: None,
            },
        });
        report.add(Row {
            what: "search index on disk".to_owned(),
            ours: Figure::Mebibytes(self.file.largest()),
            beside: Some((
                "the text",
                Figure::Mebibytes(octets_of_text as f64 / MEBIBYTE),
            )),
            demand: within(1.0),
        });
    }
}

/// Of all messages in a folder, as `.text` shows them.
fn octets_of_text(folder: &Path) -> Result<u64> {
    let mut octets = 0;
    for entry in fs::read_dir(folder)? {
        let message = fs::read(entry?.path())?;
        octets += pop3fs::message::text(&message).len() as u64;
    }
    Ok(octets)
}
