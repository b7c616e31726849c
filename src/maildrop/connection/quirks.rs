//! What servers do that the standards do not say, and what this mount has learnt of its own server.
//!
//! | what a server does | seen at | what is done | where |
//! |---|---|---|---|
//! | refuses CAPA | old ones | goes on by trying | login |
//! | closes the connection on CAPA | old ones | logs in without it, after the second time for good; QUIT may delete what was read, for all that is known: none is sent then | here, login, session |
//! | offers PIPELINING after the login only | Gmail | CAPA is asked once more then | login |
//! | offers UTF8, and serves surrogates of other sizes without it | Courier | UTF8 before the login | login |
//! | knows UIDL and TOP, and announces neither | many | UIDL is always tried; so is TOP, where the headers are wanted | scan, transfer |
//! | refuses UIDL of an empty maildrop | some | STAT goes first | scan |
//! | has no UIDL | old ones | a message is known by a digest of its headers | scan, identity |
//! | writes into the headers what was read | mbox servers | the digest leaves those fields out | identity |
//! | has no TOP | mpopd | a small message is fetched for its date | transfer |
//! | changes its sizes when UIDL runs | mailutils | LIST goes last | scan |
//! | counts LF, or guesses, in LIST | mpopd, Dovecot, Exchange | the size is exact once the body was seen | delivery |
//! | names in LIST, UIDL and STAT other messages | some | two of them must agree | scan |
//! | gives two messages one unique-id | three of eight | they are numbered | catalogue |
//! | deletes or hides what was read on QUIT (`EXPIRE 0`) | Gmail | the session is left without QUIT | session |
//! | says that the maildrop is locked, in words only | mpopd, Qpopper, popa3d | read as `[IN-USE]` | here |
//! | announces LOGIN-DELAY | Courier, Gmail | no log-in is sooner | hold_off |
//! | loses or mixes up replies to pipelined commands | a few | one command at a time from then on | pace |
//! | closes the connection on pipelined commands | mpopd | the same; what was broken off is tried again | pace, transfer, scan, commit |
//! | says `-ERR` unasked and closes | Dovecot, mailutils | not the reply to what comes next | pop3 |
//! | answers QUIT before it deletes | mpopd | the end of the connection is waited for | commit |
//! | closes instead of answering QUIT | some | a new session tells what is left | commit |
//! | is silent for long over QUIT, while it deletes | some | it is waited for; what is left after that stays pending | commit |

use std::fmt;

use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::connection::listed_sizes::ListedSizes;
use crate::maildrop::connection::pipelining::Pipelining;
use crate::maildrop::fault::Fault;
use crate::net::NetError;

/// What this mount has learnt of its server, from one session to the next.
#[derive(Debug, Default)]
pub(crate) struct Quirks {
    /// By what messages are known: the same for as long as the mount, or every name would change.
    pub(crate) identity: Option<Identity>,
    /// LOGIN-DELAY in seconds, as it was announced last.
    pub(crate) login_delay: Option<u32>,
    /// Whether it takes several commands at once.
    pub(crate) pipelining: Pipelining,
    /// How LIST's octets relate to those of the bodies.
    pub(crate) sizes: ListedSizes,
    before_login: Capa,
    after_login: Capa,
    told: Vec<Notice>,
}

/// When CAPA is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapaTime {
    /// In AUTHORIZATION state, in clear or under TLS.
    BeforeLogin,
    /// In TRANSACTION state.
    AfterLogin,
}

/// What became of CAPA.
///
/// ```text
///  Untried ── closed ──▶ Avoided ── another log-in ──▶ Suspected ── closed ──▶ Closes
///     └──────────────────── answered ──▶ Answered ◀── answered ──┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Capa {
    #[default]
    Untried,
    /// With +OK or -ERR.
    Answered,
    /// By the end of the connection, which may have been the link's doing: not asked for in this log-in.
    Avoided,
    /// So it was the last time.
    Suspected,
    /// By the end of the connection, in two log-ins: never asked for again.
    Closes,
}

impl Capa {
    fn is_avoided(self) -> bool {
        matches!(self, Capa::Avoided | Capa::Closes)
    }
}

/// What the user is told of once a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// `EXPIRE 0`.
    DeletesWhatWasRead,
    /// Messages are known by their headers.
    NoUidl,
    /// Messages are not shown, for their headers are refused.
    HeadersRefused,
    /// Dates are in the bodies.
    NoTop,
    /// Messages are not shown, for the server does not name or count them in two ways.
    ListingsDisagree,
}

impl Quirks {
    /// For an account of which messages may be remembered by their unique-ids.
    pub(crate) fn new(remembered: Option<Identity>) -> Quirks {
        Quirks {
            identity: remembered,
            ..Quirks::default()
        }
    }

    /// Who does not know CAPA before the login does not know it behind it.
    pub(crate) fn avoids_capa(&self, time: CapaTime) -> bool {
        self.before_login.is_avoided() || self.capa(time).is_avoided()
    }

    /// Another log-in begins: a single cut is no reason to do without CAPA for as long as the mount.
    pub(crate) fn doubt(&mut self) {
        for capa in [&mut self.before_login, &mut self.after_login] {
            if *capa == Capa::Avoided {
                *capa = Capa::Suspected;
            }
        }
    }

    pub(crate) fn capa_was_answered(&mut self, time: CapaTime) {
        *self.capa_mut(time) = Capa::Answered;
    }

    /// Notes that the session ended over CAPA. A server that has answered it before has ended it for another reason.
    pub(crate) fn capa_failed(&mut self, time: CapaTime, fault: &Fault) {
        if !is_closed(fault) {
            return;
        }
        let capa = self.capa_mut(time);
        *capa = match *capa {
            Capa::Untried => Capa::Avoided,
            Capa::Suspected => Capa::Closes,
            known => known,
        };
    }

    /// Forgets that CAPA closed the connection, where the same happened without it.
    pub(crate) fn absolve_capa(&mut self) {
        for capa in [&mut self.before_login, &mut self.after_login] {
            *capa = match *capa {
                Capa::Avoided => Capa::Untried,
                Capa::Closes => Capa::Suspected,
                other => other,
            };
        }
    }

    /// How many kinds of CAPA are avoided.
    pub(crate) fn capas_avoided(&self) -> usize {
        [self.before_login, self.after_login]
            .into_iter()
            .filter(|capa| capa.is_avoided())
            .count()
    }

    /// Whether this mount has seen a reason to tell it.
    pub(crate) fn has_told(&self, notice: Notice) -> bool {
        self.told.contains(&notice)
    }

    /// Warns, the first time.
    pub(crate) fn tell(&mut self, notice: Notice) {
        if !self.has_told(notice) {
            log::warn!("{notice}");
            self.told.push(notice);
        }
    }

    fn capa(&self, time: CapaTime) -> Capa {
        match time {
            CapaTime::BeforeLogin => self.before_login,
            CapaTime::AfterLogin => self.after_login,
        }
    }

    fn capa_mut(&mut self, time: CapaTime) -> &mut Capa {
        match time {
            CapaTime::BeforeLogin => &mut self.before_login,
            CapaTime::AfterLogin => &mut self.after_login,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Notice::DeletesWhatWasRead => {
                "the server may delete what was read at the end of a session (EXPIRE 0): sessions are left without QUIT, unless messages were removed here"
            }
            Notice::NoUidl => {
                "the server has no UIDL: messages are known by their headers, which are asked for in each session"
            }
            Notice::HeadersRefused => {
                "the server has no UIDL and refuses the headers of some messages: those are not shown"
            }
            Notice::NoTop => {
                "the server has no TOP: small messages are fetched for their dates; -o mtime=none asks for none"
            }
            Notice::ListingsDisagree => {
                "the server's LIST and UIDL name different messages: those that have no unique-id are not shown"
            }
        })
    }
}

fn is_closed(fault: &Fault) -> bool {
    matches!(fault, Fault::Link(error) if matches!(**error, NetError::Closed))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capa_is_given_up_only_where_it_was_never_answered() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.capa_was_answered(CapaTime::BeforeLogin);
        quirks.capa_failed(CapaTime::BeforeLogin, &closed);
        assert!(!quirks.avoids_capa(CapaTime::BeforeLogin));
        quirks.capa_failed(CapaTime::AfterLogin, &closed);
        assert!(quirks.avoids_capa(CapaTime::AfterLogin));
        quirks.absolve_capa();
        assert_eq!(quirks.capas_avoided(), 0);
    }

    #[test]
    fn capa_is_given_up_for_good_where_it_closed_two_log_ins() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.capa_failed(CapaTime::BeforeLogin, &closed);
        assert!(quirks.avoids_capa(CapaTime::AfterLogin));
        quirks.doubt();
        assert!(!quirks.avoids_capa(CapaTime::BeforeLogin));
        quirks.capa_failed(CapaTime::BeforeLogin, &closed);
        quirks.doubt();
        assert!(quirks.avoids_capa(CapaTime::BeforeLogin));
    }

    #[test]
    fn a_cut_over_capa_is_forgotten_when_the_next_log_in_is_answered() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.capa_failed(CapaTime::AfterLogin, &closed);
        quirks.doubt();
        quirks.capa_was_answered(CapaTime::AfterLogin);
        quirks.capa_failed(CapaTime::AfterLogin, &closed);
        assert_eq!(quirks.capas_avoided(), 0);
    }
}
