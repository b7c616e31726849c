//! Servers that never finish a reply: every command ends, the message is true, and a second SIGTERM
//! ends the mount at once.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Background, Gate, Liar, Mount, Reply, eventually, output_within};
use crate::{liar, list_with_dates, mounted, name, remove, said};

/// Five timeouts of the mounts below, and time for a busy machine.
const IN_TIME: Duration = Duration::from_secs(22);
/// More than one timeout of a mount with `timeout=3s` or less, and less than three.
const ONE_TIMEOUT: Duration = Duration::from_secs(8);

/// 68 octets every 2.5 s: within a timeout of 3 s the server is never silent.
fn trickle(first: &str) -> Reply {
    Reply::Trickle {
        first: first.into(),
        piece: [&[b'x'; 66][..], b"\r\n"].concat(),
        pause: Duration::from_millis(2500),
    }
}

fn short() -> [&'static str; 2] {
    ["timeout=3s", "idle_timeout=600s"]
}

/// Message 1 trickles for ever to a reader, and message 3 was removed.
fn trickling_body() -> (Liar, Mount, Background) {
    read_while(|liar| liar.on("RETR 1", trickle("+OK\r\n")))
}

/// A program reads message 1, of which the server sends something else, and message 3 was removed.
fn read_while(misbehave: impl Fn(&Liar)) -> (Liar, Mount, Background) {
    let liar = liar(3);
    let mount = mounted(&liar, &short());
    list_with_dates(&mount);
    misbehave(&liar);
    let reader = Background::start(&[Path::new("cat"), &mount.join(name(1))]);
    liar.wait_for("RETR 1", 1);
    remove(&mount, &name(3));
    (liar, mount, reader)
}

#[test]
fn sigterm_ends_a_mount_whose_body_trickles() {
    let (liar, mut mount, reader) = trickling_body();
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    drop(reader);
    let is_deleted = !liar.left_serials().contains(&3);
    let is_success = ended.status.is_some_and(|status| status.success());
    assert_eq!(is_success, is_deleted, "{}", ended.stderr);
}

/// The mount's process must end soon after a second SIGTERM although its timeout is long.
fn assert_second_sigterm_ends(liar: &Liar, mount: &mut Mount, is_waiting: impl Fn() -> bool) {
    let all = liar.left_serials().len();
    mount.signal(Signal::SIGTERM);
    eventually("the mount to wait for the server", || {
        is_waiting().then_some(())
    });
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    assert_ne!(ended.status.and_then(|status| status.code()), Some(0));
    assert_eq!(liar.left_serials().len(), all, "{}", ended.stderr);
}

fn with_long_timeout() -> (Liar, Mount) {
    let liar = liar(3);
    let mount = mounted(&liar, &["timeout=150s"]);
    list_with_dates(&mount);
    remove(&mount, &name(2));
    (liar, mount)
}

#[test]
fn a_second_sigterm_ends_a_mount_that_waits_for_dele() {
    let (liar, mut mount) = with_long_timeout();
    let gate = Gate::new();
    liar.once("DELE", Reply::Held(gate.clone()));
    assert_second_sigterm_ends(&liar, &mut mount, || liar.count("DELE") > 0);
    gate.open();
    liar.server().wait_until_idle();
    assert_eq!(liar.left_serials().len(), 3);
}

#[test]
fn a_second_sigterm_ends_a_mount_that_waits_for_quit() {
    let (liar, mut mount) = with_long_timeout();
    liar.once("QUIT", Reply::Silent);
    assert_second_sigterm_ends(&liar, &mut mount, || liar.count("QUIT") > 0);
}

#[test]
fn a_second_sigterm_ends_a_mount_that_waits_for_the_login() {
    let (liar, mut mount) = with_long_timeout();
    liar.on("USER", Reply::Silent);
    let logins = liar.count("USER");
    crate::end_session(&liar);
    assert_second_sigterm_ends(&liar, &mut mount, || liar.count("USER") > logins);
}

#[test]
fn a_second_sigterm_ends_a_mount_whose_body_trickles() {
    let (liar, mut mount, reader) = trickling_body();
    mount.signal(Signal::SIGTERM);
    eventually("the mount point to be free", || {
        (!mount.is_mounted()).then_some(())
    });
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    drop(reader);
    // The commit may be over before the second signal arrives.
    let is_success = ended.status.is_some_and(|status| status.success());
    let is_deleted = liar.left_serials() == [1, 2];
    assert_eq!(is_success, is_deleted, "{}", ended.stderr);
}

/// `sync DIR` holds the kernel's lock of the directory, so it must give up after one timeout.
#[test]
fn sync_with_a_silent_quit_blocks_ls_for_one_timeout_at_most() {
    let liar = liar(9);
    let mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, &name(3));
    liar.on("QUIT", Reply::Silent);
    let sync = Background::start(&["sync", mount.arg()]);
    liar.wait_for("QUIT", 1);
    let ls = Background::start(&["ls", mount.arg()]);
    let output = ls.output_within(ONE_TIMEOUT);
    assert!(output.status.success(), "{output:?}");
    let (status, said) = said(&sync.output_within(IN_TIME));
    assert_ne!(status, Some(0), "{said}");
}

#[test]
fn sync_with_a_silent_dele_blocks_ls_for_one_timeout_at_most() {
    let liar = liar(9);
    let mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, &name(3));
    liar.on("DELE", Reply::Silent);
    let sync = Background::start(&["sync", mount.arg()]);
    liar.wait_for("DELE", 1);
    let ls = Background::start(&["ls", mount.arg()]);
    let output = ls.output_within(ONE_TIMEOUT);
    assert!(output.status.success(), "{output:?}");
    let (status, said) = said(&sync.output_within(IN_TIME));
    assert_ne!(status, Some(0), "{said}");
    assert_eq!(liar.left_serials().len(), 9);
}

#[test]
fn sync_with_a_silent_login_blocks_find_for_one_timeout_at_most() {
    let liar = liar(9);
    let mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, &name(3));
    liar.on("USER", Reply::Silent);
    let logins = liar.count("USER");
    crate::end_session(&liar);
    let sync = Background::start(&["sync", mount.arg()]);
    liar.wait_for("USER", logins + 1);
    let find = Background::start(&["find", mount.arg()]);
    let output = find.output_within(ONE_TIMEOUT);
    assert!(output.status.success(), "{output:?}");
    let (status, said) = said(&sync.output_within(IN_TIME));
    assert_ne!(status, Some(0), "{said}");
}

/// The lines of a listing, so that the server never sends a malformed one.
fn trickle_of_lines(line: &str) -> Reply {
    Reply::Trickle {
        first: b"+OK\r\n".to_vec(),
        piece: format!("{line}\r\n")
            .repeat(68 / (line.len() + 2))
            .into_bytes(),
        pause: Duration::from_millis(2500),
    }
}

/// The command must end in time; its message must be true.
fn assert_ends_truly(liar: &Liar, mount: &Mount, command: &str) {
    let mut line = mount.subcommand_line(&[command, mount.arg()]);
    let (status, said) = said(&output_within(IN_TIME, &mut line));
    let is_deleted = !liar.left_serials().contains(&3);
    assert_eq!(status == Some(0), is_deleted, "{said}");
    assert!(
        [1, 2]
            .iter()
            .all(|serial| liar.left_serials().contains(serial))
    );
}

#[test]
fn a_commit_ends_while_a_body_trickles() {
    let (liar, mount, _reader) = trickling_body();
    assert_ends_truly(&liar, &mount, "commit");
}

#[test]
fn a_body_that_keeps_a_commit_waiting_is_fetched_again_after_it() {
    let (liar, mount, reader) = read_while(|liar| liar.once("RETR 1", trickle("+OK\r\n")));
    let first = liar.left()[0].clone();
    let mut commit = mount.subcommand_line(&["commit", mount.arg()]);
    let (status, said) = said(&output_within(IN_TIME, &mut commit));
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(liar.left_serials(), [1, 2]);
    let read = reader.output_within(IN_TIME);
    assert!(read.status.success(), "{read:?}");
    assert!(read.stdout == first);
}

#[test]
fn an_umount_ends_after_a_body_trickled() {
    let (liar, mut mount, reader) = trickling_body();
    reader.signal(Signal::SIGKILL);
    reader.output_within(IN_TIME);
    assert_ends_truly(&liar, &mount, "umount");
    mount.wait();
}

#[test]
fn sync_ends_while_a_body_trickles() {
    let (liar, mount, _reader) = trickling_body();
    let sync = Background::start(&["sync", mount.arg()]);
    let (status, said) = said(&sync.output_within(IN_TIME));
    let is_deleted = !liar.left_serials().contains(&3);
    assert_eq!(status == Some(0), is_deleted, "{said}");
}

#[test]
fn another_reader_is_answered_while_a_body_trickles() {
    let (liar, mount, _reader) = trickling_body();
    let other = Background::start(&[Path::new("cat"), &mount.join(name(2))]);
    let output = other.output_within(IN_TIME);
    assert!(!output.status.success() || output.stdout == liar.left()[1]);
}

#[test]
fn the_reader_of_a_trickling_body_is_answered() {
    let (_liar, _mount, reader) = trickling_body();
    let output = reader.output_within(IN_TIME);
    assert!(!output.status.success());
}

/// A removed message is pending, and the next session gets no end of this reply.
fn assert_commands_end(command: &str, reply: &Reply) {
    for subcommand in ["commit", "umount"] {
        let liar = liar(3);
        let mount = mounted(&liar, &["timeout=3s"]);
        list_with_dates(&mount);
        remove(&mount, &name(3));
        liar.on(command, reply.clone());
        crate::end_session(&liar);
        assert_ends_truly(&liar, &mount, subcommand);
    }
}

#[test]
fn commands_end_though_uidl_trickles() {
    assert_commands_end("UIDL", &trickle_of_lines("1 liar-1"));
}

#[test]
fn commands_end_though_list_trickles() {
    assert_commands_end("LIST", &trickle_of_lines("1 100"));
}

#[test]
fn commands_end_though_capa_trickles() {
    assert_commands_end("CAPA", &trickle_of_lines("TOP"));
}

#[test]
fn commands_end_though_the_status_line_of_dele_trickles() {
    let endless = Reply::Trickle {
        first: b"+OK ".to_vec(),
        piece: vec![b'x'; 68],
        pause: Duration::from_millis(2500),
    };
    assert_commands_end("DELE", &endless);
}

#[test]
fn commands_end_though_the_status_line_of_quit_trickles() {
    let endless = Reply::Trickle {
        first: b"+OK ".to_vec(),
        piece: vec![b'x'; 68],
        pause: Duration::from_millis(2500),
    };
    assert_commands_end("QUIT", &endless);
}

/// The headers of one message never end, and a listing with dates waits for them.
#[test]
fn a_stat_ends_though_top_trickles() {
    let liar = liar(3);
    let mount = mounted(&liar, &short());
    liar.on("TOP 2 0", trickle("+OK\r\n"));
    let shown = Background::start(&["ls", "-l", mount.arg()]);
    shown.output_within(IN_TIME);
}

/// A new listing never ends: `ls` must be answered.
#[test]
fn ls_ends_though_a_new_listing_trickles() {
    for (command, line) in [("UIDL", "1 liar-1"), ("LIST", "1 100")] {
        let liar = liar(3);
        let mount = mounted(&liar, &["timeout=3s", "refresh=1s"]);
        liar.on(command, trickle_of_lines(line));
        crate::end_session(&liar);
        eventually("a session that trickles", || {
            let ls = Background::start(&["ls", mount.arg()]);
            let output = ls.output_within(IN_TIME);
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
            (liar.count(command) > 1).then_some(())
        });
        let umount = output_within(
            IN_TIME,
            &mut mount.subcommand_line(&["umount", mount.arg()]),
        );
        assert!(umount.status.success(), "{umount:?}");
    }
}
