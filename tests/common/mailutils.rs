//! GNU mailutils' POP3 server on loopback, over an mbox.
//!
//! A listener starts one server process a session, as inetd does. mailutils can listen itself, but
//! then version 3.19 never ends an idle session: it ignores `timeout`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::command::stdout_of;
use super::launch::{
    Launched, give_to_mail_owner, is_root, launch, mail_owner, program, server_folder,
};
use super::mbox::Mbox;

/// Settings of a mailutils server.
#[derive(Debug, Clone, Copy)]
pub struct MailutilsOptions {
    /// Seconds of silence after which the server ends a session with an unsolicited `-ERR` line.
    pub timeout: u32,
}

impl Default for MailutilsOptions {
    fn default() -> Self {
        Self { timeout: 600 }
    }
}

/// A running mailutils `pop3d` with one account. Its sizes change when UIDL runs, and it locks the
/// maildrop.
#[derive(Debug)]
pub struct Mailutils {
    launched: Launched,
    mbox: Mbox,
    // Removed after the processes have gone.
    _folder: TempDir,
}

impl Mailutils {
    /// The account's name.
    pub const USER: &str = "u1@test.example";
    /// The account's password.
    pub const PASSWORD: &str = "secret";

    /// Starts a server whose maildrop holds the messages, which are given with CRLF line ends.
    pub fn start(messages: &[Vec<u8>], options: MailutilsOptions) -> Self {
        let pop3d = program(&["/usr/sbin/pop3d"], "mailutils-pop3d");
        let listener = program(&["/usr/bin/systemd-socket-activate"], "systemd");
        assert!(
            is_root(),
            "mailutils' pop3d joins the group mail, so the tests need root"
        );
        let folder = server_folder();
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("a home folder");
        give_to_mail_owner(&home);
        let mbox = Mbox::create(home.join("INBOX"), messages);
        add_account(folder.path(), &home);
        let path = folder.path().join("pop3d.conf");
        fs::write(&path, configuration(folder.path(), options)).expect("pop3d.conf");
        let launched = launch(&folder.path().join("output"), |port| {
            let mut command = Command::new(&listener);
            command
                .args(["--accept", "--inetd"])
                .arg(format!("--listen=127.0.0.1:{port}"))
                .arg(&pop3d)
                .arg(format!("--config-file={}", path.display()))
                .stdin(Stdio::null());
            command
        });
        Self {
            launched,
            mbox,
            _folder: folder,
        }
    }

    /// The port of plain POP3.
    pub fn port(&self) -> u16 {
        self.launched.port
    }

    /// `pop://u1%40test.example@127.0.0.1:PORT`; needs `tls=off`.
    pub fn source(&self) -> String {
        format!(
            "pop://{}@127.0.0.1:{}",
            Self::USER.replace('@', "%40"),
            self.port()
        )
    }

    /// The messages on disk now, in maildrop order, with CRLF line ends and the headers that the
    /// server added.
    pub fn messages_left(&self) -> Vec<Vec<u8>> {
        self.mbox.messages()
    }

    /// Puts one more message into the maildrop. No session may be open.
    pub fn deliver(&mut self, message: &[u8]) {
        self.mbox.deliver(message);
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.launched.processes.pause();
    }

    /// Ends [`Mailutils::pause`].
    pub fn resume(&self) {
        self.launched.processes.resume();
    }

    /// Kills every process of the server. The mail stays readable by [`Mailutils::messages_left`].
    pub fn stop(&mut self) {
        self.launched.processes.kill();
    }
}

/// A virtual domain's password file: no system user is needed.
fn add_account(folder: &Path, home: &Path) {
    let domains = folder.join("domains");
    fs::create_dir(&domains).expect("a folder of domains");
    let digest = stdout_of(&["openssl", "passwd", "-6", Mailutils::PASSWORD]);
    let (uid, gid) = mail_owner();
    let (user, domain) = Mailutils::USER.split_once('@').expect("user@domain");
    let line = format!(
        "{user}:{}:{uid}:{gid}:x:{}:/bin/sh\n",
        digest.trim(),
        home.display()
    );
    fs::write(domains.join(domain), line).expect("a domain's password file");
}

fn configuration(folder: &Path, options: MailutilsOptions) -> String {
    let folder = folder.display();
    let timeout = options.timeout;
    format!(
        "mode inetd; timeout {timeout};\nlogging {{ syslog no; }};\ntcp-wrappers {{ enable no; }};\n\
         virtdomain {{ passwd-dir \"{folder}/domains\"; }};\n"
    )
}
