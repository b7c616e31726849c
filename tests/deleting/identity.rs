//! The unique-id says which message is deleted, not its number; messages that were only read stay.

use std::path::Path;

use crate::common::{Dovecot, DovecotOptions, Store, corpus, retr_all};
use crate::{files, liar, listed, mounted, remove, succeed, umount};

#[test]
fn a_deletion_follows_its_message_when_the_numbers_change() {
    let liar = liar(5);
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    remove(&mount, "liar-4.eml");
    liar.server().wait_until_idle();
    liar.remove(1);
    umount(&mut mount);
    assert_eq!((liar.count("DELE 3"), liar.count("DELE")), (1, 1));
    assert_eq!(liar.left_serials(), [2, 3, 5]);
}

#[test]
fn of_two_messages_with_equal_unique_ids_one_is_deleted() {
    let twin = corpus::with_body(b"we are two\r\n");
    let other = corpus::with_body(b"I am one\r\n");
    for second in ["", "~2"] {
        let dovecot = Dovecot::start(
            &[twin.clone(), other.clone(), twin.clone()],
            &DovecotOptions {
                store: Store::MboxWithEqualUidls,
                ..DovecotOptions::default()
            },
        );
        let files = files(dovecot.port(), Dovecot::USER);
        assert_eq!(files[0].0, files[2].0, "the unique-ids are equal");
        let name = files[0].0.replace(".eml", &format!("{second}.eml"));
        let mut mount = mounted(&dovecot.source(), &[]);
        assert_eq!(listed(&mount).len(), 3);
        remove(&mount, &name);
        assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
        assert_eq!(dovecot.messages_left().len(), 2);
        assert_eq!(retr_all(dovecot.port(), Dovecot::USER, "secret").len(), 2);
    }
}

#[test]
fn the_removed_one_of_two_equal_unique_ids_is_the_one_deleted() {
    for (name, left) in [("same.eml", [2, 3]), ("same~2.eml", [1, 2])] {
        let liar = liar(3);
        liar.set_uidl(1, b"same");
        liar.set_uidl(3, b"same");
        let mut mount = mounted(&liar.source(), &[]);
        remove(&mount, name);
        umount(&mut mount);
        assert_eq!(liar.left_serials(), left, "{name}");
    }
}

#[test]
fn when_another_client_deletes_a_twin_the_other_twin_stays() {
    for (name, gone, stays) in [("same.eml", 1, 3), ("same.eml", 3, 1), ("same~2.eml", 1, 3)] {
        let liar = liar(3);
        liar.set_uidl(1, b"same");
        liar.set_uidl(3, b"same");
        let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
        remove(&mount, name);
        liar.server().wait_until_idle();
        liar.remove(gone);
        // Whether umount reports a failure differs between the cases. What stays does not.
        let said = mount.umount();
        mount.wait();
        assert_eq!(liar.count("DELE"), 0, "{name}: {said:?}");
        assert!(liar.left_serials().contains(&stays), "{name}: {said:?}");
    }
}

const EXPIRES_AFTER_READING: &[&str] = &["TOP", "UIDL", "USER", "PIPELINING", "EXPIRE 0"];

#[test]
fn a_server_with_expire_0_gets_no_quit_after_mere_reading() {
    let liar = liar(3);
    liar.set_capabilities(Some(EXPIRES_AFTER_READING));
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    succeed(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    liar.server().wait_until_idle();
    succeed(&[Path::new("cat"), &mount.join("liar-2.eml")]);
    umount(&mut mount);
    liar.server().wait_until_idle();
    assert!(liar.count("RETR 1") == 1 && liar.count("RETR 2") == 1);
    assert_eq!(liar.count("QUIT"), 0);
}

#[test]
fn a_server_with_expire_0_gets_a_quit_for_a_deletion() {
    let liar = liar(3);
    liar.set_capabilities(Some(EXPIRES_AFTER_READING));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    umount(&mut mount);
    assert_eq!((liar.count("DELE 2"), liar.count("QUIT")), (1, 1));
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_deletion_with_expire_0_uses_a_session_that_read_nothing() {
    let liar = liar(3);
    liar.set_capabilities(Some(EXPIRES_AFTER_READING));
    let mut mount = mounted(&liar.source(), &[]);
    succeed(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    remove(&mount, "liar-2.eml");
    umount(&mut mount);
    let commands = liar.commands();
    let with = |verb: &str| {
        let connections = commands.iter().filter(|received| received.verb() == verb);
        connections
            .map(|received| received.connection)
            .collect::<Vec<_>>()
    };
    assert_eq!(liar.left_serials(), [1, 3]);
    let (read, quit) = (with("RETR"), with("QUIT"));
    assert!(
        quit.iter().all(|connection| !read.contains(connection)),
        "a session that retrieved a message was ended by QUIT: {commands:#?}"
    );
}
