//! `-o poll`: whether the mount polls for the requests of the kernel.

use std::fs;

use super::common::{Liar, Mount, corpus, eventually};
use super::in_clear;

/// Whether the daemon has the thread that ends each burst of polling.
fn can_poll(mount: &Mount) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", mount.pid())).expect("the threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .any(|name| name.trim() == "poll-end")
}

fn mounted(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(3, 2));
    let mount = in_clear(&liar.source(), options);
    fs::read(mount.join("liar-1.eml")).expect("a message");
    (liar, mount)
}

#[test]
fn the_mount_polls_if_there_are_several_cpus() {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    for options in [&[][..], &["poll=auto"]] {
        let (_liar, mount) = mounted(options);
        // A new thread gives itself its name.
        eventually("the right threads", || {
            (can_poll(&mount) == (cpus > 1)).then_some(())
        });
    }
}

#[test]
fn the_mount_does_not_poll_with_poll_off() {
    let (_liar, mount) = mounted(&["poll=off"]);
    assert!(!can_poll(&mount));
}
