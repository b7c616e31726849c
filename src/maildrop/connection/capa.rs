//! Whether to send CAPA. Some servers close the connection on it, never end their answer, or answer
//! with what breaks the protocol.
//!
//! A connection that fails once may be the network's fault, so a failure counts only if the login
//! without CAPA succeeded, and CAPA is given up after two of them. Silence costs a whole
//! timeout, so once is enough. A server that has ever answered CAPA is always asked again.

use crate::maildrop::fault::Fault;
use crate::net::NetError;

/// CAPA is given up after this many failures.
const MOST_FAILURES: u8 = 2;

/// When the client sends CAPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapaTime {
    /// In AUTHORIZATION state, with or without TLS.
    BeforeLogin,
    /// In TRANSACTION state.
    AfterLogin,
}

/// At which times a login sends CAPA. A server that fails on it before the login would fail on it
/// after the login too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapaUse {
    Never,
    BeforeLogin,
    Always,
}

/// How the server has answered CAPA in this mount.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CapaHistory {
    before_login: CapaTrial,
    after_login: CapaTrial,
}

/// How the server has answered CAPA at one of the two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CapaTrial {
    /// The server answered +OK or -ERR.
    Answered,
    /// In this many logins the server did not answer, and the login without CAPA succeeded.
    Unanswered { failures: u8 },
}

impl Default for CapaTrial {
    fn default() -> Self {
        Self::Unanswered { failures: 0 }
    }
}

impl CapaUse {
    /// Whether CAPA is sent at this time.
    pub(crate) fn includes(self, time: CapaTime) -> bool {
        match self {
            Self::Never => false,
            Self::BeforeLogin => time == CapaTime::BeforeLogin,
            Self::Always => true,
        }
    }
}

impl CapaTime {
    /// The most use of CAPA that leaves it out at this time.
    pub(crate) fn left_out(self) -> CapaUse {
        match self {
            Self::BeforeLogin => CapaUse::Never,
            Self::AfterLogin => CapaUse::BeforeLogin,
        }
    }
}

impl CapaHistory {
    /// At which times the next login is to send CAPA.
    pub(crate) fn next_use(self) -> CapaUse {
        [CapaTime::BeforeLogin, CapaTime::AfterLogin]
            .into_iter()
            .find(|&time| self.trial(time).is_given_up())
            .map_or(CapaUse::Always, CapaTime::left_out)
    }

    /// Notes that the server answered CAPA.
    pub(crate) fn note_answer(&mut self, time: CapaTime) {
        *self.trial_mut(time) = CapaTrial::Answered;
    }

    /// Whether this fault, which came while CAPA was to be answered, may be due to CAPA.
    pub(crate) fn may_cause(self, fault: &Fault, time: CapaTime) -> bool {
        let is_cause = is_closed(fault) || is_nonsense(fault) || fault.is_silence();
        self.trial(time) != CapaTrial::Answered && is_cause
    }

    /// Notes that this fault came instead of an answer to CAPA, and that the login succeeded
    /// without it.
    pub(crate) fn note_failure(&mut self, fault: &Fault, time: CapaTime) {
        let weight = match fault.is_silence() {
            true => MOST_FAILURES,
            false => 1,
        };
        if let CapaTrial::Unanswered { failures } = self.trial_mut(time) {
            *failures = failures.saturating_add(weight);
        }
    }

    fn trial(self, time: CapaTime) -> CapaTrial {
        match time {
            CapaTime::BeforeLogin => self.before_login,
            CapaTime::AfterLogin => self.after_login,
        }
    }

    fn trial_mut(&mut self, time: CapaTime) -> &mut CapaTrial {
        match time {
            CapaTime::BeforeLogin => &mut self.before_login,
            CapaTime::AfterLogin => &mut self.after_login,
        }
    }
}

impl CapaTrial {
    fn is_given_up(self) -> bool {
        matches!(self, Self::Unanswered { failures } if failures >= MOST_FAILURES)
    }
}

fn is_closed(fault: &Fault) -> bool {
    matches!(fault, Fault::Link(error) if matches!(**error, NetError::Closed))
}

fn is_nonsense(fault: &Fault) -> bool {
    matches!(fault, Fault::Protocol(_))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn closed() -> Fault {
        Fault::from(NetError::Closed)
    }

    fn silence() -> Fault {
        Fault::from(NetError::Silence(Duration::from_secs(1)))
    }

    #[test]
    fn capa_is_given_up_after_two_closed_connections_or_one_silence() {
        for faults in [vec![closed(), closed()], vec![silence()]] {
            let mut capa = CapaHistory::default();
            for fault in &faults {
                assert_eq!(capa.next_use(), CapaUse::Always);
                capa.note_failure(fault, CapaTime::AfterLogin);
            }
            assert_eq!(capa.next_use(), CapaUse::BeforeLogin);
        }
    }

    #[test]
    fn capa_that_fails_before_the_login_is_never_sent() {
        let mut capa = CapaHistory::default();
        capa.note_failure(&silence(), CapaTime::BeforeLogin);
        assert!(!capa.next_use().includes(CapaTime::BeforeLogin));
        assert!(!capa.next_use().includes(CapaTime::AfterLogin));
    }

    #[test]
    fn a_server_that_answered_capa_fails_for_other_reasons() {
        let mut capa = CapaHistory::default();
        assert!(capa.may_cause(&closed(), CapaTime::BeforeLogin));
        assert!(capa.may_cause(&silence(), CapaTime::BeforeLogin));
        assert!(!capa.may_cause(&Fault::TooLarge, CapaTime::BeforeLogin));
        capa.note_answer(CapaTime::BeforeLogin);
        assert!(!capa.may_cause(&closed(), CapaTime::BeforeLogin));
        assert!(capa.may_cause(&closed(), CapaTime::AfterLogin));
    }
}
