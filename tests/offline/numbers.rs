//! Inode numbers are the same in all mounts of an account that use one cache.

use tempfile::TempDir;

use crate::common::{Mount, eventually};
use crate::{Provider, inode, listed, message, name, umount};

const OPTIONS: [&str; 1] = ["refresh=1s"];

fn pair(provider: &Provider) -> (TempDir, [Mount; 2]) {
    let cache = TempDir::new().expect("a cache");
    let option = format!("cache_dir={}", cache.path().display());
    let mounts = [(); 2].map(|()| provider.mount(&[&OPTIONS[..], &[&option]].concat()));
    (cache, mounts)
}

fn await_message(mount: &Mount, serial: u64) {
    eventually("new mail", || {
        listed(mount, "").contains(&name(serial)).then_some(())
    });
}

fn assert_same_numbers(mounts: &[Mount; 2], serials: &[u64]) {
    for &serial in serials {
        let [one, other] = mounts.each_ref().map(|mount| inode(mount, serial));
        assert_eq!(one, other, "message {serial}");
    }
}

#[test]
fn two_mounts_give_new_mail_the_same_inode_numbers() {
    let provider = Provider::start(3);
    let (_cache, mounts) = pair(&provider);
    provider.liar().add(&message(4));
    await_message(&mounts[0], 4);
    provider.liar().add(&message(5));
    await_message(&mounts[1], 5);
    provider.liar().add(&message(6));
    await_message(&mounts[1], 6);
    await_message(&mounts[0], 6);
    assert_same_numbers(&mounts, &[1, 2, 3, 4, 5, 6]);
}

/// The first mount never sees message 4, and both see message 5 as new in the same place.
#[test]
fn a_number_that_only_the_other_mount_gave_is_not_given_again() {
    let provider = Provider::start(3);
    let (_cache, mut mounts) = pair(&provider);
    provider.liar().add(&message(4));
    await_message(&mounts[1], 4);
    let given = inode(&mounts[1], 4);
    provider.liar().remove(4);
    provider.liar().add(&message(5));
    await_message(&mounts[0], 5);
    await_message(&mounts[1], 5);
    assert_same_numbers(&mounts, &[1, 2, 3, 5]);
    assert_ne!(inode(&mounts[0], 5), given);
    mounts.iter_mut().for_each(umount);
}
