//! A commit that is killed, cut off or stalled at each of its steps, before or after the server
//! carried the step out: no other message is deleted, and the message to the user is true.

use std::process::Output;
use std::thread;

use pop3fs::cli::Failure;

use crate::common::{Background, Liar, Mount, Reply, assert_failed, eventually};
use crate::{SOON, liar, listed, mounted, remove, stderr, stdout};

const KEPT: [u64; 2] = [2, 4];
const REMOVED: [u64; 3] = [1, 3, 5];
const STEPS: [&str; 4] = ["DELE 1", "DELE 3", "DELE 5", "QUIT"];
const PIPELINES: [&str; 2] = ["pipeline=auto", "pipeline=off"];

/// Whether the commit breaks before or after the server carries the step out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Before,
    After,
}

/// The step at which a commit breaks.
#[derive(Clone, Copy, Debug)]
struct BrokenStep {
    step: &'static str,
    moment: Moment,
    pipeline: &'static str,
}

impl BrokenStep {
    fn all() -> impl Iterator<Item = BrokenStep> {
        let at = |step, moment| {
            PIPELINES.map(|pipeline| BrokenStep {
                step,
                moment,
                pipeline,
            })
        };
        STEPS
            .into_iter()
            .flat_map(move |step| [at(step, Moment::Before), at(step, Moment::After)])
            .flatten()
    }

    /// A mount with five messages of which three were removed; at this step the server will send
    /// `reply`.
    fn begin(self, reply: Reply) -> (Liar, Mount) {
        let liar = liar(5);
        match self.moment {
            Moment::Before => liar.once(self.step, reply),
            Moment::After => liar.after(self.step, reply),
        }
        let mount = mounted(&liar.source(), &["timeout=3s", self.pipeline]);
        REMOVED
            .iter()
            .for_each(|&serial| remove(&mount, &name(serial)));
        (liar, mount)
    }

    fn commit(self, mount: &Mount) -> Background {
        Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]))
    }

    /// The message to the user and the next mount must both agree with what the server still has.
    fn check(self, verdict: &Output, liar: &Liar, mount: &mut Mount) {
        let left = liar.left_serials();
        assert!(
            KEPT.iter().all(|serial| left.contains(serial)),
            "{self:?}: {left:?}"
        );
        let said = [stdout(verdict), stderr(verdict)].concat();
        let is_told_of =
            |serial: u64| said.contains(&format!("{} is still on the server", name(serial)));
        match verdict.status.success() {
            true => assert_eq!(left, KEPT, "{self:?}: {said}"),
            false if said.contains("deleted on the server") => {
                assert!(
                    REMOVED
                        .iter()
                        .all(|&serial| left.contains(&serial) == is_told_of(serial))
                );
            }
            false => assert!(
                said.contains("not committed")
                    || said.contains("without an answer")
                    || said.contains("it is not known whether"),
                "{self:?}: {said}"
            ),
        }
        mount.kill9();
        liar.behave(self.step);
        mount.remount();
        let names: Vec<String> = left.into_iter().map(name).collect();
        assert_eq!(listed(mount), names, "{self:?}");
    }
}

fn name(serial: u64) -> String {
    format!("liar-{serial}.eml")
}

/// Runs all cases at once because each of them mostly waits.
fn at_each_step(of: impl Fn(BrokenStep) + Sync) {
    thread::scope(|scope| {
        for at in BrokenStep::all() {
            let of = &of;
            scope.spawn(move || of(at));
        }
    });
}

#[test]
fn a_commit_cut_at_any_step_tells_the_truth() {
    for reply in [Reply::Close, Reply::Reset] {
        at_each_step(|at| {
            let (liar, mut mount) = at.begin(reply.clone());
            let verdict = at.commit(&mount).output_within(SOON);
            at.check(&verdict, &liar, &mut mount);
        });
    }
}

#[test]
fn a_commit_stalled_at_any_step_tells_the_truth() {
    at_each_step(|at| {
        let (liar, mut mount) = at.begin(Reply::Silent);
        let verdict = at.commit(&mount).output_within(SOON);
        at.check(&verdict, &liar, &mut mount);
    });
}

#[test]
fn a_commit_answered_with_nonsense_at_any_step_tells_the_truth() {
    at_each_step(|at| {
        let (liar, mut mount) = at.begin(Reply::Raw(b"what?\r\n".to_vec()));
        let verdict = at.commit(&mount).output_within(SOON);
        at.check(&verdict, &liar, &mut mount);
    });
}

#[test]
fn a_commit_killed_at_any_step_has_deleted_all_or_nothing() {
    at_each_step(|at| {
        let (liar, mut mount) = at.begin(Reply::Silent);
        let commit = at.commit(&mount);
        liar.wait_for(at.step, 1);
        if (at.step, at.moment) == ("QUIT", Moment::After) {
            eventually("the server to delete", || {
                (liar.left_serials() == KEPT).then_some(())
            });
        }
        mount.kill9();
        let verdict = commit.output_within(SOON);
        assert_failed(&verdict, Failure::Uncommitted);
        assert!(stderr(&verdict).contains("without an answer"), "{at:?}");
        let left = liar.left_serials();
        assert!(left == KEPT || left.len() == 5, "{at:?}: {left:?}");
        at.check(&verdict, &liar, &mut mount);
    });
}

#[test]
fn a_commit_with_an_unknown_outcome_says_so() {
    for moment in [Moment::Before, Moment::After] {
        let at = BrokenStep {
            step: "QUIT",
            moment,
            pipeline: "pipeline=auto",
        };
        let (liar, mut mount) = at.begin(Reply::Close);
        liar.on("PASS", Reply::Err("[SYS/TEMP] not now"));
        let verdict = at.commit(&mount).output_within(SOON);
        assert_failed(&verdict, Failure::Uncommitted);
        let said = stderr(&verdict);
        assert!(said.contains("it is not known whether"), "{said}");
        mount.kill9();
        liar.behave("PASS");
        liar.behave("QUIT");
        mount.remount();
        let left: Vec<String> = liar.left_serials().into_iter().map(name).collect();
        assert_eq!(listed(&mount), left);
        assert_eq!(left.len(), if moment == Moment::Before { 5 } else { 2 });
    }
}
