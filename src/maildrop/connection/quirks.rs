//! Server behaviour that the standards do not describe, and what this mount has learnt about its
//! server.
//!
//! Each entry says what a server does (and which servers do it), what pop3fs does about it, and in
//! which modules of maildrop/ (`scan` is session/scan.rs).
//!
//! CAPA and the login:
//! - It refuses CAPA (popa3d, solid-pop3d). pop3fs tries each command. (`login`)
//! - It closes the connection on CAPA (old servers), never answers it, sends +OK without a list, or
//!   a line that is too long or too many.
//!   pop3fs logs in without CAPA, and in the end never sends it again. Without CAPA it cannot know
//!   whether QUIT deletes messages that were read, so it sends no QUIT after RETR. (`capa`,
//!   `login`, `session`)
//! - It offers PIPELINING only after the login (Gmail). pop3fs sends CAPA again then. (`login`)
//! - It sends a challenge in plain words where none is needed (`+ go ahead`). pop3fs ignores the
//!   words. (`sasl`)
//! - It offers UTF8, and without it sends surrogates whose sizes differ from LIST (Courier). pop3fs
//!   sends UTF8 before it authenticates. (`login`)
//! - It says only in words that the maildrop is locked (mpopd, Qpopper, popa3d). pop3fs treats the
//!   words as `[IN-USE]`. (`fault`)
//! - It says only in words that it cannot serve a login now (nginx, perdition, Courier), or cannot
//!   read the maildrop (solid-pop3d, Courier). pop3fs treats the words as `[SYS/TEMP]`. (`fault`)
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
//! - It refuses TOP for single messages, or ends, stalls or confuses the session over it (NetEase
//!   and others). pop3fs asks for it once more, alone. It takes the date of such a message from the
//!   body, or from when it was first listed. (`tops`, `transfer`, `show`, `confirm`)
//! - It cuts the headers in TOP (some). pop3fs does without TOP for such a message. (`transfer`)
//! - It lists a small message with a huge size (some). pop3fs tries to fetch it. (`transfer`)
//! - It changes its sizes when UIDL runs (mailutils). pop3fs sends LIST last. (`scan`)
//! - It counts a line end as one octet in LIST, or estimates (mpopd, Dovecot, Exchange). pop3fs
//!   takes the size of the body once it has it. (`listed_sizes`, `received`)
//! - It lists different messages in LIST, UIDL and STAT (some). pop3fs shows a message only if UIDL
//!   and one of the others include it. (`scan`)
//! - It ends UIDL and LIST early (some proxies). What STAT counts, and no line names, does not count
//!   as gone. (`scan`)
//! - It gives two messages the same unique-id (three of eight servers). pop3fs numbers them.
//!   (`catalogue`)
//! - It sends lines in LIST or UIDL that are empty or no numbers (some). pop3fs loses only what
//!   those lines were to tell. (`scan`)
//!
//! Replies:
//! - It answers `+ERR` instead of `-ERR` (some). pop3fs takes it for a refusal. (pop3/reply.rs)
//! - It sends an empty line before a reply (some). pop3fs steps over it. (pop3/decoder.rs)
//! - It sends a body that was cut or has grown on the way, or that of another message (proxies).
//!   LIST or the headers tell, and pop3fs fetches it again, alone. (`suspects`)
//!
//! - It answers a command twice, the second time when the next one is asked (a few). pop3fs does not
//!   believe a reply that is like the one before until two NOOPs have shown that nothing else is
//!   behind it. (`transfer`)
//! - It refuses NOOP (small servers). Then pop3fs compares its words. (`step_check`)
//!
//! Pipelined commands:
//! - It loses or mixes up replies (a few). pop3fs sends one command at a time from then on.
//!   (`pipelining`)
//! - It closes the connection (mpopd). pop3fs does the same, and sends the unanswered commands
//!   again. (`pipelining`, `transfer`, `scan`, `commit`)
//!
//! Deletions:
//! - It hangs at DELE or RETR of single messages, or ends the connection over them. pop3fs deletes
//!   the others first, and tries those once more. (`deletion_breaks`, `commit`)
//! - It answers a DELE twice (a few). The surplus would pass for the answer to QUIT, so pop3fs sends
//!   STAT before that. (`commit`)
//! - It gives all or some messages other unique-ids: when the index of a Maildir was rebuilt
//!   (Dovecot), or in each session (some). A removed message that is missing may then be a new one
//!   of the same size, and counts neither as deleted nor as gone. (`merge`, `reconcile`, `commit`)
//!
//! The end of a session:
//! - It numbers the messages behind a deleted one again at DELE, and not at QUIT (small servers).
//!   pop3fs deletes the last message first. (`commit`)
//! - It sends an `-ERR` that no command asked for, and closes (Dovecot, mailutils). pop3fs does not
//!   take it for the reply to the next command. (`link`)
//! - It deletes or hides messages that were read, at QUIT (`EXPIRE 0`) (Gmail; solid-pop3d, which
//!   announces nothing). pop3fs ends the session without QUIT, also where CAPA is refused.
//!   (`session`)
//! - It answers QUIT before it deletes (mpopd). pop3fs waits until the server closes the
//!   connection. (`commit`)
//! - It refuses QUIT, or closes the connection, and deletes nothing, if another client has changed
//!   the maildrop (popa3d, solid-pop3d). pop3fs logs in again to delete, where CAPA is refused.
//!   (`session`, `commit`)
//! - It closes the connection instead of answering QUIT (some). pop3fs looks in a new session which
//!   messages are left. (`commit`)
//! - It is silent for a long time after QUIT, while it deletes (some). pop3fs waits longer.
//!   Messages that are left after that stay pending. (`commit`)

use std::fmt;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::connection::capa::CapaHistory;
use crate::maildrop::connection::deletion_breaks::DeletionBreaks;
use crate::maildrop::connection::listed_sizes::ListedSizes;
use crate::maildrop::connection::pipelining::{CountedCut, Pipelining};
use crate::maildrop::connection::tops::{TopOf, Tops};
use crate::maildrop::fault::Fault;

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
    /// Whether STAT has been answered by two numbers.
    pub(crate) has_plain_stat: bool,
    /// How the sizes in LIST relate to those of the bodies.
    pub(crate) sizes: ListedSizes,
    /// Whether TOP works, and for which messages it does not.
    pub(crate) tops: Tops,
    /// The messages over whose deletion sessions broke.
    pub(crate) deletion_breaks: DeletionBreaks,
    /// Whether to send CAPA.
    pub(crate) capa: CapaHistory,
    /// The warnings given in this mount.
    told: Vec<Notice>,
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
    /// Some lines of LIST or UIDL cannot be read.
    UnreadableLines,
}

impl Quirks {
    /// Starts with how messages were identified in earlier mounts of this account, if known.
    pub(crate) fn new(remembered: Option<Identity>) -> Self {
        Self {
            identity: remembered,
            ..Quirks::default()
        }
    }

    /// Notes that a session ended with this fault while TOP of a message was to be answered, and
    /// what of it was counted as a failure of pipelining.
    pub(crate) fn note_top_fault(
        &mut self,
        message: TopOf,
        fault: &Fault,
        counted: Option<CountedCut>,
    ) {
        if matches!(fault, Fault::TooLarge) {
            return self.tops.note_too_long(message);
        }
        if fault.is_of_the_link()
            && let Some(innocent) = self.tops.note_break(message, counted)
        {
            self.pipelining.forgive(innocent);
        }
    }

    /// Whether a commit deletes this message after the others, since sessions broke over it.
    pub(crate) fn is_to_be_deleted_last(&self, message: MessageId) -> bool {
        self.tops.is_to_go_alone(TopOf::Known(message))
            || self.deletion_breaks.is_to_go_last(message)
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
            Self::UnreadableLines => {
                "some lines of the server's LIST or UIDL cannot be read: a message without a unique-id is not shown"
            }
            Self::ListingsDisagree => {
                "the server's LIST and UIDL list different messages: those without a unique-id are not shown"
            }
        })
    }
}
