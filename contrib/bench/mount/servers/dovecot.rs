//! Dovecot's POP3 server on loopback, with its index warm.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Group as UnixGroup, Uid, User};

use super::{PASSWORD, is_root, mail_ids};
use crate::maildrop::Maildrop;
use crate::raw::RawSession;
use crate::started::{Folder, Group, Role};

/// How long it may take to greet.
const STARTING: Duration = Duration::from_secs(20);

/// A running Dovecot; any user name is right.
#[derive(Debug)]
pub(crate) struct Dovecot {
    port: u16,
    // The processes go before the folder with their sockets.
    _processes: Group,
    _folder: Folder,
}

impl Dovecot {
    /// Serves the maildrop, whose sizes and unique-ids it has in its index when this returns.
    pub(crate) fn serve(maildrop: &Maildrop) -> Result<Self> {
        // Short, since the path of a socket has 108 octets at most.
        let folder = Folder::create(&std::env::temp_dir())?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let port = free_port()?;
        let configuration = folder.path().join("dovecot.conf");
        fs::write(
            &configuration,
            configure(folder.path(), port, &maildrop.maildir())?,
        )?;
        let log = folder.path().join("log");
        let output = File::create(&log)?;
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(&configuration);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let mut processes = Group::start(&mut command, Role::Server)?;
        await_greeting(&mut processes, port)
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        let dovecot = Self {
            port,
            _processes: processes,
            _folder: folder,
        };
        dovecot.warm(maildrop.messages())?;
        Ok(dovecot)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first listing reads every message for its size.
    fn warm(&self, messages: u32) -> Result<()> {
        let mut session = RawSession::open(self.port)?;
        ensure!(
            session.messages() == messages,
            "Dovecot has {} messages instead of {messages}",
            session.messages()
        );
        session.listing()?;
        session.quit()
    }
}

fn configure(folder: &Path, port: u16, maildir: &Path) -> Result<String> {
    let (uid, gid) = mail_ids();
    let folder = folder.display();
    let maildir = maildir.display();
    // Without root it runs as one user throughout and cannot change its root directory.
    let (login, others) = if is_root() {
        ("", String::new())
    } else {
        ("chroot =", without_root()?)
    };
    Ok(format!(
        "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = /dev/stderr\nprotocols = pop3\n\
         listen = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\n\
         mail_max_userip_connections = 100\nmail_location = maildir:{maildir}\n\
         service pop3-login {{\n{login}\ninet_listener pop3 {{\n port = {port}\n}}\n}}\n\
         passdb {{\n driver = static\n args = password={PASSWORD}\n}}\n\
         userdb {{\n driver = static\n args = uid={uid} gid={gid} home={folder}/home\n}}\n{others}"
    ))
}

fn without_root() -> Result<String> {
    let user = User::from_uid(Uid::current())?
        .context("no name for our user")?
        .name;
    let group = UnixGroup::from_gid(Gid::current())?
        .context("no name for our group")?
        .name;
    Ok(format!(
        "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n\
         service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n"
    ))
}

/// A port of loopback that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn await_greeting(processes: &mut Group, port: u16) -> Result<()> {
    let deadline = Instant::now() + STARTING;
    while !greets(port) {
        ensure!(processes.ended()?.is_none(), "Dovecot ended");
        ensure!(Instant::now() < deadline, "Dovecot does not greet");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let mut line = String::new();
    let limited = stream.set_read_timeout(Some(STARTING));
    limited.is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("+OK")
}
