//! The options of a mount, parsed once into types.

mod command_line;
mod setting;
mod table;
mod values;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use super::home;
use crate::fs::mount::{Access, Visibility};
use crate::fs::{Eol, Polling, ViewId, Xattrs};
use crate::maildrop::{OfflineMode, Pipeline};
use crate::net::{Fingerprint, Proxy, Trust};
pub(super) use command_line::LIST;
pub use command_line::OptionArguments;
pub use setting::RawOption;
pub(in crate::cli) use table::settings_to_choose;
pub use table::{OptionGroup, OptionKind, OptionRow, TABLE};
pub use values::{DataSize, TimeSpan, Unreadable};
pub use words::{Auth, Caching, Indexing, Mirroring, Mtime, TlsPolicy, words};

/// How alike two names must be for a suggestion; 1 means equal.
const ALIKE: f64 = 0.6;

/// The options that the user gave, and the defaults of the table for the others. Paths are
/// absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Overrides the policy of the scheme.
    pub tls: Option<TlsPolicy>,
    /// PEM certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The server's certificate must be one of these. Each `tls_pin` adds one. With any, nothing
    /// else is checked.
    pub tls_pins: Vec<Fingerprint>,
    /// The user's own certificate and private key, in PEM or PKCS#12.
    pub client_cert: Option<PathBuf>,
    /// Where the passphrase of `client_cert` comes from.
    pub passphrase: PasswordSource,
    /// The proxy on the way to the server, without its password.
    pub proxy: Option<Proxy>,
    /// Where the password of the proxy's user comes from.
    pub proxy_password: PasswordSource,
    /// Overrides SOURCE's `;AUTH=`.
    pub auth: Option<Auth>,
    /// Where the password comes from. The last of several options counts.
    pub password: PasswordSource,
    /// The longest silence while connecting, in the handshake and in each reply: 1 s to 1 h.
    pub timeout: Duration,
    /// 1 s to 1 h.
    pub idle_timeout: Duration,
    /// Between two NOOPs of an unused session, which then is not closed: 1 s to 1 h.
    pub keepalive: Option<Duration>,
    /// 1 s to 1 day.
    pub refresh: Duration,
    /// What the mount does while the server is away.
    pub offline: OfflineMode,
    /// The most commands in flight.
    pub pipeline: Pipeline,
    /// Whether anything is kept on disk.
    pub cache: Caching,
    /// The folder of the caches, unless it is the user's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// For bodies on disk: 1 MiB to 1 TiB.
    pub cache_size: DataSize,
    /// Whether messages are indexed, to be searched.
    pub index: Indexing,
    /// Whether all messages are fetched in the background.
    pub mirroring: Mirroring,
    /// For bodies in memory: 1 MiB to 1 TiB.
    pub memory: DataSize,
    /// 1 KiB to 1 TiB.
    pub max_message: DataSize,
    /// The most messages that one commit deletes if the removing program had not read them; none
    /// for no limit.
    pub max_delete: Option<u32>,
    /// Where a message's time comes from.
    pub mtime: Mtime,
    /// How lines end in the root, and where else messages are shown as they are.
    pub eol: Eol,
    /// What the root shows in place of the messages as they are.
    pub view: Option<ViewId>,
    /// Whether messages have extended attributes.
    pub xattrs: Xattrs,
    /// Whether the mount polls for the kernel's requests.
    pub poll: Polling,
    /// Where to log, instead of stderr, the journal or syslog.
    pub log_file: Option<PathBuf>,
    /// Read-write or read-only.
    pub access: Access,
    /// Who may look into the mount.
    pub visibility: Visibility,
    /// The owner of the files; by default the user who mounts.
    pub uid: Option<u32>,
    /// The group of the files; by default that of the user who mounts.
    pub gid: Option<u32>,
}

/// Where a password or passphrase comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// No option says: from the other places that are looked into, or from the terminal.
    Unsaid,
    /// The first line that `sh -c` of it prints.
    Command(String),
    /// The first line of the file, which only its owner can read.
    File(PathBuf),
    /// The first line of standard input.
    StandardInput,
}

/// Why options are refused. All are the caller's fault. No message shows the value of an unknown
/// option: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Neither an option of the table nor a word of mount(8).
    #[error("unknown option '{}'{}: `pop3fs --help` lists them", .name.escape_debug(), did_you_mean(*.nearest))]
    Unknown {
        /// As given.
        name: String,
        /// A real one that looks like it.
        nearest: Option<&'static str>,
    },
    /// `-o timeout`.
    #[error("option {name} needs a value: {name}={value}")]
    NeedsValue {
        /// Of the table.
        name: &'static str,
        /// The word for the value in the help.
        value: &'static str,
    },
    /// `-o ro=1`.
    #[error("option {0} takes no value: write {0} alone")]
    TakesNoValue(&'static str),
    /// Two options of which one would have no effect.
    #[error("{0}")]
    Contradiction(&'static str),
    /// Unreadable or out of range. A value with an `@` is not shown, for a password may stand in
    /// front of it.
    #[error("invalid value{} for {name}: expected {allowed}", quoted(.value))]
    Invalid {
        /// Of the table.
        name: &'static str,
        /// As given.
        value: String,
        /// For a sentence.
        allowed: String,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            ca_file: None,
            tls_pins: Vec::new(),
            client_cert: None,
            passphrase: PasswordSource::Unsaid,
            proxy: None,
            proxy_password: PasswordSource::Unsaid,
            auth: None,
            password: PasswordSource::Unsaid,
            timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            keepalive: None,
            refresh: Duration::from_secs(60),
            offline: OfflineMode::Off,
            pipeline: Pipeline::Auto,
            cache: Caching::On,
            cache_dir: None,
            cache_size: DataSize::gib(1),
            index: Indexing::On,
            mirroring: Mirroring::Off,
            memory: DataSize::mib(64),
            max_message: DataSize::gib(1),
            max_delete: Some(1000),
            mtime: Mtime::Received,
            eol: Eol::Crlf,
            view: None,
            xattrs: Xattrs::Hidden,
            poll: Polling::InBursts,
            log_file: None,
            access: Access::ReadWrite,
            visibility: Visibility::Owner,
            uid: None,
            gid: None,
        }
    }
}

impl Options {
    /// Parses options in their order: a later one overrides an earlier one, except that each
    /// `tls_pin` adds one.
    pub fn from_settings(settings: &[RawOption]) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for setting in settings {
            options.apply(setting)?;
        }
        options.check_pins()?;
        options.check_own_secrets()?;
        options.check_cache()?;
        Ok(options)
    }

    /// `-o tls_pin=`, else `-o ca_file=`, else the system's store.
    pub fn trust(&self) -> Trust {
        match &self.ca_file {
            _ if !self.tls_pins.is_empty() => Trust::Pinned(self.tls_pins.clone()),
            Some(path) => Trust::Authorities(path.clone()),
            None => Trust::System,
        }
    }

    /// Where to keep things on disk: `cache_dir`, else `$XDG_CACHE_HOME/pop3fs`, else
    /// `~/.cache/pop3fs`. `None` where there is not even a home.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        self.cache_dir.clone().or_else(home::cache)
    }

    /// Refuses options that contradict a pin: it replaces the authorities of `ca_file`, and needs
    /// TLS.
    fn check_pins(&self) -> Result<(), OptionError> {
        if self.tls_pins.is_empty() {
            return Ok(());
        }
        if self.tls == Some(TlsPolicy::Off) {
            return Err(OptionError::Contradiction(
                "tls_pin checks the server's certificate, and with tls=off there is none: leave out one of them",
            ));
        }
        if self.ca_file.is_some() {
            return Err(OptionError::Contradiction(
                "tls_pin takes the place of the authorities in ca_file: leave out one of them",
            ));
        }
        Ok(())
    }

    /// Refuses options about a client certificate or a proxy that would have no effect.
    fn check_own_secrets(&self) -> Result<(), OptionError> {
        let proxy_user = self.proxy.as_ref().and_then(Proxy::user);
        let contradiction = if self.client_cert.is_some() && self.tls == Some(TlsPolicy::Off) {
            "client_cert is shown in the TLS handshake, and with tls=off there is none: leave out one of them"
        } else if self.client_cert.is_none() && self.passphrase != PasswordSource::Unsaid {
            "a passphrase is for the private key in client_cert: name that file, too"
        } else if proxy_user.is_none() && self.proxy_password != PasswordSource::Unsaid {
            "a proxy password is for the user in proxy=socks5://USER@HOST:PORT: name that user, too"
        } else {
            return Ok(());
        };
        Err(OptionError::Contradiction(contradiction))
    }

    /// Refuses options that need the cache on disk where there is none.
    fn check_cache(&self) -> Result<(), OptionError> {
        if self.cache == Caching::On {
            return Ok(());
        }
        if self.offline == OfflineMode::Auto {
            return Err(OptionError::Contradiction(
                "offline=auto shows what the cache has, and with cache=off it has nothing: leave out one of them",
            ));
        }
        if self.mirroring == Mirroring::All {
            return Err(OptionError::Contradiction(
                "mirror fills the cache on disk, and with cache=off there is none: leave out one of them",
            ));
        }
        Ok(())
    }

    fn apply(&mut self, RawOption { name, value }: &RawOption) -> Result<(), OptionError> {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            return check_for_mount(name, value.as_deref());
        };
        let text = match (row.kind, value) {
            (OptionKind::Flag, None) => "",
            (OptionKind::Flag, Some(_)) => return Err(OptionError::TakesNoValue(row.name)),
            (OptionKind::Value(_), Some(text)) => text,
            (OptionKind::Value(value), None) => {
                let name = row.name;
                return Err(OptionError::NeedsValue { name, value });
            }
        };
        (row.set)(self, text).map_err(|allowed| OptionError::Invalid {
            name: row.name,
            value: text.to_owned(),
            allowed,
        })
    }
}

fn quoted(value: &str) -> String {
    match value.contains('@') {
        true => String::new(),
        false => format!(" '{}'", value.escape_debug()),
    }
}

fn check_for_mount(name: &str, value: Option<&str>) -> Result<(), OptionError> {
    let word = match value {
        Some(value) => format!("{name}={value}"),
        None => name.to_owned(),
    };
    if table::is_for_mount(&word) {
        return Ok(());
    }
    Err(OptionError::Unknown {
        name: name.to_owned(),
        nearest: nearest(name),
    })
}

fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, TABLE.iter().map(|row| row.name))
}

/// The known name that a misspelt one probably means.
pub(super) fn nearest_of<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let likeness = |known| strsim::normalized_damerau_levenshtein(name, known);
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// The hint after a misspelt name; empty without a similar one.
pub(super) fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(" (did you mean {name}?)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Result<Options, OptionError> {
        Options::from_settings(&RawOption::split(list))
    }

    fn sentence(list: &str) -> String {
        parse(list).unwrap_err().to_string()
    }

    #[test]
    fn without_settings_all_options_have_their_defaults() {
        assert_eq!(parse("").unwrap(), Options::default());
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults() {
        for name in [
            "timeout",
            "idle_timeout",
            "keepalive",
            "refresh",
            "offline",
            "pipeline",
            "cache",
            "memory",
            "max_message",
            "max_delete",
            "mtime",
            "eol",
            "poll",
        ] {
            let row = TABLE.iter().find(|row| row.name == name).unwrap();
            let said = parse(&format!("{name}={}", row.default)).unwrap();
            assert_eq!(said, Options::default(), "{name}");
        }
    }

    #[test]
    fn names_in_the_table_are_unique_and_not_those_of_mount() {
        for row in TABLE {
            let alike = TABLE.iter().filter(|other| other.name == row.name);
            assert_eq!(alike.count(), 1, "{}", row.name);
            assert!(!table::is_for_mount(row.name), "{}", row.name);
        }
    }

    #[test]
    fn each_option_sets_its_own_field() {
        let options = parse(
            "ca_file=/ca,client_cert=/cert,passphrase_file=/pass,proxy=socks5://al@h:1080,proxy_password_command=pw,auth=plain,tls=starttls,timeout=5m,idle_timeout=10,keepalive=4m,refresh=1h,pipeline=off,cache=off,\
             cache_dir=/c,cache_size=3G,index=full,memory=1G,max_message=2M,max_delete=off,mtime=none,eol=lf,xattr,poll=off,log_file=/log,ro,uid=7,gid=8,allow_other,password_file=/pw",
        )
        .unwrap();
        let expected = Options {
            tls: Some(TlsPolicy::Starttls),
            ca_file: Some("/ca".into()),
            tls_pins: Vec::new(),
            client_cert: Some("/cert".into()),
            passphrase: PasswordSource::File("/pass".into()),
            proxy: Some("socks5://al@h:1080".parse().unwrap()),
            proxy_password: PasswordSource::Command("pw".to_owned()),
            auth: Some(Auth::Plain),
            password: PasswordSource::File("/pw".into()),
            timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(10),
            keepalive: Some(Duration::from_secs(240)),
            refresh: Duration::from_secs(3600),
            offline: OfflineMode::Off,
            pipeline: Pipeline::Off,
            cache: Caching::Off,
            cache_dir: Some("/c".into()),
            cache_size: DataSize::gib(3),
            index: Indexing::Full,
            mirroring: Mirroring::Off,
            memory: DataSize::gib(1),
            max_message: DataSize::mib(2),
            max_delete: None,
            mtime: Mtime::None,
            eol: Eol::Lf,
            view: None,
            xattrs: Xattrs::Shown,
            poll: Polling::Off,
            log_file: Some("/log".into()),
            access: Access::ReadOnly,
            visibility: Visibility::Everyone,
            uid: Some(7),
            gid: Some(8),
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_pipeline_is_a_word_or_a_positive_number() {
        for (text, pipeline) in [
            ("auto", Pipeline::Auto),
            ("off", Pipeline::Off),
            ("50", Pipeline::Most(50)),
        ] {
            let options = parse(&format!("pipeline={text}")).unwrap();
            assert_eq!(options.pipeline, pipeline, "{text}");
        }
        for text in ["0", "-1", "65536", "on", ""] {
            assert!(parse(&format!("pipeline={text}")).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_of_several_counts() {
        let options = parse("timeout=5,timeout=6,password_file=/pw,password_stdin").unwrap();
        assert_eq!(options.timeout, Duration::from_secs(6));
        assert_eq!(options.password, PasswordSource::StandardInput);
    }

    const PIN: &str =
        "tls_pin=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn each_pin_is_one_more_certificate_to_trust() {
        let options = parse(&format!("{PIN},{}", PIN.replace("e3", "00"))).unwrap();
        let Trust::Pinned(pins) = options.trust() else {
            panic!("{:?}", options.trust());
        };
        assert_eq!(pins.len(), 2);
        assert_ne!(pins[0], pins[1]);
    }

    #[test]
    fn tls_pin_is_refused_beside_options_that_contradict_it() {
        for (other, reason) in [
            ("tls=off", "there is none"),
            ("ca_file=/ca", "takes the place"),
        ] {
            let sentence = sentence(&format!("{PIN},{other}"));
            assert!(sentence.contains(reason), "{sentence}");
        }
        assert!(parse(&format!("{PIN},tls=implicit")).is_ok());
    }

    #[test]
    fn an_option_that_would_have_no_effect_is_refused() {
        for (list, reason) in [
            ("client_cert=/c,tls=off", "with tls=off there is none"),
            ("passphrase_file=/p", "name that file, too"),
            ("proxy_password_file=/p", "name that user, too"),
            (
                "proxy=socks5://h:1080,proxy_password_file=/p",
                "name that user, too",
            ),
        ] {
            let sentence = sentence(list);
            assert!(sentence.contains(reason), "{sentence}");
        }
        assert!(parse("client_cert=/c,passphrase_file=/p").is_ok());
        assert!(parse("proxy=socks5://al@h:1080,proxy_password_file=/p").is_ok());
    }

    #[test]
    fn a_value_that_may_hold_a_password_is_not_repeated() {
        for list in ["proxy=socks5://al:hunter2@h:1080", "uid=hunter2@h"] {
            let sentence = sentence(list);
            assert!(sentence.starts_with("invalid value for "), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }

    #[test]
    fn the_words_of_mount8_are_ignored() {
        let list = "rw,_netdev,nofail,noauto,auto,user,nouser,users,owner,group,defaults,x-systemd.automount,\
                    x-gvfs-name=a,comment=b,user=al,nosuid,nodev,noexec,suid,dev,exec,atime,noatime,relatime,sync,\
                    async,dirsync,nosymfollow,lazytime,nolazytime,strictatime,nostrictatime,iversion,noiversion,\
                    mand,nomand,,";
        assert_eq!(parse(list).unwrap(), Options::default());
    }

    #[test]
    fn an_unknown_option_is_named_with_the_nearest_real_one() {
        assert_eq!(
            sentence("idle-timeuot=5"),
            "unknown option 'idle-timeuot' (did you mean idle_timeout?): `pop3fs --help` lists them"
        );
        assert_eq!(
            sentence("qqq"),
            "unknown option 'qqq': `pop3fs --help` lists them"
        );
        assert_eq!(nearest("alow_other"), Some("allow_other"));
        assert_eq!(nearest("tsl"), Some("tls"));
    }

    #[test]
    fn the_value_of_an_unknown_option_is_not_repeated() {
        let sentence = sentence("password=hunter2");
        assert!(sentence.contains("unknown option 'password'"), "{sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }

    #[test]
    fn a_value_out_of_range_is_answered_with_the_range() {
        for (list, expected) in [
            (
                "timeout=0",
                "invalid value '0' for timeout: expected 1s to 1h",
            ),
            (
                "timeout=2h",
                "invalid value '2h' for timeout: expected 1s to 1h",
            ),
            (
                "refresh=500ms",
                "invalid value '500ms' for refresh: expected 1s to 1day",
            ),
            (
                "memory=1K",
                "invalid value '1K' for memory: expected 1M to 1T",
            ),
            (
                "tls=yes",
                "invalid value 'yes' for tls: expected implicit, starttls or off",
            ),
            (
                "pipeline=0",
                "invalid value '0' for pipeline: expected auto, off or 1 to 65535",
            ),
            ("eol=cr", "invalid value 'cr' for eol: expected crlf or lf"),
            (
                "poll=on",
                "invalid value 'on' for poll: expected auto or off",
            ),
            (
                "max_delete=-1",
                "invalid value '-1' for max_delete: expected off or 0 to 1000000",
            ),
            (
                "uid=4294967295",
                "invalid value '4294967295' for uid: expected 0 to 4294967294",
            ),
            ("ca_file=", "invalid value '' for ca_file: expected a path"),
            (
                "tls_pin=md5:00",
                "invalid value 'md5:00' for tls_pin: expected sha256: and 64 hexadecimal digits (colons between them are \
                 fine) or 44 characters of base64",
            ),
            (
                "password_command= ",
                "invalid value ' ' for password_command: expected a command",
            ),
            ("ro=1", "option ro takes no value: write ro alone"),
            ("timeout", "option timeout needs a value: timeout=TIME"),
        ] {
            assert_eq!(sentence(list), expected);
        }
    }

    #[test]
    fn a_mirror_needs_the_cache() {
        assert_eq!(parse("mirror").unwrap().mirroring, Mirroring::All);
        assert!(sentence("mirror,cache=off").contains("leave out one of them"));
    }

    #[test]
    fn an_offline_mount_needs_the_cache() {
        assert_eq!(parse("offline=auto").unwrap().offline, OfflineMode::Auto);
        assert!(sentence("offline=auto,cache=off").contains("leave out one of them"));
        assert!(parse("offline=auto,cache=off,offline=no").is_ok());
        let unknown = "invalid value 'on' for offline: expected auto or no";
        assert_eq!(sentence("offline=on"), unknown);
    }

    #[test]
    fn the_cache_folder_is_the_named_one() {
        let named = parse("cache_dir=/c").unwrap();
        assert_eq!(named.cache_folder(), Some("/c".into()));
    }
}
