//! Commits and the ends of mounts.

use std::collections::BTreeMap;

use pop3fs::maildrop::{Consent, Farewell, Fault, Kept, Verdict, Whereabouts};

use super::{Check, EXCUSE, Run, comparison, known, serials};
use crate::mail::Mail;
use crate::mounted::{self, Left, Mounted};
use crate::operations::Parting;
use crate::reference::Standing;
use crate::server::{Broken, Event, Quit};

impl Run {
    pub(super) fn commit(&mut self, refused: u8, quit: Quit) -> Check {
        self.catch_up()?;
        self.server.answer_deletions(refused, quit);
        let (pending, before) = (self.reference.pending(), self.server.broken());
        let verdict = self.mounted().commit().wait()?;
        self.check_verdict(&pending, before, verdict)?;
        // A commit that sent no DELE did not use these settings up.
        self.server.answer_deletions(0, Quit::Confirmed);
        self.catch_up()
    }

    fn check_verdict(
        &mut self,
        pending: &BTreeMap<String, Mail>,
        before: Broken,
        verdict: Result<Verdict, Fault>,
    ) -> Check {
        let update = self.take_update(pending)?;
        match verdict {
            Ok(verdict) => self.check_what_was_done(pending, &update, &verdict),
            Err(fault) => self.check_what_was_not_done(before, &update, &fault),
        }
    }

    /// Takes the server's events of a commit; it must have deleted only pending messages.
    fn take_update(&mut self, pending: &BTreeMap<String, Mail>) -> Check<CommitOutcome> {
        let mut update = CommitOutcome {
            before: self.reference.last_listing.clone(),
            listed: self.reference.last_listing.clone(),
            listed_last: self.reference.last_listing.clone(),
            ..CommitOutcome::default()
        };
        for event in self.server.take_events() {
            log::debug!("in the commit of {pending:?}: {event:?}");
            match event {
                Event::Listed(listing) => {
                    self.reference.take_listing(&listing);
                    update.take_listing(listing);
                }
                Event::Marked(mail) if self.may_be_deleted(pending, &mail) => {}
                Event::Marked(mail) => {
                    return Err(format!("DELE was sent for {mail:?}, which is not unlinked"));
                }
                Event::Accepted(mail) => update.accepted.push(mail),
                Event::Quit => update.note_quit(),
                Event::Deleted(mails) => update.deleted.extend(mails),
            }
        }
        let is_unlinked = |mail: &Mail| pending.values().any(|other| other.serial == mail.serial);
        for mail in &update.deleted {
            self.reference.remove(mail.serial);
            if is_unlinked(mail) {
                continue;
            }
            let twins = |mails: &mut dyn Iterator<Item = &Mail>| {
                mails.filter(|other| other.is_twin_of(mail)).count()
            };
            if twins(&mut update.deleted.iter()) > twins(&mut pending.values()) {
                return Err(format!("{mail:?} was deleted; unlinked: {pending:?}"));
            }
        }
        self.tally.deleted += update.deleted.len();
        Ok(update)
    }

    /// Whether a pending deletion means this message.
    fn may_be_deleted(&self, pending: &BTreeMap<String, Mail>, mail: &Mail) -> bool {
        let has_top = self.mounting.setting.offers.top;
        pending.keys().any(|name| {
            let known = self.reference.known.get(name);
            known.is_some_and(|known| known.can_mean(mail, has_top))
        })
    }

    fn check_what_was_done(
        &mut self,
        pending: &BTreeMap<String, Mail>,
        update: &CommitOutcome,
        verdict: &Verdict,
    ) -> Check {
        let told = verdict.deleted + verdict.gone + verdict.kept.len();
        if told > pending.len() || (told < pending.len() && update.listings == 0) {
            return Err(format!("{verdict:?} of {} pending", pending.len()));
        }
        let is_pending = |kept: &&Kept| pending.contains_key(&kept.name);
        if let Some(kept) = verdict.kept.iter().find(|kept| !is_pending(kept)) {
            return Err(format!("{kept:?} was not pending"));
        }
        let mut untold = 0;
        for (name, mail) in pending {
            let said = verdict.kept.iter().find(|kept| kept.name == *name);
            let said = said.map(|kept| kept.whereabouts);
            let standing = known(&mut self.reference, name)?.standing;
            match (self.is_truly_kept(mail, update), said) {
                // A listing at the start of the commit may have shown that it changed.
                (Some(true), None) if standing != Standing::Unlinked => untold += 1,
                (_, Some(Whereabouts::Unknown))
                    if standing != Standing::Unlinked
                        || self.has_been_a_twin(mail, update)
                        || self.is_silent_at_times
                            && pending.len() > 1
                            && update.is_of_the_last_quit(mail) => {}
                (Some(is), said) if is != (said == Some(Whereabouts::OnServer)) => {
                    return Err(format!("{name}, {mail:?}: kept is {is}, says {verdict:?}"));
                }
                _ => {}
            }
            let is_kept = said.is_some();
            // If a listing after its deletion still has the name, it is a new message with the
            // unique-id of the deleted one.
            let is_in_listing = !update.has_deleted(&known(&mut self.reference, name)?.mail);
            let is_new = standing == Standing::Unlinked
                && !is_kept
                && update.was_looked_at()
                && is_in_listing;
            if is_new {
                known(&mut self.reference, name)?.mark_replaced();
            }
            // A listing since then overrides the verdict.
            known(&mut self.reference, name)?.standing = match (standing, is_kept) {
                (Standing::Unlinked, true) => Standing::Listed,
                (Standing::Unlinked, false) if is_new => Standing::Listed,
                (Standing::Unlinked, false) => Standing::Departed,
                (standing, _) => standing,
            };
            known(&mut self.reference, name)?.retire();
        }
        if told + untold > pending.len() {
            return Err(format!("{untold} of {pending:?} left, says {verdict:?}"));
        }
        self.check_what_is_claimed(pending, update, verdict)?;
        if update.quits > update.quits_before {
            self.reference.take_listing(&update.left());
        }
        Ok(())
    }

    /// The mount must not claim that more messages have gone than have. A message has gone if it is
    /// not left, or if the commit deleted a copy of it: where nobody has read one, and there is no
    /// TOP, nothing tells two copies apart.
    fn check_what_is_claimed(
        &self,
        pending: &BTreeMap<String, Mail>,
        update: &CommitOutcome,
        verdict: &Verdict,
    ) -> Check {
        let is_left = |mail: &Mail| {
            let left = &mut self.reference.mailbox.iter();
            left.any(|other| other.is_the_same_for_a_client(mail))
        };
        let (left, gone): (Vec<&Mail>, Vec<&Mail>) =
            pending.values().partition(|mail| is_left(mail));
        let was_pending = |mail: &&Mail| gone.iter().any(|gone| gone.serial == mail.serial);
        let mut copies: Vec<&Mail> = update.deleted.iter().collect();
        copies.retain(|mail| !was_pending(mail));
        let by_copies = left.iter().filter(|mail| {
            let copy = copies.iter().position(|copy| copy.is_copy_of(mail));
            copy.map(|at| copies.swap_remove(at)).is_some()
        });
        let gone = gone.len() + by_copies.count();
        if verdict.deleted + verdict.gone > gone {
            return Err(format!("{gone} of {pending:?} have gone, says {verdict:?}"));
        }
        Ok(())
    }

    /// Whether other messages had the unique-id when the message was removed or the commit marked
    /// it, or have it now: then its number among them is all that identifies it.
    fn has_been_a_twin(&self, mail: &Mail, update: &CommitOutcome) -> bool {
        let of = |mails: &[Mail]| mails.iter().filter(|other| other.uidl == mail.uidl).count();
        let listings = [&update.before, &update.listed, &self.reference.mailbox];
        listings.into_iter().any(|listing| of(listing) > 1)
    }

    /// Whether the server kept the message; `None` if both verdicts would be right.
    fn is_truly_kept(&self, mail: &Mail, update: &CommitOutcome) -> Option<bool> {
        // If another client added or deleted a twin meanwhile, nobody can tell which one is left.
        if update.is_disturbed(&mail.uidl, &self.reference.mailbox) {
            return None;
        }
        let is_it = |other: &Mail| other.serial == mail.serial;
        // Under another unique-id it is another message for a client.
        let is_renamed = |other: &Mail| is_it(other) && other.uidl != mail.uidl;
        let (left, deleted) = (&self.reference.mailbox, &update.deleted);
        if left.iter().chain(deleted).any(is_renamed) {
            return None;
        }
        if update.deleted.iter().any(is_it) {
            return Some(false);
        }
        // The commit may have deleted the other one of two twins, or this one may have been gone
        // before.
        let is_twins = update.deleted.iter().any(|other| other.is_twin_of(mail));
        (self.reference.mailbox.iter().any(is_it) && !is_twins).then_some(true)
    }

    fn check_what_was_not_done(
        &mut self,
        before: Broken,
        update: &CommitOutcome,
        fault: &Fault,
    ) -> Check {
        let after = self.server.broken();
        let count = |broken: Broken| broken.replies() + broken.by_silence;
        let breaks = count(after) - count(before);
        let is_silence = self.is_silent_at_times
            && (fault.is_silence() || matches!(fault, Fault::OutcomeUnknown(_)));
        if breaks < EXCUSE && !is_silence {
            return Err(format!("the commit failed: {fault}"));
        }
        if !update.deleted.is_empty() && !matches!(fault, Fault::OutcomeUnknown(_)) {
            return Err(format!(
                "{:?} were deleted, and the commit says {fault}",
                update.deleted
            ));
        }
        Ok(())
    }

    pub(super) fn remount(&mut self, parting: Parting) -> Check {
        match parting {
            Parting::Committing(quit) => drop(self.end_with_commit(quit)?),
            Parting::HeldElsewhere(quit) => {
                let open = std::mem::take(&mut self.open);
                let mounted = self.end_with_commit(quit)?;
                self.hold(mounted, open)?;
            }
            Parting::Aborting(quit) => self.abort(quit)?,
            Parting::Discarding => drop(self.end_mount(Farewell::Discard)),
            Parting::LosingTheIndex => {
                drop(self.end_mount(Farewell::Discard));
                self.move_cache(Left::BodiesAlone);
                self.reference.forget_what_was_learnt();
            }
            Parting::Crashing => {
                self.server.restart();
                self.move_cache(Left::All);
                drop(self.end_mount(Farewell::Discard));
                self.reference.forget_what_was_learnt();
            }
        }
        self.take_events()?;
        self.reference.end_mount();
        self.mount()
    }

    /// Makes a copy of this mount's cache for the next mount.
    fn move_cache(&mut self, left: Left) {
        let from = self.cache();
        self.mounts += 1;
        mounted::copy_cache(&from, &self.cache(), left);
    }

    fn end_mount(&mut self, farewell: Farewell) -> Result<Verdict, Fault> {
        self.open.clear();
        self.mounted.take().expect("a mount").end(farewell)
    }

    fn end_with_commit(&mut self, quit: Quit) -> Check<Mounted> {
        self.server.answer_deletions(0, quit);
        let (pending, before) = (self.reference.pending(), self.server.broken());
        self.open.clear();
        let mounted = self.mounted.take().expect("a mount");
        let verdict = mounted.end(Farewell::Commit(Consent::Given));
        self.check_verdict(&pending, before, verdict)?;
        self.server.answer_deletions(0, Quit::Confirmed);
        Ok(mounted)
    }

    /// A commit that is called off deletes nothing; one that cannot be called off any more tells
    /// what it has done.
    fn abort(&mut self, quit: Quit) -> Check {
        self.server.answer_deletions(0, quit);
        let (pending, before) = (self.reference.pending(), self.server.broken());
        let commit = self.mounted().commit();
        // What the end of the mount tells is told to whoever waits for the commit.
        drop(self.end_mount(Farewell::Discard));
        match commit.wait()? {
            Err(Fault::Ending) => {
                let deleted = self.take_update(&pending)?.deleted;
                comparison::equal("what an abort has deleted", &serials(&deleted), &Vec::new())?;
            }
            verdict => self.check_verdict(&pending, before, verdict)?,
        }
        self.server.answer_deletions(0, Quit::Confirmed);
        Ok(())
    }

    /// Mounts; each failure must be excused by a reply that broke off during the login.
    pub(super) fn mount(&mut self) -> Check {
        loop {
            let before = self.server.broken();
            match self.mounting.mount(&self.cache()) {
                Ok(mounted) => {
                    self.mounted = Some(mounted);
                    return self.take_events();
                }
                Err(_)
                    if self.server.broken().at_login > before.at_login
                        || self.is_silent_at_times => {}
                Err(error) => return Err(format!("no mount: {error}")),
            }
        }
    }
}

/// What the server did during a commit.
#[derive(Default)]
struct CommitOutcome {
    deleted: Vec<Mail>,
    /// What took DELE in the session that was listed last.
    accepted: Vec<Mail>,
    listings: usize,
    quits: usize,
    /// How many QUITs came before the last listing.
    quits_before: usize,
    /// The last listing before the commit.
    before: Vec<Mail>,
    /// What the last QUIT was to delete.
    of_last_quit: Vec<Mail>,
    /// The last listing before the first QUIT.
    listed: Vec<Mail>,
    /// The last listing of a session that may have sent QUIT.
    listed_last: Vec<Mail>,
}

impl CommitOutcome {
    fn take_listing(&mut self, listing: Vec<Mail>) {
        self.listings += 1;
        self.accepted.clear();
        self.quits_before = self.quits;
        if self.quits == 0 {
            self.listed.clone_from(&listing);
        }
        self.listed_last = listing;
    }

    /// Whether a session got a complete listing after the first QUIT.
    fn was_looked_at(&self) -> bool {
        self.quits_before > 0
    }

    fn note_quit(&mut self) {
        self.quits += 1;
        self.of_last_quit.clone_from(&self.accepted);
    }

    /// Whether the last QUIT was to delete this message. If the server is silent then, nobody knows
    /// what it did. The verdict says so where it also tells what became of others: a QUIT before
    /// deleted them, or they were gone.
    fn is_of_the_last_quit(&self, mail: &Mail) -> bool {
        let mut of_last = self.of_last_quit.iter();
        of_last.any(|other| other.serial == mail.serial)
    }

    fn has_deleted(&self, mail: &Mail) -> bool {
        self.deleted.iter().any(|other| other.serial == mail.serial)
    }

    /// Whether another client added or deleted a message with this unique-id since that listing.
    fn is_disturbed(&self, uidl: &str, left: &[Mail]) -> bool {
        let of = |mails: &[Mail]| -> Vec<u32> {
            let mails = mails.iter().filter(|mail| &*mail.uidl == uidl);
            mails.map(|mail| mail.serial).collect()
        };
        let ours = of(&self.deleted);
        let mut listed = of(&self.listed);
        listed.retain(|serial| !ours.contains(serial));
        listed != of(left)
    }

    /// What is left of the last listing before the last QUIT, as far as the mount knows.
    fn left(&self) -> Vec<Mail> {
        let is_deleted = |mail: &Mail| self.accepted.iter().any(|gone| gone.serial == mail.serial);
        let listed = self.listed_last.iter();
        listed.filter(|mail| !is_deleted(mail)).cloned().collect()
    }
}
