//! `umount`, `commit`, `restore` and `status` of a mount, and where nothing is mounted.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::common::{Certificate, Dovecot, DovecotOptions, Mount, Reply, eventually, run};
use crate::{Ground, assert_says, in_clear, liar, sentence, stderr, stdout};

#[test]
fn status_tells_people_how_the_mount_stands() {
    let liar = liar(3);
    let mount = in_clear(&liar.source());
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    fs::read(mount.join("liar-1.eml")).expect("a message");
    let output = mount.subcommand(&["status", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    let first = format!(
        "{} on {} (process {})\n",
        liar.source(),
        mount.arg(),
        mount.pid()
    );
    assert!(shown.starts_with(&first), "{shown}");
    assert_says(
        &shown,
        &[
            "2 messages",
            "open, in the clear",
            "1 deletion",
            "liar-2.eml",
        ],
    );
}

#[test]
fn status_tells_programs_the_same() {
    let liar = liar(3);
    let mount = in_clear(&liar.source());
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    let octets = fs::read(mount.join("liar-1.eml")).expect("a message").len();
    let status = mount.status();
    assert_eq!(status["source"], liar.source());
    assert_eq!(status["mountpoint"], mount.arg());
    assert_eq!(status["pid"], mount.pid().as_raw());
    assert_eq!(status["messages"], 2);
    assert_eq!(status["session"], "open");
    assert_eq!(status["pending"], serde_json::json!(["liar-2.eml"]));
    assert_eq!(status["cached"]["messages"], 1);
    assert_eq!(status["cached"]["octets"], octets);
}

#[test]
fn status_tells_of_the_session_and_the_cache() {
    let liar = liar(3);
    let mount = in_clear(&liar.source());
    let path = mount.join("liar-1.eml");
    let octets = fs::read(&path).expect("a message").len();
    fs::read(&path).expect("a message");
    let status = mount.status();
    assert_eq!(status["login"], "USER and PASS");
    let capabilities = status["capabilities"].as_str().expect("capabilities");
    assert!(capabilities.contains("TOP, UIDL"), "{capabilities}");
    assert_eq!(status["in_flight"], 0);
    assert_eq!(status["opens"], serde_json::json!({"total": 2, "hits": 1}));
    assert_eq!(status["disk"]["limit"], 1 << 30);
    assert!(
        status["disk"]["octets"].as_u64() >= Some(octets as u64),
        "{status}"
    );
    for nothing in ["held", "last_commit", "last_error"] {
        assert!(status[nothing].is_null(), "{status}");
    }
}

#[test]
fn status_tells_of_the_last_commit_and_the_last_error() {
    let liar = liar(12);
    liar.on("RETR", Reply::Err("corrupt"));
    liar.on("DELE 1", Reply::Err("protected"));
    let mount = in_clear(&liar.source());
    for serial in 1..=2 {
        fs::remove_file(mount.join(format!("liar-{serial}.eml"))).expect("to remove a file");
    }
    assert!(!run(&["sync", mount.arg()]).status.success());
    fs::read(mount.join("liar-3.eml")).expect_err("a corrupt message");
    for serial in 1..=12 {
        // The second mount is gone.
        let _ = fs::remove_file(mount.join(format!("liar-{serial}.eml")));
    }
    let status = mount.status();
    assert_eq!(status["last_commit"]["failed"], true);
    let lines = status["last_commit"]["lines"].to_string();
    assert_says(
        &lines,
        &["1 message deleted", "liar-1.eml is still on the server"],
    );
    let error = status["last_error"]["lines"].to_string();
    assert_says(&error, &["refused RETR", "corrupt"]);
    let held = status["held"].as_str().expect("a sentence");
    assert_says(
        held,
        &["11 messages were removed by programs that had not read them"],
    );
    let shown = stdout(&mount.subcommand(&["status", mount.arg()]));
    assert_says(
        &shown,
        &["last commit", "last error", "held back", "commit --yes"],
    );
}

#[test]
fn status_tells_that_the_session_is_protected() {
    let options = DovecotOptions {
        tls: Some(Certificate::Good),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&[], &options);
    let authority = format!("ca_file={}", dovecot.ca_file().display());
    let starttls = dovecot.source().replace("127.0.0.1", "localhost");
    for source in [dovecot.tls_source(), starttls] {
        let mount = Mount::new(&source, &[&authority]);
        let output = mount.subcommand(&["status", mount.arg()]);
        assert_says(&stdout(&output), &["open, TLSv1.3, login by PLAIN"]);
    }
}

#[test]
fn a_directory_that_is_no_mount_is_refused_with_a_sentence() {
    let ground = Ground::new();
    for command in ["umount", "commit", "restore", "status"] {
        let said = sentence(&ground.pop3fs(&[command, ground.dir()]));
        assert_says(&said, &["nothing is mounted at", ground.dir(), "findmnt"]);
        let said = sentence(&ground.pop3fs(&[command, "/proc"]));
        assert_says(&said, &["/proc is a mount of type proc"]);
        let missing = format!("{}/missing/dir", ground.dir());
        assert_says(&sentence(&ground.pop3fs(&[command, &missing])), &[&missing]);
    }
}

#[test]
fn a_mount_whose_daemon_was_killed_is_named_with_the_remedy() {
    let liar = liar(3);
    let mut mount = in_clear(&liar.source());
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    mount.signal(Signal::SIGKILL);
    mount.wait();
    for command in ["umount", "commit", "status"] {
        let said = sentence(&mount.subcommand(&[command, mount.arg()]));
        assert_says(&said, &["is gone", "umount -l"]);
    }
    let mut second = mount.subcommand_line(&["-o", "tls=off", &liar.source(), mount.arg()]);
    second.env("POP3FS_PASSWORD", "secret");
    let said = sentence(&crate::common::output_within(crate::LIMIT, &mut second));
    assert_says(&said, &["is already mounted", "umount -l"]);
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn the_mount_is_found_through_a_symbolic_link() {
    let (ground, liar) = (Ground::new(), liar(3));
    let mount = in_clear(&liar.source());
    let link = ground.0.folder().join("link");
    std::os::unix::fs::symlink(mount.path(), &link).expect("a link");
    let output = mount.subcommand(&["status", link.to_str().expect("a path in ASCII")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// logind removes the folder at the last log-out of a user. A mount from fstab outlives it.
#[test]
fn a_daemon_makes_its_removed_socket_folder_again() {
    let liar = liar(3);
    let mut mount = in_clear(&liar.source());
    // The mount table shows a mount before its daemon listens.
    mount.status();
    let sockets = mount.cache_dir().with_file_name("run").join("pop3fs");
    fs::remove_dir_all(&sockets).expect("to remove a folder");
    eventually("the daemon's new socket", || {
        let output = mount.subcommand(&["status", mount.arg()]);
        output.status.success().then_some(())
    });
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    let output = mount.umount();
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    mount.wait();
    assert_eq!(fs::read_dir(&sockets).expect("the folder").count(), 0);
}

#[test]
fn a_request_of_another_version_is_answered_with_the_remedy() {
    let liar = liar(1);
    let mount = in_clear(&liar.source());
    mount.status();
    let sockets = mount.cache_dir().with_file_name("run").join("pop3fs");
    let mut sockets = fs::read_dir(sockets).expect("a folder");
    let socket = sockets.next().expect("a socket").expect("an entry");
    let mut client = UnixStream::connect(socket.path()).expect("a connection");
    client
        .write_all(b"{\"request\":\"unheard of\"}\n")
        .expect("a request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    let words = "the pop3fs that serves this mount is of another version and does not know the request: use its own program, or unmount and mount again";
    assert_says(&answer, &[words]);
}

#[test]
fn a_mount_point_that_is_not_utf8_has_a_status() {
    let (ground, liar) = (Ground::new(), liar(3));
    let script = "\
        dir=$(printf '%s/m\\344rz' \"$3\"); mkdir \"$dir\"; \"$1\" -o tls=off \"$2\" \"$dir\"; trap '\"$1\" umount \"$dir\"' EXIT; \
        \"$1\" status \"$dir\" | grep -c pending; \"$1\" status --json \"$dir\" | grep -o '\"mountpoint\":\"[^\"]*\"'";
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let output = ground.in_a_namespace(script, &[&liar.source(), folder]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = format!("1\n\"mountpoint\":\"{folder}/m\u{fffd}rz\"\nnothing to delete\n");
    assert_eq!(stdout(&output), expected);
}
