//! st_size: that of LIST until the message was opened once, and exact for ever after that.

use std::fs;
use std::path::Path;

use super::common::{Liar, Mount, corpus};
use super::renewal::list_until;
use super::{in_clear, read, read_beside_others};

/// How much more LIST tells than RETR sends. With the last one LIST tells 0.
const LIES: [i64; 5] = [0, 700, -700, 1 << 33, i64::MIN / 2];

const OCTETS: u64 = 30_000;

/// A maildrop with a message for each lie.
fn liar() -> Liar {
    let messages: Vec<Vec<u8>> = LIES.iter().map(|_| message()).collect();
    let liar = Liar::start(&messages);
    for (serial, lie) in (1..).zip(LIES) {
        liar.set_list_offset(serial, lie);
    }
    liar
}

fn message() -> Vec<u8> {
    let mut message = corpus::with_body(b"");
    message.resize(OCTETS as usize - 2, b'x');
    message.extend_from_slice(b"\r\n");
    message
}

/// The sizes of stat(2), in the order of the lies.
fn shown(mount: &Mount) -> Vec<u64> {
    (1..=LIES.len())
        .map(|serial| {
            let path = mount.join(format!("liar-{serial}.eml"));
            fs::metadata(path).expect("stat").len()
        })
        .collect()
}

fn exact() -> Vec<u64> {
    LIES.map(|_| OCTETS).to_vec()
}

fn read_each(mount: &Mount) {
    read_each_by(mount, read);
}

fn read_each_by(mount: &Mount, read: impl Fn(&Path) -> Vec<u8>) {
    for (serial, lie) in (1..).zip(LIES) {
        let octets = read(&mount.join(format!("liar-{serial}.eml")));
        assert!(octets == message(), "LIST {lie:+}: {} octets", octets.len());
    }
}

#[test]
fn the_size_of_an_unseen_message_is_that_of_list_and_never_0() {
    let liar = liar();
    let mount = in_clear(&liar.source(), &[]);
    let huge = OCTETS + (1 << 33);
    let expected = [OCTETS, OCTETS + 700, OCTETS - 700, huge, 1];
    assert_eq!(shown(&mount), expected);
    assert_eq!(liar.count("RETR"), 0);
}

#[test]
fn from_its_open_on_the_size_of_a_message_is_exact() {
    let liar = liar();
    let mount = in_clear(&liar.source(), &["max_message=1T"]);
    read_each(&mount);
    assert_eq!(shown(&mount), exact());
}

#[test]
fn a_size_that_was_shown_wrong_is_right_at_the_open() {
    let liar = liar();
    let mount = in_clear(&liar.source(), &["max_message=1T"]);
    assert_ne!(shown(&mount), exact());
    read_each(&mount);
    assert_eq!(shown(&mount), exact());
}

#[test]
fn a_size_once_exact_stays_so_over_a_remount() {
    let liar = liar();
    let mut mount = in_clear(&liar.source(), &["max_message=1T"]);
    read_each(&mount);
    mount.remount();
    let retrieved = liar.count("RETR");
    assert_eq!(shown(&mount), exact());
    assert_eq!(liar.count("RETR"), retrieved);
    read_each(&mount);
}

#[test]
fn a_size_stays_exact_when_the_listing_is_renewed() {
    let liar = liar();
    let mount = in_clear(&liar.source(), &["max_message=1T", "refresh=1s"]);
    read_each(&mount);
    let listings = liar.count("LIST");
    list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
    assert_eq!(shown(&mount), exact());
}

#[test]
fn a_message_of_no_octets_is_an_empty_file() {
    let liar = Liar::start(&[Vec::new()]);
    let mount = in_clear(&liar.source(), &[]);
    let path = mount.join("liar-1.eml");
    assert_eq!(read(&path), b"");
    assert_eq!(fs::metadata(&path).expect("stat").len(), 0);
}

#[test]
fn a_folder_read_twice_at_once_shows_each_size_right() {
    let liar = liar();
    let mount = in_clear(&liar.source(), &["max_message=1T"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| read_each_by(&mount, read_beside_others));
        }
    });
    assert_eq!(shown(&mount), exact());
}

/// When the kernel is told about a size again during a read, it does not believe a short read and
/// shows zeros behind the end.
#[test]
fn messages_that_many_read_at_once_end_where_they_end() {
    const COUNT: u64 = 1000;
    let messages = corpus::realistic(70, COUNT as usize);
    let liar = Liar::start(&messages);
    for serial in 1..=COUNT {
        liar.set_list_offset(serial, 700);
    }
    let mount = in_clear(&liar.source(), &[]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for (serial, message) in (1..).zip(&messages) {
                    let octets = read_beside_others(&mount.join(format!("liar-{serial}.eml")));
                    assert!(octets == *message, "{serial}: {} octets", octets.len());
                }
            });
        }
    });
}
