//! A server without TOP: the mount takes the date of a message from its body.

use std::time::{Duration, SystemTime};

use crate::common::{Liar, Mount, Reply, corpus};
use crate::{assert_reads, ls_l, mounted, mtime};

/// A server without TOP with two messages: only the first is small enough to be fetched for its
/// date.
fn without_top(options: &[&str]) -> (Liar, Mount, Vec<Vec<u8>>) {
    let messages = vec![corpus::realistic_message(36, 0).octets, large()];
    let liar = Liar::start(&messages);
    liar.on("TOP", Reply::Err("unknown command"));
    liar.set_capabilities(Some(&["UIDL", "USER"]));
    let mount = mounted(&liar, options);
    (liar, mount, messages)
}

fn large() -> Vec<u8> {
    let mut message = b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\n".to_vec();
    message.extend(b"0123456789abcdef\r\n".repeat(10_000));
    message
}

fn first_of_2024() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_103_200)
}

fn received() -> SystemTime {
    let seconds = corpus::realistic_message(36, 0).received;
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().expect("after 1970"))
}

#[test]
fn only_a_small_message_is_fetched_for_its_date() {
    let begin = SystemTime::now();
    let (liar, mount, _) = without_top(&[]);
    ls_l(&mount);
    assert_eq!((liar.count("RETR 1"), liar.count("RETR 2")), (1, 0));
    assert_eq!(mtime(&mount, "liar-1.eml"), received());
    let first_seen = mtime(&mount, "liar-2.eml");
    assert!(first_seen + Duration::from_secs(1) >= begin && first_seen <= SystemTime::now());
    let said = mount.stderr();
    assert_eq!(said.matches("the server has no TOP").count(), 1, "{said}");
}

#[test]
fn a_refused_top_does_not_fetch_a_large_message() {
    let liar = Liar::start(&[large(), corpus::with_body(b"small\r\n")]);
    liar.on("TOP", Reply::Err("[SYS/TEMP] not now"));
    ls_l(&mounted(&liar, &[]));
    assert_eq!((liar.count("RETR 1"), liar.count("RETR 2")), (0, 1));
}

#[test]
fn a_date_once_shown_stays_though_the_body_has_another() {
    let (_liar, mut mount, messages) = without_top(&[]);
    let shown = mtime(&mount, "liar-2.eml");
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    assert_eq!(mtime(&mount, "liar-2.eml"), shown);
    mount.remount();
    assert_eq!(mtime(&mount, "liar-2.eml"), shown);
}

#[test]
fn a_large_message_read_before_stat_has_the_date_of_its_body() {
    let (_liar, mount, messages) = without_top(&[]);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    assert_eq!(mtime(&mount, "liar-2.eml"), first_of_2024());
}

#[test]
fn a_message_over_max_message_can_be_listed() {
    let (liar, mount, _) = without_top(&["max_message=1K"]);
    ls_l(&mount);
    assert_eq!(liar.count("RETR 2"), 0);
}
