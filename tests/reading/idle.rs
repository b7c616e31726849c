//! A mount that nobody uses does nothing.

use std::fs;
use std::thread;
use std::time::Duration;

use super::common::{Liar, Mount, corpus, eventually};
use super::{in_clear, read_all};

/// Many times longer than the pause after which polling ends.
const PAUSE: Duration = Duration::from_millis(300);

/// How often the threads that answer the kernel, and those that poll, have been switched to and
/// from.
fn switches(mount: &Mount) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", mount.pid())).expect("the threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| {
            ["fuser-0", "poll-end", "watchdog"]
                .iter()
                .any(|name| status.contains(&format!("Name:\t{name}\n")))
        })
        .flat_map(|status| {
            let counts = status
                .lines()
                .filter_map(|line| line.split_once("ctxt_switches:"))
                .map(|(_, count)| count.trim().parse::<u64>().expect("a count"));
            counts.collect::<Vec<_>>()
        })
        .sum()
}

#[test]
fn after_a_burst_of_requests_no_thread_wakes_up() {
    let liar = Liar::start(&corpus::realistic(34, 200));
    let mount = in_clear(&liar.source(), &[]);
    for _ in 0..3 {
        read_all(&mount);
    }
    eventually("rest", || {
        let before = switches(&mount);
        assert!(before > 0, "no such threads");
        thread::sleep(PAUSE);
        (switches(&mount) == before).then_some(())
    });
}
