//! Modes, owners, links, access(2), and what df(1) shows.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::statvfs::{Statvfs, statvfs};
use nix::unistd::{AccessFlags, access, getgid, getuid};

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
fn only_the_user_who_mounts_can_read() {
    let liar = Liar::start(&corpus::realistic(30, 2));
    let mount = in_clear(&liar.source(), &[]);
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    assert_eq!(of_root(&mount), (0o040_700, 2, uid, gid));
    assert_eq!(of_messages(&mount), [(0o100_400, 1, uid, gid); 2]);
}

#[test]
fn the_files_can_belong_to_another_user() {
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
fn the_blocks_of_a_message_are_those_of_its_size() {
    let liar = Liar::start(&[corpus::large(10_000)]);
    let mount = in_clear(&liar.source(), &[]);
    let metadata = fs::metadata(mount.join("liar-1.eml")).expect("stat");
    assert_eq!(metadata.blocks(), metadata.size().div_ceil(512));
}

/// Octets in use.
fn used(df: &Statvfs) -> u64 {
    (df.blocks() - df.blocks_free()) * df.fragment_size()
}

/// Files in use.
fn files(df: &Statvfs) -> u64 {
    df.files() - df.files_free()
}

/// The messages and octets of STAT, and what df(1) shows of a mount with these options.
fn stat_and_df(options: &[&str]) -> ([u64; 2], Statvfs) {
    let liar = Liar::start(&corpus::realistic(32, 12));
    let mut client = ReferenceClient::connect(liar.port());
    client.log_in(Liar::USER, Liar::PASSWORD);
    let stat = client.command("STAT");
    let mut numbers = stat.split(' ').skip(1).map(str::parse);
    let mut next = || numbers.next().expect("two numbers").expect("a number");
    let stat = [next(), next()];
    let mount = in_clear(&liar.source(), options);
    (stat, statvfs(mount.path()).expect("statvfs"))
}

fn assert_shows(df: &Statvfs, [messages, octets]: [u64; 2]) {
    assert_eq!(files(df), messages);
    let expected = octets..octets + df.fragment_size();
    assert!(expected.contains(&used(df)), "{} of {expected:?}", used(df));
    assert_eq!(df.name_max(), 255);
}

#[test]
fn df_of_a_read_only_mount_shows_the_octets_of_stat_and_no_room() {
    let (stat, df) = stat_and_df(&["ro"]);
    assert_shows(&df, stat);
    assert_eq!(
        (df.blocks_free(), df.blocks_available(), df.files_free()),
        (0, 0, 0)
    );
}

/// Programs warn of a filesystem that is nearly full.
#[test]
fn df_of_a_mount_with_removals_shows_it_nearly_empty() {
    let (stat, df) = stat_and_df(&[]);
    assert_shows(&df, stat);
    assert!(df.blocks_available() * 10 > df.blocks() * 9);
    assert!(df.files_available() * 10 > df.files() * 9);
}

#[test]
fn df_of_an_empty_maildrop_shows_nothing_in_use() {
    let liar = Liar::start(&[]);
    let mount = in_clear(&liar.source(), &[]);
    let df = statvfs(mount.path()).expect("statvfs");
    assert_eq!((used(&df), files(&df)), (0, 0));
}

#[test]
fn access_grants_removal_but_no_execution_of_a_message() {
    let liar = Liar::start(&corpus::realistic(33, 1));
    let mount = in_clear(&liar.source(), &[]);
    let message = mount.join("liar-1.eml");
    assert_eq!(access(&message, AccessFlags::X_OK), Err(Errno::EACCES));
    for flags in [AccessFlags::F_OK, AccessFlags::R_OK, AccessFlags::W_OK] {
        assert_eq!(access(&message, flags), Ok(()), "{flags:?}");
    }
    assert_eq!(access(mount.path(), AccessFlags::X_OK), Ok(()));
}
