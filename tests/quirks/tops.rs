//! TOP that fails for single messages: their dates, and what becomes of the others.

use std::time::{Duration, SystemTime};

use crate::common::{Liar, Mount, Reply, corpus};
use crate::{assert_reads, assert_shows, listed, ls_l, mounted, mtime, remove, umount};

const COUNT: usize = 5;
const WITHOUT_TOP: Option<&[&str]> = Some(&["UIDL", "USER"]);
const WITH_TOP: Option<&[&str]> = Some(&["TOP", "UIDL", "USER"]);
const PIPELINED: Option<&[&str]> = Some(&["TOP", "UIDL", "USER", "PIPELINING"]);

fn liar(capabilities: Option<&[&str]>) -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(38, COUNT);
    let liar = Liar::start(&messages);
    liar.set_capabilities(capabilities);
    (liar, messages)
}

/// When the message with this serial number arrived, by its headers.
fn received(serial: usize) -> SystemTime {
    let seconds = corpus::realistic_message(38, serial - 1).received;
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().expect("after 1970"))
}

/// All messages but this one must show when they arrived.
fn assert_dated_except(mount: &Mount, excepted: usize) {
    ls_l(mount);
    for serial in (1..=COUNT).filter(|&serial| serial != excepted) {
        let name = format!("liar-{serial}.eml");
        assert_eq!(mtime(mount, &name), received(serial), "{name}");
    }
}

/// The time at which a listing first had the message, as its ctime shows it.
fn first_listed(mount: &Mount, name: &str) -> SystemTime {
    let metadata = std::fs::metadata(mount.join(name)).expect("a message");
    let seconds = std::os::unix::fs::MetadataExt::ctime(&metadata);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().expect("after 1970"))
}

#[test]
fn top_refused_for_one_message_spoils_no_other() {
    for capabilities in [None, WITHOUT_TOP, WITH_TOP, PIPELINED] {
        for bad in [1, 3] {
            let (liar, _) = liar(capabilities);
            let words = "Can't get the letter, try again later";
            liar.on(&format!("TOP {bad} 0"), Reply::Err(words));
            let mount = mounted(&liar, &[]);
            assert_dated_except(&mount, bad);
            // A small message is fetched for its date.
            assert_eq!(mtime(&mount, &format!("liar-{bad}.eml")), received(bad));
            assert_eq!((liar.count("RETR"), liar.count("PASS")), (1, 1));
        }
    }
}

#[test]
fn top_and_body_refused_show_the_time_of_the_first_listing() {
    let (liar, _) = liar(WITH_TOP);
    liar.on("TOP 2 0", Reply::Err("damaged"));
    liar.on("RETR 2", Reply::Err("damaged"));
    let mount = mounted(&liar, &[]);
    assert_dated_except(&mount, 2);
    let name = "liar-2.eml";
    assert_eq!(mtime(&mount, name), first_listed(&mount, name));
}

#[test]
fn top_that_breaks_sessions_is_given_up_for_its_message() {
    for capabilities in [None, WITH_TOP, PIPELINED] {
        for reply in [Reply::Close, Reply::Reset, Reply::Silent] {
            let (liar, messages) = liar(capabilities);
            liar.on("TOP 2 0", reply);
            let mut mount = mounted(&liar, &["timeout=2s"]);
            assert_dated_except(&mount, 2);
            assert_eq!(liar.count("TOP 2 0"), 2);
            let name = "liar-2.eml";
            let shown = mtime(&mount, name);
            assert_eq!(shown, first_listed(&mount, name));
            assert_reads(&mount, name, &messages[1]);
            liar.behave("TOP 2 0");
            mount.remount();
            assert_eq!(mtime(&mount, name), shown);
        }
    }
}

#[test]
fn a_message_whose_top_breaks_sessions_can_be_deleted() {
    for reply in [Reply::Close, Reply::Silent] {
        let (liar, messages) = liar(WITH_TOP);
        let mut mount = mounted(&liar, &["timeout=2s"]);
        assert_reads(&mount, "liar-2.eml", &messages[1]);
        liar.on("TOP 2 0", reply);
        remove(&mount, "liar-2.eml");
        remove(&mount, "liar-4.eml");
        assert_eq!(umount(&mut mount).0, Some(0));
        assert_eq!(liar.left_serials(), [1, 3, 5]);
    }
}

#[test]
fn a_message_of_wrong_size_whose_top_breaks_sessions_can_be_read() {
    let (liar, messages) = liar(PIPELINED);
    liar.set_list_offset(2, 7);
    liar.on("TOP 2 0", Reply::Close);
    let mount = mounted(&liar, &["mtime=none"]);
    assert_shows(&mount, &messages);
}

#[test]
fn headers_that_top_cuts_are_not_believed() {
    for cut in ["", "From: somebody@example.org\r\n"] {
        let (liar, _) = liar(WITH_TOP);
        for serial in [1, 4] {
            let reply = format!("+OK\r\n{cut}.\r\n").into_bytes();
            liar.on(&format!("TOP {serial} 0"), Reply::Raw(reply));
        }
        assert_dated_except(&mounted(&liar, &[]), 0);
        assert_eq!((liar.count("RETR"), liar.count("PASS")), (2, 1));
    }
}

#[test]
fn without_uidl_one_refused_top_hides_its_message_alone() {
    for bad in [1, 3] {
        let (liar, messages) = liar(None);
        liar.on("UIDL", Reply::Err("unknown command"));
        liar.on(&format!("TOP {bad} 0"), Reply::Err("damaged"));
        let mount = mounted(&liar, &[]);
        let others: Vec<Vec<u8>> = messages
            .into_iter()
            .enumerate()
            .filter_map(|(index, message)| (index + 1 != bad).then_some(message))
            .collect();
        assert_shows(&mount, &others);
    }
}

#[test]
fn without_uidl_top_that_breaks_sessions_hides_its_message_alone() {
    for capabilities in [None, PIPELINED] {
        for reply in [Reply::Close, Reply::Silent] {
            let (liar, _) = liar(capabilities);
            liar.on("UIDL", Reply::Err("unknown command"));
            liar.on("TOP 2 0", reply);
            let mount = mounted(&liar, &["timeout=2s"]);
            assert_eq!(listed(&mount).len(), COUNT - 1);
            ls_l(&mount);
        }
    }
}
