//! Random sequences of servers that go and come back, removals, restorations, unmounts and kills,
//! with the program and the kernel (model has many more without them): the server loses what was
//! removed and committed, and nothing else, and every mount shows what it must.

use std::collections::BTreeSet;

use fastrand::Rng;

use crate::common::{Liar, Mount, assert_failed, eventually, stderr};
use crate::{OFFLINE, listed, message, name, pending};
use pop3fs::cli::Failure;

const SEQUENCES: u64 = 6;
const STEPS: usize = 16;
const MESSAGES: u64 = 8;

/// What happens in a step.
#[derive(Clone, Copy, Debug)]
enum Step {
    ServerGoes,
    ServerComesBack,
    MailArrives,
    Remove,
    Restore,
    Remount,
    Kill,
}

const STEPS_BY_CHANCE: [Step; 10] = [
    Step::ServerGoes,
    Step::ServerGoes,
    Step::ServerComesBack,
    Step::MailArrives,
    Step::Remove,
    Step::Remove,
    Step::Remove,
    Step::Restore,
    Step::Remount,
    Step::Kill,
];

struct Run {
    rng: Rng,
    liar: Liar,
    mount: Mount,
    is_away: bool,
    /// The serial numbers of the messages on the server.
    on_server: BTreeSet<u64>,
    /// Those of the last listing.
    known: BTreeSet<u64>,
    removed: BTreeSet<u64>,
}

impl Run {
    fn begin(seed: u64) -> Self {
        let messages: Vec<Vec<u8>> = (1..=MESSAGES).map(message).collect();
        let liar = Liar::start(&messages);
        let mount = Mount::new(&liar.source(), &[&OFFLINE[..], &["refresh=1s"]].concat());
        let on_server: BTreeSet<u64> = (1..=MESSAGES).collect();
        Self {
            rng: Rng::with_seed(seed),
            liar,
            mount,
            is_away: false,
            known: on_server.clone(),
            on_server,
            removed: BTreeSet::new(),
        }
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::ServerGoes => {
                self.liar.set_greeting(b"-ERR [SYS/TEMP] away\r\n");
                self.liar.server().cut_all();
                self.is_away = true;
            }
            Step::ServerComesBack => self.bring_back(),
            Step::MailArrives => {
                let serial = self.liar.add(&message(100));
                self.on_server.insert(serial);
            }
            Step::Remove => {
                if let Some(serial) = self.any_of(&(&self.known - &self.removed)) {
                    crate::remove(&self.mount, serial);
                    self.removed.insert(serial);
                }
            }
            Step::Restore => {
                if let Some(serial) = self.any_of(&self.removed.clone()) {
                    let arguments = ["restore", self.mount.arg(), &name(serial)];
                    let output = self.mount.subcommand(&arguments);
                    assert!(output.status.success(), "{}", stderr(&output));
                    self.removed.remove(&serial);
                }
            }
            Step::Remount => self.remount(),
            // A mount that does not know that its server is away forgets what was removed in it.
            Step::Kill if self.mount.status()["offline"].is_null() => {}
            Step::Kill => {
                self.mount.kill9();
                self.mount.remount();
            }
        }
    }

    fn bring_back(&mut self) {
        self.liar.set_greeting(b"+OK ready\r\n");
        self.is_away = false;
    }

    fn remount(&mut self) {
        let output = self.mount.umount();
        if self.is_away && !self.removed.is_empty() {
            assert_failed(&output, Failure::Uncommitted);
        } else {
            assert!(output.status.success(), "{}", stderr(&output));
        }
        if !self.is_away {
            self.on_server = &self.on_server - &self.removed;
            self.removed.clear();
        }
        self.mount.wait();
        self.mount.remount();
    }

    fn any_of(&mut self, serials: &BTreeSet<u64>) -> Option<u64> {
        let at = self.rng.usize(..serials.len().max(1));
        serials.iter().nth(at).copied()
    }

    fn check(&mut self) {
        if !self.is_away {
            self.known.clone_from(&self.on_server);
        }
        let names = |serials: &BTreeSet<u64>| -> BTreeSet<String> {
            serials.iter().copied().map(name).collect()
        };
        let shown = names(&(&self.known - &self.removed));
        eventually("the mount to show what it must", || {
            let found: BTreeSet<String> = listed(&self.mount, "").into_iter().collect();
            (found == shown).then_some(())
        });
        let found: BTreeSet<String> = pending(&self.mount).into_iter().collect();
        assert_eq!(found, names(&self.removed));
        let left: BTreeSet<u64> = self.liar.left_serials().into_iter().collect();
        assert_eq!(left, self.on_server);
    }
}

#[test]
fn whatever_happens_only_what_was_removed_is_deleted() {
    let (first, count) = match std::env::var("POP3FS_TEST_SEQUENCES") {
        Ok(count) => (1000, count.parse().expect("a number")),
        Err(_) => (0, SEQUENCES),
    };
    for seed in first..first + count {
        let mut run = Run::begin(seed);
        for _ in 0..STEPS {
            let step = STEPS_BY_CHANCE[run.rng.usize(..STEPS_BY_CHANCE.len())];
            eprintln!("{seed}: {step:?}");
            run.carry_out(step);
            run.check();
        }
        run.bring_back();
        run.check();
        run.remount();
        run.check();
    }
}
