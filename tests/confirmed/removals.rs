//! Removed messages on servers whose unique-ids change their meaning: the server may lose only the
//! message that the user saw and removed.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::common::{Liar, Mount, Reply, assert_says, stderr};
use crate::{
    end_session, list_with_dates, message, mounted, name, of_different_sizes, of_equal_size,
    remove, sync, umount,
};

/// A mount that knows all headers, from which message 1 was removed; its session has ended.
fn first_removed(messages: &[Vec<u8>]) -> (Liar, Mount) {
    let liar = Liar::start(messages);
    let mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, "liar-1.eml");
    end_session(&liar);
    (liar, mount)
}

/// The commit must fail, name the file, and delete nothing.
fn assert_kept(liar: &Liar, mount: &mut Mount, file: &str) {
    let all = liar.left_serials();
    let (status, said) = umount(mount);
    assert_eq!(liar.left_serials(), all, "{said}");
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert_says(&said, &[file]);
}

/// Some servers number the messages behind a deleted one again at once, and not at QUIT.
#[test]
fn the_last_message_is_deleted_first() {
    let liar = Liar::start(&of_different_sizes(5));
    let mut mount = mounted(&liar, &["timeout=3s"]);
    for serial in [2, 4, 3] {
        remove(&mount, &name(serial));
    }
    let (status, said) = umount(&mut mount);
    assert_eq!(status, Some(0), "{said}");
    let sent = liar.commands().into_iter();
    let deleted = sent.filter(|received| received.verb() == "DELE");
    let deleted: Vec<String> = deleted.map(|received| received.line).collect();
    assert_eq!(deleted, ["DELE 4", "DELE 3", "DELE 2"]);
}

#[test]
fn a_message_whose_unique_id_was_exchanged_is_kept() {
    let (liar, mut mount) = first_removed(&of_equal_size(5));
    liar.exchange_uidls(1, 2);
    assert_kept(&liar, &mut mount, "liar-1.eml");
}

#[test]
fn unique_ids_exchanged_among_three_delete_no_other_message() {
    let (liar, mut mount) = first_removed(&of_equal_size(5));
    liar.exchange_uidls(1, 2);
    liar.exchange_uidls(2, 3);
    assert_kept(&liar, &mut mount, "liar-1.eml");
}

#[test]
fn an_exchange_with_another_size_deletes_no_other_message() {
    let (liar, mut mount) = first_removed(&of_different_sizes(5));
    liar.exchange_uidls(1, 4);
    assert_kept(&liar, &mut mount, "liar-1.eml");
}

/// Two removed messages exchange their unique-ids: the user removed both, so both may go.
#[test]
fn exchanged_unique_ids_of_two_removed_messages_delete_no_third() {
    let (liar, mut mount) = first_removed(&of_equal_size(5));
    remove(&mount, "liar-2.eml");
    end_session(&liar);
    liar.exchange_uidls(1, 2);
    umount(&mut mount);
    for serial in 3..=5 {
        assert!(liar.left_serials().contains(&serial));
    }
}

#[test]
fn sync_after_an_exchange_deletes_no_other_message() {
    let (liar, mount) = first_removed(&of_equal_size(5));
    liar.exchange_uidls(1, 2);
    let output = sync(&mount);
    assert!(liar.left_serials().contains(&2), "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// Unique-ids are exchanged, the removed message's body was read here, and its headers only
/// thereby.
#[test]
fn an_exchange_is_noticed_if_only_the_body_was_read() {
    let messages = of_equal_size(5);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=3s", "mtime=none"]);
    assert_eq!(
        fs::read(mount.join("liar-1.eml")).expect("a message"),
        messages[0]
    );
    remove(&mount, "liar-1.eml");
    end_session(&liar);
    liar.exchange_uidls(1, 2);
    assert_kept(&liar, &mut mount, "liar-1.eml");
}

/// The headers were read in an earlier mount.
#[test]
fn an_exchange_between_two_mounts_is_noticed_before_a_deletion() {
    let messages = of_equal_size(5);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    liar.exchange_uidls(1, 2);
    mount.remount();
    remove(&mount, "liar-1.eml");
    let (_, said) = umount(&mut mount);
    // The mount showed the date of the first message under this name.
    assert!(liar.left_serials().contains(&2), "{said}");
}

/// A new maildrop uses the unique-ids of the old one for messages of the same size.
fn reused(old: &[Vec<u8>], new: &[Vec<u8>]) -> (Liar, Mount) {
    let liar = Liar::start(old);
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    for serial in 1..=old.len() as u64 {
        fs::read(mount.join(name(serial))).expect("an old message");
    }
    let output = mount.umount();
    assert!(output.status.success(), "{}", stderr(&output));
    mount.wait();
    for (serial, message) in (1..=old.len() as u64).zip(new) {
        liar.remove(serial);
        let added = liar.add(message);
        liar.set_uidl(added, format!("liar-{serial}").as_bytes());
    }
    mount.remount();
    (liar, mount)
}

#[test]
fn a_reused_unique_id_and_size_delete_no_unseen_message() {
    let old = of_equal_size(3);
    let new: Vec<Vec<u8>> = (4..7)
        .map(|index| message(index, &format!("tent of message {index:04}\r\n")))
        .collect();
    assert_eq!(old[0].len(), new[0].len());
    let (liar, mut mount) = reused(&old, &new);
    let shown = fs::read(mount.join("liar-1.eml")).expect("a message");
    remove(&mount, "liar-1.eml");
    let (_, said) = umount(&mut mount);
    if shown != new[0] {
        assert_eq!(liar.left_serials(), [4, 5, 6], "{said}");
    }
}

#[test]
fn a_reused_unique_id_shows_the_new_content_and_date() {
    let old = of_equal_size(3);
    let new: Vec<Vec<u8>> = (4..7)
        .map(|index| message(index, &format!("altogether new text {index}\r\n")))
        .collect();
    let (_liar, mount) = reused(&old, &new);
    assert_dated(&mount);
    for (serial, new) in (1..=3_u64).zip(&new) {
        let octets = fs::read(mount.join(name(serial))).expect("a message");
        assert!(octets == *new);
    }
    assert_dated(&mount);
}

/// The mount must show the dates of messages 4 to 6.
fn assert_dated(mount: &Mount) {
    for (serial, index) in (1..=3_u64).zip(4..7_u64) {
        let modified = fs::metadata(mount.join(name(serial))).and_then(|found| found.modified());
        let right = SystemTime::UNIX_EPOCH + Duration::from_secs(1_705_276_800 + 60 * index);
        assert_eq!(modified.expect("a date"), right, "{serial}");
    }
}

#[test]
fn a_unique_id_reused_during_the_mount_deletes_no_new_message() {
    let (liar, mut mount) = first_removed(&of_equal_size(3));
    liar.remove(1);
    let serial = liar.add(&message(9, "text of message 0009\r\n"));
    liar.set_uidl(serial, b"liar-1");
    let (_, said) = umount(&mut mount);
    assert_eq!(liar.left_serials(), [2, 3, serial], "{said}");
}

/// The server refuses TOP of the new message, as it does where another session has removed that.
#[test]
fn a_refused_top_does_not_let_a_new_message_go() {
    for refused in [&["TOP 3 0"][..], &["TOP 3 0", "RETR 3"]] {
        let (liar, mut mount) = first_removed(&of_equal_size(3));
        liar.remove(1);
        let serial = liar.add(&message(9, "text of message 0009\r\n"));
        liar.set_uidl(serial, b"liar-1");
        for command in refused {
            liar.on(command, Reply::Err("no such message"));
        }
        let (_, said) = umount(&mut mount);
        assert_eq!(liar.left_serials(), [2, 3, serial], "{said}");
    }
}

/// Unique-ids are case-sensitive (RFC 1939 section 7).
#[test]
fn unique_ids_that_differ_in_case_are_different_messages() {
    let liar = Liar::start(&of_equal_size(3));
    liar.set_uidl(1, b"AbCd");
    liar.set_uidl(2, b"aBcD");
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, "AbCd.eml");
    end_session(&liar);
    liar.remove(1);
    let (_, said) = umount(&mut mount);
    assert_eq!(liar.left_serials(), [2, 3], "{said}");
}

#[test]
fn a_unique_id_whose_case_changes_deletes_no_other_message() {
    let messages = of_equal_size(3);
    let liar = Liar::start(&messages);
    liar.set_uidl(1, b"AAAA");
    liar.set_uidl(2, b"BBBB");
    let mut mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    remove(&mount, "AAAA.eml");
    end_session(&liar);
    liar.set_uidl(1, b"bbbb");
    liar.set_uidl(2, b"AAAA");
    let (_, said) = umount(&mut mount);
    assert_eq!(liar.left_serials(), [1, 2, 3], "{said}");
}

#[test]
fn unique_ids_that_all_change_case_delete_nothing_wrong() {
    let messages = of_equal_size(3);
    let liar = Liar::start(&messages);
    for (serial, uidl) in [(1, "abc-a"), (2, "abc-b"), (3, "abc-c")] {
        liar.set_uidl(serial, uidl.as_bytes());
    }
    let mut mount = mounted(&liar, &["timeout=3s", "refresh=1s"]);
    list_with_dates(&mount);
    remove(&mount, "abc-b.eml");
    end_session(&liar);
    for (serial, uidl) in [(1, "ABC-A"), (2, "ABC-B"), (3, "ABC-C")] {
        liar.set_uidl(serial, uidl.as_bytes());
    }
    let (_, said) = umount(&mut mount);
    let left = liar.left_serials();
    assert!(left.contains(&1) && left.contains(&3), "{left:?} {said}");
}

/// A server that gives these messages one unique-id, and a mount that has listed them.
fn twins(messages: &[Vec<u8>]) -> (Liar, Mount) {
    let liar = Liar::start(messages);
    for serial in 1..=messages.len() as u64 {
        liar.set_uidl(serial, b"same");
    }
    let mount = mounted(&liar, &["timeout=3s"]);
    list_with_dates(&mount);
    (liar, mount)
}

/// Messages with equal headers and equal sizes.
fn with_equal_headers(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| message(1, &format!("{index}\r\n")))
        .collect()
}

/// The reader read and removed `same~2.eml`, which is message 2. Another client changes the twins.
fn assert_only_the_second_may_go(messages: &[Vec<u8>], change: impl Fn(&Liar)) {
    let (liar, mut mount) = twins(messages);
    let read = fs::read(mount.join("same~2.eml")).expect("the second twin");
    assert_eq!(read, messages[1]);
    remove(&mount, "same~2.eml");
    end_session(&liar);
    change(&liar);
    let before = liar.left_serials();
    let (_, said) = umount(&mut mount);
    let left = liar.left_serials();
    let lost: Vec<u64> = before
        .into_iter()
        .filter(|serial| !left.contains(serial))
        .collect();
    assert!(lost.is_empty() || lost == [2], "lost {lost:?}: {said}");
}

/// Another client deletes the first twin and a new one arrives.
fn shift(liar: &Liar, new: &[u8]) {
    liar.remove(1);
    let serial = liar.add(new);
    liar.set_uidl(serial, b"same");
}

#[test]
fn a_shift_of_equal_twins_deletes_no_other_twin() {
    assert_only_the_second_may_go(&with_equal_headers(3), |liar| {
        shift(liar, &message(1, "3\r\n"));
    });
}

#[test]
fn a_shift_of_twins_of_different_headers_deletes_no_other_twin() {
    assert_only_the_second_may_go(&of_equal_size(3), |liar| {
        shift(liar, &message(7, "text of message 0007\r\n"));
    });
}

#[test]
fn a_vanished_first_twin_deletes_no_other_twin() {
    assert_only_the_second_may_go(&of_equal_size(3), |liar| liar.remove(1));
}

#[test]
fn two_vanished_and_two_new_twins_delete_no_other_twin() {
    assert_only_the_second_may_go(&of_equal_size(4), |liar| {
        liar.remove(2);
        shift(liar, &message(7, "text of message 0007\r\n"));
        let serial = liar.add(&message(8, "text of message 0008\r\n"));
        liar.set_uidl(serial, b"same");
    });
}

/// The new twin arrives in front, as on servers that sort by date.
#[test]
fn a_removed_twin_replaced_by_another_client_is_kept() {
    assert_only_the_second_may_go(&of_equal_size(3), |liar| {
        liar.remove(2);
        let serial = liar.add(&message(7, "text of message 0007\r\n"));
        liar.set_uidl(serial, b"same");
    });
}
