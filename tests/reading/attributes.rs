//! Modes, owners, links, and what df shows.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::statvfs::{Statvfs, statvfs};
use nix::unistd::{getgid, getuid};

use super::common::{Liar, Mount, ReferenceClient, corpus};
use super::{in_clear, listed};

/// Mode with the kind of file, links, owner and group.
fn kind(metadata: &fs::Metadata) -> (u32, u64, u32, u32) {
    (
        metadata.mode(),
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
    )
}

fn of_root(mount: &Mount) -> (u32, u64, u32, u32) {
    kind(&fs::metadata(mount.path()).expect("stat of the root"))
}

fn of_messages(mount: &Mount) -> Vec<(u32, u64, u32, u32)> {
    let stat = |name| fs::symlink_metadata(mount.join(name)).expect("stat");
    listed(mount)
        .into_iter()
        .map(|name| kind(&stat(name)))
        .collect()
}

#[test]
fn only_who_mounts_may_read() {
    let liar = Liar::start(&corpus::realistic(30, 2));
    let mount = in_clear(&liar.source(), &[]);
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    assert_eq!(of_root(&mount), (0o040_700, 2, uid, gid));
    assert_eq!(of_messages(&mount), [(0o100_400, 1, uid, gid); 2]);
}

#[test]
fn the_files_can_belong_to_another() {
    let liar = Liar::start(&corpus::realistic(30, 2));
    let mount = in_clear(&liar.source(), &["uid=1234", "gid=5678"]);
    assert_eq!(of_root(&mount), (0o040_700, 2, 1234, 5678));
    assert_eq!(of_messages(&mount), [(0o100_400, 1, 1234, 5678); 2]);
}

#[test]
fn nothing_but_messages_is_listed() {
    let liar = Liar::start(&corpus::realistic(31, 2));
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml"]);
    assert!(fs::metadata(mount.join(".deleted")).expect("stat").is_dir());
}

#[test]
fn blocks_are_those_of_the_size() {
    let liar = Liar::start(&[corpus::large(10_000)]);
    let mount = in_clear(&liar.source(), &[]);
    let metadata = fs::metadata(mount.join("liar-1.eml")).expect("stat");
    assert_eq!(metadata.blocks(), metadata.size().div_ceil(512));
}

fn octets(df: &Statvfs) -> u64 {
    df.blocks() * df.fragment_size()
}

#[test]
fn df_shows_what_stat_says() {
    let liar = Liar::start(&corpus::realistic(32, 12));
    let mut client = ReferenceClient::connect(liar.port());
    client.log_in(Liar::USER, Liar::PASSWORD);
    let stat = client.command("STAT");
    let numbers: Vec<u64> = stat
        .split(' ')
        .skip(1)
        .map(|word| word.parse().expect("a number"))
        .collect();
    let mount = in_clear(&liar.source(), &[]);
    let df = statvfs(mount.path()).expect("statvfs");
    assert_eq!(df.files(), numbers[0]);
    let expected = numbers[1]..numbers[1] + df.fragment_size();
    assert!(
        expected.contains(&octets(&df)),
        "{} of {expected:?}",
        octets(&df)
    );
    assert_eq!(
        (df.blocks_free(), df.blocks_available(), df.files_free()),
        (0, 0, 0)
    );
    assert_eq!(df.name_max(), 255);
}

#[test]
fn df_of_an_empty_maildrop_shows_nothing() {
    let liar = Liar::start(&[]);
    let mount = in_clear(&liar.source(), &[]);
    let df = statvfs(mount.path()).expect("statvfs");
    assert_eq!((octets(&df), df.files()), (0, 0));
}
