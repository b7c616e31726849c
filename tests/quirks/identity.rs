//! A server without UIDL: messages are identified by their headers.

use std::fs;
use std::time::Duration;

use nix::errno::Errno;

use pop3fs::cli::Failure;

use crate::common::{Liar, MountBuilder, Reply, corpus};
use crate::{
    assert_fails, assert_reads, assert_says, assert_shows, files, listed, ls_l, mounted, refusal,
    remove, sentence, umount,
};

fn without_uidl(messages: &[Vec<u8>]) -> Liar {
    let liar = Liar::start(messages);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar
}

fn realistic(count: usize) -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(33, count);
    (without_uidl(&messages), messages)
}

/// The name of the file with this content.
fn name_of(files: &[(String, Vec<u8>)], message: &[u8]) -> String {
    let (name, _) = files
        .iter()
        .find(|(_, octets)| octets == message)
        .expect("the message");
    name.clone()
}

/// Two messages with equal headers, and a different one between them.
fn twins() -> Vec<Vec<u8>> {
    let other = b"Subject: other\r\n\r\nother\r\n".to_vec();
    vec![
        corpus::with_body(b"first\r\n"),
        other,
        corpus::with_body(b"second\r\n"),
    ]
}

#[test]
fn every_message_has_a_name_and_its_own_content() {
    let (liar, messages) = realistic(30);
    let mount = mounted(&liar, &[]);
    assert_shows(&mount, &messages);
    for name in listed(&mount) {
        let digest = name
            .strip_prefix("headers-")
            .and_then(|name| name.strip_suffix(".eml"));
        assert_eq!(digest.map(str::len), Some(32), "{name}");
    }
}

/// The name of a message says which headers its body has.
#[test]
fn a_body_of_another_message_is_not_shown() {
    let message = |index: usize| format!("Subject: message {index}\r\n\r\ntext {index}\r\n");
    let messages: Vec<Vec<u8>> = (1..=8).map(|index| message(index).into_bytes()).collect();
    let liar = without_uidl(&messages);
    let mut mount = mounted(&liar, &["mtime=none"]);
    liar.once("RETR 3", Reply::AnswerTo("RETR 5".to_owned()));
    liar.once("RETR 6", Reply::AnswerTo("RETR 5".to_owned()));
    assert_shows(&mount, &messages);
    mount.remount();
    assert_shows(&mount, &messages);
}

/// Out of step, the refusal of the last message answers the NOOP behind the listing.
#[test]
fn a_duplicate_reply_in_the_listing_of_a_commit_deletes_no_other_message() {
    let date = |minute: usize| format!("Date: Mon, 15 Jan 2024 00:{minute:02}:00 +0000");
    let message = |index: usize| format!("{}\r\n\r\ntext\r\n", date(index));
    let messages: Vec<Vec<u8>> = (1..=8).map(|index| message(index).into_bytes()).collect();
    let liar = without_uidl(&messages);
    let name = name_of(&files(&mounted(&liar, &[])), &messages[4]);
    let mut mount = mounted(&liar, &["timeout=2s"]);
    remove(&mount, &name);
    liar.server().cut_all();
    liar.server().wait_until_idle();
    liar.once("TOP 3 0", Reply::Duplicated);
    liar.once("TOP 8 0", Reply::Err("no such message"));
    liar.set_pause(Duration::from_millis(20));
    let said = umount(&mut mount);
    let left = liar.left_serials();
    for serial in [1, 2, 3, 4, 6, 7, 8] {
        assert!(left.contains(&serial), "{left:?} {said:?}");
    }
}

#[test]
fn names_are_the_same_in_every_mount_if_list_changes() {
    let (liar, messages) = realistic(12);
    let mut mount = mounted(&liar, &[]);
    let before = files(&mount);
    (1..=12).for_each(|serial| liar.set_list_offset(serial, 40));
    mount.remount();
    assert_eq!(files(&mount), before);
    let again = mounted(&liar, &[]);
    assert_eq!(files(&again), before);
    assert_eq!(before.len(), messages.len());
}

#[test]
fn a_status_header_added_by_the_server_changes_no_name() {
    let liar = without_uidl(&[corpus::with_body(b"one\r\n")]);
    let mut mount = mounted(&liar, &[]);
    let before = listed(&mount);
    let noted = b"+OK\r\nFrom: a@example.org\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: test\r\nStatus: RO\r\n\r\n.\r\n";
    liar.on("TOP 1 0", Reply::Raw(noted.to_vec()));
    mount.remount();
    assert_eq!(listed(&mount), before);
}

#[test]
fn headers_are_fetched_once_and_give_the_dates() {
    let (liar, _) = realistic(20);
    let mount = mounted(&liar, &[]);
    assert_eq!(liar.count("TOP"), 20);
    ls_l(&mount);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (20, 0));
    let mut shown: Vec<i64> = listed(&mount)
        .iter()
        .map(|name| {
            let metadata = fs::metadata(mount.join(name)).expect("a message");
            std::os::unix::fs::MetadataExt::mtime(&metadata)
        })
        .collect();
    let mut received: Vec<i64> = (0..20)
        .map(|index| corpus::realistic_message(33, index).received)
        .collect();
    shown.sort_unstable();
    received.sort_unstable();
    assert_eq!(shown, received);
}

#[test]
fn without_pipelining_headers_are_fetched_one_at_a_time() {
    let (liar, messages) = realistic(10);
    liar.set_capabilities(Some(&["TOP", "USER"]));
    liar.refuse_pipelining();
    assert_shows(&mounted(&liar, &[]), &messages);
}

#[test]
fn messages_with_equal_headers_are_numbered_in_order() {
    let messages = twins();
    let liar = without_uidl(&messages);
    let files = files(&mounted(&liar, &[]));
    let first = name_of(&files, &messages[0]);
    let second = name_of(&files, &messages[2]);
    assert_eq!(second, first.replace(".eml", "~2.eml"));
}

#[test]
fn a_removed_message_is_deleted_under_its_new_number() {
    let (liar, messages) = realistic(5);
    let mut mount = mounted(&liar, &["idle_timeout=1s"]);
    let name = name_of(&files(&mount), &messages[3]);
    remove(&mount, &name);
    liar.server().wait_until_idle();
    liar.remove(1);
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!((liar.count("DELE 3"), liar.count("DELE")), (1, 1));
    assert_eq!(liar.left_serials(), [2, 3, 5]);
}

#[test]
fn twins_are_kept_if_another_client_deleted_one_of_them() {
    for gone in [1, 3] {
        let messages = twins();
        let liar = without_uidl(&messages);
        let mut mount = mounted(&liar, &["idle_timeout=1s"]);
        let name = name_of(&files(&mount), &messages[0]);
        remove(&mount, &name);
        liar.server().wait_until_idle();
        liar.remove(gone);
        umount(&mut mount);
        assert_eq!(liar.count("DELE"), 0);
    }
}

#[test]
fn a_removed_message_with_refused_headers_is_kept() {
    let (liar, messages) = realistic(4);
    let mut mount = mounted(&liar, &["idle_timeout=1s"]);
    let name = name_of(&files(&mount), &messages[1]);
    remove(&mount, &name);
    liar.server().wait_until_idle();
    liar.on("TOP 2 0", Reply::Err("not now"));
    let (code, said) = umount(&mut mount);
    assert_eq!(code, Some(Failure::Uncommitted.status().into()));
    assert_says(&said, &[&name, "still on the server"]);
    assert_eq!((liar.count("DELE"), liar.left_serials().len()), (0, 4));
}

#[test]
fn a_message_with_refused_headers_is_left_out_alone() {
    let (liar, messages) = realistic(3);
    liar.on("TOP 2 0", Reply::Err("damaged"));
    let mount = mounted(&liar, &[]);
    assert_shows(&mount, &[messages[0].clone(), messages[2].clone()]);
    assert_says(&mount.stderr(), &["refuses the headers of some messages"]);
}

#[test]
fn a_server_without_uidl_and_top_is_refused_with_the_reason() {
    for capabilities in [None, Some(&["TOP", "UIDL"][..])] {
        let (liar, _) = realistic(3);
        liar.on("TOP", Reply::Err("unknown command"));
        liar.set_capabilities(capabilities);
        let said = refusal(&liar, &[]);
        assert_says(
            &said,
            &["neither UIDL nor TOP", "cannot show this maildrop"],
        );
    }
}

#[test]
fn a_uidl_refused_on_an_empty_maildrop_is_tried_again() {
    let liar = without_uidl(&[]);
    liar.on("LIST", Reply::Err("no messages"));
    let mount = mounted(&liar, &["refresh=1s"]);
    assert_eq!(listed(&mount), [""; 0]);
    let message = corpus::with_body(b"new\r\n");
    liar.add(&message);
    liar.behave("UIDL");
    liar.behave("LIST");
    crate::common::eventually("the new message", || {
        (listed(&mount).len() == 1).then_some(())
    });
    assert_reads(&mount, "liar-1.eml", &message);
}

#[test]
fn a_later_refusal_of_uidl_renames_nothing() {
    let messages = corpus::realistic(34, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar, &["refresh=1s"]);
    liar.on("UIDL", Reply::Err("out of order"));
    liar.server().cut_all();
    assert_fails(&mount, "liar-1.eml", Errno::EIO);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    liar.behave("UIDL");
    crate::eventually_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn a_refusal_of_uidl_in_a_later_mount_renames_nothing() {
    let liar = Liar::start(&corpus::realistic(34, 3));
    let folder = tempfile::tempdir().expect("a folder");
    let cache = format!("cache_dir={}", folder.path().display());
    let builder = MountBuilder::new(&liar.source())
        .option("tls=off")
        .option(&cache);
    let mut mount = builder.clone().mount();
    assert_eq!(umount(&mut mount).0, Some(0));
    liar.on("UIDL", Reply::Err("out of order"));
    let said = sentence(&builder.refused());
    assert_says(&said, &["refused UIDL (out of order)", "try again"]);
    assert_eq!(liar.count("TOP"), 0);
}

#[test]
fn a_temporary_refusal_of_uidl_is_reported_as_temporary() {
    let liar = Liar::start(&corpus::realistic(34, 3));
    liar.on("UIDL", Reply::Err("[SYS/TEMP] out of order"));
    assert_says(&refusal(&liar, &[]), &["a passing fault"]);
}
