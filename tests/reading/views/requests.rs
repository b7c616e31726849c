//! What the views cost at the server: each message is fetched once, many are in flight, and the
//! second time costs nothing.

use std::fs;

use super::super::common::{Liar, Mount, Reply, corpus, eventually, stdout_of};
use super::super::{in_clear, read};
use super::{found, names, wire};

const COUNT: usize = 1000;

fn maildrop(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(63, COUNT));
    let mount = in_clear(&liar.source(), options);
    (liar, mount)
}

/// A word that is in at least half of the messages, in plain text.
const WORD: &str = "invoice";

#[test]
fn grep_of_the_texts_fetches_each_message_once_and_never_again() {
    for options in [&[][..], &["memory=1M"], &["memory=1M", "cache=off"]] {
        let (liar, mount) = maildrop(options);
        let first = found(WORD, &mount.join(".text"));
        assert!(first.len() > COUNT / 2, "{}", first.len());
        let asked = liar.commands().len();
        assert_eq!(
            (liar.count("RETR"), liar.count("TOP")),
            (COUNT, 0),
            "{options:?}"
        );
        assert_eq!(found(WORD, &mount.join(".text")), first);
        assert_eq!(liar.commands().len(), asked, "{options:?}");
    }
}

#[test]
fn grep_of_the_parts_fetches_each_message_once() {
    let (liar, mount) = maildrop(&[]);
    found(WORD, &mount.join(".parts"));
    assert_eq!(liar.count("RETR"), COUNT);
    found(WORD, &mount.join(".text"));
    found(WORD, mount.path());
    assert_eq!(liar.count("RETR"), COUNT);
}

/// A RETR is a line of nine or ten octets.
#[test]
fn grep_of_a_view_has_many_messages_in_flight() {
    for view in [".text", ".parts"] {
        let (liar, mount) = maildrop(&["pipeline=auto"]);
        liar.once("RETR 500", Reply::HeldUntil { behind: 50 * 10 });
        found(WORD, &mount.join(view));
        assert_eq!(liar.count("RETR"), COUNT, "{view}");
    }
}

#[test]
fn a_listing_of_the_views_asks_for_no_message() {
    let (liar, mount) = maildrop(&[]);
    for view in [".text", ".parts"] {
        let view = mount.join(view);
        let names = stdout_of(&["ls".as_ref(), view.as_os_str()]);
        assert_eq!(names.lines().count(), COUNT);
    }
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (0, 0));
}

#[test]
fn a_long_listing_of_the_views_asks_for_each_header_once() {
    let (liar, mount) = maildrop(&[]);
    for view in [".text", ".parts"] {
        let view = mount.join(view);
        stdout_of(&["ls".as_ref(), "-l".as_ref(), view.as_os_str()]);
    }
    stdout_of(&["ls", "-l", mount.arg()]);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (COUNT, 0));
}

#[test]
fn texts_come_out_of_the_cache_of_an_earlier_mount() {
    let (liar, mut mount) = maildrop(&[]);
    let before = found(WORD, &mount.join(".text"));
    mount.remount();
    assert_eq!(found(WORD, &mount.join(".text")), before);
    assert_eq!(liar.count("RETR"), COUNT);
}

/// What a view makes of a message is kept in a file if it is larger than 4 MiB, and needs a
/// descriptor then.
#[test]
fn what_is_made_of_many_large_messages_is_kept_of_a_few() {
    const FEW: usize = 16;
    // Each octet is a control character in that charset. The text shows it as <U+009B>.
    let line = [&[0x9b; 70][..], b"\r\n"].concat();
    let headers = wire("Content-Type: text/plain; charset=iso-8859-5\n\n");
    let message = [headers, line.repeat(8_000)].concat();
    let liar = Liar::start(&vec![message; FEW + 4]);
    let mount = in_clear(&liar.source(), &[]);
    let texts = mount.join(".text");
    for name in names(&texts) {
        assert!(read(&texts.join(name)).len() > 4 << 20);
    }
    let descriptors = format!("/proc/{}/fd", mount.pid());
    let temporary = || {
        let opened = fs::read_dir(&descriptors).expect("the descriptors");
        let paths = opened.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        paths
            .filter(|path| path.to_string_lossy().contains("/incoming-"))
            .count()
    };
    // A body that was just received is there, too, until it is in the cache.
    eventually("no more than a few files", || {
        (temporary() <= FEW).then_some(())
    });
}
