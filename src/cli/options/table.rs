//! The table of options. The parser, the `--name` arguments and the help are made from it.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::values::{self, DataSize, TimeSpan};
use super::words::{Auth, Caching, Indexing, Mirroring, Mtime, TlsPolicy, word_list, words};
use super::{Options, PasswordSource};
use crate::cli::home;
use crate::fs::mount::{Access, Visibility};
use crate::fs::{Eol, Polling, ViewId, Xattrs};
use crate::maildrop::{OfflineMode, Pipeline};
use crate::net::{Fingerprint, NoFingerprint, NoProxy, Proxy};

const SECOND: TimeSpan = TimeSpan::seconds(1);
const HOUR: TimeSpan = TimeSpan::seconds(60 * 60);
const TEBIBYTE: DataSize = DataSize::gib(1024);
/// More than a maildrop ever has.
const MOST_MESSAGES: u32 = 1_000_000;
const DAY: TimeSpan = TimeSpan::seconds(24 * 60 * 60);
/// The word of `-o view=` for the messages themselves.
const RAW: &str = "raw";

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Only its name.
    Flag,
    /// `name=value`; the word stands for the value in the help.
    Value(&'static str),
}

/// What an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionGroup {
    /// The server and the session with it.
    Server,
    /// Where the password comes from.
    Password,
    /// What is kept, how much, and how fast it is read.
    Cache,
    /// What the mount looks like.
    Mount,
}

impl OptionGroup {
    /// In the order of the help.
    pub const ALL: [Self; 4] = [Self::Server, Self::Password, Self::Cache, Self::Mount];
}

impl fmt::Display for OptionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Password => "password",
            Self::Cache => "cache",
            Self::Mount => "mount",
        })
    }
}

/// One option.
#[derive(Debug)]
pub struct OptionRow {
    /// As after `-o`, and as `--name`.
    pub name: &'static str,
    /// What it is about.
    pub group: OptionGroup,
    /// Whether it takes a value.
    pub kind: OptionKind,
    /// The default, for the help; empty without one.
    pub default: &'static str,
    /// For the help.
    pub help: &'static str,
    /// Stores the value, or returns what would be allowed. Flags get an empty value.
    pub(super) set: fn(&mut Options, &str) -> Result<(), String>,
}

impl OptionRow {
    /// `timeout=TIME`, `ro`.
    pub(in crate::cli) fn spelling(&self) -> String {
        match self.kind {
            OptionKind::Flag => self.name.to_owned(),
            OptionKind::Value(value) => format!("{}={value}", self.name),
        }
    }

    /// The help, with the default behind it.
    pub(in crate::cli) fn explanation(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} [{default}]", self.help),
        }
    }
}

/// All options, in the order of the help.
pub static TABLE: &[OptionRow] = &[
    OptionRow {
        name: "tls",
        group: OptionGroup::Server,
        kind: OptionKind::Value("POLICY"),
        default: "by scheme",
        help: "implicit, starttls, or off: mail and password in the clear",
        set: |options, text| word(text).map(|value| options.tls = Some(value)),
    },
    OptionRow {
        name: "ca_file",
        group: OptionGroup::Server,
        kind: OptionKind::Value("FILE"),
        default: "the system's store",
        help: "Certificates (PEM) to trust instead of the system's",
        set: |options, text| path(text).map(|value| options.ca_file = Some(value)),
    },
    OptionRow {
        name: "tls_pin",
        group: OptionGroup::Server,
        kind: OptionKind::Value("sha256:HEX"),
        default: "",
        help: "The SHA-256 of the server's certificate, to trust it and nothing else; give several if it may be one of them",
        set: |options, text| pin(text).map(|value| options.tls_pins.push(value)),
    },
    OptionRow {
        name: "client_cert",
        group: OptionGroup::Server,
        kind: OptionKind::Value("FILE"),
        default: "",
        help: "Your own certificate and private key (PEM or PKCS#12), for a server that demands one",
        set: |options, text| path(text).map(|value| options.client_cert = Some(value)),
    },
    OptionRow {
        name: "proxy",
        group: OptionGroup::Server,
        kind: OptionKind::Value("socks5://[USER@]HOST:PORT"),
        default: "",
        help: "Connect through this SOCKS5 proxy, which also resolves the server's name",
        set: |options, text| proxy(text).map(|value| options.proxy = Some(value)),
    },
    OptionRow {
        name: "auth",
        group: OptionGroup::Server,
        kind: OptionKind::Value("MECHANISM"),
        default: "auto",
        help: "auto: scram-sha-256, scram-sha-1, plain, user or login, the first that is offered; \
               or one of these, cram-md5, apop, xoauth2, oauthbearer",
        set: |options, text| word(text).map(|value| options.auth = Some(value)),
    },
    OptionRow {
        name: "password_command",
        group: OptionGroup::Password,
        kind: OptionKind::Value("COMMAND"),
        default: "",
        help: "Run by `sh -c`; the first line of its output is the password",
        set: |options, text| {
            filled(text).map(|value| options.password = PasswordSource::Command(value))
        },
    },
    OptionRow {
        name: "password_file",
        group: OptionGroup::Password,
        kind: OptionKind::Value("FILE"),
        default: "",
        help: "Its first line is the password; only its owner may read it",
        set: |options, text| path(text).map(|value| options.password = PasswordSource::File(value)),
    },
    OptionRow {
        name: "password_stdin",
        group: OptionGroup::Password,
        kind: OptionKind::Flag,
        default: "",
        help: "The first line of standard input is the password",
        set: |options, _| {
            options.password = PasswordSource::StandardInput;
            Ok(())
        },
    },
    OptionRow {
        name: "passphrase_command",
        group: OptionGroup::Password,
        kind: OptionKind::Value("COMMAND"),
        default: "",
        help: "The first line that it prints decrypts the private key in client_cert",
        set: |options, text| {
            filled(text).map(|value| options.passphrase = PasswordSource::Command(value))
        },
    },
    OptionRow {
        name: "passphrase_file",
        group: OptionGroup::Password,
        kind: OptionKind::Value("FILE"),
        default: "",
        help: "Its first line decrypts the private key in client_cert",
        set: |options, text| {
            path(text).map(|value| options.passphrase = PasswordSource::File(value))
        },
    },
    OptionRow {
        name: "proxy_password_command",
        group: OptionGroup::Password,
        kind: OptionKind::Value("COMMAND"),
        default: "",
        help: "The first line that it prints is the password of the user in proxy",
        set: |options, text| {
            filled(text).map(|value| options.proxy_password = PasswordSource::Command(value))
        },
    },
    OptionRow {
        name: "proxy_password_file",
        group: OptionGroup::Password,
        kind: OptionKind::Value("FILE"),
        default: "",
        help: "Its first line is the password of the user in proxy",
        set: |options, text| {
            path(text).map(|value| options.proxy_password = PasswordSource::File(value))
        },
    },
    OptionRow {
        name: "timeout",
        group: OptionGroup::Server,
        kind: OptionKind::Value("TIME"),
        default: "30s",
        help: "The longest silence of the server before it counts as gone",
        set: |options, text| {
            within(text, &(SECOND..=HOUR)).map(|value| options.timeout = value.get())
        },
    },
    OptionRow {
        name: "idle_timeout",
        group: OptionGroup::Server,
        kind: OptionKind::Value("TIME"),
        default: "60s",
        help: "Close an unused session after this time; it is reopened on demand",
        set: |options, text| {
            within(text, &(SECOND..=HOUR)).map(|value| options.idle_timeout = value.get())
        },
    },
    OptionRow {
        name: "keepalive",
        group: OptionGroup::Server,
        kind: OptionKind::Value("TIME"),
        default: "off",
        help: "Keep an unused session open by a NOOP at this interval, regardless of idle_timeout",
        set: |options, text| {
            if text == "off" {
                options.keepalive = None;
                return Ok(());
            }
            within(text, &(SECOND..=HOUR))
                .map(|value| options.keepalive = Some(value.get()))
                .map_err(|range| format!("off, or {range}"))
        },
    },
    OptionRow {
        name: "refresh",
        group: OptionGroup::Server,
        kind: OptionKind::Value("TIME"),
        default: "60s",
        help: "Age of the listing after which reading the directory renews it",
        set: |options, text| {
            within(text, &(SECOND..=DAY)).map(|value| options.refresh = value.get())
        },
    },
    OptionRow {
        name: "offline",
        group: OptionGroup::Server,
        kind: OptionKind::Value("AUTO|NO"),
        default: "no",
        help: "auto: where the server is away, show the last listing and the cached messages, and keep what is removed for the next mount",
        set: |options, text| offline(text).map(|value| options.offline = value),
    },
    OptionRow {
        name: "pipeline",
        group: OptionGroup::Server,
        kind: OptionKind::Value("MOST"),
        default: "auto",
        help: "auto, off, or the most commands in flight",
        set: |options, text| pipeline(text).map(|value| options.pipeline = value),
    },
    OptionRow {
        name: "cache",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("ON|OFF"),
        default: "on",
        help: "Whether anything is kept on disk",
        set: |options, text| word(text).map(|value| options.cache = value),
    },
    OptionRow {
        name: "cache_dir",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("DIR"),
        default: "$XDG_CACHE_HOME/pop3fs",
        help: "Folder of the cache on disk",
        set: |options, text| path(text).map(|value| options.cache_dir = Some(value)),
    },
    OptionRow {
        name: "cache_size",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("SIZE"),
        default: "1G",
        help: "Limit for message bodies on disk",
        set: |options, text| {
            within(text, &(DataSize::mib(1)..=TEBIBYTE)).map(|value| options.cache_size = value)
        },
    },
    OptionRow {
        name: "index",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("ON|OFF|FULL"),
        default: "on",
        help: "What .search looks into: on, the messages that were fetched anyway; full, all, which are fetched for that; or off",
        set: |options, text| word(text).map(|value| options.index = value),
    },
    OptionRow {
        name: "mirror",
        group: OptionGroup::Cache,
        kind: OptionKind::Flag,
        default: "",
        help: "Fetch all messages in the background, newest first, and new mail as it comes",
        set: |options, _| {
            options.mirroring = Mirroring::All;
            Ok(())
        },
    },
    OptionRow {
        name: "memory",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("SIZE"),
        default: "64M",
        help: "Limit for message bodies in memory",
        set: |options, text| {
            within(text, &(DataSize::mib(1)..=TEBIBYTE)).map(|value| options.memory = value)
        },
    },
    OptionRow {
        name: "max_message",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("SIZE"),
        default: "1G",
        help: "A larger message is refused with EFBIG",
        set: |options, text| {
            within(text, &(DataSize::kib(1)..=TEBIBYTE)).map(|value| options.max_message = value)
        },
    },
    OptionRow {
        name: "poll",
        group: OptionGroup::Cache,
        kind: OptionKind::Value("AUTO|OFF"),
        default: "auto",
        help: "auto: poll for requests while many come, to read faster; off: never",
        set: |options, text| poll(text).map(|value| options.poll = value),
    },
    OptionRow {
        name: "max_delete",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("MESSAGES"),
        default: "1000",
        help: "A commit asks before it deletes more messages that the removing program has not read, or more than ten and nearly all; off: never",
        set: |options, text| limit(text).map(|value| options.max_delete = value),
    },
    OptionRow {
        name: "mtime",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("HEADER"),
        default: "received",
        help: "received, date, or none: when this machine first saw it",
        set: |options, text| word(text).map(|value| options.mtime = value),
    },
    OptionRow {
        name: "eol",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("LINE END"),
        default: "crlf",
        help: "crlf, as the server sends it, or lf: what lines of messages end in",
        set: |options, text| eol(text).map(|value| options.eol = value),
    },
    OptionRow {
        name: "view",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("NAME"),
        default: RAW,
        help: "What the root shows: raw, or one of the views, which are in hidden directories otherwise: text, parts, named, maildir, headers",
        set: |options, text| view(text).map(|value| options.view = value),
    },
    OptionRow {
        name: "xattr",
        group: OptionGroup::Mount,
        kind: OptionKind::Flag,
        default: "",
        help: "Messages have extended attributes: unique-id, type, subject, sender, Message-ID",
        set: |options, _| {
            options.xattrs = Xattrs::Shown;
            Ok(())
        },
    },
    OptionRow {
        name: "log_file",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("FILE"),
        default: "",
        help: "Write the log to this file instead of stderr (foreground), the journal or syslog",
        set: |options, text| path(text).map(|value| options.log_file = Some(value)),
    },
    OptionRow {
        name: "ro",
        group: OptionGroup::Mount,
        kind: OptionKind::Flag,
        default: "",
        help: "Read-only: nothing can be removed",
        set: |options, _| {
            options.access = Access::ReadOnly;
            Ok(())
        },
    },
    OptionRow {
        name: "uid",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("NUMBER"),
        default: "who mounts",
        help: "The owner of the files",
        set: |options, text| id(text).map(|value| options.uid = Some(value)),
    },
    OptionRow {
        name: "gid",
        group: OptionGroup::Mount,
        kind: OptionKind::Value("NUMBER"),
        default: "who mounts",
        help: "The group of the files",
        set: |options, text| id(text).map(|value| options.gid = Some(value)),
    },
    OptionRow {
        name: "allow_other",
        group: OptionGroup::Mount,
        kind: OptionKind::Flag,
        default: "",
        help: "Let other users in, as far as owner and mode of the files allow",
        set: |options, _| {
            options.visibility = Visibility::Everyone;
            Ok(())
        },
    },
];

/// Whether `word` is an option of mount(8) and fstab(5) that we ignore: mount(8) acts on it, or it
/// is true here anyway.
pub(super) fn is_for_mount(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "_netdev",
        "async",
        "atime",
        "auto",
        "defaults",
        "dev",
        "diratime",
        "dirsync",
        "exec",
        "group",
        "iversion",
        "lazytime",
        "loud",
        "mand",
        "noatime",
        "noauto",
        "nodev",
        "nodiratime",
        "noexec",
        "nofail",
        "nogroup",
        "noiversion",
        "nolazytime",
        "nomand",
        "noowner",
        "norelatime",
        "nostrictatime",
        "nosuid",
        "nosymfollow",
        "nouser",
        "nousers",
        "owner",
        "relatime",
        "rw",
        "silent",
        "strictatime",
        "suid",
        "sync",
        "user",
        "users",
    ];
    const BEGINNINGS: &[&str] = &["x-", "X-", "comment=", "user="];
    WORDS.contains(&word) || BEGINNINGS.iter().any(|start| word.starts_with(start))
}

/// What may stand in a list of options, for completion: `ro`, `tls=off`, `timeout=`.
pub(in crate::cli) fn settings_to_choose() -> impl Iterator<Item = String> {
    TABLE.iter().flat_map(|row| {
        let words = match row.kind {
            OptionKind::Flag => return vec![row.name.to_owned()],
            OptionKind::Value(_) => suggestions(row.name),
        };
        match words.is_empty() {
            true => vec![format!("{}=", row.name)],
            false => words
                .iter()
                .map(|word| format!("{}={word}", row.name))
                .collect(),
        }
    })
}

/// The words that the option takes, for completion.
pub(super) fn suggestions(name: &str) -> Vec<String> {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match name {
        "tls" => word_list::<TlsPolicy>(),
        "auth" => word_list::<Auth>(),
        "cache" => word_list::<Caching>(),
        "index" => word_list::<Indexing>(),
        "mtime" => word_list::<Mtime>(),
        "eol" => own(&["crlf", "lf"]),
        "offline" => own(&["auto", "no"]),
        "pipeline" | "poll" => own(&["auto", "off"]),
        "proxy" => own(&["socks5://"]),
        "keepalive" | "max_delete" => own(&["off"]),
        "view" => [RAW]
            .into_iter()
            .chain(ViewId::names())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| words::<T>())
}

fn pipeline(text: &str) -> Result<Pipeline, String> {
    match text {
        "auto" => Ok(Pipeline::Auto),
        "off" => Ok(Pipeline::Off),
        number => within(number, &(1..=u16::MAX))
            .map(Pipeline::Most)
            .map_err(|range| format!("auto, off or {range}")),
    }
}

fn eol(text: &str) -> Result<Eol, String> {
    match text {
        "crlf" => Ok(Eol::Crlf),
        "lf" => Ok(Eol::Lf),
        _ => Err("crlf or lf".to_owned()),
    }
}

fn poll(text: &str) -> Result<Polling, String> {
    match text {
        "auto" => Ok(Polling::InBursts),
        "off" => Ok(Polling::Off),
        _ => Err("auto or off".to_owned()),
    }
}

fn offline(text: &str) -> Result<OfflineMode, String> {
    match text {
        "auto" => Ok(OfflineMode::Auto),
        "no" => Ok(OfflineMode::Off),
        _ => Err("auto or no".to_owned()),
    }
}

fn view(text: &str) -> Result<Option<ViewId>, String> {
    if text == RAW {
        return Ok(None);
    }
    let named = ViewId::by_name(text).map(Some);
    named.ok_or_else(|| {
        let views: Vec<&str> = ViewId::names().collect();
        format!("{RAW} or {}", views.join(" or "))
    })
}

fn within<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: &RangeInclusive<T>,
) -> Result<T, String> {
    match text.parse() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(format!("{} to {}", range.start(), range.end())),
    }
}

fn limit(text: &str) -> Result<Option<u32>, String> {
    if text == "off" {
        return Ok(None);
    }
    let number = within(text, &(0..=MOST_MESSAGES)).map_err(|range| format!("off or {range}"))?;
    Ok(Some(number))
}

/// The largest number is not an id: it means "no change" to chown(2).
fn id(text: &str) -> Result<u32, String> {
    within(text, &(0..=u32::MAX - 1))
}

fn pin(text: &str) -> Result<Fingerprint, String> {
    text.parse()
        .map_err(|forms: NoFingerprint| forms.to_string())
}

fn proxy(text: &str) -> Result<Proxy, String> {
    text.parse().map_err(|form: NoProxy| {
        format!("{form}, without the password, which proxy_password_command or proxy_password_file gives")
    })
}

fn filled(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("a command".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    values::path(text, home::home().as_deref()).ok_or_else(|| "a path".to_owned())
}
