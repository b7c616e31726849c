//! Mail proxies in front of another server: nginx and perdition on loopback.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::unistd::{Gid, Group, Uid, User};
use tempfile::TempDir;

use super::launch::{Launched, free_port, launch, mail_owner, program, server_folder};
use super::scripted::{Peer, Scripted};

/// A running nginx that leads each login to a port of this machine.
#[derive(Debug)]
pub struct Nginx {
    launched: Launched,
    backend: Arc<AtomicU16>,
    // nginx asks it where a login leads.
    _auth: Scripted,
    // Removed after the processes have gone.
    _folder: TempDir,
}

/// A running perdition that leads each login to one port of this machine.
#[derive(Debug)]
pub struct Perdition {
    launched: Launched,
    _folder: TempDir,
}

impl Nginx {
    /// Starts an nginx in front of the server on this port.
    pub fn before(backend: u16) -> Self {
        let nginx = program(&["/usr/sbin/nginx"], "nginx-light");
        let module = "/usr/lib/nginx/modules/ngx_mail_module.so";
        program(&[module], "libnginx-mod-mail");
        let folder = server_folder();
        let backend = Arc::new(AtomicU16::new(backend));
        let auth = {
            let backend = Arc::clone(&backend);
            Scripted::start(move |peer| lead(peer, backend.load(Ordering::SeqCst)))
        };
        let launched = launch(&folder.path().join("output"), |port| {
            let path = folder.path().join("nginx.conf");
            let text = format!(
                "load_module {module};\n\
                 daemon off;\n\
                 master_process off;\n\
                 pid {folder}/pid;\n\
                 error_log stderr;\n\
                 events {{}}\n\
                 mail {{\n\
                   server_name localhost;\n\
                   auth_http 127.0.0.1:{auth}/;\n\
                   server {{ listen 127.0.0.1:{port}; protocol pop3; pop3_auth plain; }}\n\
                 }}\n",
                folder = folder.path().display(),
                auth = auth.port(),
            );
            fs::write(&path, text).expect("nginx.conf");
            let mut command = Command::new(&nginx);
            command.arg("-c").arg(path).arg("-p").arg(folder.path());
            command.stdin(Stdio::null());
            command
        });
        Self {
            launched,
            backend,
            _auth: auth,
            _folder: folder,
        }
    }

    /// Leads later logins to this port.
    pub fn lead_to(&self, backend: u16) {
        self.backend.store(backend, Ordering::SeqCst);
    }

    /// `pop://alice@127.0.0.1:PORT`; needs `tls=off`.
    pub fn source(&self) -> String {
        format!("pop://alice@127.0.0.1:{}", self.launched.port)
    }
}

impl Perdition {
    /// Starts a perdition in front of the server on this port.
    pub fn before(backend: u16) -> Self {
        let perdition = program(&["/usr/sbin/perdition.pop3"], "perdition");
        let folder = server_folder();
        let (user, group) = owner_names();
        let launched = launch(&folder.path().join("output"), |port| {
            let mut command = Command::new(&perdition);
            command
                .args(["--no_daemon", "--no_lookup", "--bind_address", "127.0.0.1"])
                .args(["--listen_port", &port.to_string()])
                .args(["--outgoing_server", "127.0.0.1"])
                .args(["--outgoing_port", &backend.to_string()])
                .args(["--username", &user, "--group", &group])
                .args(["--config_file", "/dev/null", "--map_library", ""])
                .args(["--log_facility", "+", "--pid_file", ""])
                .stdin(Stdio::null());
            command
        });
        Self {
            launched,
            _folder: folder,
        }
    }

    /// `pop://alice@127.0.0.1:PORT`; needs `tls=off`.
    pub fn source(&self) -> String {
        format!("pop://alice@127.0.0.1:{}", self.launched.port)
    }
}

/// A port on which nothing listens.
pub fn closed_port() -> u16 {
    free_port()
}

/// Answers one request of nginx's mail module.
fn lead(peer: &mut Peer, backend: u16) -> io::Result<()> {
    while peer.read_line()?.is_some_and(|line| !line.is_empty()) {}
    let reply = format!(
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: {backend}\r\n\r\n"
    );
    peer.send(reply.as_bytes())
}

/// The names of the user and the group that own the mail.
fn owner_names() -> (String, String) {
    let (user, group) = mail_owner();
    let user = User::from_uid(Uid::from_raw(user)).expect("the users");
    let group = Group::from_gid(Gid::from_raw(group)).expect("the groups");
    (user.expect("a user").name, group.expect("a group").name)
}
