//! Servers that send one reply too many, one too few, the wrong one, or one that a message's author
//! wrote. No file may ever have another content than its message.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::common::{
    Background, Gate, Liar, Mount, Reply, RetrFault, corpus, eventually, output_within, run,
};
use crate::{
    SOON, assert_all_right, assert_never_wrong, end_session, list_with_dates, listed, message,
    mounted, name, of_different_sizes, of_equal_size, reads_right_or_fails, sync, umount,
};

const COUNT: usize = 20;
/// How late a right reply is behind a surplus one.
const LATE: Duration = Duration::from_millis(300);

/// Reads everything while the server has this fault, then mounts again with a server that is right.
fn assert_right_now_and_in_the_next_mount(
    messages: &[Vec<u8>],
    options: &[&str],
    misbehave: impl Fn(&Liar),
) {
    let liar = Liar::start(messages);
    let mut mount = mounted(&liar, &[&["timeout=2s"], options].concat());
    misbehave(&liar);
    assert_never_wrong(&mount, messages);
    assert_all_right(&mount, messages);
    mount.remount();
    assert_all_right(&mount, messages);
}

fn assert_right_with(options: &[&str], misbehave: impl Fn(&Liar)) {
    assert_right_now_and_in_the_next_mount(&of_different_sizes(COUNT), options, misbehave);
}

#[test]
fn a_duplicate_reply_to_retr_gives_no_file_another_content() {
    for serial in [1, 2, 3, 10, 20] {
        assert_right_with(&["mtime=none"], |liar| {
            liar.once(&format!("RETR {serial}"), Reply::Duplicated);
        });
    }
}

#[test]
fn a_missing_reply_to_retr_gives_no_file_another_content() {
    for serial in [2, 3, 10] {
        assert_right_with(&["mtime=none"], |liar| {
            liar.once(&format!("RETR {serial}"), Reply::Missing);
        });
    }
}

#[test]
fn a_missing_and_a_duplicate_reply_give_no_file_another_content() {
    assert_right_with(&["mtime=none"], |liar| {
        liar.once("RETR 3", Reply::Missing);
        liar.once("RETR 8", Reply::Duplicated);
    });
}

/// Swaps the replies to the two commands once.
fn swap(liar: &Liar, first: &str, second: &str) {
    liar.once(first, Reply::AnswerTo(second.to_owned()));
    liar.once(second, Reply::AnswerTo(first.to_owned()));
}

#[test]
fn swapped_replies_to_retr_give_no_file_another_content() {
    for (first, second) in [(1, 2), (4, 5), (6, 15)] {
        assert_right_with(&["mtime=none"], |liar| {
            swap(liar, &format!("RETR {first}"), &format!("RETR {second}"));
        });
    }
}

/// The reply to RETR with this body, which the server stuffs nothing in.
fn body_reply(body: &[u8]) -> Reply {
    Reply::Raw([b"+OK\r\n", body, b".\r\n"].concat())
}

#[test]
fn a_body_that_was_cut_once_is_not_kept() {
    let messages = of_different_sizes(COUNT);
    for options in [&["mtime=none"][..], &["mtime=none", "pipeline=off"]] {
        assert_right_now_and_in_the_next_mount(&messages, options, |liar| {
            for serial in [5, 6, 12] {
                let whole = &messages[serial - 1];
                let part = [&whole[..whole.len() - 9], b"\r\n"].concat();
                liar.once(&format!("RETR {serial}"), body_reply(&part));
            }
        });
    }
}

#[test]
fn a_body_that_had_a_line_twice_once_is_not_kept() {
    let messages = of_different_sizes(COUNT);
    assert_right_now_and_in_the_next_mount(&messages, &["mtime=none"], |liar| {
        let longer = [&messages[6][..], b"text again\r\n"].concat();
        liar.once("RETR 7", body_reply(&longer));
    });
}

#[test]
fn swapped_replies_of_equal_size_are_told_by_their_headers() {
    let messages = of_equal_size(COUNT);
    for (first, second) in [(1, 2), (4, 5), (6, 15)] {
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar, &["timeout=2s"]);
        list_with_dates(&mount);
        swap(&liar, &format!("RETR {first}"), &format!("RETR {second}"));
        assert_all_right(&mount, &messages);
        mount.remount();
        assert_all_right(&mount, &messages);
    }
}

/// The mount knows other headers of the message than it has by now. Without TOP the server has to
/// say so a second time.
#[test]
fn without_top_changed_headers_are_believed_the_second_time() {
    let mut messages = of_equal_size(COUNT);
    messages.extend(vec![corpus::large(100_000); 30]);
    for pipeline in ["pipeline=off", "pipeline=auto"] {
        let liar = Liar::start(&messages);
        liar.on("TOP", Reply::Err("unknown command"));
        let options = ["timeout=5s", "cache=off", "memory=1M", pipeline];
        let mount = mounted(&liar, &options);
        // The long messages leave no room in memory for the others.
        assert_all_right(&mount, &messages);
        let mut changed = message(9_999, "");
        changed.extend_from_slice(&messages[2][changed.len()..]);
        liar.on("RETR 3", body_reply(&changed));
        let before = liar.count("RETR 3");
        assert!(fs::read(mount.join(name(3))).expect("a message") == changed);
        assert_eq!(liar.count("RETR 3") - before, 2);
    }
}

/// TOP and LIST speak against the body however often the server sends it.
#[test]
fn a_body_of_another_message_is_never_given_out() {
    let messages = of_different_sizes(COUNT);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    liar.on("RETR 4", Reply::AnswerTo("RETR 9".to_owned()));
    assert_never_wrong(&mount, &messages);
    assert!(!reads_right_or_fails(&mount, 4, &messages));
    assert!(reads_right_or_fails(&mount, 9, &messages));
    liar.behave("RETR 4");
    assert_all_right(&mount, &messages);
}

/// Dovecot counts no line end behind a last line that has none, and sends one. By chance LIST gives
/// the real size for another message.
#[test]
fn a_message_of_headers_is_read_though_list_is_wrong() {
    for line_end in ["", "\r\n"] {
        let mut messages = of_different_sizes(COUNT);
        let headers = format!("Subject: nothing but headers\r\nFrom: a@b.example\r\n{line_end}");
        messages[3] = headers.into_bytes();
        let filling = "x".repeat(messages[3].len() - "Subject: \r\n".len());
        messages[4] = format!("Subject: {filling}\r\n").into_bytes();
        let liar = Liar::start(&messages);
        liar.set_list_offset(4, -2);
        let mut mount = mounted(&liar, &[]);
        assert_all_right(&mount, &messages);
        mount.remount();
        assert_all_right(&mount, &messages);
    }
}

#[test]
fn a_duplicate_reply_is_harmless_without_a_pipeline() {
    for serial in [2, 3, 10] {
        assert_right_with(&["mtime=none", "pipeline=off"], |liar| {
            liar.once(&format!("RETR {serial}"), Reply::Duplicated);
        });
    }
}

/// The session in which a message is fetched has announced another size than the one before.
#[test]
fn a_cut_body_of_the_size_of_an_earlier_listing_is_not_kept() {
    let messages = of_different_sizes(3);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    // LIST is right on this server.
    for serial in [2, 3] {
        assert!(reads_right_or_fails(&mount, serial, &messages));
    }
    end_session(&liar);
    liar.remove(1);
    let longer = message(7, &"a longer text\r\n".repeat(90));
    let serial = liar.add(&longer);
    liar.set_uidl(serial, b"liar-1");
    let cut = [b"+OK\r\n", &longer[..messages[0].len() - 2], b"\r\n.\r\n"].concat();
    liar.once("RETR 3", Reply::Raw(cut));
    for _ in 0..2 {
        eventually("the whole message", || {
            let octets = fs::read(mount.join(name(1))).ok()?;
            assert!(octets == longer, "{} octets", octets.len());
            Some(())
        });
        mount.remount();
    }
}

/// Out of step, the refusal of the last message answers the NOOP.
#[test]
fn a_duplicate_reply_before_a_refusal_gives_no_file_another_content() {
    let messages = of_equal_size(COUNT);
    for serial in [3, 10] {
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
        liar.once(&format!("RETR {serial}"), Reply::Duplicated);
        // The last in the order of the names.
        liar.once("RETR 9", Reply::Err("no such message"));
        liar.set_pause(Duration::from_millis(20));
        let _may_fail = output_within(SOON, &mut mount.subcommand_line(&["fetch", mount.arg()]));
        liar.set_pause(Duration::ZERO);
        assert_never_wrong(&mount, &messages);
        mount.remount();
        assert_all_right(&mount, &messages);
    }
}

/// Without a pipeline nothing but its content tells that a reply is that to the command before.
#[test]
fn a_late_duplicate_reply_gives_no_file_another_content() {
    let messages = of_equal_size(COUNT);
    let late = |serial| Reply::BehindAnswerTo(format!("RETR {serial}"), LATE);
    assert_right_now_and_in_the_next_mount(&messages, &["mtime=none", "pipeline=off"], |liar| {
        liar.once("RETR 4", late(3));
        liar.once("RETR 12", late(11));
    });
}

#[test]
fn a_late_duplicate_reply_to_top_gives_no_file_other_headers() {
    let messages = of_equal_size(COUNT);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=2s", "pipeline=off"]);
    // The mount asks in the order of the names.
    for serial in [11, 5] {
        let late = Reply::BehindAnswerTo(format!("TOP {serial} 0"), LATE);
        liar.once(&format!("TOP {} 0", serial + 1), late);
    }
    list_with_dates(&mount);
    for _ in 0..2 {
        for serial in 1..=COUNT {
            let file = mount.join(format!(".headers/liar-{serial}.txt"));
            let shown = fs::read_to_string(file).expect("headers");
            let subject = format!("Subject: message {:04}", serial - 1);
            assert!(shown.contains(&subject), "{serial}: {shown}");
        }
        assert_dates(&mount);
        mount.remount();
    }
}

#[test]
fn a_reply_of_nonsense_gives_no_file_another_content() {
    for nonsense in [
        "+OK\r\n",
        "-ERR busy\r\n-ERR busy\r\n",
        "what?\r\n",
        ".\r\n",
    ] {
        assert_right_with(&["mtime=none"], |liar| {
            liar.once("RETR 4", Reply::Raw(nonsense.as_bytes().to_vec()));
        });
    }
}

/// Reads everything once, whatever it gives. Soon afterwards every file must be right, and stay
/// right.
fn assert_corrected_after_reading(messages: &[Vec<u8>], misbehave: impl Fn(&Liar)) {
    let liar = Liar::start(messages);
    let mut mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    misbehave(&liar);
    let read = |serial: u64| fs::read(mount.join(name(serial)));
    for serial in 1..=COUNT as u64 {
        let _may_be_wrong = read(serial);
    }
    eventually("every file to be right", || {
        (1..)
            .zip(messages)
            .all(|(serial, right)| read(serial).is_ok_and(|octets| octets == *right))
            .then_some(())
    });
    assert_all_right(&mount, messages);
    mount.remount();
    assert_all_right(&mount, messages);
}

/// With equal sizes LIST confirms nothing, but the surplus reply shows that the replies have
/// shifted.
#[test]
fn after_a_surplus_reply_no_wrong_content_of_equal_size_stays() {
    assert_corrected_after_reading(&of_equal_size(COUNT), |liar| {
        liar.once("RETR 2", Reply::Duplicated);
    });
}

#[test]
fn after_a_missing_reply_no_wrong_content_of_equal_size_stays() {
    assert_corrected_after_reading(&of_equal_size(COUNT), |liar| {
        liar.once("RETR 3", Reply::Missing);
    });
}

/// A server whose replies got out of step gets one command at a time, and the user can see that.
fn assert_asked_one_at_a_time(misbehave: impl Fn(&Liar)) {
    let messages = of_different_sizes(COUNT);
    let liar = Liar::start(&messages);
    let mount = mounted(
        &liar,
        &["timeout=2s", "mtime=none", "cache=off", "memory=1M"],
    );
    misbehave(&liar);
    assert_never_wrong(&mount, &messages);
    let logged = "one command at a time";
    eventually("a line in the log", || {
        mount.stderr().contains(logged).then_some(())
    });
    let status = mount.subcommand(&["status", mount.arg()]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains(logged), "{status}");
    // From now on the server would close the connection on a second command.
    liar.refuse_pipelining();
    assert_all_right(&mount, &messages);
}

#[test]
fn after_a_duplicate_reply_the_server_is_asked_one_at_a_time() {
    assert_asked_one_at_a_time(|liar| liar.once("RETR 2", Reply::Duplicated));
}

#[test]
fn after_unstuffed_dots_the_server_is_asked_one_at_a_time() {
    let messages = dotted(RESTS[0]);
    let liar = Liar::start(&messages);
    liar.stuff_no_dots();
    let mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    assert_never_wrong(&mount, &messages);
    eventually("a line in the log", || {
        mount
            .stderr()
            .contains("one command at a time")
            .then_some(())
    });
}

/// LIST is wrong on this server, so sizes alone confirm nothing.
#[test]
fn a_duplicate_reply_is_noticed_where_list_is_a_guess() {
    let messages = of_different_sizes(COUNT);
    let liar = Liar::start(&messages);
    for serial in 1..=COUNT as u64 {
        liar.set_list_offset(
            serial,
            10 * (i64::try_from(serial).expect("small") % 7) - 30,
        );
    }
    let mut mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    liar.once("RETR 5", Reply::Duplicated);
    assert_never_wrong(&mount, &messages);
    assert_all_right(&mount, &messages);
    mount.remount();
    assert_all_right(&mount, &messages);
}

/// The status line of a reply that is out of step looks like that of a NOOP, and its body is late.
#[test]
fn a_duplicate_reply_is_noticed_though_a_body_is_late() {
    let messages = of_different_sizes(2 * COUNT);
    let liar = Liar::start(&messages[..COUNT]);
    let set_offset = |serial: usize| liar.set_list_offset(serial as u64, -5 * serial as i64);
    (1..=COUNT).for_each(set_offset);
    let options = ["timeout=20s", "mtime=none", "refresh=1s"];
    let mut mount = mounted(&liar, &options);
    assert_all_right(&mount, &messages[..COUNT]);
    messages[COUNT..].iter().for_each(|message| {
        liar.add(message);
    });
    (COUNT + 1..=2 * COUNT).for_each(set_offset);
    let gate = Gate::new();
    let last = 2 * COUNT as u64;
    let held = RetrFault::Hold {
        after: 0,
        gate: gate.clone(),
    };
    liar.fault_retr(last, held);
    liar.once(&format!("RETR {}", COUNT + 12), Reply::Duplicated);
    eventually("the new messages", || {
        (listed(&mount).len() == 2 * COUNT).then_some(())
    });
    let fetch = Background::spawn(&mut mount.subcommand_line(&["fetch", mount.arg()]));
    liar.wait_for(&format!("RETR {last}"), 1);
    // A mount that takes the status line for the answer to its NOOP has believed everything by then.
    thread::sleep(Duration::from_millis(300));
    gate.open();
    fetch.output_within(SOON);
    assert_all_right(&mount, &messages);
    mount.remount();
    assert_all_right(&mount, &messages);
}

/// Whether the mtime of each file is the date of its message; a stat that fails is no wrong date.
fn are_dates_right(mount: &Mount) -> bool {
    (0..COUNT as u64).all(|index| {
        let found = fs::metadata(mount.join(name(index + 1))).and_then(|found| found.modified());
        let right = SystemTime::UNIX_EPOCH + Duration::from_secs(1_705_276_800 + 60 * index);
        found.is_err() || found.is_ok_and(|shown| shown == right)
    })
}

/// Soon after a fault the dates must be right, and stay right.
fn assert_dates(mount: &Mount) {
    eventually("the right dates", || are_dates_right(mount).then_some(()));
    assert!(are_dates_right(mount));
}

fn assert_dates_with(misbehave: impl Fn(&Liar)) {
    let messages = of_different_sizes(COUNT);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=2s"]);
    misbehave(&liar);
    let _may_fail = run(&["ls", "-l", mount.arg()]);
    assert_all_right(&mount, &messages);
    assert_dates(&mount);
    mount.remount();
    assert_dates(&mount);
}

#[test]
fn a_duplicate_reply_to_top_gives_no_file_another_date() {
    for serial in [1, 2, 10] {
        assert_dates_with(|liar| liar.once(&format!("TOP {serial} 0"), Reply::Duplicated));
    }
}

#[test]
fn swapped_replies_to_top_delete_no_other_message() {
    let liar = Liar::start(&of_equal_size(COUNT));
    let mut mount = mounted(&liar, &["timeout=2s"]);
    swap(&liar, "TOP 4 0", "TOP 5 0");
    let _may_fail = run(&["ls", "-l", mount.arg()]);
    crate::remove(&mount, &name(4));
    let (_, said) = umount(&mut mount);
    let left = liar.left_serials();
    assert!(left.len() == COUNT || !left.contains(&4), "{left:?} {said}");
    assert!(left.len() >= COUNT - 1, "{left:?} {said}");
}

#[test]
fn a_missing_reply_to_top_gives_no_file_another_date() {
    assert_dates_with(|liar| liar.once("TOP 3 0", Reply::Missing));
}

#[test]
fn a_duplicate_reply_in_a_listing_mixes_up_no_messages() {
    for verb in ["STAT", "UIDL", "LIST"] {
        let messages = of_different_sizes(COUNT);
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar, &["timeout=2s", "mtime=none", "refresh=1s"]);
        let names = listed(&mount);
        liar.once(verb, Reply::Duplicated);
        let before = liar.count(verb);
        eventually("a new listing", || {
            let _may_fail = run(&["ls", mount.arg()]);
            (liar.count(verb) > before).then_some(())
        });
        assert_never_wrong(&mount, &messages);
        assert_all_right(&mount, &messages);
        assert_eq!(listed(&mount), names, "{verb}");
        mount.remount();
        assert_eq!(listed(&mount), names, "{verb}");
        assert_all_right(&mount, &messages);
    }
}

/// rsync removes what it has copied. A message may be gone from the server only if the archive has
/// it.
fn assert_moved_messages_are_in_the_archive(messages: &[Vec<u8>], misbehave: impl Fn(&Liar)) {
    let liar = Liar::start(messages);
    let mount = mounted(&liar, &["timeout=2s"]);
    crate::list_with_dates(&mount);
    misbehave(&liar);
    let archive = tempfile::tempdir().expect("an archive");
    let from = format!("{}/", mount.arg());
    for _ in 0..2 {
        let _may_fail = run(&[
            Path::new("rsync"),
            Path::new("-a"),
            Path::new("--remove-source-files"),
            Path::new(&from),
            archive.path(),
        ]);
    }
    let _may_fail = sync(&mount);
    let left = liar.left();
    let copies: Vec<Vec<u8>> = fs::read_dir(archive.path())
        .expect("the archive")
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a copy"))
        .collect();
    for (index, message) in messages.iter().enumerate() {
        assert!(
            left.contains(message) || copies.contains(message),
            "message {} is neither on the server nor in the archive",
            index + 1
        );
    }
}

#[test]
fn a_duplicate_reply_loses_no_message_that_rsync_moves() {
    let messages = of_different_sizes(COUNT);
    for serial in [2, 7] {
        assert_moved_messages_are_in_the_archive(&messages, |liar| {
            liar.once(&format!("RETR {serial}"), Reply::Duplicated);
        });
    }
}

#[test]
fn a_missing_reply_loses_no_message_that_rsync_moves() {
    let messages = of_different_sizes(COUNT);
    assert_moved_messages_are_in_the_archive(&messages, |liar| {
        liar.once("RETR 5", Reply::Missing);
    });
}

#[test]
fn swapped_replies_lose_no_message_that_rsync_moves() {
    let messages = of_different_sizes(COUNT);
    assert_moved_messages_are_in_the_archive(&messages, |liar| swap(liar, "RETR 4", "RETR 9"));
}

/// A line of a single dot with more text after it: without dot-stuffing, the rest looks like
/// replies.
fn dotted(rest: &str) -> Vec<Vec<u8>> {
    let mut messages = of_different_sizes(6);
    let filler = "x".repeat(60);
    messages[1] = message(1, &format!("first part\r\n.\r\n{rest}\r\n{filler}\r\n"));
    messages
}

const RESTS: [&str; 4] = [
    "second part, which must not be lost",
    "+OK\r\nSubject: forged\r\n\r\nforged text\r\n.",
    "-ERR no such message",
    "..\r\n.\r\n+OK",
];

#[test]
fn without_dot_stuffing_no_message_is_cut_short() {
    for rest in RESTS {
        for options in [&["mtime=none"][..], &["mtime=none", "pipeline=off"], &[]] {
            let messages = dotted(rest);
            let liar = Liar::start(&messages);
            liar.stuff_no_dots();
            let mut mount = mounted(&liar, &[&["timeout=2s"], options].concat());
            assert_never_wrong(&mount, &messages);
            assert_never_wrong(&mount, &messages);
            mount.remount();
            assert_never_wrong(&mount, &messages);
            liar.stuff_dots();
            mount.remount();
            assert_all_right(&mount, &messages);
        }
    }
}

/// Only the message with the dot line is affected: the others stay readable.
#[test]
fn without_dot_stuffing_the_other_messages_are_readable() {
    let messages = dotted(RESTS[0]);
    let liar = Liar::start(&messages);
    liar.stuff_no_dots();
    let mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    for serial in [1, 3, 4, 5, 6] {
        eventually("the message to be readable", || {
            reads_right_or_fails(&mount, serial, &messages).then_some(())
        });
    }
}

#[test]
fn without_dot_stuffing_mv_loses_no_message() {
    for rest in RESTS {
        let messages = dotted(rest);
        let liar = Liar::start(&messages);
        liar.stuff_no_dots();
        let mut mount = mounted(&liar, &["timeout=2s"]);
        let archive = tempfile::tempdir().expect("an archive");
        let moved = run(&[Path::new("mv"), &mount.join(name(2)), archive.path()]);
        let (_, said) = umount(&mut mount);
        if !liar.left_serials().contains(&2) {
            let copy = fs::read(archive.path().join(name(2))).unwrap_or_default();
            assert!(copy == messages[1], "{moved:?} {said}");
        }
    }
}

/// A body that forges the replies to the next six commands. The server stuffs dots only after CRLF
/// and sends a bare LF as it is, so a client that takes LF for a line end sees the forged dot
/// lines.
fn forged(first: &str, line_end: &str) -> Vec<u8> {
    let mut evil = format!("{first}{line_end}.\r\n");
    for number in 6..12 {
        evil.push_str(&format!(
            "+OK\r\nSubject: forged {number}{line_end}{line_end}forged body of message {number}{line_end}.\r\n"
        ));
    }
    evil.into_bytes()
}

fn assert_forgery_fails(evil: Vec<u8>, at: usize) {
    let mut messages = corpus::realistic(62, COUNT);
    messages[at] = evil;
    let liar = Liar::start(&messages);
    for options in [&["mtime=none"][..], &[]] {
        let mut mount = mounted(&liar, &[&["timeout=2s"], options].concat());
        assert_never_wrong(&mount, &messages);
        assert_all_right(&mount, &messages);
        mount.remount();
        assert_all_right(&mount, &messages);
    }
}

#[test]
fn a_first_line_with_bare_lf_forges_no_other_message() {
    assert_forgery_fails(forged("X: a", "\n"), 4);
}

#[test]
fn bare_lf_in_the_first_message_forges_no_other_message() {
    assert_forgery_fails(forged("X: a", "\n"), 0);
}

#[test]
fn bare_lf_after_headers_with_crlf_forges_no_other_message() {
    assert_forgery_fails(forged("X: a\r\nY: b\r\n\r\ntext", "\n"), 4);
}

#[test]
fn bare_cr_forges_no_other_message() {
    assert_forgery_fails(forged("X: a", "\r"), 4);
}

#[test]
fn a_message_of_bare_lf_only_forges_no_other_message() {
    let evil = String::from_utf8(forged("X: a", "\n")).expect("ASCII");
    // The server adds a line end before its dot line.
    let evil = evil.replace("\r\n", "\n") + "\r\n";
    assert_forgery_fails(evil.into_bytes(), 4);
}

/// The forged bodies have exactly the sizes that LIST gives for the messages after the evil one.
#[test]
fn forged_replies_of_the_right_sizes_forge_no_other_message() {
    let mut messages = of_different_sizes(COUNT);
    let mut evil = b"X: a\n.\r\n".to_vec();
    for right in &messages[5..11] {
        let mut body = right.to_ascii_uppercase();
        body.truncate(right.len());
        evil.extend_from_slice(b"+OK\r\n");
        evil.extend(
            String::from_utf8(body)
                .expect("ASCII")
                .replace("\r\n", " \n")
                .bytes(),
        );
        evil.extend_from_slice(b"\n.\r\n");
    }
    messages[4] = evil;
    assert_right_now_and_in_the_next_mount(&messages, &["mtime=none"], |_| {});
}
