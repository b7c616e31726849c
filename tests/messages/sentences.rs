//! The sentences that no real server, disk or kernel of the other tests brings about, word by word.

use std::fmt::Display;
use std::io::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use pop3fs::cli::options::Unreadable;
use pop3fs::fs::mount::{FindError, MountError, RemountError, UnmountError};
use pop3fs::maildrop::{AuthenticationError, Fault, FetchError, OpenError};
use pop3fs::net::{FileFault, NetError, ProxyRefusal, Refusal};
use pop3fs::pop3::{Argument, CommandError, ProtocolError, ServerText};
use pop3fs::search::QueryError;
use pop3fs::store::StoreError;

fn assert_read<E: Display>(sentences: &[(E, &str)]) {
    for (error, sentence) in sentences {
        assert_eq!(error.to_string(), *sentence);
    }
}

fn words() -> ServerText {
    ServerText::from(&b"no"[..])
}

fn broken() -> Error {
    Error::other("broken")
}

fn path() -> PathBuf {
    "/m".into()
}

#[test]
fn of_the_network() {
    let host = || "h".to_owned();
    let proxy = |refusal| NetError::Proxy {
        proxy: "socks5://p:1".to_owned(),
        refusal,
    };
    let file = |reason| NetError::ClientCertificate {
        path: path(),
        reason,
    };
    let handshake = |refusal| NetError::Handshake {
        host: host(),
        refusal,
    };
    assert_read(&[
        (
            NetError::Silence(Duration::from_millis(1500)),
            "the server was silent for 1.5 s",
        ),
        (NetError::Broken(broken()), "the connection broke (broken)"),
        (
            handshake(Refusal::LegacyRenegotiation),
            "TLS with h failed: the server supports only unsafe legacy renegotiation, which this system refuses: its administrator must update it",
        ),
        (
            NetError::CaFile {
                path: path(),
                reason: "is not a file".to_owned(),
            },
            "cannot take certificates from /m (is not a file)",
        ),
        (
            file(FileFault::Encrypted),
            "the client certificate /m needs a passphrase",
        ),
        (
            file(FileFault::OldCipher),
            "the client certificate /m is encrypted with an old cipher that this system refuses: export it again",
        ),
        (
            file(FileFault::OtherKey),
            "the client certificate /m has a private key that is not the one of its first certificate",
        ),
        (
            file(FileFault::NeitherFormat),
            "the client certificate /m is neither PEM nor PKCS#12",
        ),
        (
            proxy(ProxyRefusal::LoginTooLong),
            "the proxy socks5://p:1 does not connect us: the password for it has more than 255 octets",
        ),
        (
            proxy(ProxyRefusal::Forbidden),
            "the proxy socks5://p:1 does not connect us: its rules forbid connections to the server",
        ),
        (
            proxy(ProxyRefusal::NameTooLong),
            "the proxy socks5://p:1 does not connect us: the name of the server has more than 255 octets",
        ),
        (
            NetError::NoTls(host()),
            "the TLS library of this system cannot be used: h",
        ),
        (
            NetError::System {
                what: "an eventfd",
                source: broken(),
            },
            "this system refused an eventfd (broken)",
        ),
    ]);
}

#[test]
fn of_the_protocol() {
    assert_read(&[
        (
            ProtocolError::LineTooLong {
                limit: 9,
                text: words(),
            },
            "the server sent a line of more than 9 octets: no",
        ),
        (
            ProtocolError::TooManyLines { limit: 9 },
            "the server sent a listing of more than 9 lines",
        ),
        (
            ProtocolError::ListingTooLarge { limit: 9 },
            "the server sent a listing of more than 9 octets",
        ),
        (
            ProtocolError::NoopsDiffer(words()),
            "the server's answers to two NOOPs differ: no",
        ),
        (
            ProtocolError::BadStat(words()),
            "the server's answer to STAT is not a count and a size: no",
        ),
        (
            ProtocolError::BadListing(words()),
            "the server's listing holds a line that is not a message number and a size: no",
        ),
        (
            ProtocolError::BadUniqueIdListing(words()),
            "the server's unique-id listing holds a line without a message number: no",
        ),
    ]);
    assert_read(&[
        (
            CommandError::ForbiddenSpace(Argument::UserName),
            "the user name holds a space, which this command cannot carry",
        ),
        (
            CommandError::Empty(Argument::UserName),
            "the user name is empty",
        ),
        (
            CommandError::ForbiddenSpace(Argument::Digest),
            "the APOP digest holds a space, which this command cannot carry",
        ),
        (
            CommandError::Empty(Argument::InitialResponse),
            "the initial SASL response is empty",
        ),
        (
            CommandError::BadMechanism(words()),
            "no is not a name of a SASL mechanism",
        ),
    ]);
}

#[test]
fn of_the_login() {
    let (mechanism, reason) = ("PLAIN", "why".to_owned());
    assert_read(&[
        (
            AuthenticationError::NotOffered {
                wanted: mechanism,
                offered: words(),
            },
            "the server does not offer PLAIN; it offers no",
        ),
        (
            AuthenticationError::NothingUnasked(words()),
            "the server offers only no, which has to be requested explicitly",
        ),
        (
            AuthenticationError::MechanismRefused {
                mechanism,
                text: words(),
            },
            "the server refuses AUTH PLAIN (no)",
        ),
        (
            AuthenticationError::NoTimestamp,
            "the server does not offer APOP (its greeting has no safe timestamp)",
        ),
        (
            AuthenticationError::Unusable {
                mechanism,
                reason: reason.clone(),
            },
            "PLAIN cannot carry this user name or secret (why)",
        ),
        (
            AuthenticationError::BadChallenge { mechanism, reason },
            "the server's part of AUTH PLAIN is wrong (why)",
        ),
    ]);
}

#[test]
fn of_the_maildrop() {
    assert_read(&[
        (
            Fault::Refused {
                command: "RETR",
                text: words(),
            },
            "the server refused RETR (no)",
        ),
        (Fault::Departed, "the message is no longer on the server"),
        (
            Fault::Unconfirmed,
            "the server sends different content for the message each time: none of it is used",
        ),
        (
            Fault::OfAnother,
            "the server sends another message in place of this one: it is not used",
        ),
        (
            Fault::NoRoom(Arc::new(broken())),
            "there is no room for the message on this machine (broken)",
        ),
        (Fault::Ending, "the mount is ending"),
    ]);
    assert_read(&[
        (FetchError::NoCache, "this mount keeps nothing on disk"),
        (
            FetchError::TooSmall { octets: 9, room: 8 },
            "the maildrop does not fit into the cache",
        ),
    ]);
    let thread = OpenError::Thread(broken());
    assert_eq!(thread.to_string(), "cannot start a thread (broken)");
}

#[test]
fn of_queries() {
    let text = || "x".to_owned();
    assert_read(&[
        (
            QueryError::TooLong { octets: 5000 },
            "the query has 5000 octets, and at most 255 are possible",
        ),
        (QueryError::NotText, "the query is not UTF-8"),
        (
            QueryError::Probe { name: text() },
            "programs look for 'x' in every folder, so it is no query; put it in quotes",
        ),
        (
            QueryError::Empty,
            "nothing to look for: write a word, or a condition such as from:alice",
        ),
        (
            QueryError::OpenQuote { rest: text() },
            "the quote before 'x' is not closed: another \" is missing",
        ),
        (
            QueryError::LoneOr,
            "OR needs a term on either side; the word itself is written \"or\"",
        ),
        (
            QueryError::Not,
            "NOT is not known: write -word; the word itself is written \"not\"",
        ),
        (
            QueryError::Parenthesis,
            "parentheses do not group: OR joins the terms on either side of it, blanks join the rest",
        ),
        (
            QueryError::NoLetters { term: text() },
            "'x' has no letter or digit to look for",
        ),
        (
            QueryError::ShortBeginning { term: text() },
            "'x' begins too many words: write two letters before the *",
        ),
        (
            QueryError::ManyBeginnings,
            "too many words end in *: at most eight are possible",
        ),
        (
            QueryError::UnknownField {
                given: text(),
                near: "to",
            },
            "'x:' is not known: did you mean 'to:'? If not, put it in quotes",
        ),
        (
            QueryError::Size { value: text() },
            "'x' is no size: expected >1M or <10K (K, M, G)",
        ),
        (
            QueryError::Has { value: text() },
            "'has:x' is not known: expected has:attachment",
        ),
        (
            QueryError::Is { value: text() },
            "'is:x' is not known: expected is:unread or is:read",
        ),
    ]);
}

#[test]
fn of_mounting() {
    let (path, said, errno) = (path, || "why".to_owned(), Errno::EIO);
    assert_read(&[
        (
            MountError::Occupied {
                dir: path(),
                kind: "ext4".to_owned(),
            },
            "/m is already a mount of type ext4: `umount /m` first, or name another directory",
        ),
        (
            MountError::Device(broken()),
            "cannot open /dev/fuse: broken",
        ),
        (
            MountError::Handshake(broken()),
            "cannot mount with fusermount3: broken",
        ),
        (
            MountError::Refused { said: said() },
            "fusermount3 refused to mount: why",
        ),
        (
            MountError::System {
                path: path(),
                errno,
            },
            "cannot mount on /m: EIO: I/O error",
        ),
    ]);
    let lookup = FindError::Lookup {
        dir: path(),
        source: broken(),
    };
    assert_eq!(lookup.to_string(), "cannot look up /m: broken");
    assert_eq!(Unreadable.to_string(), "not readable");
    let remount = RemountError::System {
        path: path(),
        errno,
    };
    assert_eq!(remount.to_string(), "cannot remount /m: EIO: I/O error");
    assert_read(&[
        (
            UnmountError::Busy { path: path() },
            "/m is busy: close what is open there (`fuser -vm /m` lists it) and umount again",
        ),
        (
            UnmountError::Covered { path: path() },
            "something else is mounted over /m: `umount /m` first",
        ),
        (
            UnmountError::Refused {
                path: path(),
                said: said(),
            },
            "fusermount3 refused to unmount /m: why",
        ),
        (
            UnmountError::Fusermount(broken()),
            "cannot run fusermount3: broken",
        ),
        (
            UnmountError::Table(broken()),
            "cannot read the mount table: broken",
        ),
        (
            UnmountError::System {
                path: path(),
                errno,
            },
            "cannot unmount /m: EIO: I/O error",
        ),
    ]);
}

#[test]
fn of_the_cache() {
    assert_read(&[
        (
            StoreError::Io {
                doing: "read",
                path: path(),
                source: broken(),
            },
            "cannot read /m (broken)",
        ),
        (
            StoreError::NoWriter { path: path() },
            "the writer of /m has ended; mount again",
        ),
    ]);
}

#[test]
fn of_the_filesystem() {
    use pop3fs::fs::Error;
    assert_read(&[
        (
            Error::Kept(2),
            "the server kept 2 of the messages that were to be deleted",
        ),
        (Error::Stale, "no such inode"),
        (
            Error::TooLargeToShow,
            "the message is too large for this view: read it as it is, in the root",
        ),
        (Error::NameTooLong, "the name is too long"),
        (Error::NoAttribute, "no such attribute"),
        (Error::NoAttributes, "mounted without extended attributes"),
        (Error::NotPermitted, "a maildrop cannot be written to"),
        (Error::ReadOnly, "read-only"),
        (Error::Interrupted, "interrupted"),
    ]);
}
