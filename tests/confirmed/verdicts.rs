//! What the user is told about a commit is true on servers whose QUIT fails and whose maildrop
//! changes meanwhile.

use crate::common::{Liar, Reply};
use crate::{
    end_session, list_with_dates, listed, mounted, name, of_different_sizes, of_equal_size, remove,
    said, sync, umount,
};

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
