//! Sequences that once failed, shrunk.

use std::time::Duration;

use pop3fs::maildrop::Pipeline;

use super::mail::{Draft, UidlForm};
use super::operations::{Operation, Parting, Sequence, Setting};
use super::run::run;
use super::server::{Break, Fault, Misreply, Offers, Quit, Update, Within};

const MAIL: Draft = Draft {
    octets: 0,
    overstated: 0,
    uidl: UidlForm::Plain,
};

fn succeeds(mails: &[Draft], operations: &[Operation]) {
    succeeds_with(setting(), mails, operations);
}

fn setting() -> Setting {
    Setting {
        pipeline: Pipeline::Auto,
        offers: Offers {
            pipelining: true,
            top: true,
            expire_at_once: false,
        },
        chunk: 60,
        memory: 2_000,
        disk: Some(1 << 20),
        idle_timeout: Duration::from_secs(600),
    }
}

fn without_top(pipelining: bool) -> Setting {
    Setting {
        offers: Offers {
            pipelining,
            top: false,
            expire_at_once: false,
        },
        ..setting()
    }
}

fn succeeds_with(setting: Setting, mails: &[Draft], operations: &[Operation]) {
    let sequence = Sequence {
        setting,
        mails: mails.to_vec(),
        operations: operations.to_vec(),
    };
    if let Err(what) = run(&sequence) {
        panic!("{what}");
    }
}

/// The minimum size of the read-ahead window must not exceed the memory.
#[test]
fn a_walk_fits_a_small_memory() {
    succeeds(&[MAIL, MAIL], &[Operation::Walk]);
}

/// The remaining twin takes the name of the deleted one, which must not count as kept.
#[test]
fn a_twin_is_deleted_though_quit_says_otherwise() {
    let quit = Quit::Refused(Update::Done);
    succeeds(
        &[MAIL],
        &[
            Operation::Copy(0),
            Operation::Refresh,
            Operation::Unlink(0),
            Operation::Commit { refused: 0, quit },
        ],
    );
}

/// The first commit renames the second twin, which must not count as gone in the second commit.
#[test]
fn twins_are_deleted_one_commit_after_the_other() {
    let quit = Quit::Confirmed;
    succeeds(
        &[MAIL],
        &[
            Operation::Copy(0),
            Operation::Refresh,
            Operation::Unlink(0),
            Operation::Commit { refused: 0, quit },
            Operation::Unlink(0),
            Operation::Commit { refused: 0, quit },
        ],
    );
}

/// As above, but the server refuses DELE for the second twin.
#[test]
fn the_twin_with_a_refused_dele_is_kept() {
    let quit = Quit::Refused(Update::Done);
    let refused = 0b10;
    succeeds(
        &[MAIL],
        &[
            Operation::Copy(0),
            Operation::Refresh,
            Operation::Unlink(0),
            Operation::Unlink(0),
            Operation::Commit { refused, quit },
        ],
    );
}

/// Commits must obey `pipeline=off`.
#[test]
fn without_a_pipeline_deletions_go_one_by_one() {
    let quit = Quit::Confirmed;
    let setting = Setting {
        pipeline: Pipeline::Off,
        ..setting()
    };
    succeeds_with(
        setting,
        &[MAIL, MAIL],
        &[
            Operation::Unlink(0),
            Operation::Unlink(0),
            Operation::Commit { refused: 0, quit },
        ],
    );
}

/// Without CAPA the mount does not learn of EXPIRE 0, so it must not send QUIT after reading.
#[test]
fn messages_that_were_read_stay_though_capa_was_cut_off() {
    let offers = Offers {
        pipelining: false,
        top: false,
        expire_at_once: true,
    };
    let setting = Setting {
        offers,
        ..setting()
    };
    let behind_the_greeting = Fault {
        how: Break::Close,
        after: "+OK ready\r\n".len() as u32,
        within: Within::Everything,
    };
    succeeds_with(
        setting,
        &[MAIL],
        &[
            Operation::Fault(behind_the_greeting),
            Operation::Remount(Parting::Crashing),
            Operation::Cat(0),
        ],
    );
}

/// The listing after a refused DELE shows a new message with the unique-id of the deleted one.
#[test]
fn a_copy_that_arrives_before_a_commit_is_shown_after_it() {
    let quit = Quit::Confirmed;
    let refused = 0b10;
    for copied in 0..2 {
        succeeds(
            &[MAIL, MAIL],
            &[
                Operation::Copy(copied),
                Operation::Unlink(0),
                Operation::Unlink(0),
                Operation::Commit { refused, quit },
            ],
        );
    }
}

/// Messages of different sizes, read while the server sends a wrong reply to RETR.
fn succeeds_with_misreply(misreply: Misreply) {
    let mails: Vec<Draft> = (0..8)
        .map(|at| Draft {
            octets: 39 + 50 * at,
            ..MAIL
        })
        .collect();
    let operations = [
        Operation::Refresh,
        Operation::Misreply(misreply),
        Operation::Together,
        Operation::Walk,
    ];
    succeeds(&mails, &operations);
}

/// The second reply to one RETR must not become the content of the next message.
#[test]
fn a_duplicate_reply_becomes_no_other_content() {
    succeeds_with_misreply(Misreply::Duplicate);
}

#[test]
fn swapped_replies_become_no_other_content() {
    succeeds_with_misreply(Misreply::Swapped);
}

#[test]
fn a_missing_reply_becomes_no_other_content() {
    succeeds_with_misreply(Misreply::Missing);
}

/// A line of a single dot ends an unstuffed body early.
#[test]
fn an_unstuffed_body_is_not_cut_short() {
    let mail = Draft { octets: 39, ..MAIL };
    let operations = [Operation::Misreply(Misreply::Unstuffed), Operation::Cat(0)];
    succeeds(&[mail], &operations);
}

/// The user sees and removes the old message; the server has another one under its unique-id.
#[test]
fn a_message_with_a_reused_unique_id_is_not_deleted_unseen() {
    let quit = Quit::Confirmed;
    for is_refreshed in [true, false] {
        let mut operations = vec![Operation::Refresh, Operation::Cat(0)];
        operations.push(Operation::Reuse(0));
        operations.extend(is_refreshed.then_some(Operation::Refresh));
        operations.push(Operation::Unlink(0));
        operations.push(Operation::Restart);
        operations.push(Operation::Commit { refused: 0, quit });
        succeeds(&[MAIL], &operations);
    }
}

#[test]
fn exchanged_unique_ids_delete_no_other_message() {
    let quit = Quit::Confirmed;
    let large = Draft {
        octets: 300,
        ..MAIL
    };
    succeeds(
        &[MAIL, large],
        &[
            Operation::Refresh,
            Operation::Walk,
            Operation::Unlink(0),
            Operation::Exchange(0, 1),
            Operation::Restart,
            Operation::Commit { refused: 0, quit },
            Operation::Walk,
        ],
    );
}

/// Nothing was seen of the message that the user removed. The headers of the message that has its
/// unique-id now are no evidence.
#[test]
fn headers_seen_after_a_replacement_confirm_no_removal() {
    let quit = Quit::Confirmed;
    let large = Draft {
        octets: 300,
        ..MAIL
    };
    succeeds(
        &[MAIL, MAIL],
        &[
            Operation::Unlink(0),
            Operation::Alter(0, large),
            Operation::Restart,
            Operation::Walk,
            Operation::Stat(0),
            Operation::Commit { refused: 0, quit },
        ],
    );
}

/// The second message was replaced between TOP and RETR. That does not show that this server's TOP
/// differs from its RETR, so the headers of the first one still count.
#[test]
fn a_replaced_message_says_nothing_of_top_and_retr() {
    let quit = Quit::Confirmed;
    succeeds(
        &[MAIL, MAIL],
        &[
            Operation::List,
            Operation::Stat(1),
            Operation::Reuse(1),
            Operation::Restart,
            Operation::Cat(1),
            Operation::Cat(0),
            Operation::Unlink(0),
            Operation::Reuse(0),
            Operation::Restart,
            Operation::Commit { refused: 0, quit },
        ],
    );
}

/// Another client deletes one of two copies. Then the user removes one, and QUIT deletes nothing.
#[test]
fn a_copy_deleted_elsewhere_is_not_claimed() {
    let quit = Quit::Refused(Update::NotDone);
    for gone in 0..2 {
        succeeds(
            &[MAIL],
            &[
                Operation::Copy(0),
                Operation::Refresh,
                Operation::Expunge(gone),
                Operation::Unlink(0),
                Operation::Commit { refused: 0, quit },
            ],
        );
    }
}

#[test]
fn an_aborted_mount_tells_what_its_commit_has_done() {
    for quit in [Quit::Confirmed, Quit::Closed(Update::Done)] {
        succeeds(
            &[MAIL, MAIL],
            &[
                Operation::Unlink(0),
                Operation::Remount(Parting::Aborting(quit)),
                Operation::Walk,
            ],
        );
    }
}

#[test]
fn a_mount_held_elsewhere_can_be_read_and_not_changed() {
    succeeds(
        &[MAIL, MAIL, MAIL],
        &[
            Operation::Unlink(0),
            Operation::Open(2),
            Operation::Remount(Parting::HeldElsewhere(Quit::Confirmed)),
            Operation::Walk,
            Operation::Unlink(0),
            Operation::Commit {
                refused: 0,
                quit: Quit::Confirmed,
            },
        ],
    );
}

/// Another client exchanges unique-ids, so the second of three removed twins has other mail in its
/// place and the name of the first. The commit deletes it by that name.
#[test]
fn a_twin_that_took_a_removed_name_is_not_said_to_be_left() {
    let hostile = Draft {
        uidl: UidlForm::Hostile,
        ..MAIL
    };
    let close = Fault {
        how: Break::Close,
        after: 0,
        within: Within::Everything,
    };
    let mails = [MAIL, MAIL, hostile, MAIL, MAIL, MAIL, MAIL, MAIL, MAIL];
    succeeds_with(
        without_top(false),
        &mails,
        &[
            Operation::Copy(47),
            Operation::Fault(close),
            Operation::Cat(0),
            Operation::Unlink(91),
            Operation::Arrive(MAIL),
            Operation::Arrive(MAIL),
            Operation::Arrive(MAIL),
            Operation::Unlink(55),
            Operation::Exchange(171, 36),
            Operation::Refresh,
            Operation::Unlink(253),
        ],
    );
}

/// The headers that were known are those of other mail, which had this unique-id before. So the
/// second message that the user removes is kept, and nothing but QUIT's outcome is in doubt.
#[test]
fn a_kept_message_without_twins_is_on_the_server() {
    for update in [Update::Done, Update::NotDone] {
        succeeds_with(
            without_top(false),
            &[MAIL, Draft { octets: 60, ..MAIL }],
            &[
                Operation::List,
                Operation::Unlink(0),
                Operation::Exchange(0, 1),
                Operation::Stat(0),
                Operation::Commit {
                    refused: 0,
                    quit: Quit::Refused(Update::NotDone),
                },
                Operation::Unlink(0),
                Operation::Unlink(0),
                Operation::Stat(0),
                Operation::Commit {
                    refused: 0,
                    quit: Quit::Refused(update),
                },
            ],
        );
    }
}

/// The server gives a message another unique-id while a session is open. The session deletes it
/// under the one that it has listed.
#[test]
fn a_session_deletes_a_message_under_its_listed_name() {
    succeeds_with(
        without_top(false),
        &[MAIL, MAIL],
        &[
            Operation::Reuse(1),
            Operation::Expunge(0),
            Operation::Unlink(1),
            Operation::Walk,
            Operation::Recase(0),
        ],
    );
}

/// QUIT deletes the message and is refused all the same. Another client has brought a copy with its
/// unique-id, which nobody has removed.
#[test]
fn what_a_refused_quit_has_left_is_not_deleted_again() {
    let refused = Operation::Commit {
        refused: 0,
        quit: Quit::Refused(Update::Done),
    };
    succeeds_with(
        without_top(true),
        &[MAIL, MAIL],
        &[
            Operation::Unlink(0),
            refused.clone(),
            Operation::Unlink(0),
            Operation::Copy(0),
            refused,
        ],
    );
}

/// The session is over when the commit begins, and the engine may not have noticed. Then a reply
/// breaks off once.
#[test]
fn an_idle_session_that_ended_costs_a_commit_no_attempt() {
    let close = Fault {
        how: Break::Close,
        after: 0,
        within: Within::Transfers,
    };
    for _race in 0..20 {
        succeeds(
            &[MAIL, MAIL],
            &[
                Operation::List,
                Operation::Unlink(0),
                Operation::Fault(close),
                Operation::Restart,
                Operation::Commit {
                    refused: 0,
                    quit: Quit::Confirmed,
                },
            ],
        );
    }
}
