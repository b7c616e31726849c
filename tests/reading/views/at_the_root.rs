//! `-o view=NAME`: the root shows a view instead of the messages as they are.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

use super::super::common::{Liar, Mount, MountBuilder, corpus, run};
use super::super::renewal::list_until;
use super::super::{in_clear, listed, read};
use super::{found, names};

const COUNT: usize = 4;

fn maildrop(view: &str) -> (Liar, Mount, Vec<Vec<u8>>) {
    let messages = corpus::realistic(67, COUNT);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[&format!("view={view}")]);
    (liar, mount, messages)
}

fn entries(shown: impl Fn(usize) -> String) -> Vec<String> {
    (1..=COUNT).map(shown).collect()
}

#[test]
fn the_root_can_be_the_texts() {
    let (_liar, mount, messages) = maildrop("text");
    let expected = entries(|serial| format!("liar-{serial}.txt"));
    assert_eq!(listed(&mount), expected);
    assert_eq!(found("Subject: ", mount.path()), expected);
    let text = read(&mount.join("liar-2.txt"));
    assert_eq!(
        String::from_utf8(text).expect("UTF-8"),
        pop3fs::message::text(&messages[1])
    );
}

#[test]
fn the_root_can_be_the_parts() {
    let (_liar, mount, _) = maildrop("parts");
    assert_eq!(listed(&mount), entries(|serial| format!("liar-{serial}")));
    assert_eq!(
        found("Subject: ", mount.path()).len(),
        2 * COUNT,
        "in the headers and in the message"
    );
}

#[test]
fn the_root_is_the_messages_as_they_are_when_that_is_said() {
    let (_liar, mount, messages) = maildrop("raw");
    assert_eq!(
        listed(&mount),
        entries(|serial| format!("liar-{serial}.eml"))
    );
    assert_eq!(read(&mount.join("liar-2.eml")), messages[1]);
}

/// The hidden directories of all views are there as always.
#[test]
fn beside_a_root_of_texts_there_are_the_hidden_directories() {
    let (_liar, mount, _) = maildrop("text");
    assert_eq!(
        names(&mount.join(".parts")),
        entries(|serial| format!("liar-{serial}"))
    );
    assert_eq!(names(&mount.join(".text")), listed(&mount));
    let error = fs::metadata(mount.join("liar-1.eml")).expect_err("no message as it is");
    assert_eq!(error.raw_os_error(), Some(Errno::ENOENT as i32));
}

#[test]
fn rsync_copies_such_a_root_and_the_second_time_nothing() {
    for view in ["text", "parts"] {
        let (_liar, mount, _) = maildrop(view);
        let copy = tempfile::tempdir().expect("a folder to copy to");
        let copied = || {
            let (options, root) = (["rsync", "-a", "--out-format=%i %n"], mount.join(""));
            let line: Vec<&Path> = options
                .iter()
                .map(Path::new)
                .chain([&*root, copy.path()])
                .collect();
            let output = run(&line);
            assert!(output.status.success(), "{output:?}");
            output.stdout.len()
        };
        assert!(copied() > 0);
        assert_eq!(names(copy.path()), listed(&mount));
        assert_eq!(copied(), 0, "{view}");
    }
}

#[test]
fn new_mail_appears_in_such_a_root() {
    for view in ["text", "parts"] {
        let liar = Liar::start(&corpus::realistic(68, 1));
        let mount = in_clear(&liar.source(), &[&format!("view={view}"), "refresh=1s"]);
        assert_eq!(listed(&mount).len(), 1);
        liar.add(&corpus::with_body(b"new\r\n"));
        list_until(&mount, "new mail", |names| names.len() == 2);
        assert_eq!(
            found("new", mount.path()).len(),
            if view == "text" { 1 } else { 2 }
        );
        liar.remove(1);
        list_until(&mount, "the first to go", |names| names.len() == 1);
        let gone = fs::metadata(mount.join(if view == "text" {
            "liar-1.txt"
        } else {
            "liar-1"
        }));
        assert!(gone.is_err(), "{view}");
    }
}

#[test]
fn an_unknown_view_is_refused_with_the_names_of_all_views() {
    let liar = Liar::start(&[]);
    for view in ["pictures", "", ".text", "Text"] {
        let output = MountBuilder::new(&liar.source())
            .option("tls=off")
            .option(&format!("view={view}"))
            .refused();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            told.contains("view") && told.contains("raw or text or parts"),
            "{told}"
        );
    }
    assert_eq!(liar.commands(), []);
}
