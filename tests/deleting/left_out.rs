//! A removed message that a listing leaves out: what the server did not tell of is not gone.

use std::fs;

use crate::common::{Liar, Mount, Reply, assert_says, corpus, eventually};
use crate::{liar, listed, mounted, remove, stdout_of, umount, umount_in_vain};

/// For listings that are renewed by `ls`.
const RENEWED: &str = "refresh=1s";

/// Lists the root until the server was asked once more.
pub(super) fn list_anew(liar: &Liar, mount: &Mount) {
    let before = liar.count("LIST");
    eventually("a new listing", || {
        listed(mount);
        (liar.count("LIST") > before).then_some(())
    });
}

/// A maildrop without UIDL of which the second message is removed; then the next session is refused its headers.
fn headers_refused_once() -> (Liar, Mount, String) {
    let messages = corpus::realistic(33, 4);
    let liar = Liar::start(&messages);
    liar.on("UIDL", Reply::Err("unknown command"));
    let mount = mounted(&liar.source(), &[RENEWED]);
    let is_second = |name: &String| fs::read(mount.join(name)).expect("a message") == messages[1];
    let name = listed(&mount).into_iter().find(is_second);
    let name = name.expect("the second message");
    remove(&mount, &name);
    liar.once("TOP 2 0", Reply::Err("not now"));
    list_anew(&liar, &mount);
    (liar, mount, name)
}

#[test]
fn a_removed_message_whose_headers_were_refused_since_is_told_of() {
    let (liar, mut mount, name) = headers_refused_once();
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &[&name, "still on the server"]);
    assert_eq!((liar.count("DELE"), liar.left_serials().len()), (0, 4));
}

#[test]
fn a_removed_message_whose_headers_were_refused_once_is_deleted() {
    let (liar, mut mount, _) = headers_refused_once();
    list_anew(&liar, &mount);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3, 4]);
}

#[test]
fn a_removed_message_that_uidl_left_out_once_is_deleted() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    let without = b"+OK\r\n1 liar-1\r\n3 liar-3\r\n.\r\n";
    liar.once("UIDL", Reply::Raw(without.to_vec()));
    list_anew(&liar, &mount);
    list_anew(&liar, &mount);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

/// As long as the removed one, which went while the server did not name all of its messages.
#[test]
fn new_mail_with_the_unique_id_of_a_removed_message_that_was_left_out_is_kept() {
    let dated =
        |date: &str| format!("Date: {date}\r\nFrom: alice@example.org\r\n\r\n.\r\n").into_bytes();
    let (may, june) = (
        dated("Wed, 01 May 2024 09:30:00 +0000"),
        dated("Sat, 01 Jun 2024 09:30:00 +0000"),
    );
    assert_eq!(may.len(), june.len());
    let liar = Liar::start(&[may.clone(), may.clone(), may]);
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, "liar-2.eml");
    liar.remove(2);
    liar.once("UIDL", Reply::Raw(b"+OK\r\n1 liar-1\r\n.\r\n".to_vec()));
    list_anew(&liar, &mount);
    let serial = liar.add(&june);
    liar.set_uidl(serial, b"liar-2");
    list_anew(&liar, &mount);
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &["liar-2.eml", "still on the server"]);
    assert_eq!(
        (liar.count("DELE"), liar.left_serials()),
        (0, vec![1, 3, serial])
    );
}

/// The third message has no unique-id, whatever else is there.
fn name_all_but_the_third(liar: &Liar, named: &[u8]) {
    liar.behave("UIDL");
    liar.on("UIDL", Reply::Raw([b"+OK\r\n", named, b".\r\n"].concat()));
}

#[test]
fn a_removed_message_that_went_is_gone_though_the_server_never_names_all() {
    let liar = liar(3);
    name_all_but_the_third(&liar, b"1 liar-1\r\n2 liar-2\r\n");
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    liar.remove(2);
    name_all_but_the_third(&liar, b"1 liar-1\r\n");
    list_anew(&liar, &mount);
    assert_eq!(umount(&mut mount), "nothing was to be deleted\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn what_was_deleted_without_an_answer_is_known_to_be_though_the_server_never_names_all() {
    let liar = liar(3);
    name_all_but_the_third(&liar, b"1 liar-1\r\n2 liar-2\r\n");
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    liar.after("QUIT", Reply::Close);
    name_all_but_the_third(&liar, b"1 liar-1\r\n");
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn what_has_the_unique_id_of_a_removed_message_that_went_is_listed_and_told_of() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    liar.remove(2);
    list_anew(&liar, &mount);
    let serial = liar.add(&corpus::with_body(b"another\r\n"));
    liar.set_uidl(serial, b"liar-2");
    list_anew(&liar, &mount);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    assert_says(&mount.stderr(), &["liar-2.eml", "listed again"]);
    assert_eq!(umount(&mut mount), "nothing was to be deleted\n");
    assert_eq!(liar.left_serials(), [1, 3, serial]);
}
