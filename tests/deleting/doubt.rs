//! A removed message that is listed with another size by the time of the commit: the same one, or another.

use std::path::Path;

use crate::common::{Liar, Mailutils, MailutilsOptions, Mount, corpus};
use crate::{mounted, remove, stdout_of, succeed, umount, umount_in_vain};

const NAME: &str = "same.eml";

/// A maildrop of one message, whose date was shown, and which was removed.
fn removed(message: &[u8]) -> (Liar, Mount) {
    let liar = Liar::start(&[message.to_vec()]);
    liar.set_uidl(1, NAME.trim_end_matches(".eml").as_bytes());
    let mount = mounted(&liar.source(), &["idle_timeout=1s", "refresh=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    (liar, mount)
}

/// Another message takes its unique-id.
fn replace(liar: &Liar, message: &[u8]) {
    liar.remove(1);
    let serial = liar.add(message);
    liar.set_uidl(serial, b"same");
}

fn message(date: &str, headers: &str) -> Vec<u8> {
    format!("Date: {date}\r\nFrom: alice@example.org\r\n{headers}\r\nhello\r\n").into_bytes()
}

const MAY: &str = "Wed, 01 May 2024 09:30:00 +0000";
const JUNE: &str = "Sat, 01 Jun 2024 09:30:00 +0000";

#[test]
fn a_message_in_which_the_server_noted_that_it_was_read_is_deleted() {
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &message(MAY, "Status: RO\r\nX-UID: 1\r\n"));
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn another_message_under_the_unique_id_of_a_removed_one_is_kept() {
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &message(JUNE, "Subject: quite another\r\n"));
    let said = umount_in_vain(&mut mount);
    assert!(said.contains("it changed since it was unlinked"), "{said}");
    assert_eq!(liar.count("DELE"), 0);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_of_which_no_date_was_shown_is_kept_if_its_size_changes() {
    let liar = Liar::start(&[message(MAY, "")]);
    liar.set_uidl(1, b"same");
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s", "mtime=none"]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    replace(&liar, &message(MAY, "Status: RO\r\n"));
    umount_in_vain(&mut mount);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_that_is_taken_back_and_removed_anew_is_in_doubt_no_longer() {
    let other = message(JUNE, "Subject: quite another\r\n");
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &other);
    let serial = liar.add(&message(MAY, ""));
    stdout_of(&["ls", "-l", mount.arg()]);
    // A new session has listed it with its other size.
    let reader = mount.join(format!("liar-{serial}.eml"));
    std::fs::read(reader).expect("what came since");
    let deleted = mount.path().join(".deleted").join(NAME);
    succeed(&[Path::new("mv"), &deleted, &mount.join(NAME)]);
    assert_eq!(std::fs::read(mount.join(NAME)).expect("the other"), other);
    remove(&mount, NAME);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [serial]);
}

/// mailutils adds `X-UID` and `Status` to the messages at the end of the first session.
#[test]
fn what_was_moved_out_of_a_mailutils_maildrop_is_deleted_after_a_rest() {
    let mailutils = Mailutils::start(&corpus::realistic(50, 3), MailutilsOptions::default());
    let mut mount = mounted(&mailutils.source(), &["idle_timeout=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let archive = tempfile::tempdir().expect("a folder");
    succeed(&[
        Path::new("sh"),
        Path::new("-c"),
        Path::new("mv -- \"$1\"/* \"$2\""),
        Path::new("sh"),
        mount.path(),
        archive.path(),
    ]);
    mount.wait_until_its_session_is_closed();
    assert_eq!(umount(&mut mount), "3 messages deleted on the server\n");
    assert_eq!(mailutils.messages_left(), [[0; 0]; 0]);
}
