//! Runs a sequence and compares the mount with the reference after each operation.

mod comparison;
mod deletions;
mod held;
mod messages;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::PATIENCE;
use super::mail::{Draft, Mail};
use super::mounted::{self, Mounted, Mounting, Unanswered};
use super::operations::{Operation, Parting, Pick, Sequence};
use super::reference::{Known, Reference, Standing};
use super::server::{Event, Quit, Server};
use held::Held;

/// The error describes what the mount did wrong.
pub(crate) type Check<T = ()> = Result<T, String>;

/// Timeout that a busy machine does not reach.
const LONG: Duration = Duration::from_secs(30);
/// Timeout for sequences in which the server falls silent.
const SHORT: Duration = Duration::from_millis(250);
/// An operation may fail if this many replies broke off during it. The first one may have been
/// before.
const EXCUSE: usize = 2;

/// Totals over all sequences.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) operations: usize,
    pub(crate) opened: usize,
    pub(crate) failed: usize,
    pub(crate) breaks: usize,
    pub(crate) sessions: usize,
    pub(crate) deleted: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.operations += other.operations;
        self.opened += other.opened;
        self.failed += other.failed;
        self.breaks += other.breaks;
        self.sessions += other.sessions;
        self.deleted += other.deleted;
    }
}

/// Runs a sequence; the error describes what the mount did wrong.
pub(crate) fn run(sequence: &Sequence) -> Check<Tally> {
    let mut run = Run::begin(sequence)?;
    for (operation, at) in sequence.operations.iter().zip(1..) {
        log::info!("{operation:?}");
        let outcome = run.carry_out(operation).and_then(|()| run.check());
        outcome.map_err(|what| format!("{what}\nat operation {at}: {operation:?}"))?;
    }
    run.end()
        .map_err(|what| format!("{what}\nafter the last operation"))
}

struct Run {
    server: Server,
    mounting: Mounting,
    /// Holds a cache for each mount that follows a kill.
    folder: TempDir,
    mounts: usize,
    mounted: Option<Mounted>,
    /// An earlier mount that has ended and is still in use elsewhere.
    held: Option<Held>,
    reference: Reference,
    open: Vec<OpenFile>,
    /// Whether the cache was ever damaged, so that an open file may have to be fetched again.
    is_damaged: bool,
    is_silent_at_times: bool,
    tally: Tally,
}

struct OpenFile {
    handle: u64,
    content: Arc<[u8]>,
}

impl From<Unanswered> for String {
    fn from(_: Unanswered) -> String {
        "an operation was never answered".to_owned()
    }
}

impl Run {
    fn begin(sequence: &Sequence) -> Check<Run> {
        let setting = sequence.setting.clone();
        let server = Server::start(setting.offers, setting.pace(), setting.chunk);
        if sequence.has_misreplies() {
            server.give_distinct_lengths();
        }
        let is_silent_at_times = sequence.has_silence();
        let mounting = Mounting {
            setting,
            port: server.port(),
            timeout: if is_silent_at_times { SHORT } else { LONG },
        };
        let mut run = Run {
            server,
            mounting,
            folder: tempfile::tempdir().expect("a folder"),
            mounts: 0,
            mounted: None,
            held: None,
            reference: Reference::default(),
            open: Vec::new(),
            is_damaged: false,
            is_silent_at_times,
            tally: Tally::default(),
        };
        for draft in &sequence.mails {
            run.arrive(*draft, None);
        }
        run.mount()?;
        Ok(run)
    }

    fn carry_out(&mut self, operation: &Operation) -> Check {
        self.tally.operations += 1;
        self.catch_up()?;
        self.reference.begin_operation();
        match *operation {
            Operation::List => self.list(),
            Operation::LookUp(pick) => self.with_any(pick, Run::lookup_name),
            Operation::Stat(pick) => self.with_any(pick, Run::stat),
            Operation::Open(pick) => self.with_any(pick, |run, name| run.open(name).map(drop)),
            Operation::Read {
                open,
                offset,
                length,
            } => self.read(open, offset, length),
            Operation::Close(open) => self.close(open),
            Operation::Cat(pick) => self.with_any(pick, Run::cat),
            Operation::Walk => self.walk(),
            Operation::Together => self.together(),
            Operation::Unlink(pick) => self.unlink(pick),
            Operation::Restore(pick) => self.restore(pick),
            Operation::Refresh => self.refresh(),
            Operation::Commit { refused, quit } => self.commit(refused, quit),
            Operation::Remount(parting) => self.remount(parting),
            Operation::Damage(damage) => {
                // What was verified when it was first read is not verified again.
                self.held = None;
                mounted::damage(&self.cache(), damage);
                self.is_damaged = true;
                Ok(())
            }
            Operation::Fault(fault) => {
                self.server.break_off(fault);
                Ok(())
            }
            Operation::Misreply(misreply) => {
                self.server.misreply(misreply);
                Ok(())
            }
            Operation::Reuse(pick) => self.with_mail(pick, Run::reuse),
            Operation::Exchange(first, second) => {
                let second = picked(&self.reference.mailbox, second).cloned();
                self.with_mail(first, |run, first| {
                    if let Some(second) = second {
                        run.exchange(first, &second);
                    }
                })
            }
            Operation::Recase(pick) => self.with_mail(pick, Run::recase),
            Operation::Restart => {
                self.server.restart();
                Ok(())
            }
            Operation::Arrive(draft) => {
                self.arrive(draft, None);
                Ok(())
            }
            Operation::Copy(pick) => self.with_mail(pick, Run::copy),
            Operation::Twin(pick, draft) => self.with_mail(pick, |run, mail| {
                run.arrive(draft, Some(Arc::clone(&mail.uidl)));
            }),
            Operation::Expunge(pick) => self.with_mail(pick, Run::expunge),
            Operation::Alter(pick, draft) => {
                self.with_mail(pick, |run, mail| run.alter(mail, draft))
            }
        }
    }

    /// Ends a sequence: commits, then checks this mount and the next one against the server.
    fn end(mut self) -> Check<Tally> {
        self.server.behave();
        self.commit(0, Quit::Confirmed)?;
        self.check()?;
        if !self.is_silent_at_times {
            let pending = self.reference.names(Standing::Unlinked);
            comparison::equal("what is pending at the end", &pending, &Vec::new())?;
        }
        self.remount(Parting::Discarding)?;
        self.walk()?;
        self.check()?;
        let shown = self.reference.names(Standing::Listed).len();
        let left = self.server.mailbox();
        if shown != left.len() {
            return Err(format!("{shown} messages are shown of {}", left.len()));
        }
        self.tally.sessions = self.server.listings().0;
        self.tally.breaks = self.server.broken().replies();
        Ok(self.tally)
    }

    fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().expect("a mount between operations")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join(self.mounts.to_string())
    }
}

/// Changes on the server that the mount did not cause.
impl Run {
    fn arrive(&mut self, draft: Draft, uidl: Option<Arc<str>>) {
        let mail = self.server.arrive(draft, uidl);
        self.reference.mailbox.push(mail);
    }

    fn copy(&mut self, mail: &Mail) {
        let copy = self.server.copy(mail);
        self.reference.mailbox.push(copy);
    }

    fn expunge(&mut self, mail: &Mail) {
        self.server.expunge(mail.serial);
        self.reference.remove(mail.serial);
    }

    fn alter(&mut self, mail: &Mail, draft: Draft) {
        let altered = self.server.alter(mail, draft);
        self.reference.replace(mail.serial, &altered);
    }

    fn reuse(&mut self, mail: &Mail) {
        if let Some(other) = self.server.reuse(mail) {
            self.reference.replace(mail.serial, &other);
        }
    }

    fn rename(&mut self, mail: &Mail, uidl: &Arc<str>) -> bool {
        let renamed = self.server.rename(mail, uidl);
        if let Some(renamed) = &renamed {
            self.reference.replace(mail.serial, renamed);
        }
        renamed.is_some()
    }

    /// If only the first unique-id can change, two messages share the second one: they are twins
    /// then.
    fn exchange(&mut self, first: &Mail, second: &Mail) {
        if first.uidl != second.uidl && self.rename(first, &second.uidl) {
            self.rename(second, &first.uidl);
        }
    }

    fn recase(&mut self, mail: &Mail) {
        let swap_case = |octet: char| match octet.is_ascii_lowercase() {
            true => octet.to_ascii_uppercase(),
            false => octet.to_ascii_lowercase(),
        };
        let uidl: Arc<str> = mail.uidl.chars().map(swap_case).collect::<String>().into();
        if uidl != mail.uidl {
            self.rename(mail, &uidl);
        }
    }

    fn with_mail(&mut self, pick: Pick, then: impl FnOnce(&mut Run, &Mail)) -> Check {
        if let Some(mail) = picked(&self.reference.mailbox, pick).cloned() {
            then(self, &mail);
        }
        Ok(())
    }

    /// Takes the server's events since the last commit; none of them may be a deletion.
    fn take_events(&mut self) -> Check {
        for event in self.server.take_events() {
            match event {
                Event::Listed(listing) => self.reference.take_listing(&listing),
                Event::Marked(_) | Event::Accepted(_) | Event::Quit | Event::Deleted(_) => {
                    return Err(format!("{event:?}, though nothing was committed"));
                }
            }
        }
        Ok(())
    }

    /// Waits until the mount has applied the server's last listing; it must apply every complete
    /// one.
    fn catch_up(&mut self) -> Check {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_caught_up() {
            if Instant::now() > deadline {
                return Err("a listing was told and not taken".to_owned());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.take_events()
    }

    fn has_caught_up(&self) -> bool {
        let (_, since_listed) = self.server.listings();
        // The order matters: the mount's age must be taken later.
        since_listed.is_none_or(|since| self.mounted().maildrop.listing_age() <= since)
    }

    /// Calls `look` at a moment when the mount has applied all listings and no new one arrives
    /// meanwhile.
    fn steadily<T>(&mut self, look: impl Fn(&Run) -> T) -> Check<T> {
        loop {
            self.catch_up()?;
            let (before, _) = self.server.listings();
            let seen = look(self);
            if self.has_caught_up() && self.server.listings().0 == before {
                self.take_events()?;
                return Ok(seen);
            }
        }
    }
}

fn picked<T>(of: &[T], pick: Pick) -> Option<&T> {
    of.get(usize::from(pick).checked_rem(of.len())?)
}

fn known<'a>(reference: &'a mut Reference, name: &str) -> Check<&'a mut Known> {
    reference
        .known
        .get_mut(name)
        .ok_or_else(|| format!("{name} was never listed"))
}

fn serials(mails: &[Mail]) -> Vec<u32> {
    mails.iter().map(|mail| mail.serial).collect()
}
