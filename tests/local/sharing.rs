//! Two mounts of one account on one cache.

use std::fs;
use std::thread;

use tempfile::TempDir;

use crate::common::{Liar, Mount, corpus};
use crate::{
    assert_reads, assert_reads_all, forget_pages, listed, messages, mounted, name, umount,
};

/// Two mounts with these options on one cache, which is in the folder.
fn pair(liar: &Liar, options: &[&str]) -> (TempDir, String, [Mount; 2]) {
    let cache = TempDir::new().expect("a cache");
    let option = format!("cache_dir={}", cache.path().display());
    let options = [&[option.as_str()], options].concat();
    let mounts = [(); 2].map(|()| mounted(&liar.source(), &options));
    (cache, option, mounts)
}

/// Which of the two mounts removes the message, by its serial number.
fn is_removed_by(mount: u64, serial: u64) -> bool {
    serial % 5 == mount || serial % 5 == 2
}

#[test]
fn two_mounts_delete_only_what_each_of_them_removed() {
    const COUNT: u64 = 60;
    let messages = messages(COUNT as usize - 1);
    let liar = Liar::start(&messages);
    let (_cache, option, mut mounts) = pair(&liar, &[]);
    thread::scope(|scope| {
        for (number, mount) in (0..).zip(&mounts) {
            let messages = &messages;
            scope.spawn(move || {
                for step in 0..COUNT {
                    let serial = (step + number * COUNT / 2) % COUNT + 1;
                    assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
                    if is_removed_by(number, serial) {
                        fs::remove_file(mount.join(name(serial))).expect("to remove a file");
                    }
                }
            });
        }
    });
    let left: Vec<u64> = (1..=COUNT)
        .filter(|&serial| !is_removed_by(0, serial) && !is_removed_by(1, serial))
        .collect();
    mounts.iter_mut().for_each(|mount| drop(umount(mount)));
    assert_eq!(liar.left_serials(), left);
    let fetched = liar.count("RETR");
    let third = mounted(&liar.source(), &[&option]);
    assert_eq!(listed(third.path()).len(), left.len());
    for serial in left {
        assert_reads(third.path(), serial, &messages[serial as usize - 1]);
    }
    assert_eq!(liar.count("RETR"), fetched, "the cache has them all");
}

#[test]
fn what_one_mount_evicts_from_the_cache_the_other_fetches_again() {
    let messages = corpus::realistic(63, 250);
    assert!(messages.iter().map(Vec::len).sum::<usize>() > 1 << 20);
    let liar = Liar::start(&messages);
    let (_cache, _, mounts) = pair(&liar, &["memory=1M", "cache_size=1M"]);
    thread::scope(|scope| {
        for mount in &mounts {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_reads_all(mount.path(), &messages);
                    forget_pages(mount, messages.len());
                }
            });
        }
    });
    assert!(
        liar.count("RETR") > 2 * messages.len(),
        "nothing was evicted"
    );
}
