//! Whatever a well-meaning server changes in its headers and sizes, the messages that
//! the user removed are deleted. The checks cost no second download.

use std::path::Path;

use crate::common::{
    Dovecot, DovecotOptions, Liar, Mailutils, MailutilsOptions, Mount, Mpopd, Reply, Store, corpus,
    retr_all, stdout_of,
};
use crate::{
    end_session, list_with_dates, listed, message, mounted, name, of_different_sizes,
    of_equal_size, remove, umount,
};

const MANY: usize = 300;

/// Removes every message unread with max_delete=off; all of them must be gone after the umount.
fn assert_all_removed_go(source: &str, options: &[&str], left: impl Fn() -> usize) {
    let mut mount = Mount::new(source, &[&["tls=off", "max_delete=off"], options].concat());
    list_with_dates(&mount);
    stdout_of(&["sh", "-euc", "rm -- \"$1\"/*", "sh", mount.arg()]);
    mount_session_ends(&mount, options);
    let (status, said) = umount(&mut mount);
    assert_eq!((status, left()), (Some(0), 0), "{said}");
}

/// With `idle_timeout=1s` the commit runs in a new session.
fn mount_session_ends(mount: &Mount, options: &[&str]) {
    if options.contains(&"idle_timeout=1s") {
        mount.wait_until_its_session_is_closed();
    }
}

/// Reads and moves every message to an archive; all of them must be gone after the umount.
fn assert_all_moved_go(source: &str, options: &[&str], left: impl Fn() -> usize) {
    let mut mount = Mount::new(source, &[&["tls=off"], options].concat());
    let archive = tempfile::tempdir().expect("an archive");
    stdout_of(&[
        Path::new("sh"),
        Path::new("-euc"),
        Path::new("mv -- \"$1\"/* \"$2\""),
        Path::new("sh"),
        mount.path(),
        archive.path(),
    ]);
    mount_session_ends(&mount, options);
    let (status, said) = umount(&mut mount);
    assert_eq!((status, left()), (Some(0), 0), "{said}");
}

const SESSIONS: [&[&str]; 2] = [&[], &["idle_timeout=1s"]];

/// Checks that the last commit deletes the second of four messages, and no other.
fn assert_umount_deletes_the_second(liar: &Liar, mount: &mut Mount) {
    let (status, said) = umount(mount);
    assert_eq!(
        (status, liar.left_serials()),
        (Some(0), vec![1, 3, 4]),
        "{said}"
    );
}

#[test]
fn dovecot_with_maildir_deletes_all_removed_messages() {
    for options in SESSIONS {
        let server = Dovecot::start(&corpus::realistic(71, MANY), &DovecotOptions::default());
        assert_all_removed_go(&server.source(), options, || server.messages_left().len());
    }
}

#[test]
fn dovecot_with_maildir_deletes_all_moved_messages() {
    for options in SESSIONS {
        let server = Dovecot::start(&corpus::realistic(71, MANY), &DovecotOptions::default());
        assert_all_moved_go(&server.source(), options, || server.messages_left().len());
    }
}

/// An mbox whose unique-ids are digests; three messages in ten are copies of others.
fn dovecot_with_mbox() -> Dovecot {
    let mut messages = corpus::realistic(72, MANY * 7 / 10);
    let copies: Vec<Vec<u8>> = messages[..MANY * 3 / 10].to_vec();
    messages.extend(copies);
    let options = DovecotOptions {
        store: Store::MboxWithEqualUidls,
        ..DovecotOptions::default()
    };
    Dovecot::start(&messages, &options)
}

/// How many messages a session shows. (Dovecot keeps a message of its own in an mbox.)
fn shown_by(server: &Dovecot) -> usize {
    retr_all(server.port(), Dovecot::USER, Dovecot::PASSWORD).len()
}

#[test]
fn dovecot_with_mbox_deletes_all_removed_messages() {
    for options in SESSIONS {
        let server = dovecot_with_mbox();
        assert_all_removed_go(&server.source(), options, || shown_by(&server));
    }
}

#[test]
fn dovecot_with_mbox_deletes_all_moved_messages() {
    for options in SESSIONS {
        let server = dovecot_with_mbox();
        assert_all_moved_go(&server.source(), options, || shown_by(&server));
    }
}

fn mailutils() -> Mailutils {
    Mailutils::start(&corpus::realistic(73, MANY), MailutilsOptions::default())
}

#[test]
fn mailutils_deletes_all_removed_messages() {
    for options in SESSIONS {
        let server = mailutils();
        assert_all_removed_go(&server.source(), options, || server.messages_left().len());
    }
}

#[test]
fn mailutils_deletes_all_moved_messages() {
    for options in SESSIONS {
        let server = mailutils();
        assert_all_moved_go(&server.source(), options, || server.messages_left().len());
    }
}

#[test]
fn mpopd_deletes_all_removed_messages() {
    for options in SESSIONS {
        let server = Mpopd::start(&corpus::realistic(74, MANY));
        assert_all_removed_go(&server.source(), options, || server.messages_left().len());
    }
}

#[test]
fn mpopd_deletes_all_moved_messages() {
    for options in SESSIONS {
        let server = Mpopd::start(&corpus::realistic(74, MANY));
        assert_all_moved_go(&server.source(), options, || server.messages_left().len());
    }
}

/// Lists with dates, removes message 2, ends the session, changes the server, and unmounts. The
/// server must lose message 2 and no other.
fn assert_second_goes(liar: &Liar, options: &[&str], change: impl Fn(&Liar)) {
    let mut mount = mounted(liar, &[&["timeout=3s"], options].concat());
    list_with_dates(&mount);
    remove(&mount, &name(2));
    end_session(liar);
    change(liar);
    assert_umount_deletes_the_second(liar, &mut mount);
}

/// The reply to TOP with a message's headers and more lines in front of the others.
fn top_with(message: &[u8], added: &str) -> Reply {
    let text = String::from_utf8_lossy(message);
    let (headers, _) = text.split_once("\r\n\r\n").expect("headers");
    Reply::Raw(format!("+OK\r\n{added}{headers}\r\n\r\n.\r\n").into_bytes())
}

#[test]
fn headers_added_by_the_server_prevent_no_deletion() {
    for added in [
        "Status: RO\r\n",
        "X-UID: 17\r\nStatus: O\r\n",
        "X-UIDL: abc\r\n",
        "X-Keywords: \r\nX-IMAPbase: 1 2\r\n",
    ] {
        let messages = of_different_sizes(4);
        let liar = Liar::start(&messages);
        assert_second_goes(&liar, &[], |liar| {
            liar.on("TOP 2 0", top_with(&messages[1], added));
        });
    }
}

#[test]
fn headers_removed_by_the_server_prevent_no_deletion() {
    let messages = of_different_sizes(4);
    let liar = Liar::start(&messages);
    liar.on(
        "TOP 2 0",
        top_with(&messages[1], "Status: RO\r\nX-UID: 2\r\n"),
    );
    assert_second_goes(&liar, &[], |liar| liar.behave("TOP 2 0"));
}

/// A server without UTF8 shows other headers in RETR and TOP than one with it, but always the same.
#[test]
fn a_top_that_differs_from_retr_prevents_no_deletion() {
    let messages = of_different_sizes(4);
    let liar = Liar::start(&messages);
    liar.on("TOP 2 0", top_with(&message(9, ""), "X-Surrogate: yes\r\n"));
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    std::fs::read(mount.join(name(2))).expect("a message");
    remove(&mount, &name(2));
    end_session(&liar);
    assert_umount_deletes_the_second(&liar, &mut mount);
}

/// Only the body was seen, and TOP differs from it: unique-id and size decide.
#[test]
fn headers_only_in_top_prevent_no_deletion() {
    let messages = of_different_sizes(4);
    let liar = Liar::start(&messages);
    liar.on(
        "TOP 2 0",
        top_with(&messages[1], "Status: RO\r\nX-UID: 2\r\n"),
    );
    let mut mount = mounted(&liar, &["timeout=3s", "mtime=none"]);
    std::fs::read(mount.join(name(2))).expect("a message");
    remove(&mount, &name(2));
    end_session(&liar);
    assert_umount_deletes_the_second(&liar, &mut mount);
}

#[test]
fn a_server_without_top_decides_by_unique_id_and_size() {
    let liar = Liar::start(&of_different_sizes(4));
    liar.set_capabilities(Some(&["UIDL", "USER", "PIPELINING"]));
    liar.on("TOP", Reply::Err("unknown command"));
    assert_second_goes(&liar, &[], |_| {});
}

/// TOP works for the other messages, and the body is as it was.
#[test]
fn a_top_that_fails_for_one_message_prevents_no_deletion() {
    let cut = Reply::Raw(b"+OK\r\nFrom: alice@example.org\r\n.\r\n".to_vec());
    for reply in [
        Reply::Err("cannot get the letter"),
        Reply::Err("[SYS/TEMP] try again"),
        cut,
        Reply::Raw(b"+OK\r\n.\r\n".to_vec()),
    ] {
        let liar = Liar::start(&of_different_sizes(4));
        assert_second_goes(&liar, &[], |liar| liar.on("TOP 2 0", reply.clone()));
        assert_eq!(liar.count("RETR"), 1);
    }
}

/// The server shows the message in no way any more. Its user is told, and removes it again.
#[test]
fn a_message_that_is_not_shown_is_deleted_the_second_time() {
    let liar = Liar::start(&of_different_sizes(4));
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, &name(2));
    end_session(&liar);
    liar.on("TOP 2 0", Reply::Err("cannot get the letter"));
    liar.on("RETR 2", Reply::Err("cannot get the letter"));
    let (status, said) = crate::said(&mount.subcommand(&["commit", mount.arg()]));
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert_eq!(liar.count("DELE"), 0);
    remove(&mount, &name(2));
    assert_umount_deletes_the_second(&liar, &mut mount);
}

#[test]
fn a_message_whose_headers_were_never_seen_is_deleted() {
    let liar = Liar::start(&of_equal_size(4));
    let mut mount = mounted(&liar, &["timeout=3s", "mtime=none"]);
    assert_eq!(listed(&mount).len(), 4);
    std::fs::remove_file(mount.join(name(2))).expect("a removal");
    end_session(&liar);
    assert_umount_deletes_the_second(&liar, &mut mount);
}

/// Deleting needs the headers at most, never the bodies.
#[test]
fn a_commit_downloads_no_body() {
    let liar = Liar::start(&of_different_sizes(40));
    let mut mount = mounted(&liar, &["timeout=5s", "max_delete=off"]);
    list_with_dates(&mount);
    stdout_of(&["sh", "-euc", "rm -- \"$1\"/*", "sh", mount.arg()]);
    let before = liar.count("RETR");
    end_session(&liar);
    let (status, said) = umount(&mut mount);
    assert_eq!((status, liar.left_serials().len()), (Some(0), 0), "{said}");
    assert_eq!(liar.count("RETR"), before);
    assert_eq!(liar.count("DELE"), 40);
}

/// Message numbers do not change within a session.
#[test]
fn a_session_shows_a_message_once_before_it_deletes_it() {
    let liar = Liar::start(&of_different_sizes(40));
    let mut mount = mounted(&liar, &["timeout=5s", "max_delete=off"]);
    list_with_dates(&mount);
    stdout_of(&["sh", "-euc", "rm -- \"$1\"/*", "sh", mount.arg()]);
    let (status, said) = umount(&mut mount);
    assert_eq!((status, liar.left_serials().len()), (Some(0), 0), "{said}");
    assert_eq!((liar.count("TOP"), liar.count("DELE")), (40, 40));
}

/// Reads all messages once; returns how often the server got RETR and NOOP.
fn commands_of_one_reading(offset: i64) -> (usize, usize) {
    let messages = of_different_sizes(60);
    let liar = Liar::start(&messages);
    for serial in 1..=60 {
        liar.set_list_offset(serial, offset);
    }
    let mount = mounted(&liar, &["timeout=5s", "mtime=none"]);
    crate::assert_all_right(&mount, &messages);
    (liar.count("RETR"), liar.count("NOOP"))
}

#[test]
fn an_exact_list_costs_no_noop_and_no_second_download() {
    assert_eq!(commands_of_one_reading(0), (60, 0));
}

#[test]
fn an_inexact_list_costs_no_second_download() {
    let (retrievals, noops) = commands_of_one_reading(-17);
    assert_eq!(retrievals, 60);
    assert!(noops <= 60, "{noops}");
}

/// Reads a message whose size in LIST is right, and then one before it whose size is wrong by this
/// much. Returns how often the server got RETR for that one.
fn retrievals_of_a_wrong_size(offset: i64) -> usize {
    let messages = of_different_sizes(20);
    let liar = Liar::start(&messages);
    liar.set_list_offset(9, offset);
    let mount = mounted(&liar, &["timeout=5s", "mtime=none"]);
    for serial in [15, 9] {
        assert!(crate::reads_right_or_fails(&mount, serial, &messages));
    }
    liar.count("RETR 9")
}

#[test]
fn a_newline_that_list_does_not_count_costs_no_second_download() {
    assert_eq!(retrievals_of_a_wrong_size(-2), 1);
}

#[test]
fn another_wrong_size_costs_one_second_download() {
    assert_eq!(retrievals_of_a_wrong_size(-17), 2);
}
