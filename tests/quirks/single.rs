//! A single command that breaks sessions, on a server that has PIPELINING: it costs its own message
//! alone, and the server still gets several commands at a time.

use std::fs;
use std::thread;

use nix::errno::Errno;

use crate::common::{Liar, Mount, Reply, corpus, eventually};
use crate::{assert_fails, assert_reads, assert_shows, listed, ls_l, mounted, remove, umount};

const COUNT: usize = 40;

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(38, COUNT);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", "PIPELINING"]));
    (liar, messages)
}

fn without_uidl() -> Liar {
    let (liar, _) = liar();
    liar.on("UIDL", Reply::Err("unknown command"));
    liar
}

/// The connection ends before the headers, or within them.
fn ends() -> [Reply; 2] {
    let within = b"+OK\r\nFrom: somebody@example.org\r\nSub".to_vec();
    [Reply::Close, Reply::RawThenClose(within)]
}

/// More lines than the command asks for, behind the end of the reply.
fn lines_too_many() -> [Reply; 2] {
    let behind = b"+OK\r\nSubject: a\r\n\r\n.\r\nand more\r\n.\r\n".to_vec();
    [Reply::Duplicated, Reply::Raw(behind)]
}

/// One line is missing: that of the dot.
fn a_line_too_few() -> Reply {
    Reply::Raw(b"+OK\r\nFrom: somebody@example.org\r\n\r\n".to_vec())
}

/// More than `max_message=1M` allows.
fn too_long() -> [Reply; 2] {
    let line = b"X-Long: 0123456789012345678901234567890\r\n".to_vec();
    let whole = [&b"+OK\r\n"[..], &line.repeat(40_000), b"\r\n.\r\n"].concat();
    [Reply::Endless(b"+OK\r\n".to_vec(), line), Reply::Raw(whole)]
}

fn on_top_of(liar: &Liar, bad: &[usize], reply: &Reply) {
    for serial in bad {
        liar.on(&format!("TOP {serial} 0"), reply.clone());
    }
}

/// Reads all messages. The server answers one RETR only once others have come behind it.
fn assert_bodies_pipelined(liar: &Liar, mount: &Mount) {
    let behind = 5 * "RETR 31\r\n".len();
    liar.once("RETR 30", Reply::HeldUntil { behind });
    for name in listed(mount) {
        fs::read(mount.join(&name)).expect("a message that is asked for with others");
    }
    assert!(liar.count("RETR 30") > 0);
}

/// Gives all messages other unique-ids, so that none of them is cached. The mount refreshes its
/// listing every second.
fn replace_all(liar: &Liar, mount: &Mount) {
    for serial in 1..=COUNT as u64 {
        liar.set_uidl(serial, format!("new-{serial}").as_bytes());
    }
    eventually("the new listing", || {
        listed(mount)
            .contains(&"new-1.eml".to_owned())
            .then_some(())
    });
}

/// Has another session list the maildrop, in which the server answers one TOP only once others have
/// come behind it.
fn assert_tops_pipelined(liar: &Liar, mount: &Mount) {
    let behind = 5 * "TOP 31 0\r\n".len();
    liar.once("TOP 30 0", Reply::HeldUntil { behind });
    let before = liar.count("PASS");
    liar.server().cut_all();
    let first = listed(mount).swap_remove(0);
    fs::read(mount.join(&first)).expect("a message");
    assert_eq!(liar.count("PASS"), before + 1);
}

/// Has messages read at once. The bad ones, which the server never answers, time out, and no others.
fn assert_only_these_time_out(mount: &Mount, messages: &[Vec<u8>], all: &[usize], bad: &[usize]) {
    let paths = all
        .iter()
        .map(|serial| mount.join(format!("liar-{serial}.eml")));
    let readers: Vec<_> = paths.map(|path| thread::spawn(|| fs::read(path))).collect();
    for (serial, reader) in all.iter().zip(readers) {
        let read = reader.join().expect("a reader");
        match bad.contains(serial) {
            true => assert_times_out(read),
            false => assert!(read.expect("a message") == messages[serial - 1]),
        }
    }
}

fn assert_times_out(read: std::io::Result<Vec<u8>>) {
    let error = read.expect_err("a time-out").raw_os_error();
    assert_eq!(error, Some(Errno::ETIMEDOUT as i32));
}

#[test]
fn tops_that_end_sessions_leave_the_others_pipelined() {
    for bad in [&[1, 2][..], &[10, 20, 30]] {
        for reply in ends() {
            let (liar, _) = liar();
            on_top_of(&liar, bad, &reply);
            let mount = mounted(&liar, &["timeout=3s"]);
            ls_l(&mount);
            assert_bodies_pipelined(&liar, &mount);
        }
    }
}

#[test]
fn tops_without_answer_leave_the_others_pipelined() {
    let (liar, _) = liar();
    on_top_of(&liar, &[1, 2], &Reply::Silent);
    let mount = mounted(&liar, &["timeout=2s"]);
    ls_l(&mount);
    assert_bodies_pipelined(&liar, &mount);
}

#[test]
fn without_uidl_tops_that_end_sessions_leave_the_others_pipelined() {
    for bad in [&[1, 2][..], &[20]] {
        for reply in ends() {
            let liar = without_uidl();
            on_top_of(&liar, bad, &reply);
            let mount = mounted(&liar, &["timeout=3s"]);
            assert_eq!(listed(&mount).len(), COUNT - bad.len());
            assert_tops_pipelined(&liar, &mount);
            assert_eq!(liar.count(&format!("TOP {} 0", bad[0])), 2);
        }
    }
}

#[test]
fn without_uidl_tops_without_answer_leave_the_others_pipelined() {
    let liar = without_uidl();
    on_top_of(&liar, &[10, 20], &Reply::Silent);
    let mount = mounted(&liar, &["timeout=2s"]);
    assert_eq!(listed(&mount).len(), COUNT - 2);
    assert_tops_pipelined(&liar, &mount);
}

#[test]
fn a_body_that_ends_sessions_leaves_the_others_pipelined() {
    let (liar, _) = liar();
    liar.on("RETR 1", Reply::Close);
    let mount = mounted(&liar, &["timeout=3s", "refresh=1s", "mtime=none"]);
    assert_fails(&mount, "liar-1.eml", Errno::EIO);
    liar.behave("RETR 1");
    replace_all(&liar, &mount);
    assert_bodies_pipelined(&liar, &mount);
}

#[test]
fn bodies_without_answer_leave_the_others_pipelined() {
    for bad in [&[1][..], &[1, 2], &[3, 7], &[1, 20]] {
        let (liar, messages) = liar();
        for serial in bad {
            liar.on(&format!("RETR {serial}"), Reply::Silent);
        }
        let mount = mounted(&liar, &["timeout=2s", "refresh=1s", "mtime=none"]);
        assert_only_these_time_out(&mount, &messages, &Vec::from_iter(1..=20), bad);
        for serial in bad {
            liar.behave(&format!("RETR {serial}"));
            assert_reads(&mount, &format!("liar-{serial}.eml"), &messages[serial - 1]);
        }
        replace_all(&liar, &mount);
        assert_bodies_pipelined(&liar, &mount);
    }
}

#[test]
fn a_body_that_hangs_again_and_again_leaves_others_pipelined() {
    let (liar, messages) = liar();
    liar.on("RETR 1", Reply::Silent);
    let mount = mounted(&liar, &["timeout=1s", "refresh=1s", "mtime=none"]);
    for serial in 2..=7 {
        assert_only_these_time_out(&mount, &messages, &[1, serial], &[1]);
    }
    liar.behave("RETR 1");
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    replace_all(&liar, &mount);
    assert_bodies_pipelined(&liar, &mount);
}

#[test]
fn bodies_that_hang_far_apart_leave_the_others_pipelined() {
    let messages = corpus::realistic(39, 3 * COUNT);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar, &["timeout=1s", "mtime=none"]);
    let names = listed(&mount);
    let bad = [1, 60, 118].map(|place| names[place].as_str());
    for name in bad {
        let serial = name.trim_start_matches("liar-").trim_end_matches(".eml");
        liar.on(&format!("RETR {serial}"), Reply::Silent);
    }
    for name in &names {
        match bad.contains(&name.as_str()) {
            true => assert_fails(&mount, name, Errno::ETIMEDOUT),
            false => assert!(messages.contains(&fs::read(mount.join(name)).expect("a message"))),
        }
    }
    let said = mount.stderr();
    assert!(!said.contains("one command at a time"), "{said}");
}

#[test]
fn a_top_with_lines_too_many_or_too_few_costs_its_own_date() {
    for bad in [&[1][..], &[COUNT], &[10, 20]] {
        for reply in lines_too_many().into_iter().chain([a_line_too_few()]) {
            let (liar, messages) = liar();
            on_top_of(&liar, bad, &reply);
            let mount = mounted(&liar, &["timeout=2s"]);
            ls_l(&mount);
            assert_shows(&mount, &messages);
        }
    }
}

#[test]
fn without_uidl_lines_too_many_or_too_few_hide_their_message_alone() {
    for bad in [1, 20, COUNT] {
        for reply in lines_too_many().into_iter().chain([a_line_too_few()]) {
            let (liar, mut messages) = liar();
            liar.on("UIDL", Reply::Err("unknown command"));
            on_top_of(&liar, &[bad], &reply);
            let mount = mounted(&liar, &["timeout=1s"]);
            messages.remove(bad - 1);
            assert_shows(&mount, &messages);
        }
    }
}

#[test]
fn without_uidl_long_headers_hide_their_messages_alone() {
    let many: Vec<usize> = (1..=12).collect();
    for bad in [&[1][..], &[COUNT], &many] {
        for reply in too_long() {
            let (liar, mut messages) = liar();
            liar.on("UIDL", Reply::Err("unknown command"));
            on_top_of(&liar, bad, &reply);
            let mount = mounted(&liar, &["max_message=1M"]);
            for serial in bad.iter().rev() {
                messages.remove(serial - 1);
            }
            assert_tops_pipelined(&liar, &mount);
            assert_shows(&mount, &messages);
        }
    }
}

#[test]
fn without_uidl_top_that_drips_hides_its_message_alone() {
    let liar = without_uidl();
    let pause = std::time::Duration::from_millis(100);
    let drip = Reply::Drip(b"+OK\r\n".to_vec(), b"x".to_vec(), pause);
    on_top_of(&liar, &[20], &drip);
    let mount = mounted(&liar, &["timeout=1s"]);
    assert_eq!(listed(&mount).len(), COUNT - 1);
    assert_tops_pipelined(&liar, &mount);
}

#[test]
fn tops_that_fail_in_a_commit_delay_no_other_deletion() {
    let bad = [1, 2, 3, 4];
    let replies = ends().into_iter().chain(lines_too_many()).chain(too_long());
    for reply in replies {
        let (liar, messages) = liar();
        let mut mount = mounted(&liar, &["timeout=10s", "max_message=1M", "max_delete=off"]);
        assert_shows(&mount, &messages);
        on_top_of(&liar, &bad, &reply);
        liar.server().cut_all();
        for serial in 1..=6 {
            remove(&mount, &format!("liar-{serial}.eml"));
        }
        let (code, said) = umount(&mut mount);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(liar.left().len(), COUNT - 6);
    }
}
