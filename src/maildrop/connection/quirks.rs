//! Server behaviour that the standards do not describe, and what this mount has learnt about its
//! server.
//!
//! Each entry says what a server does (and which servers do it), what pop3fs does about it, and in
//! which modules.
//!
//! CAPA and the login:
//! - It refuses CAPA (old servers). pop3fs tries each command. (`login`)
//! - It closes the connection on CAPA (old servers). pop3fs logs in without CAPA; after two such
//!   logins it never sends CAPA again. Without CAPA it cannot know whether QUIT deletes messages
//!   that were read, so it sends no QUIT after RETR. (here, `login`, `session`)
//! - It offers PIPELINING only after the login (Gmail). pop3fs sends CAPA again then. (`login`)
//! - It offers UTF8, and without it sends surrogates whose sizes differ from LIST (Courier). pop3fs
//!   sends UTF8 before it authenticates. (`login`)
//! - It says only in words that the maildrop is locked (mpopd, Qpopper, popa3d). pop3fs treats the
//!   words as `[IN-USE]`. (`fault`)
//! - It says only in words that it cannot serve a login now (nginx, perdition, Courier). pop3fs
//!   treats the words as `[SYS/TEMP]`. (`fault`)
//! - It ends the connection on a wrong password, or sends a stray line (Hotmail, AOL, GoDaddy).
//!   pop3fs sends the password once more, then treats it as refused. (`login`, `backoff`)
//! - It refuses a password for a while that it accepted before (Exchange). pop3fs tries it again,
//!   with long pauses. (`login`, `backoff`)
//! - It announces LOGIN-DELAY (Courier, Gmail). pop3fs waits that long between logins. (`backoff`)
//!
//! Listings and sizes:
//! - It knows UIDL and TOP, but announces neither (many). pop3fs always tries UIDL, and tries TOP
//!   when it needs headers. (`scan`, `transfer`)
//! - It refuses UIDL on an empty maildrop (some). pop3fs sends STAT first. (`scan`)
//! - It has no UIDL (old servers). pop3fs identifies a message by a digest of its headers. (`scan`,
//!   `identity`)
//! - It notes in the headers which messages were read (servers with mbox files). pop3fs leaves
//!   those fields out of the digest. (`identity`)
//! - It has no TOP (mpopd). pop3fs fetches a small message to learn its date. (`transfer`)
//! - It changes its sizes when UIDL runs (mailutils). pop3fs sends LIST last. (`scan`)
//! - It counts a line end as one octet in LIST, or estimates (mpopd, Dovecot, Exchange). pop3fs
//!   takes the size of the body once it has it. (`listed_sizes`, `received`)
//! - It lists different messages in LIST, UIDL and STAT (some). pop3fs shows a message only if UIDL
//!   and one of the others include it. (`scan`)
//! - It gives two messages the same unique-id (three of eight servers). pop3fs numbers them.
//!   (`catalogue`)
//!
//! Pipelined commands:
//! - It loses or mixes up replies (a few). pop3fs sends one command at a time from then on.
//!   (`pipelining`)
//! - It closes the connection (mpopd). pop3fs does the same, and sends the unanswered commands
//!   again. (`pipelining`, `transfer`, `scan`, `commit`)
//!
//! The end of a session:
//! - It sends an `-ERR` that no command asked for, and closes (Dovecot, mailutils). pop3fs does not
//!   take it for the reply to the next command. (`pop3`)
//! - It deletes or hides messages that were read, at QUIT (`EXPIRE 0`) (Gmail). pop3fs ends the
//!   session without QUIT. (`session`)
//! - It answers QUIT before it deletes (mpopd). pop3fs waits until the server closes the
//!   connection. (`commit`)
//! - It closes the connection instead of answering QUIT (some). pop3fs looks in a new session which
//!   messages are left. (`commit`)
//! - It is silent for a long time after QUIT, while it deletes (some). pop3fs waits longer.
//!   Messages that are left after that stay pending. (`commit`)

use std::fmt;

use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::connection::listed_sizes::ListedSizes;
use crate::maildrop::connection::pipelining::Pipelining;
use crate::maildrop::fault::Fault;
use crate::net::NetError;

/// What this mount has learnt about its server. It is kept from one session to the next.
#[derive(Debug, Default)]
pub(crate) struct Quirks {
    /// How messages are identified. It never changes during a mount, or every file name would
    /// change.
    pub(crate) identity: Option<Identity>,
    /// The last LOGIN-DELAY that the server announced, in seconds.
    pub(crate) login_delay: Option<u32>,
    /// Whether the server handles several commands at once.
    pub(crate) pipelining: Pipelining,
    /// How the sizes in LIST relate to those of the bodies.
    pub(crate) sizes: ListedSizes,
    before_login: Capa,
    after_login: Capa,
    /// The warnings given in this mount.
    told: Vec<Notice>,
}

/// When the client sends CAPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapaTime {
    /// In AUTHORIZATION state, with or without TLS.
    BeforeLogin,
    /// In TRANSACTION state.
    AfterLogin,
}

/// How the server answered CAPA. The diagram shows when the state changes:
///
/// ```text
///  Untried ── closed ──▶ Avoided ── another login ──▶ Suspected ── closed ──▶ Closes
///     └──────────────────── answered ──▶ Answered ◀── answered ──┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Capa {
    #[default]
    Untried,
    /// The server answered +OK or -ERR.
    Answered,
    /// The connection ended, perhaps because of the network. This login does without CAPA.
    Avoided,
    /// The connection ended in an earlier login. The next login tries CAPA again.
    Suspected,
    /// The connection ended in two logins. CAPA is never sent again.
    Closes,
}

impl Capa {
    fn is_avoided(self) -> bool {
        matches!(self, Self::Avoided | Self::Closes)
    }
}

/// A warning to the user, given once in a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The server announces `EXPIRE 0`.
    DeletesWhatWasRead,
    /// The server has no UIDL, so messages are identified by their headers.
    NoUidl,
    /// The server has no UIDL and refuses some headers. Those messages are not shown.
    HeadersRefused,
    /// The server has no TOP, so dates come from the bodies.
    NoTop,
    /// Some messages are in LIST but not in UIDL. Those are not shown.
    ListingsDisagree,
}

impl Quirks {
    /// Starts with how messages were identified in earlier mounts of this account, if known.
    pub(crate) fn new(remembered: Option<Identity>) -> Self {
        Self {
            identity: remembered,
            ..Quirks::default()
        }
    }

    /// Whether CAPA must not be sent at this time. A server that fails on CAPA before the login
    /// would fail on it after the login too.
    pub(crate) fn avoids_capa(&self, time: CapaTime) -> bool {
        self.before_login.is_avoided() || self.capa(time).is_avoided()
    }

    /// Lets a new login try CAPA again. A connection that ended once on CAPA does not show that the
    /// server cannot answer it.
    pub(crate) fn allow_capa_again(&mut self) {
        for capa in [&mut self.before_login, &mut self.after_login] {
            if *capa == Capa::Avoided {
                *capa = Capa::Suspected;
            }
        }
    }

    /// Notes that the server answered CAPA.
    pub(crate) fn note_capa_answered(&mut self, time: CapaTime) {
        *self.capa_mut(time) = Capa::Answered;
    }

    /// Notes that CAPA failed, if the server closed the connection. If it has answered CAPA before,
    /// it closed the connection for another reason.
    pub(crate) fn note_capa_failed(&mut self, time: CapaTime, fault: &Fault) {
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

    /// Forgets that the server closed the connection on CAPA, because a login without CAPA failed
    /// too.
    pub(crate) fn forget_capa_failures(&mut self) {
        for capa in [&mut self.before_login, &mut self.after_login] {
            *capa = match *capa {
                Capa::Avoided => Capa::Untried,
                Capa::Closes => Capa::Suspected,
                other => other,
            };
        }
    }

    /// At how many of the two times CAPA is not sent.
    pub(crate) fn capas_avoided(&self) -> usize {
        [self.before_login, self.after_login]
            .into_iter()
            .filter(|capa| capa.is_avoided())
            .count()
    }

    /// Whether this mount has given the warning.
    pub(crate) fn has_told(&self, notice: Notice) -> bool {
        self.told.contains(&notice)
    }

    /// Gives the warning, unless this mount has given it before.
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
            Self::DeletesWhatWasRead => {
                "the server may delete messages that were read when it receives QUIT (EXPIRE 0): sessions end without QUIT, unless they delete messages"
            }
            Self::NoUidl => {
                "the server has no UIDL: messages are identified by their headers, which each session fetches again"
            }
            Self::HeadersRefused => {
                "the server has no UIDL and refuses the headers of some messages: those messages are not shown"
            }
            Self::NoTop => {
                "the server has no TOP: small messages are fetched for their dates (-o mtime=none prevents this)"
            }
            Self::ListingsDisagree => {
                "the server's LIST and UIDL list different messages: those without a unique-id are not shown"
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
    fn capa_is_avoided_only_if_it_was_never_answered() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.note_capa_answered(CapaTime::BeforeLogin);
        quirks.note_capa_failed(CapaTime::BeforeLogin, &closed);
        assert!(!quirks.avoids_capa(CapaTime::BeforeLogin));
        quirks.note_capa_failed(CapaTime::AfterLogin, &closed);
        assert!(quirks.avoids_capa(CapaTime::AfterLogin));
        quirks.forget_capa_failures();
        assert_eq!(quirks.capas_avoided(), 0);
    }

    #[test]
    fn capa_is_never_sent_again_after_it_closed_two_logins() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.note_capa_failed(CapaTime::BeforeLogin, &closed);
        assert!(quirks.avoids_capa(CapaTime::AfterLogin));
        quirks.allow_capa_again();
        assert!(!quirks.avoids_capa(CapaTime::BeforeLogin));
        quirks.note_capa_failed(CapaTime::BeforeLogin, &closed);
        quirks.allow_capa_again();
        assert!(quirks.avoids_capa(CapaTime::BeforeLogin));
    }

    #[test]
    fn an_answer_to_capa_in_the_next_login_forgets_the_failure() {
        let closed = Fault::from(NetError::Closed);
        let mut quirks = Quirks::default();
        quirks.note_capa_failed(CapaTime::AfterLogin, &closed);
        quirks.allow_capa_again();
        quirks.note_capa_answered(CapaTime::AfterLogin);
        quirks.note_capa_failed(CapaTime::AfterLogin, &closed);
        assert_eq!(quirks.capas_avoided(), 0);
    }
}
