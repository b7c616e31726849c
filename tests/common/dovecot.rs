//! Dovecot's POP3 server on loopback: 2.3, as in Debian 12, or 2.4, as in Debian 13, whose settings
//! have other names.

mod since_2_4;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::unistd::{Gid, Group, Uid, User};
use tempfile::TempDir;

use super::command::stdout_of;
use super::launch::{
    Launched, free_port, give_to_mail_owner, is_root, launch, mail_owner, program, server_folder,
};
use super::maildir::Maildir;
use super::mbox::Mbox;
use super::tls::{Certificate, Identity};
use super::token;

/// How Dovecot keeps the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    /// A Maildir: every message has a unique-id of its own.
    #[default]
    Maildir,
    /// An mbox whose unique-ids are digests: equal messages share one.
    MboxWithEqualUidls,
}

/// Settings of a Dovecot. The default is a Maildir, no TLS and any number of sessions at once.
#[derive(Debug, Clone, Default)]
pub struct DovecotOptions {
    /// How the messages are kept.
    pub store: Store,
    /// Another password than [`Dovecot::PASSWORD`], in any octets.
    pub password: Option<Vec<u8>>,
    /// Offer STLS on the plain port and TLS from the first byte on another, with this certificate.
    pub tls: Option<Certificate>,
    /// Offer TLS from the first octet also on port 995 of this address.
    pub secure_address: Option<String>,
    /// Make a unique-id of the message's id in hexadecimal digits, between these texts.
    pub uidl_around_id: Option<[&'static str; 2]>,
    /// Demand a client certificate of the authority that signed the server's.
    pub demand_client_certificate: bool,
    /// Allow only one session at a time (`pop3_lock_session`).
    pub lock_session: bool,
    /// The SASL mechanisms besides PLAIN, in lower case; APOP is one of Dovecot's.
    pub mechanisms: &'static [&'static str],
    /// More lines for the configuration.
    pub extra: String,
}

/// A running Dovecot. It accepts any user name with [`Dovecot::PASSWORD`]; all users share one
/// maildrop.
#[derive(Debug)]
pub struct Dovecot {
    launched: Launched,
    mail: MailStore,
    tls_port: u16,
    identity: Option<Identity>,
    folder: TempDir,
}

#[derive(Debug)]
enum MailStore {
    Maildir(Maildir),
    Mbox(Mbox),
}

impl Dovecot {
    /// The user name that most tests use.
    pub const USER: &str = "alice";
    /// The password of every user.
    pub const PASSWORD: &str = "secret";
    /// The password mechanisms that Dovecot has besides PLAIN.
    pub const PASSWORD_MECHANISMS: &[&str] =
        &["login", "cram-md5", "apop", "scram-sha-1", "scram-sha-256"];
    /// The token mechanisms; Dovecot accepts any [`super::token`] of [`Dovecot::USER`].
    pub const TOKEN_MECHANISMS: &[&str] = &["xoauth2", "oauthbearer"];

    /// Starts a Dovecot whose maildrop holds the messages, which are given with CRLF line ends.
    pub fn start(messages: &[Vec<u8>], options: &DovecotOptions) -> Self {
        program(&["/usr/lib/dovecot/pop3"], "dovecot-pop3d");
        let dovecot = program(&["/usr/sbin/dovecot"], "dovecot-core");
        let version = Version::of(&dovecot);
        let folder = server_folder();
        let mail = MailStore::create(options.store, folder.path(), messages);
        let identity = options
            .tls
            .map(|certificate| certificate.issue(folder.path()));
        let tls_port = free_port();
        let launched = launch(&folder.path().join("output"), |port| {
            let configuration = Configuration {
                folder: folder.path(),
                port,
                tls_port,
                identity: identity.as_ref(),
                version,
                options,
            };
            configuration.write_token_key();
            let path = folder.path().join("dovecot.conf");
            fs::write(&path, configuration.text()).expect("dovecot.conf");
            let mut command = Command::new(&dovecot);
            command.arg("-F").arg("-c").arg(path).stdin(Stdio::null());
            command
        });
        Self {
            launched,
            mail,
            tls_port,
            identity,
            folder,
        }
    }

    /// The port of plain POP3, with STLS where a certificate was asked for.
    pub fn port(&self) -> u16 {
        self.launched.port
    }

    /// The port of TLS from the first byte; Dovecot listens there only if it has a certificate.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// `pop://alice@127.0.0.1:PORT`; needs `tls=off` unless a certificate was asked for.
    pub fn source(&self) -> String {
        format!("pop://{}@127.0.0.1:{}", Self::USER, self.port())
    }

    /// `pops://alice@localhost:PORT`.
    pub fn tls_source(&self) -> String {
        format!("pops://{}@localhost:{}", Self::USER, self.tls_port)
    }

    /// The file of the authority that signed the certificate. Panics without TLS.
    pub fn ca_file(&self) -> &Path {
        &self.identity().authority
    }

    /// The server's certificate and key. Panics without TLS.
    pub fn identity(&self) -> &Identity {
        self.identity.as_ref().expect("a Dovecot with TLS")
    }

    /// The messages on disk now, in maildrop order and with CRLF line ends. An mbox shows Dovecot's
    /// own headers too.
    pub fn messages_left(&self) -> Vec<Vec<u8>> {
        match &self.mail {
            MailStore::Maildir(maildir) => maildir.messages(),
            MailStore::Mbox(mbox) => mbox.messages(),
        }
    }

    /// Puts one more message into the maildrop, for the next session to see.
    pub fn deliver(&mut self, message: &[u8]) {
        match &mut self.mail {
            MailStore::Maildir(maildir) => maildir.deliver(message),
            MailStore::Mbox(mbox) => mbox.deliver(message),
        }
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.launched.processes.pause();
    }

    /// Ends [`Dovecot::pause`].
    pub fn resume(&self) {
        self.launched.processes.resume();
    }

    /// Kills every process of the server. The mail stays readable by [`Dovecot::messages_left`].
    pub fn stop(&mut self) {
        self.launched.processes.kill();
    }

    /// The lines of Dovecot's log so far about successful logins.
    pub fn logins(&self) -> Vec<String> {
        // Until Dovecot 2.3, and since 2.4.
        let words = ["Login: ", "Logged in: "];
        let is_login = |line: &&str| words.iter().any(|word| line.contains(word));
        let log = self.log();
        log.lines().filter(is_login).map(str::to_owned).collect()
    }

    /// Dovecot's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).expect("Dovecot's log")
    }
}

impl MailStore {
    fn create(store: Store, folder: &Path, messages: &[Vec<u8>]) -> Self {
        match store {
            Store::Maildir => Self::Maildir(Maildir::create(folder.join("Maildir"), messages)),
            Store::MboxWithEqualUidls => {
                let spool = spool(folder);
                fs::create_dir(&spool).expect("a spool folder");
                give_to_mail_owner(&spool);
                Self::Mbox(Mbox::create(spool.join("inbox"), messages))
            }
        }
    }
}

/// The folder of the mbox. The mail's owner may write there because mbox locks are files beside it.
fn spool(folder: &Path) -> PathBuf {
    folder.join("spool")
}

/// Which names the settings have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Until2_3,
    Since2_4,
}

impl Version {
    fn of(dovecot: &Path) -> Self {
        let program = dovecot.to_str().expect("a path in ASCII");
        match stdout_of(&[program, "--version"]).starts_with("2.3.") {
            true => Self::Until2_3,
            false => Self::Since2_4,
        }
    }
}

struct Configuration<'a> {
    folder: &'a Path,
    port: u16,
    tls_port: u16,
    identity: Option<&'a Identity>,
    version: Version,
    options: &'a DovecotOptions,
}

impl Configuration<'_> {
    fn text(&self) -> String {
        let of_the_version = match self.version {
            Version::Until2_3 => [
                self.base(),
                self.mechanisms(),
                self.mail_location(),
                self.certificates(),
            ],
            Version::Since2_4 => self.since_2_4(),
        };
        [
            of_the_version.join("\n"),
            self.login_service(),
            self.uidl_format(),
            self.without_root(),
            self.lock_session(),
            self.options.extra.clone(),
        ]
        .join("\n")
    }

    fn base(&self) -> String {
        let folder = self.folder.display();
        let (uid, gid) = mail_owner();
        format!(
            "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = /dev/stderr\nprotocols = pop3\n\
             listen = 127.0.0.1\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\n\
             mail_max_userip_connections = 1000\n\
             userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={folder}/home\n}}\n"
        )
    }

    /// Dovecot asks the first passdb that allows the mechanism, so each passdb lists its
    /// mechanisms.
    fn mechanisms(&self) -> String {
        let folder = self.folder.display();
        let password = self.password();
        let (tokens, passwords) = self.mechanism_names();
        let database_of_tokens = if tokens.is_empty() {
            String::new()
        } else {
            format!(
                "passdb {{\n driver = oauth2\n mechanisms = {tokens}\n args = {folder}/oauth.conf.ext\n}}\n"
            )
        };
        format!(
            "auth_mechanisms = {passwords} {tokens}\n{database_of_tokens}\
             passdb {{\n driver = static\n mechanisms = {passwords}\n args = password={password}\n}}"
        )
    }

    /// As Dovecot stores it.
    fn password(&self) -> String {
        let default = || Dovecot::PASSWORD.as_bytes().to_vec();
        let octets = self.options.password.clone().unwrap_or_else(default);
        format!("{{PLAIN.b64}}{}", STANDARD.encode(octets))
    }

    /// The mechanisms that take a token, and those that take a password.
    fn mechanism_names(&self) -> (String, String) {
        let (tokens, passwords): (Vec<&str>, Vec<&str>) = ["plain"]
            .into_iter()
            .chain(self.options.mechanisms.iter().copied())
            .partition(|name| Dovecot::TOKEN_MECHANISMS.contains(name));
        (tokens.join(" "), passwords.join(" "))
    }

    /// Writes the key with which Dovecot checks token signatures locally.
    fn write_token_key(&self) {
        let folder = self.folder.display();
        let settings = format!(
            "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={folder}/keys/\n\
             username_attribute = sub\n"
        );
        fs::write(self.folder.join("oauth.conf.ext"), settings).expect("oauth.conf.ext");
        let keys = self.folder.join("keys/default/HS256");
        fs::create_dir_all(&keys).expect("a folder for keys");
        fs::write(keys.join("default"), STANDARD.encode(token::KEY)).expect("a key");
    }

    fn mail_location(&self) -> String {
        let spool = spool(self.folder);
        match self.options.store {
            Store::Maildir => format!("mail_location = maildir:{}/Maildir", self.folder.display()),
            Store::MboxWithEqualUidls => format!(
                "mail_location = mbox:{0}/folders:INBOX={0}/inbox\npop3_uidl_format = %g",
                spool.display()
            ),
        }
    }

    fn certificates(&self) -> String {
        let Some(identity) = self.identity else {
            return "ssl = no".to_owned();
        };
        let demand = match self.options.demand_client_certificate {
            false => String::new(),
            true => format!(
                "ssl_ca = <{}\nssl_require_crl = no\nssl_verify_client_cert = yes\n\
                 auth_ssl_require_client_cert = yes\n",
                identity.authority.display()
            ),
        };
        format!(
            "ssl = yes\nssl_cert = <{}\nssl_key = <{}\n{demand}",
            identity.certificate.display(),
            identity.key.display()
        )
    }

    fn login_service(&self) -> String {
        let chroot = if is_root() { "" } else { "chroot =" };
        let plain = format!("inet_listener pop3 {{\n port = {}\n}}", self.port);
        let secure = match self.identity {
            None => String::new(),
            Some(_) => format!(
                "inet_listener pop3s {{\n port = {}\n ssl = yes\n}}",
                self.tls_port
            ),
        };
        let address = match self.version {
            Version::Until2_3 => "address",
            Version::Since2_4 => "listen",
        };
        let other = self.options.secure_address.as_ref().map(|host| {
            format!("inet_listener other {{\n {address} = {host}\n port = 995\n ssl = yes\n}}")
        });
        let other = other.unwrap_or_default();
        format!("service pop3-login {{\n{chroot}\n{plain}\n{secure}\n{other}\n}}")
    }

    fn uidl_format(&self) -> String {
        let hexadecimal = match self.version {
            Version::Until2_3 => "%Xu",
            Version::Since2_4 => "%{uid | hex}",
        };
        match self.options.uidl_around_id {
            None => String::new(),
            Some([before, after]) => format!("pop3_uidl_format = {before}{hexadecimal}{after}"),
        }
    }

    /// Without root, all of Dovecot runs as the test's own user and cannot call chroot.
    fn without_root(&self) -> String {
        if is_root() {
            return String::new();
        }
        let (user, group) = (own_user_name(), own_group_name());
        format!(
            "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n\
             service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}"
        )
    }

    fn lock_session(&self) -> String {
        let switch = if self.options.lock_session {
            "yes"
        } else {
            "no"
        };
        format!("pop3_lock_session = {switch}")
    }
}

fn own_user_name() -> String {
    let user = User::from_uid(Uid::current()).expect("the user database");
    user.expect("our own user name").name
}

fn own_group_name() -> String {
    let group = Group::from_gid(Gid::current()).expect("the group database");
    group.expect("our own group name").name
}
