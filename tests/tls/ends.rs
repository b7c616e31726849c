//! The end of a connection under TLS, without the alert that announces it (RFC 8446 section 6.1):
//! many servers send none.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use native_tls::{Identity, TlsAcceptor, TlsStream};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::{TempDir, tempdir};

use crate::common::{Certificate, Liar, Mount, Reply, Scripted, corpus};

/// The longest record of TLS.
const RECORD: usize = 16 * 1024;

/// TLS in front of a server in clear. Where that closes, the client sees the end of the stream, and
/// no alert.
struct Front {
    server: Scripted,
    folder: TempDir,
}

impl Front {
    fn of(liar: &Liar) -> Self {
        let folder = tempdir().expect("a folder");
        let files = Certificate::Good.issue(folder.path());
        let read = |path| fs::read(path).expect("a file of the identity");
        let identity = Identity::from_pkcs8(&read(&files.certificate), &read(&files.key));
        let acceptor = TlsAcceptor::new(identity.expect("an identity")).expect("a server of TLS");
        let port = liar.port();
        let server = Scripted::start(move |peer| {
            let client = acceptor.accept(peer.socket()?).map_err(io::Error::other)?;
            relay(client, TcpStream::connect(("127.0.0.1", port))?)
        });
        Self { server, folder }
    }

    fn mounted(&self) -> Mount {
        let source = format!("pops://{}@localhost:{}", Liar::USER, self.server.port());
        let authority = format!("ca_file={}/ca.pem", self.folder.path().display());
        Mount::new(&source, &[&authority])
    }
}

/// Until either closes.
fn relay(mut client: TlsStream<TcpStream>, mut server: TcpStream) -> io::Result<()> {
    let mut octets = [0; RECORD];
    loop {
        let [from_client, from_server] = readable([client.get_ref(), &server])?;
        if from_client {
            match client.read(&mut octets)? {
                0 => return Ok(()),
                read => server.write_all(&octets[..read])?,
            }
        }
        if from_server {
            match server.read(&mut octets)? {
                0 => return Ok(()),
                read => client.write_all(&octets[..read])?,
            }
        }
    }
}

fn readable(sockets: [&TcpStream; 2]) -> io::Result<[bool; 2]> {
    let mut fds = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
    poll(&mut fds, PollTimeout::NONE)?;
    Ok(fds.map(|fd| fd.any() == Some(true)))
}

#[test]
fn a_server_that_closes_the_connection_on_capa_is_tried_without_it_under_tls_too() {
    let messages = corpus::realistic(34, 2);
    let liar = Liar::start(&messages);
    liar.on("CAPA", Reply::Close);
    let front = Front::of(&liar);
    let mount = front.mounted();
    assert_eq!(
        fs::read(mount.join("liar-1.eml")).expect("a message"),
        messages[0]
    );
    assert_eq!((liar.count("CAPA"), liar.count("PASS")), (1, 1));
}

#[test]
fn a_body_that_ends_with_the_connection_is_an_error_under_tls_too() {
    let message = corpus::large(40_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    let front = Front::of(&liar);
    let mount = front.mounted();
    let half = [b"+OK\r\n", &message[..20_000]].concat();
    liar.on("RETR", Reply::RawThenClose(half));
    let refused = fs::read(mount.join("liar-1.eml")).expect_err("half a message");
    assert_eq!(refused.raw_os_error(), Some(Errno::EIO as i32));
    liar.behave("RETR");
    assert_eq!(
        fs::read(mount.join("liar-1.eml")).expect("a message"),
        message
    );
}
