//! Runs a sequence and compares the mount with the reference after each step.

use std::path::PathBuf;
use std::time::Duration;

use pop3fs::maildrop::{Consent, Farewell, Fault, Verdict};
use tempfile::TempDir;

use super::mounted::{self, Mounted};
use super::provider::{Number, Provider};
use super::reference::{Numbers, Reference};
use super::steps::{Mishap, Parting, Pick, Step};
use crate::common::{eventually, eventually_within};
use crate::message;

/// The error describes what the mount did wrong.
pub(super) type Check<T = ()> = Result<T, String>;

const MESSAGES: Number = 5;
/// Limit for the next login of a mount whose server is there again: more than its longest pause.
const FOUND_AGAIN: Duration = Duration::from_secs(120);

/// Totals over all sequences.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    steps: usize,
    mounts: usize,
    offline_mounts: usize,
    kills: usize,
    removed: usize,
    /// Removals that a mount began with.
    resumed: usize,
    deleted: usize,
    /// Commits that failed although the server was there.
    broken_off: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.mounts += other.mounts;
        self.offline_mounts += other.offline_mounts;
        self.kills += other.kills;
        self.removed += other.removed;
        self.resumed += other.resumed;
        self.deleted += other.deleted;
        self.broken_off += other.broken_off;
    }
}

/// What the next mount must have pending.
struct Inherited {
    at_least: Numbers,
    at_most: Numbers,
}

struct Run {
    provider: Provider,
    /// Holds a cache for each mount that follows a kill.
    folder: TempDir,
    caches: usize,
    mounted: Option<Mounted>,
    reference: Reference,
    last_number: Number,
    tally: Tally,
}

/// Runs a sequence; the error describes what the mount did wrong.
pub(super) fn run(sequence: &[Step]) -> Check<Tally> {
    let mut run = Run::begin()?;
    for (step, at) in sequence.iter().zip(1..) {
        let outcome = run.carry_out(*step).and_then(|()| run.check());
        outcome.map_err(|what| format!("{what}\nat step {at}: {step:?}"))?;
    }
    run.end()
        .map_err(|what| format!("{what}\nafter the last step"))
}

impl Run {
    fn begin() -> Check<Self> {
        let mut run = Self {
            provider: Provider::start(MESSAGES),
            folder: tempfile::tempdir().expect("a folder"),
            caches: 0,
            mounted: None,
            reference: Reference::of((1..=MESSAGES).collect()),
            last_number: MESSAGES,
            tally: Tally::default(),
        };
        run.mount(Inherited::nothing())?;
        run.check()?;
        // A first mount that is killed may leave no listing, and then none begins without a server.
        run.remount(Parting::Discard)?;
        run.check()?;
        Ok(run)
    }

    fn carry_out(&mut self, step: Step) -> Check {
        self.tally.steps += 1;
        match step {
            Step::ServerGoes(absence) => self.provider.go(absence),
            Step::ServerComesBack => self.provider.come_back(),
            Step::LinksBreak => self.provider.break_links(),
            Step::MailArrives => {
                self.last_number += 1;
                self.provider.deliver(self.last_number);
                self.reference.mailbox.insert(self.last_number);
            }
            Step::AnotherClientDeletes(pick) => {
                if let Some(number) = picked(&self.reference.mailbox, pick) {
                    self.provider.expunge(number);
                    self.reference.mailbox.remove(&number);
                }
            }
            Step::Read(pick) => return self.read(pick),
            Step::Remove(pick) => return self.remove(pick),
            Step::Restore(pick) => self.restore(pick),
            Step::Look => return self.look(),
            Step::Wait if self.provider.is_away => {}
            Step::Wait => self.wait_for_server(),
            Step::Commit(mishap) => return self.commit(mishap),
            Step::Remount(parting) => return self.remount(parting),
        }
        Ok(())
    }

    /// Ends a sequence: with its server, the mount shows and deletes what it must.
    fn end(mut self) -> Check<Tally> {
        self.provider.come_back();
        self.wait_for_server();
        self.look()?;
        self.check()?;
        self.remount(Parting::Commit(Mishap::None))?;
        self.check()?;
        if self.mounted().listed().len() != self.provider.left().len() {
            return Err("the last mount does not show what the server has".to_owned());
        }
        self.remount(Parting::Discard)?;
        self.check()?;
        Ok(self.tally)
    }

    fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().expect("a mount between steps")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join(self.caches.to_string())
    }
}

/// What users do.
impl Run {
    fn read(&mut self, pick: Pick) -> Check {
        let listed: Numbers = self.mounted().listed().into_keys().collect();
        let Some(number) = picked(&listed, pick) else {
            return Ok(());
        };
        let is_cached = self.reference.cached.contains(&number);
        let is_there = self.reference.mailbox.contains(&number);
        if self.provider.is_away && !is_cached {
            // Readers wait for the server up to its timeout.
            return Ok(());
        }
        let is_reachable = !self.provider.is_away && self.mounted().offline_since().is_none();
        match self.mounted().read(number) {
            Ok(octets) if octets == message(number) => {
                self.reference.cached.insert(number);
                Ok(())
            }
            Ok(octets) => Err(format!("{number} has {} wrong octets", octets.len())),
            Err(fault) if is_cached || (is_reachable && is_there) => {
                Err(format!("{number} cannot be read: {fault}"))
            }
            Err(_) => Ok(()),
        }
    }

    fn remove(&mut self, pick: Pick) -> Check {
        let listed: Numbers = self.mounted().listed().into_keys().collect();
        let Some(number) = picked(&listed, pick) else {
            return Ok(());
        };
        let was_offline = self.mounted().offline_since().is_some();
        self.mounted().remove(number);
        self.tally.removed += 1;
        self.reference.removed.insert(number);
        if was_offline && !self.mounted().remembered().contains(&number) && self.provider.is_away {
            return Err(format!("the removal of {number} is in no index"));
        }
        Ok(())
    }

    fn restore(&mut self, pick: Pick) {
        let pending: Numbers = self.mounted().pending().into_iter().collect();
        if let Some(number) = picked(&pending, pick) {
            self.mounted().restore(number);
            self.reference.removed.remove(&number);
            self.reference.remembered.remove(&number);
        }
    }

    /// Lists the directory. A mount that has found its server fetches a new listing for that, and
    /// so notices that the server has gone. While it fetches messages, perhaps ahead of a reader,
    /// it does neither, and shows the last listing.
    fn look(&mut self) -> Check {
        loop {
            let was_fetching = self.mounted().is_fetching();
            self.mounted().look();
            let is_offline = self.mounted().offline_since().is_some();
            if self.provider.is_away {
                if !is_offline && !was_fetching {
                    return Err("the mount has not noticed that its server is away".to_owned());
                }
                return Ok(());
            }
            // It may find its server between the two questions.
            let is_fetching = self.mounted().is_fetching();
            self.mounted().look();
            if is_offline == self.mounted().offline_since().is_some() {
                if !is_offline && !is_fetching {
                    self.reference.take_listing(self.reference.mailbox.clone());
                }
                return Ok(());
            }
        }
    }

    fn wait_for_server(&self) {
        eventually_within(FOUND_AGAIN, "the mount to find its server", || {
            self.mounted().offline_since().is_none().then_some(())
        });
        eventually("the mount to fetch nothing", || {
            (!self.mounted().is_fetching()).then_some(())
        });
    }

    fn commit(&mut self, mishap: Mishap) -> Check {
        let mishap = self.arm(mishap);
        let verdict = self.mounted().commit();
        self.provider.disarm();
        self.check_verdict(mishap, &verdict).map(drop)
    }

    /// A server that is away has no other mishap.
    fn arm(&self, mishap: Mishap) -> Mishap {
        if self.provider.is_away {
            return Mishap::None;
        }
        self.provider.arm(mishap);
        mishap
    }

    /// Checks a commit. Returns what stays pending.
    fn check_verdict(
        &mut self,
        mishap: Mishap,
        verdict: &Result<Verdict, Fault>,
    ) -> Check<Inherited> {
        let left = self.provider.left();
        let deleted = &self.reference.mailbox - &left;
        if !deleted.is_subset(&self.reference.removed) {
            return Err(format!(
                "deleted {deleted:?}, removed {:?}",
                self.reference.removed
            ));
        }
        self.tally.deleted += deleted.len();
        self.reference.mailbox = left;
        let removed = self.reference.removed.clone();
        match verdict {
            Ok(_) if removed.is_empty() => Ok(Inherited::nothing()),
            Ok(verdict) => {
                if self.provider.is_away {
                    return Err(format!("{verdict:?} without a server"));
                }
                let still_there: Numbers = &removed & &self.reference.mailbox;
                if verdict.kept.len() != still_there.len() {
                    return Err(format!("{still_there:?} are there, says {verdict:?}"));
                }
                if mishap == Mishap::None && !still_there.is_empty() {
                    return Err(format!("{still_there:?} were kept: {verdict:?}"));
                }
                self.settle(&removed, &deleted);
                Ok(Inherited::nothing())
            }
            Err(fault) => {
                if !self.provider.is_away && mishap == Mishap::None {
                    return Err(format!("the commit failed: {fault}"));
                }
                self.tally.broken_off += usize::from(!self.provider.is_away);
                if !deleted.is_empty() && !matches!(fault, Fault::OutcomeUnknown(_)) {
                    return Err(format!("{deleted:?} were deleted, says {fault}"));
                }
                Ok(Inherited {
                    at_least: &removed & &self.reference.mailbox,
                    at_most: removed,
                })
            }
        }
    }

    /// A commit has ended well: nothing is pending any more.
    fn settle(&mut self, removed: &Numbers, deleted: &Numbers) {
        self.reference.removed = &self.reference.removed - removed;
        self.reference.remembered = &self.reference.remembered - removed;
        // A listing began the commit, or it did not; one may have followed it.
        let gone = &(&self.reference.known - &self.reference.mailbox) & removed;
        self.reference.known = &self.reference.known - &(&gone | deleted);
        self.reference.listings.push(self.reference.known.clone());
        self.reference.listings.push(self.reference.mailbox.clone());
    }
}

/// Ends and beginnings of mounts.
impl Run {
    fn remount(&mut self, parting: Parting) -> Check {
        let inherited = match parting {
            Parting::Commit(mishap) => {
                let mishap = self.arm(mishap);
                let verdict = self.end_mount(Farewell::Commit(Consent::Given));
                self.provider.disarm();
                self.check_verdict(mishap, &verdict)?
            }
            Parting::Discard => {
                self.end_mount(Farewell::Discard)
                    .map_err(|fault| format!("{fault}"))?;
                Inherited::nothing()
            }
            Parting::Abandon => {
                let inherited = self.what_outlives();
                let ended = self.end_mount(Farewell::Abandon);
                ended.map_err(|fault| format!("{fault}"))?;
                inherited
            }
            Parting::Kill => self.kill(),
        };
        self.mount(inherited)
    }

    fn end_mount(&mut self, farewell: Farewell) -> Result<Verdict, Fault> {
        self.mounted.take().expect("a mount").end(farewell)
    }

    fn kill(&mut self) -> Inherited {
        self.tally.kills += 1;
        let inherited = self.what_outlives();
        let from = self.cache();
        self.caches += 1;
        mounted::copy_cache(&from, &self.cache());
        // What it does from now on is in no cache, and it deletes nothing.
        let _its_verdict = self.end_mount(Farewell::Abandon);
        self.reference.forget_what_may_be_lost();
        inherited
    }

    /// What the next mount has pending if this one commits nothing.
    fn what_outlives(&self) -> Inherited {
        let removed = &self.reference.removed;
        Inherited {
            at_least: match self.mounted().offline_since() {
                Some(_) => removed.clone(),
                None => &self.reference.remembered & removed,
            },
            at_most: removed.clone(),
        }
    }

    fn mount(&mut self, inherited: Inherited) -> Check {
        let mounted = Mounted::mount(&self.cache(), self.provider.address())
            .map_err(|error| format!("no mount: {error}"))?;
        self.tally.mounts += 1;
        let is_offline = mounted.offline_since().is_some();
        if is_offline != self.provider.is_away {
            return Err(format!("the mount begins with offline = {is_offline}"));
        }
        let pending: Numbers = mounted.pending().into_iter().collect();
        let at_least = match is_offline {
            true => inherited.at_least,
            false => &inherited.at_least & &self.reference.mailbox,
        };
        if !at_least.is_subset(&pending) || !pending.is_subset(&inherited.at_most) {
            return Err(format!(
                "{pending:?} are pending; at least {at_least:?}, at most {:?}",
                inherited.at_most
            ));
        }
        self.tally.resumed += pending.len();
        self.reference.removed = pending.clone();
        self.reference.remembered = pending;
        let known: Numbers = mounted.listed().into_keys().collect();
        let known = &known | &self.reference.removed;
        self.mounted = Some(mounted);
        if !is_offline {
            self.reference.begin_with_server();
            return Ok(());
        }
        self.tally.offline_mounts += 1;
        if !self.reference.listings.contains(&known) {
            return Err(format!(
                "{known:?} are known; the server told {:?}",
                self.reference.listings
            ));
        }
        self.reference.begin_offline(known);
        Ok(())
    }

    fn check(&mut self) -> Check {
        let left = self.provider.left();
        if left != self.reference.mailbox {
            return Err(format!("{left:?} are left of {:?}", self.reference.mailbox));
        }
        self.check_listing()?;
        if !self.provider.is_away {
            // The engine may have taken it for a session that nobody has seen.
            self.reference.listings.push(left);
        }
        let remembered: Numbers = self.mounted().remembered().into_iter().collect();
        if !self.reference.remembered.is_subset(&remembered) {
            return Err(format!(
                "{remembered:?} are remembered of {:?}",
                self.reference.remembered
            ));
        }
        if self.mounted().offline_since().is_some() && self.provider.is_away {
            self.reference.remembered = self.reference.removed.clone();
        }
        Ok(())
    }

    /// The directory and the pending removals are those of the last listing, or the engine has
    /// taken a new one meanwhile.
    fn check_listing(&mut self) -> Check {
        let listed = self.mounted().listed();
        self.reference.check_attributes(&listed)?;
        let shown: Numbers = listed.into_keys().collect();
        let pending: Numbers = self.mounted().pending().into_iter().collect();
        let is_of = |listing: &Numbers| {
            let removed = &self.reference.removed & listing;
            shown == listing - &removed && pending == removed
        };
        let now = self.reference.mailbox.clone();
        if is_of(&self.reference.known) {
            return Ok(());
        }
        if self.provider.is_away || !is_of(&now) {
            return Err(format!(
                "{shown:?} are shown and {pending:?} pending; known {:?}, there {now:?}, removed {:?}",
                self.reference.known, self.reference.removed
            ));
        }
        self.reference.take_listing(now);
        Ok(())
    }
}

impl Inherited {
    fn nothing() -> Self {
        Self {
            at_least: Numbers::new(),
            at_most: Numbers::new(),
        }
    }
}

fn picked(of: &Numbers, pick: Pick) -> Option<Number> {
    let at = usize::from(pick).checked_rem(of.len())?;
    of.iter().nth(at).copied()
}
