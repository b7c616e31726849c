//! When the next login may be tried.
//!
//! After a failed login the engine pauses. The pause doubles with each failure in a row, up to a
//! limit. Chance makes it a quarter longer or shorter, so that the mounts of a server that comes up
//! again do not all come at once.
//!
//! | the failure | first pause | longest |
//! |---|---|---|
//! | the network, or trouble that passes | 1 s | 5 s while readers wait for it, then 60 s |
//! | a refusal of a login that the server accepted before | 30 s | 10 min |
//! | a refusal of any other login, or what the server calls permanent | for ever | |
//!
//! Servers lock accounts after a few refused passwords, so even a refusal that may pass is tried
//! again slowly. Readers wait for the next attempts during the first `timeout` of an outage.
//!
//! All this goes on while the machine sleeps: when it wakes up, the next login is tried at once.
//!
//! If the server announces LOGIN-DELAY (RFC 2449 section 6.5), no login is sooner than that.

use std::time::Duration;

use crate::maildrop::fault::Fault;
use crate::net::BootTime;

/// The longest pause while readers wait for the end of an outage.
const LONGEST_FOR_READERS: Duration = Duration::from_secs(5);
/// The longest LOGIN-DELAY that is believed.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// What the engine remembers of its logins.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failure: Option<LoginFailure>,
    /// How long after the beginning of an outage readers wait for its end.
    patience: Duration,
    /// The server allows no login before.
    earliest: Option<BootTime>,
    /// LOGIN-DELAY, once the server has announced it.
    delay: Option<Duration>,
}

/// Failures to log in, in a row.
#[derive(Debug)]
struct LoginFailure {
    /// The last one.
    fault: Fault,
    /// When the first one was noticed.
    since: BootTime,
    /// When the pause is over. `None` if it never is.
    until: Option<BootTime>,
    /// The length of the pause, without chance.
    wait: Duration,
    pauses: Pauses,
}

/// The first and the longest pause after failures of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pauses {
    first: Duration,
    longest: Duration,
}

impl Pauses {
    const OUTAGE: Self = Self {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };
    const REFUSAL: Self = Self {
        first: Duration::from_secs(30),
        longest: Duration::from_secs(10 * 60),
    };

    /// A connection that broke while the answer to the password was due counts as a refusal only if
    /// the login before failed in the same way: the network may have broken it.
    fn after(fault: &Fault, before: Option<&Fault>) -> Self {
        let is_refusal = |fault: &Fault| matches!(fault, Fault::NoLongerAccepted(_));
        match is_refusal(fault) && (!fault.is_of_the_link() || before.is_some_and(is_refusal)) {
            true => Self::REFUSAL,
            false => Self::OUTAGE,
        }
    }
}

impl Backoff {
    /// Nothing has failed yet. Readers wait `patience` for the end of an outage.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            ..Self::default()
        }
    }

    /// The failure because of which no login is tried now.
    pub(crate) fn standing(&self, now: BootTime) -> Option<&Fault> {
        let failure = self.failure.as_ref()?;
        failure
            .until
            .is_none_or(|until| now < until)
            .then_some(&failure.fault)
    }

    /// The failure because of which not even a commit tries to log in now: a refused login.
    pub(crate) fn refusal(&self, now: BootTime) -> Option<&Fault> {
        let failure = self.failure.as_ref()?;
        match failure.until {
            Some(_) if failure.pauses == Pauses::REFUSAL => self.standing(now),
            Some(_) => None,
            None => Some(&failure.fault),
        }
    }

    /// When the pause after a failure ends. `None` without a failure, and after a final one.
    pub(crate) fn until(&self) -> Option<BootTime> {
        self.failure.as_ref()?.until
    }

    /// When the next attempt is made, if readers are to wait for it.
    pub(crate) fn next_for_readers(&self) -> Option<BootTime> {
        let failure = self.failure.as_ref()?;
        if !failure.fault.is_short_lived() || failure.pauses == Pauses::REFUSAL {
            return None;
        }
        let give_up = failure.since + self.patience;
        failure.until.filter(|&until| until <= give_up)
    }

    /// When the server allows the next login, if that is later than now.
    pub(crate) fn earliest(&self, now: BootTime) -> Option<BootTime> {
        self.earliest.filter(|&earliest| now < earliest)
    }

    /// Notes the LOGIN-DELAY that CAPA announces, in seconds.
    pub(crate) fn note_delay(&mut self, seconds: u32) {
        self.delay = Some(Duration::from_secs(seconds.into()).min(LONGEST_DELAY));
    }

    /// Forgets the failures, because the server works.
    pub(crate) fn succeed(&mut self) {
        self.failure = None;
    }

    /// Notes that a login succeeded.
    pub(crate) fn note_login(&mut self, now: BootTime) {
        self.earliest = self.delay.map(|delay| now + delay);
    }

    /// Notes that a login failed. `chance` is from 0 to 1.
    pub(crate) fn fail(&mut self, fault: &Fault, now: BootTime, chance: f64) {
        let before = self.failure.take();
        let pauses = Pauses::after(fault, before.as_ref().map(|before| &before.fault));
        let mut wait = before.as_ref().map_or(pauses.first, |before| {
            (before.wait * 2).clamp(pauses.first, pauses.longest)
        });
        let since = before.map_or(now, |before| before.since);
        let mut until = now + wait.mul_f64(0.75 + chance / 2.0);
        let give_up = since + self.patience;
        if pauses == Pauses::OUTAGE && now < give_up {
            until = until.min(now + LONGEST_FOR_READERS).min(give_up);
            // Pauses grow from here once nobody waits: the server may be back in a moment.
            wait = wait.min(until - now);
        }
        self.failure = Some(LoginFailure {
            fault: fault.clone(),
            since,
            until: (!fault.is_final()).then_some(until),
            wait,
            pauses,
        });
        if matches!(fault, Fault::TooSoon(_)) {
            self.earliest = self.delay.map(|delay| now + delay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetError;
    use crate::pop3::ServerText;

    fn closed() -> Fault {
        Fault::from(NetError::Closed)
    }

    /// How long each of `count` failures in a row holds off.
    fn waits(count: u32, chance: f64) -> Vec<Duration> {
        let mut backoff = Backoff::default();
        let now = BootTime::now();
        (0..count)
            .map(|_| {
                backoff.fail(&closed(), now, chance);
                let until = backoff.failure.as_ref().unwrap().until.unwrap();
                until - now
            })
            .collect()
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let seconds: Vec<u64> = waits(8, 0.5).iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn chance_moves_a_wait_by_a_quarter() {
        assert_eq!(waits(7, 0.0)[6], Duration::from_secs(45));
        assert_eq!(waits(7, 1.0)[6], Duration::from_secs(75));
    }

    #[test]
    fn a_failure_stands_until_its_wait_is_over() {
        let mut backoff = Backoff::default();
        let now = BootTime::now();
        backoff.fail(&closed(), now, 0.5);
        assert!(backoff.standing(now).is_some());
        assert!(backoff.standing(now + Pauses::OUTAGE.first).is_none());
        assert!(backoff.refusal(now).is_none());
    }

    fn refused() -> Fault {
        Fault::LoginRefused(ServerText::from(&b"no"[..]))
    }

    /// The pauses in seconds after these failures in a row.
    fn pauses(faults: &[Fault]) -> Vec<u64> {
        let mut backoff = Backoff::default();
        let now = BootTime::now();
        let pause = |fault: &Fault| {
            backoff.fail(fault, now, 0.5);
            (backoff.until().unwrap() - now).as_secs()
        };
        faults.iter().map(pause).collect()
    }

    #[test]
    fn a_refusal_that_may_pass_is_tried_again_more_and_more_slowly() {
        let refused = refused().after_acceptance();
        assert_eq!(pauses(&vec![refused; 7]), [30, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn the_second_break_at_the_password_counts_as_a_refusal() {
        let unanswered = closed().awaiting_login().after_acceptance();
        let in_a_row = [closed(), unanswered.clone(), unanswered, closed()];
        assert_eq!(pauses(&in_a_row), [1, 2, 30, 60]);
    }

    #[test]
    fn a_commit_does_not_send_a_refused_password_again() {
        let mut backoff = Backoff::default();
        let now = BootTime::now();
        backoff.fail(&refused().after_acceptance(), now, 0.5);
        assert!(backoff.refusal(now).is_some());
        assert!(backoff.refusal(now + Pauses::REFUSAL.first).is_none());
        backoff.fail(&closed(), now, 0.5);
        assert!(backoff.refusal(now).is_none());
    }

    #[test]
    fn readers_wait_for_attempts_until_their_patience_ends() {
        let patience = Duration::from_secs(30);
        let mut backoff = Backoff::new(patience);
        let begin = BootTime::now();
        let mut now = begin;
        backoff.fail(&closed(), now, 1.0);
        while let Some(next) = backoff.next_for_readers() {
            assert!(next - now <= LONGEST_FOR_READERS);
            now = next;
            backoff.fail(&closed(), now, 1.0);
        }
        assert_eq!(now, begin + patience);
        assert!(backoff.until().unwrap() > now);
        assert!(backoff.until().unwrap() <= now + LONGEST_FOR_READERS * 3);
    }

    #[test]
    fn readers_wait_neither_for_silence_nor_for_a_refusal() {
        let silence = Fault::from(NetError::Silence(Duration::from_secs(1)));
        for fault in [silence, refused(), refused().after_acceptance()] {
            let mut backoff = Backoff::new(Duration::from_secs(60));
            backoff.fail(&fault, BootTime::now(), 0.0);
            assert_eq!(backoff.next_for_readers(), None, "{fault}");
        }
    }

    #[test]
    fn what_is_final_stands_for_ever() {
        let text = ServerText::from(&b"no"[..]);
        let hour = Duration::from_secs(3600);
        for fault in [Fault::LoginRefused(text.clone()), Fault::ServerFault(text)] {
            let mut backoff = Backoff::default();
            let now = BootTime::now();
            backoff.fail(&fault, now, 0.5);
            assert!(backoff.standing(now + hour).is_some(), "{fault}");
            assert!(backoff.refusal(now + hour).is_some(), "{fault}");
        }
    }

    #[test]
    fn a_login_delay_counts_from_the_last_login_and_is_believed_up_to_an_hour() {
        let mut backoff = Backoff::default();
        let now = BootTime::now();
        backoff.note_login(now);
        assert_eq!(backoff.earliest(now), None);
        backoff.note_delay(10);
        backoff.note_login(now);
        let later = now + Duration::from_secs(10);
        assert_eq!(backoff.earliest(now), Some(later));
        assert_eq!(backoff.earliest(later), None);
        backoff.note_delay(u32::MAX);
        backoff.note_login(now);
        assert_eq!(backoff.earliest(now), Some(now + LONGEST_DELAY));
    }
}
