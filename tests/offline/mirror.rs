//! `-o mirror`: all messages are fetched in the background, the newest first.

use std::thread;

use crate::common::{Gate, Liar, Mount, Reply, assert_says, eventually, stderr};
use crate::{Provider, await_server, message, name, read, umount};

/// The serial numbers of the messages that were fetched, in that order.
fn fetched(liar: &Liar) -> Vec<u64> {
    let commands = liar.commands().into_iter();
    commands
        .filter_map(|command| command.line.strip_prefix("RETR ")?.trim().parse().ok())
        .collect()
}

fn await_mirrored(mount: &Mount, messages: u64) {
    eventually("the mirror to be complete", || {
        let mirror = &mount.status()["mirror"];
        let is_complete = mirror["messages"] == messages && mirror["total_messages"] == messages;
        is_complete.then_some(())
    });
}

#[test]
fn a_mirror_has_all_messages_and_fetches_the_newest_first() {
    let mut provider = Provider::start(40);
    let mut mount = provider.mount(&["mirror"]);
    await_mirrored(&mount, 40);
    let order = fetched(provider.liar());
    assert_eq!(order, (1..=40).rev().collect::<Vec<u64>>());
    let output = mount.subcommand(&["status", mount.arg()]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.contains("mirror       40 of 40 messages, "),
        "{shown}"
    );
    umount(&mut mount);
    provider.stop();
    mount.remount();
    read(&mount, 1..=40);
}

#[test]
fn a_mirror_fetches_new_mail_as_it_comes() {
    let provider = Provider::start(3);
    let mount = provider.mount(&["mirror", "refresh=1s"]);
    await_mirrored(&mount, 3);
    provider.liar().add(&message(4));
    await_mirrored(&mount, 4);
    assert_eq!(fetched(provider.liar()), [3, 2, 1, 4]);
}

#[test]
fn new_mail_goes_before_what_a_mirror_has_not_fetched_yet() {
    let provider = Provider::start(120);
    let (liar, gate) = (provider.liar(), Gate::new());
    liar.on("RETR 100", Reply::Held(gate.clone()));
    let mount = provider.mount(&["mirror", "refresh=1s"]);
    liar.wait_for("RETR 100", 1);
    liar.add(&message(121));
    eventually("an old listing", || {
        let age = mount.status()["listing_age_seconds"].as_u64();
        age.filter(|&seconds| seconds > 1)
    });
    gate.open();
    await_mirrored(&mount, 121);
    let order = fetched(liar);
    let place = |serial| order.iter().position(|&fetched| fetched == serial);
    assert!(
        place(121).expect("new mail") < place(1).expect("the oldest"),
        "{order:?}"
    );
}

#[test]
fn a_mirror_waits_for_its_server() {
    let mut provider = Provider::start(5);
    let mut mount = provider.mount(&["refresh=1s"]);
    umount(&mut mount);
    provider.stop();
    mount.remount_with(&["mirror"]);
    provider.restart(1);
    await_server(&mount);
    await_mirrored(&mount, 6);
}

#[test]
fn a_mirror_in_a_small_cache_has_the_newest_messages() {
    let large: Vec<Vec<u8>> = (1..=12)
        .map(|serial| [message(serial), vec![b'x'; 200 * 1024], b"\r\n".to_vec()].concat())
        .collect();
    let liar = Liar::start(&large);
    let options = ["tls=off", "timeout=3s", "mirror", "cache_size=1M"];
    let mut mount = Mount::new(&liar.source(), &options);
    let total = eventually("the mirror to be complete", || {
        let mirror = &mount.status()["mirror"];
        let total = mirror["total_messages"]
            .as_u64()
            .filter(|&total| total > 0)?;
        (mirror["messages"] == total).then_some(total)
    });
    assert!(total < 12, "{total}");
    let order = fetched(&liar);
    assert_eq!(order, (13 - total..=12).rev().collect::<Vec<u64>>());
    assert_says(&mount.stderr(), &["the newest messages are mirrored"]);
    umount(&mut mount);
    mount.remount();
    let newest = std::fs::read(mount.join(name(12))).expect("the newest message");
    assert_eq!(newest, large[11]);
    assert_eq!(
        fetched(&liar)
            .iter()
            .filter(|&&serial| serial == 12)
            .count(),
        1
    );
}

#[test]
fn a_reader_does_not_wait_for_a_mirror() {
    let provider = Provider::start(200);
    let (liar, gate) = (provider.liar(), Gate::new());
    liar.on("RETR 190", Reply::Held(gate.clone()));
    let mount = provider.mount(&["mirror"]);
    liar.wait_for("RETR 190", 1);
    // A mirror wants 16 messages at a time. Of the first ones, 190 to 185 are left.
    let left: u64 = 6;
    eventually("those before it to be taken in", || {
        (mount.status()["in_flight"] == left).then_some(())
    });
    let reading = thread::scope(|scope| {
        let reading = scope.spawn(|| read(&mount, [1]));
        eventually("the reader to ask", || {
            (mount.status()["in_flight"] == left + 1).then_some(())
        });
        gate.open();
        reading.join()
    });
    reading.expect("a whole message");
    let order = fetched(liar);
    let held = order.iter().position(|&serial| serial == 190);
    let read = order.iter().position(|&serial| serial == 1);
    let between = read.expect("it was fetched") - held.expect("it was fetched");
    // Those that were in flight with the one that was held, and no others.
    assert!(between as u64 <= left, "{order:?}");
}

#[test]
fn a_mirror_without_a_cache_is_refused() {
    let provider = Provider::start(1);
    let builder = crate::common::MountBuilder::new(&provider.source());
    let output = builder.option("tls=off,mirror,cache=off").refused();
    assert_says(
        &stderr(&output),
        &["mirror", "cache=off", "leave out one of them"],
    );
}
