//! kill -9 in every state. After it all messages are there that no commit has deleted, and the
//! cache does no harm.

use std::fs;
use std::path::Path;

use crate::common::{Background, Gate, Liar, Mount, Reply, RetrFault, corpus};
use crate::{AT_ONCE, Ground, assert_reads, assert_reads_all, listed, messages, mounted, name};

#[test]
fn a_kill_during_login_and_listing_leaves_nothing_behind() {
    for command in ["CAPA", "PASS", "UIDL", "LIST"] {
        let messages = corpus::realistic(72, 3);
        let (ground, liar) = (Ground::new(), Liar::start(&messages));
        liar.once(command, Reply::Silent);
        let process = Background::spawn(ground.mounting(&liar).arg("-f"));
        liar.wait_for(command, 1);
        process.signal(nix::sys::signal::Signal::SIGKILL);
        assert!(!process.output_within(AT_ONCE).status.success());
        assert!(!ground.0.is_mounted(), "{command}");
        let output = crate::common::output_within(AT_ONCE, &mut ground.mounting(&liar));
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert_reads_all(ground.0.mount_point(), &messages);
    }
}

fn assert_all_there_after_a_remount(mount: &mut Mount, messages: &[Vec<u8>]) {
    mount.kill9();
    mount.remount();
    assert_eq!(listed(mount.path()).len(), messages.len());
    assert_reads_all(mount.path(), messages);
}

#[test]
fn a_kill_during_a_transfer_leaves_no_half_of_a_message() {
    let messages = messages(10);
    // The last message is kept in a file of the cache.
    for (serial, after) in [(3, 100), (7, 0), (11, 1_000), (11, 4_250_000)] {
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar.source(), &[]);
        let gate = Gate::new();
        liar.fault_retr(serial, RetrFault::Hold { after, gate });
        let reader = Background::start(&[Path::new("cat"), &mount.join(name(serial))]);
        reader.wait_until_it_waits_for_the_mount();
        liar.wait_for(&format!("RETR {serial}"), 1);
        assert_all_there_after_a_remount(&mut mount, &messages);
        drop(reader);
    }
}

#[test]
fn a_kill_while_the_cache_is_written_leaves_no_wrong_octet() {
    let messages = messages(120);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &[]);
    // Each time somewhat later, and never at rest: what was read last is still being written to
    // disk.
    for reads in [1, 5, 20, 60, 121] {
        for serial in 1..=reads {
            assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
        }
        mount.kill9();
        mount.remount();
    }
    assert_all_there_after_a_remount(&mut mount, &messages);
}

#[test]
fn a_kill_with_deletions_pending_forgets_them() {
    let messages = corpus::realistic(73, 6);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &[]);
    for round in 1..=3 {
        for serial in 1..=round * 2 {
            fs::remove_file(mount.join(name(serial))).expect("to remove a file");
        }
        assert_all_there_after_a_remount(&mut mount, &messages);
    }
    assert_eq!(liar.count("DELE"), 0);
}
