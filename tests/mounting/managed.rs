//! The messages to a service manager.

use std::os::unix::net::UnixDatagram;

use pop3fs::cli::Failure;

use crate::common::{Mount, MountBuilder, PATIENCE, Reply};
use crate::{Ground, liar};

/// The socket of a service manager, and a mount of three messages that it has started.
fn managed(ground: &Ground, source: &str) -> (UnixDatagram, Mount) {
    let path = ground.0.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mount = MountBuilder::new(source)
        .option("tls=off")
        .environment("NOTIFY_SOCKET", path.to_str().expect("a path in ASCII"))
        .mount();
    (socket, mount)
}

fn next(socket: &UnixDatagram) -> String {
    let mut datagram = [0; 4096];
    let length = socket.recv(&mut datagram).expect("a notification");
    String::from_utf8_lossy(&datagram[..length]).into_owned()
}

#[test]
fn systemd_is_told_of_the_mount_its_end_and_the_commit() {
    let (ground, liar) = (Ground::new(), liar(3));
    let (socket, mut mount) = managed(&ground, &liar.source());
    let expected = format!("READY=1\nSTATUS=3 messages of {}\n", liar.source());
    assert_eq!(next(&socket), expected);
    std::fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    mount.umount();
    mount.wait();
    assert_eq!(
        next(&socket),
        "STOPPING=1\nSTATUS=unmounted; deletions to commit: 1\n"
    );
    assert_eq!(next(&socket), "STATUS=1 message deleted on the server\n");
}

#[test]
fn a_failed_commit_is_the_last_status_and_the_exit_code() {
    let (ground, liar) = (Ground::new(), liar(3));
    let (socket, mut mount) = managed(&ground, &liar.source());
    std::fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    mount.umount();
    let status = mount.wait().status.expect("our child");
    assert_eq!(status.code(), Some(Failure::Uncommitted.status().into()));
    let (_ready, _stopping) = (next(&socket), next(&socket));
    let last = next(&socket);
    assert!(last.starts_with("STATUS=failed: "), "{last}");
    assert!(
        last.contains("liar-2.eml is still on the server: cannot write the maildrop"),
        "{last}"
    );
}

#[test]
fn a_mount_that_fails_is_never_ready() {
    let ground = Ground::new();
    let path = ground.0.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("a mode");
    let liar = liar(1);
    liar.once("PASS", Reply::Err("[AUTH] no"));
    MountBuilder::new(&liar.source())
        .option("tls=off")
        .environment("NOTIFY_SOCKET", path.to_str().expect("a path in ASCII"))
        .refused();
    assert!(socket.recv(&mut [0; 64]).is_err());
}
