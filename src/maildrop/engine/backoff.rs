//! When the next log-in may be tried.
//!
//! After a failure nothing is tried for a while, which doubles with each failure in a row up to [`LONGEST`], a quarter more
//! or less by chance, so that the mounts of a server that comes up again do not all come at once. What the server calls
//! final is not tried again: a password that is refused locks accounts if it is. And where the server announces
//! LOGIN-DELAY (RFC 2449 section 6.5) no log-in is sooner than that.

use crate::maildrop::fault::Fault;
use std::time::{Duration, Instant};

/// The wait after the first failure.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait, but for chance.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest LOGIN-DELAY that is believed.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// The memory of log-ins.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failure: Option<LoginFailure>,
    /// The server allows no log-in before.
    earliest: Option<Instant>,
    /// LOGIN-DELAY, once it was announced.
    delay: Option<Duration>,
}

/// Failures to log in, in a row.
#[derive(Debug)]
struct LoginFailure {
    fault: Fault,
    /// None where it is final.
    until: Option<Instant>,
    /// Without chance.
    wait: Duration,
}

impl Backoff {
    /// The failure because of which nothing is tried now.
    pub(crate) fn standing(&self, now: Instant) -> Option<&Fault> {
        let failure = self.failure.as_ref()?;
        failure
            .until
            .is_none_or(|until| now < until)
            .then_some(&failure.fault)
    }

    /// The failure after which nothing is tried ever again.
    pub(crate) fn finally(&self) -> Option<&Fault> {
        let failure = self.failure.as_ref()?;
        failure.until.is_none().then_some(&failure.fault)
    }

    /// When the next attempt may be made after a failure; none after a final one.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.failure.as_ref()?.until
    }

    /// When the server allows the next log-in, if that is later than now.
    pub(crate) fn earliest(&self, now: Instant) -> Option<Instant> {
        self.earliest.filter(|&earliest| now < earliest)
    }

    /// What CAPA says, in seconds.
    pub(crate) fn note_delay(&mut self, seconds: u32) {
        self.delay = Some(Duration::from_secs(seconds.into()).min(LONGEST_DELAY));
    }

    /// The server is well.
    pub(crate) fn succeed(&mut self) {
        self.failure = None;
    }

    /// A log-in succeeded.
    pub(crate) fn note_login(&mut self, now: Instant) {
        self.earliest = self.delay.map(|delay| now + delay);
    }

    /// A log-in failed. `chance` is from 0 to 1.
    pub(crate) fn fail(&mut self, fault: &Fault, now: Instant, chance: f64) {
        let wait = self
            .failure
            .as_ref()
            .map_or(SHORTEST, |last| (last.wait * 2).min(LONGEST));
        let until = now + wait.mul_f64(0.75 + chance / 2.0);
        self.failure = Some(LoginFailure {
            fault: fault.clone(),
            until: (!fault.is_final()).then_some(until),
            wait,
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
        let now = Instant::now();
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
        let now = Instant::now();
        backoff.fail(&closed(), now, 0.5);
        assert!(backoff.standing(now).is_some());
        assert!(backoff.standing(now + SHORTEST).is_none());
        assert!(backoff.finally().is_none());
    }

    #[test]
    fn what_is_final_stands_for_ever() {
        let text = ServerText::from(&b"no"[..]);
        let hour = Duration::from_secs(3600);
        for fault in [Fault::LoginRefused(text.clone()), Fault::ServerFault(text)] {
            let mut backoff = Backoff::default();
            let now = Instant::now();
            backoff.fail(&fault, now, 0.5);
            assert!(backoff.standing(now + hour).is_some(), "{fault}");
            assert!(backoff.finally().is_some(), "{fault}");
        }
    }

    #[test]
    fn a_login_delay_counts_from_the_last_login_and_is_believed_up_to_an_hour() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
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
