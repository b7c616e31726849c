//! A removed message that one listing leaves out: that alone does not mean that it is gone.

use std::fs;

use crate::common::{Liar, Mount, Reply, assert_says, corpus, eventually};
use crate::{liar, listed, mounted, remove, stdout_of, umount, umount_fails};

/// With this option `ls` asks the server for a new listing.
const RENEWED: &str = "refresh=1s";

/// Lists the root directory until that makes the server send a new listing.
pub(super) fn list_again(liar: &Liar, mount: &Mount) {
    let before = liar.count("LIST");
    eventually("a new listing", || {
        listed(mount);
        (liar.count("LIST") > before).then_some(())
    });
}

/// A server without UIDL. The reader removes the second message; then the server refuses its
/// headers (TOP) once, so that one listing cannot identify it.
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
    list_again(&liar, &mount);
    (liar, mount, name)
}

#[test]
fn a_removed_message_with_refused_headers_is_reported() {
    let (liar, mut mount, name) = headers_refused_once();
    let said = umount_fails(&mut mount);
    assert_says(&said, &[&name, "still on the server"]);
    assert_eq!((liar.count("DELE"), liar.left_serials().len()), (0, 4));
}

#[test]
fn a_removed_message_whose_headers_were_refused_once_is_deleted() {
    let (liar, mut mount, _) = headers_refused_once();
    list_again(&liar, &mount);
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
    list_again(&liar, &mount);
    list_again(&liar, &mount);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

/// UIDL and LIST both end early; STAT counts what they do not name.
#[test]
fn a_removed_message_that_no_listing_named_once_is_deleted() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    liar.once("UIDL", Reply::Raw(b"+OK\r\n1 liar-1\r\n.\r\n".to_vec()));
    liar.once("LIST", Reply::Raw(b"+OK\r\n1 120\r\n.\r\n".to_vec()));
    list_again(&liar, &mount);
    list_again(&liar, &mount);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

/// The new message is as long as the removed one, which another client deleted while UIDL was
/// incomplete.
#[test]
fn new_mail_reusing_the_unique_id_of_a_removed_message_stays() {
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
    list_again(&liar, &mount);
    let serial = liar.add(&june);
    liar.set_uidl(serial, b"liar-2");
    list_again(&liar, &mount);
    let said = umount_fails(&mut mount);
    assert_says(&said, &["liar-2.eml", "still on the server"]);
    assert_eq!(
        (liar.count("DELE"), liar.left_serials()),
        (0, vec![1, 3, serial])
    );
}

/// From now on UIDL answers with these lines only.
fn uidl_lists(liar: &Liar, named: &[u8]) {
    liar.behave("UIDL");
    liar.on("UIDL", Reply::Raw([b"+OK\r\n", named, b".\r\n"].concat()));
}

#[test]
fn a_removed_message_is_gone_though_uidl_never_lists_all() {
    let liar = liar(3);
    uidl_lists(&liar, b"1 liar-1\r\n2 liar-2\r\n");
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    liar.remove(2);
    uidl_lists(&liar, b"1 liar-1\r\n");
    list_again(&liar, &mount);
    assert_eq!(umount(&mut mount), "nothing to delete\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn an_unanswered_deletion_is_known_though_uidl_never_lists_all() {
    let liar = liar(3);
    uidl_lists(&liar, b"1 liar-1\r\n2 liar-2\r\n");
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    liar.after("QUIT", Reply::Close);
    uidl_lists(&liar, b"1 liar-1\r\n");
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_reused_unique_id_of_a_removed_message_is_listed_again() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &[RENEWED]);
    remove(&mount, "liar-2.eml");
    liar.remove(2);
    list_again(&liar, &mount);
    let serial = liar.add(&corpus::with_body(b"another\r\n"));
    liar.set_uidl(serial, b"liar-2");
    list_again(&liar, &mount);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    assert_says(&mount.stderr(), &["liar-2.eml", "listed again"]);
    assert_eq!(umount(&mut mount), "nothing to delete\n");
    assert_eq!(liar.left_serials(), [1, 3, serial]);
}
