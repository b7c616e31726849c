//! What the user is told about a commit is true on servers whose QUIT fails and whose maildrop
//! changes meanwhile.

use std::fs;
use std::path::Path;

use crate::common::{Liar, Mount, Reply, run, stderr};
use crate::{
    end_session, list_with_dates, listed, message, mounted, name, of_different_sizes,
    of_equal_size, remove, said, sync, umount,
};

/// A server that gives all messages one unique-id, and a mount that has listed them.
fn twins(messages: &[Vec<u8>]) -> (Liar, Mount) {
    let liar = Liar::start(messages);
    for serial in 1..=messages.len() as u64 {
        liar.set_uidl(serial, b"same");
    }
    let mount = mounted(&liar, &["timeout=2s"]);
    list_with_dates(&mount);
    (liar, mount)
}

fn copies(count: usize) -> Vec<Vec<u8>> {
    vec![message(1, "the same text\r\n"); count]
}

/// QUIT deletes nothing and closes, and another client deletes the twin `gone`: the mount must not
/// claim that it has deleted `removed`.
fn assert_no_false_claim(messages: &[Vec<u8>], removed: &str, gone: u64) {
    let (liar, mut mount) = twins(messages);
    remove(&mount, removed);
    liar.once("QUIT", Reply::Close);
    liar.remove(gone);
    let left = liar.left_serials();
    let (status, said) = umount(&mut mount);
    let deleted = left.len() - liar.left_serials().len();
    match deleted {
        0 => {
            assert!(!said.contains("1 message deleted"), "{said}");
            assert_ne!(status, Some(0), "{said}");
        }
        _ => assert!(said.contains("1 message deleted"), "{said}"),
    }
}

#[test]
fn a_twin_deleted_by_another_client_is_not_claimed() {
    assert_no_false_claim(&copies(2), "same.eml", 2);
    assert_no_false_claim(&copies(2), "same~2.eml", 1);
}

#[test]
fn one_of_three_twins_deleted_by_another_client_is_not_claimed() {
    assert_no_false_claim(&copies(3), "same.eml", 3);
    assert_no_false_claim(&copies(3), "same~2.eml", 3);
}

#[test]
fn a_twin_with_other_headers_deleted_elsewhere_is_not_claimed() {
    assert_no_false_claim(&of_equal_size(2), "same.eml", 2);
}

/// Two of three twins are removed, another client deletes one of the three, and QUIT fails.
#[test]
fn of_two_removed_copies_none_deleted_elsewhere_is_claimed() {
    for gone in 1..=3 {
        let (liar, mut mount) = twins(&copies(3));
        remove(&mount, "same.eml");
        remove(&mount, "same~2.eml");
        liar.once("QUIT", Reply::Close);
        liar.remove(gone);
        let (status, said) = umount(&mut mount);
        assert_eq!(status, crate::uncommitted(), "{said}");
        assert!(said.contains("0 messages deleted"), "{said}");
        assert_eq!(liar.left_serials().len(), 2);
    }
}

/// The server refuses one DELE because another client has deleted that message.
#[test]
fn a_refused_copy_deleted_elsewhere_is_not_said_to_be_there() {
    let (liar, mut mount) = twins(&copies(3));
    remove(&mount, "same.eml");
    remove(&mount, "same~2.eml");
    liar.remove(2);
    liar.once("DELE 2", Reply::Err("it has gone"));
    let (status, said) = umount(&mut mount);
    assert_eq!(status, crate::uncommitted(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("1 message deleted"), "{said}");
    assert!(!said.contains("same~2.eml is still"), "{said}");
    assert!(said.contains("same~2.eml is possibly still"), "{said}");
    assert_eq!(liar.left_serials(), [3]);
}

/// Another client exchanges unique-ids: the second of three removed twins becomes the first, and
/// other mail the second. The server has no TOP, so the mount notices only what it has read.
#[test]
fn a_twin_deleted_under_another_name_is_not_said_to_be_there() {
    let text = |serial| message(serial, "the same text\r\n");
    let liar = Liar::start(&[text(1), text(2), text(3), text(4)]);
    liar.set_capabilities(None);
    liar.on("TOP", Reply::Err("unknown command"));
    for serial in [1, 2, 4] {
        liar.set_uidl(serial, b"same");
    }
    let mut mount = mounted(&liar, &["timeout=2s", "mtime=none"]);
    list_with_dates(&mount);
    fs::read(mount.join("same~2.eml")).expect("the second twin");
    for twin in ["same.eml", "same~2.eml", "same~3.eml"] {
        remove(&mount, twin);
    }
    liar.exchange_uidls(1, 3);
    end_session(&liar);
    let (status, said) = umount(&mut mount);
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert!(said.contains("2 messages deleted"), "{said}");
    assert!(said.contains("same~2.eml is possibly still"), "{said}");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn copies_that_another_client_deleted_are_reported_as_gone() {
    let (liar, mut mount) = twins(&copies(2));
    remove(&mount, "same.eml");
    remove(&mount, "same~2.eml");
    liar.once("QUIT", Reply::Close);
    liar.remove(1);
    liar.remove(2);
    let (status, said) = umount(&mut mount);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said, "0 messages deleted on the server, 2 already gone\n");
}

/// What a failed commit says about the removed messages must agree with what happens to them.
fn assert_true_after_failure(fail: impl Fn(&Liar), recover: impl Fn(&Liar)) {
    let liar = Liar::start(&of_different_sizes(4));
    let mut mount = mounted(&liar, &["timeout=2s"]);
    remove(&mount, &name(2));
    fail(&liar);
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert!(!output.status.success(), "{output:?}");
    let (_, claimed) = said(&output);
    recover(&liar);
    let is_pending = mount.join(".deleted").join(name(2)).exists();
    if is_pending {
        let claim = "shown at the next mount";
        assert!(!claimed.contains(claim), "it stays pending: {claimed}");
        let (status, said) = umount(&mut mount);
        assert_eq!(
            (status, liar.left_serials()),
            (Some(0), vec![1, 3, 4]),
            "{said}"
        );
    } else {
        assert_eq!(listed(&mount).len(), liar.left_serials().len());
    }
}

#[test]
fn a_failed_login_of_a_commit_is_reported_truly() {
    assert_true_after_failure(
        |liar| {
            liar.on("PASS", Reply::Err("[SYS/TEMP] not now"));
            end_session(liar);
        },
        |liar| liar.behave("PASS"),
    );
}

#[test]
fn a_silent_dele_is_reported_truly() {
    assert_true_after_failure(
        |liar| liar.on("DELE", Reply::Silent),
        |liar| liar.behave("DELE"),
    );
}

#[test]
fn a_listing_that_fails_in_a_commit_is_reported_truly() {
    assert_true_after_failure(
        |liar| {
            liar.on("UIDL", Reply::Err("[SYS/TEMP] not now"));
            end_session(liar);
        },
        |liar| liar.behave("UIDL"),
    );
}

/// After a commit has deleted a twin, the names must be those of the remaining ones at once.
fn assert_renamed_at_once(removed: &str, left: [usize; 2]) {
    let messages = of_different_sizes(3);
    let (liar, mut mount) = twins(&messages);
    remove(&mount, removed);
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let archive = tempfile::tempdir().expect("an archive");
    let from = format!("{}/", mount.arg());
    let copied = run(&[
        Path::new("rsync"),
        Path::new("-a"),
        Path::new(&from),
        archive.path(),
    ]);
    assert_eq!(copied.status.code(), Some(0), "{}", stderr(&copied));
    assert_eq!(listed(&mount).len(), 2);
    let mut copies: Vec<Vec<u8>> = fs::read_dir(archive.path())
        .expect("the archive")
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a copy"))
        .collect();
    copies.sort();
    let mut right = left.map(|index| messages[index].clone()).to_vec();
    right.sort();
    assert!(copies == right, "{:?}", listed(&mount));
    assert_eq!(liar.left().len(), 2);
    umount(&mut mount);
}

#[test]
fn deleting_the_first_twin_renames_the_others_at_once() {
    assert_renamed_at_once("same.eml", [1, 2]);
}

#[test]
fn deleting_the_second_twin_renames_the_others_at_once() {
    assert_renamed_at_once("same~2.eml", [0, 2]);
}

#[test]
fn deleting_the_last_twin_renames_no_other() {
    assert_renamed_at_once("same~3.eml", [0, 1]);
}

/// A reply too many or too few to DELE shifts the replies to the other DELEs and to QUIT.
fn assert_true_with(misbehave: impl Fn(&Liar)) {
    let liar = Liar::start(&of_different_sizes(6));
    let mut mount = mounted(&liar, &["timeout=2s"]);
    list_with_dates(&mount);
    for serial in [2, 4, 5] {
        remove(&mount, &name(serial));
    }
    misbehave(&liar);
    let (status, said) = umount(&mut mount);
    let left = liar.left_serials();
    for serial in [1, 3, 6] {
        assert!(left.contains(&serial), "{left:?} {said}");
    }
    let kept = left.len() - 3;
    match kept {
        0 => assert!(
            said.contains("3 messages deleted") || status != Some(0),
            "{said}"
        ),
        _ => assert_ne!(status, Some(0), "{kept} of 3 are left: {said}"),
    }
    for serial in [2, 4, 5] {
        let is_claimed = said.contains(&format!("{} is still on the server", name(serial)));
        assert!(!is_claimed || left.contains(&serial), "{left:?} {said}");
    }
}

#[test]
fn a_duplicate_reply_to_dele_makes_no_verdict_false() {
    for serial in [2, 4, 5] {
        assert_true_with(|liar| {
            liar.once(&format!("DELE {serial}"), Reply::Duplicated);
            liar.on("DELE 5", Reply::Err("protected"));
        });
    }
}

#[test]
fn swapped_replies_to_dele_make_no_verdict_false() {
    assert_true_with(|liar| {
        liar.once("DELE 2", Reply::Err("protected"));
        liar.once("DELE 4", Reply::Duplicated);
    });
}

#[test]
fn a_missing_reply_to_dele_makes_no_verdict_false() {
    assert_true_with(|liar| liar.once("DELE 4", Reply::Missing));
}

#[test]
fn a_duplicate_before_a_refused_quit_makes_no_verdict_false() {
    assert_true_with(|liar| {
        liar.once("DELE 5", Reply::Duplicated);
        liar.once("QUIT", Reply::Err("[SYS/TEMP] nothing was deleted"));
    });
}

/// The reply to the last DELE would pass for that to QUIT, behind which the server says nothing.
#[test]
fn a_duplicate_before_a_quit_that_only_closes_makes_no_verdict_false() {
    for serial in [4, 5] {
        assert_true_with(|liar| {
            let behind = "QUIT\r\n".len();
            liar.once(&format!("DELE {serial}"), Reply::Duplicated);
            liar.once("DELE 2", Reply::HeldUntil { behind });
            liar.once("QUIT", Reply::Close);
        });
    }
}

#[test]
fn a_server_that_answers_stat_with_words_still_deletes() {
    let liar = Liar::start(&of_different_sizes(6));
    liar.on("STAT", Reply::Ok("six messages"));
    let mut mount = mounted(&liar, &["timeout=2s"]);
    remove(&mount, &name(2));
    let (status, said) = umount(&mut mount);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(liar.left_serials(), [1, 3, 4, 5, 6]);
}

/// Gives messages other unique-ids.
fn rename(liar: &Liar, serials: impl IntoIterator<Item = u64>) {
    for serial in serials {
        liar.set_uidl(serial, format!("LIAR-{serial}").as_bytes());
    }
}

/// What may happen to six messages of which 2 and 5 are removed. Dovecot gives all of them other
/// unique-ids when the index of a Maildir was rebuilt and its UIDVALIDITY is another.
const RENAMINGS: [fn(&Liar); 5] = [
    |liar| rename(liar, 1..=6),
    |liar| rename(liar, [2, 5]),
    |liar| rename(liar, 2..=6),
    |liar| {
        liar.remove(1);
        rename(liar, 2..=6);
    },
    |liar| {
        rename(liar, 1..=6);
        liar.add(&of_different_sizes(7)[6]);
    },
];

/// Removes messages 2 and 5 of six, and unmounts after this has happened. Neither may count as
/// deleted or gone. Returns what was said.
fn said_of_renamed(happen: impl Fn(&Liar)) -> String {
    let liar = Liar::start(&of_different_sizes(6));
    let mut mount = mounted(&liar, &["timeout=2s"]);
    list_with_dates(&mount);
    remove(&mount, &name(2));
    remove(&mount, &name(5));
    happen(&liar);
    let (status, said) = umount(&mut mount);
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert!(said.contains("0 messages deleted"), "{said}");
    assert!(!said.contains("already gone"), "{said}");
    let left = liar.left_serials();
    assert!(left.contains(&2) && left.contains(&5), "{left:?}");
    said
}

/// QUIT deletes nothing, and the next session gives messages other unique-ids.
#[test]
fn messages_with_other_unique_ids_after_a_failed_quit_are_not_said_to_be_deleted() {
    for quit in [Reply::Close, Reply::Err("[SYS/TEMP] nothing was deleted")] {
        for renaming in RENAMINGS {
            said_of_renamed(|liar| {
                liar.once("QUIT", quit.clone());
                renaming(liar);
            });
        }
    }
}

#[test]
fn messages_with_other_unique_ids_at_a_commit_are_not_said_to_be_gone() {
    for renaming in RENAMINGS {
        let said = said_of_renamed(|liar| {
            renaming(liar);
            liar.server().cut_all();
        });
        assert!(said.contains("other unique-ids"), "{said}");
    }
}

/// The reply to the last DELE comes when QUIT is sent, so it seems to be that to QUIT.
#[test]
fn a_late_reply_to_dele_is_no_answer_to_quit() {
    assert_true_with(|liar| {
        let behind = "QUIT\r\n".len();
        liar.once("DELE 5", Reply::Duplicated);
        liar.once("DELE 2", Reply::HeldUntil { behind });
        liar.once("QUIT", Reply::Err("[SYS/TEMP] nothing was deleted"));
    });
}

#[test]
fn an_exchange_of_unique_ids_in_a_sync_is_reported() {
    let liar = Liar::start(&of_equal_size(3));
    let mount = mounted(&liar, &["timeout=2s"]);
    list_with_dates(&mount);
    remove(&mount, &name(1));
    end_session(&liar);
    liar.exchange_uidls(1, 2);
    let output = sync(&mount);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}
