//! A server that takes a command of a commit and never answers it, always at the same messages: the
//! command ends in time, the other removed messages are deleted, and the message is true.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Background, Liar, Mount, Reply, eventually};
use crate::{end_session, list_with_dates, mounted, name, of_different_sizes, said};

const COUNT: u64 = 9;
/// Removed in each test. Message 9 is the first that DELE is sent for.
const REMOVED: [u64; 7] = [1, 3, 4, 5, 7, 8, 9];
/// Five timeouts of the mounts below, and time for a busy machine.
const IN_TIME: Duration = Duration::from_secs(30);

/// What asks for the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Commit,
    Sync,
    Umount,
    Sigterm,
}

const ALL: [Asked; 4] = [Asked::Commit, Asked::Sync, Asked::Umount, Asked::Sigterm];

/// One commit during which the server hangs.
#[derive(Clone, Copy, Debug)]
struct HangingCommit<'a> {
    /// The verbs that it does not answer.
    commands: &'a [&'a str],
    /// For these messages.
    bad: &'a [u64],
    pipeline: &'a str,
    asked: Asked,
}

/// The server answers, unless the test has it hang by other rules.
const COMMIT: HangingCommit<'_> = HangingCommit {
    commands: &[],
    bad: &[],
    pipeline: "pipeline=auto",
    asked: Asked::Commit,
};

impl HangingCommit<'_> {
    fn begin(self) -> (Liar, Mount) {
        let liar = Liar::start(&of_different_sizes(9));
        let mount = mounted(&liar, &["timeout=2s", self.pipeline]);
        list_with_dates(&mount);
        for serial in REMOVED {
            std::fs::remove_file(mount.join(name(serial))).expect("a removal");
        }
        for &serial in self.bad {
            for &verb in self.commands {
                liar.on_message(verb, serial, Reply::Silent);
            }
        }
        // TOP is sent again in another session.
        end_session(&liar);
        (liar, mount)
    }

    fn left(self) -> Vec<u64> {
        let is_left = |serial: &u64| !REMOVED.contains(serial) || self.bad.contains(serial);
        (1..=COUNT).filter(is_left).collect()
    }

    /// Runs the commit. What it says must agree with what the server has left; returns both.
    fn run(self, liar: &Liar, mount: &mut Mount) -> (Vec<u64>, String) {
        let (status, said) = match self.asked {
            Asked::Commit => self.ask(mount, &["commit", mount.arg()]),
            Asked::Umount => {
                let said = self.ask(mount, &["umount", mount.arg()]);
                mount.wait();
                said
            }
            Asked::Sync => {
                let sync = Background::start(&["sync", mount.arg()]);
                let (status, said) = said(&sync.output_within(IN_TIME));
                eventually("the end of the commit", || {
                    let left = liar.left_serials();
                    (left.len() < COUNT as usize).then_some(())
                });
                (status, said)
            }
            Asked::Sigterm => {
                mount.signal(Signal::SIGTERM);
                let ended = mount.wait();
                (ended.status.and_then(|status| status.code()), ended.stderr)
            }
        };
        let left = liar.left_serials();
        let is_whole = left.iter().all(|serial| !REMOVED.contains(serial));
        assert_eq!(status == Some(0), is_whole, "{self:?}: {said}");
        (left, said)
    }

    fn ask(self, mount: &Mount, arguments: &[&str]) -> (Option<i32>, String) {
        let command = Background::spawn(&mut mount.subcommand_line(arguments));
        said(&command.output_within(IN_TIME))
    }

    /// The others must be deleted, and the message must name those at which the server hangs.
    fn check(self) {
        let (liar, mut mount) = self.begin();
        let (left, said) = self.run(&liar, &mut mount);
        assert_eq!(left, self.left(), "{self:?}: {said}");
        if matches!(self.asked, Asked::Commit | Asked::Umount) {
            let deleted = REMOVED.len() - self.bad.len();
            assert!(
                said.contains(&format!("{deleted} messages deleted")),
                "{said}"
            );
            for &serial in self.bad {
                let kept = format!("{} is still on the server: ", name(serial));
                assert!(said.contains(&kept), "{self:?}: {said}");
            }
        }
    }
}

/// Each way to ask for a commit, with and without pipelining. All at once, since each mostly waits.
fn check_all(commands: &[&str], bad: &[u64]) {
    thread::scope(|scope| {
        for asked in ALL {
            for pipeline in ["pipeline=auto", "pipeline=off"] {
                let commit = HangingCommit {
                    commands,
                    bad,
                    pipeline,
                    asked,
                };
                scope.spawn(move || commit.check());
            }
        }
    });
}

#[test]
fn a_hanging_dele_keeps_its_message_alone() {
    for bad in [&[9][..], &[5], &[1]] {
        check_all(&["DELE"], bad);
    }
}

#[test]
fn several_hanging_deles_keep_their_messages_alone() {
    for bad in [&[1, 9][..], &[4, 5, 9]] {
        check_all(&["DELE"], bad);
    }
}

#[test]
fn a_hanging_top_and_retr_keep_their_message_alone() {
    check_all(&["TOP", "RETR"], &[5]);
}

#[test]
fn several_hanging_tops_and_retrs_keep_their_messages_alone() {
    check_all(&["TOP", "RETR"], &[1, 9]);
}

fn umount_hanging_at_dele(bad: &[u64], reply: &Reply) -> (Liar, Mount) {
    let commit = HangingCommit {
        commands: &[],
        bad,
        pipeline: "pipeline=auto",
        asked: Asked::Umount,
    };
    let (liar, mut mount) = commit.begin();
    for &serial in bad {
        liar.on_message("DELE", serial, reply.clone());
    }
    let (left, said) = commit.run(&liar, &mut mount);
    assert_eq!(left, commit.left(), "{said}");
    let why = "the connection broke each time that it was to be deleted";
    assert!(said.contains(why), "{said}");
    (liar, mount)
}

#[test]
fn a_dele_that_breaks_sessions_keeps_its_message_alone() {
    let nonsense = Reply::Raw(b"what?\r\n".to_vec());
    for reply in [Reply::Close, Reply::Reset, nonsense] {
        umount_hanging_at_dele(&[1, 4, 9], &reply);
    }
}

/// The message is shown again, and can be removed once the server answers.
#[test]
fn what_was_kept_is_deleted_once_the_server_answers() {
    let (liar, mut mount) = umount_hanging_at_dele(&[5], &Reply::Silent);
    liar.behave_for_messages();
    mount.remount();
    assert_eq!(crate::listed(&mount), [2, 5, 6].map(name));
    crate::remove(&mount, &name(5));
    let (status, said) = crate::umount(&mut mount);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(liar.left_serials(), [2, 6]);
}

#[test]
fn a_dele_that_hangs_once_is_sent_again() {
    for hangs in ["DELE 9", "DELE 4"] {
        let commit = COMMIT;
        let (liar, mut mount) = commit.begin();
        liar.once(hangs, Reply::Silent);
        let (left, said) = commit.run(&liar, &mut mount);
        assert_eq!(left, [2, 6], "{said}");
    }
}

/// A server that hangs at every message has trouble of its own: nothing is listed again.
#[test]
fn what_a_server_hangs_at_altogether_stays_pending() {
    let commit = COMMIT;
    let (liar, mut mount) = commit.begin();
    liar.on("DELE", Reply::Silent);
    let (status, said) = commit.ask(&mount, &["commit", mount.arg()]);
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert!(said.contains("stays removed here"), "{said}");
    assert_eq!(crate::listed(&mount), [2, 6].map(name));
    liar.behave("DELE");
    let (left, said) = commit.run(&liar, &mut mount);
    assert_eq!(left, [2, 6], "{said}");
}

/// The bodies of messages that share a unique-id are to tell which of them was removed.
#[test]
fn a_hanging_body_of_a_twin_keeps_no_other_message() {
    for hangs in [1, 2] {
        let liar = Liar::start(&of_different_sizes(4));
        for serial in [1, 2] {
            liar.set_uidl(serial, b"same");
        }
        let mut mount = mounted(&liar, &["timeout=2s"]);
        list_with_dates(&mount);
        for twin in ["same.eml", "same~2.eml"] {
            std::fs::read(mount.join(twin)).expect("a twin");
            crate::remove(&mount, twin);
        }
        crate::remove(&mount, &name(3));
        end_session(&liar);
        liar.on_message("RETR", hangs, Reply::Silent);
        let (status, said) = crate::umount(&mut mount);
        assert_eq!(status, crate::uncommitted(), "{said}");
        let left = liar.left_serials();
        assert!(
            !left.contains(&3) && left.contains(&hangs),
            "{left:?} {said}"
        );
        let deleted = 4 - left.len();
        assert!(
            said.contains(&format!("{deleted} message")),
            "{left:?} {said}"
        );
        assert!(said.contains("still on the server"), "{said}");
    }
}

/// When its twin is deleted, it takes the name of that one.
#[test]
fn a_twin_that_is_kept_is_not_said_to_have_gone() {
    let liar = Liar::start(&of_different_sizes(4));
    for serial in [1, 2] {
        liar.set_uidl(serial, b"same");
    }
    let mut mount = mounted(&liar, &["timeout=2s"]);
    list_with_dates(&mount);
    for removed in ["same.eml", "same~2.eml", &name(3)] {
        crate::remove(&mount, removed);
    }
    // So both are deleted after the others, and the second one is given up.
    liar.once("DELE 1", Reply::Close);
    liar.on_message("DELE", 2, Reply::Close);
    let (status, said) = crate::umount(&mut mount);
    assert_eq!(liar.left_serials(), [2, 4], "{said}");
    assert_eq!(status, crate::uncommitted(), "{said}");
    assert!(said.contains("2 messages deleted"), "{said}");
    assert!(!said.contains("already gone"), "{said}");
    mount.remount();
    assert_eq!(crate::listed(&mount), [name(4), "same.eml".to_owned()]);
}

/// TOP alone hangs: the body tells that the message is the one that was removed.
#[test]
fn a_hanging_top_keeps_no_message() {
    for pipeline in ["pipeline=auto", "pipeline=off"] {
        let commit = HangingCommit {
            commands: &["TOP"],
            bad: &[5],
            pipeline,
            asked: Asked::Umount,
        };
        let (liar, mut mount) = commit.begin();
        let (left, said) = commit.run(&liar, &mut mount);
        assert_eq!(left, [2, 6], "{said}");
    }
}
