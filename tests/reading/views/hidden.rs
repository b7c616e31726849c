//! A view is found only by its name, so a walk of the root finds every message once.

use std::fs;
use std::path::Path;

use super::super::common::{Liar, Mount, corpus, run, stdout_of};
use super::super::{in_clear, listed};
use super::{found, names, stems};

const COUNT: usize = 5;

/// A mounted maildrop whose views were listed, so the kernel keeps their names.
fn maildrop() -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(60, COUNT));
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(names(&mount.join(".text")).len(), COUNT);
    assert_eq!(names(&mount.join(".parts")).len(), COUNT);
    (liar, mount)
}

#[test]
fn no_listing_of_the_root_shows_a_view() {
    let (_liar, mount) = maildrop();
    let messages = listed(&mount);
    let mut expected = vec![".".to_owned(), "..".to_owned()];
    expected.extend(messages);
    let shown = stdout_of(&["ls", "-a", mount.arg()]);
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    let below = stdout_of(&["find", mount.arg(), "-mindepth", "1"]);
    assert_eq!(below.lines().count(), COUNT);
}

#[test]
fn grep_of_the_root_finds_each_message_once() {
    let (liar, mount) = maildrop();
    assert_eq!(found("Message-ID", mount.path()), listed(&mount));
    assert_eq!(liar.count("RETR"), COUNT);
}

#[test]
fn rsync_of_the_root_copies_no_view() {
    let (_liar, mount) = maildrop();
    let copy = tempfile::tempdir().expect("a folder to copy to");
    let output = run(&[
        Path::new("rsync"),
        Path::new("-a"),
        &mount.join(""),
        copy.path(),
    ]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(copy.path()), listed(&mount));
}

#[test]
fn rsync_of_a_view_copies_it_and_the_second_time_nothing() {
    let (_liar, mount) = maildrop();
    for view in [".text/", ".parts/"] {
        let copy = tempfile::tempdir().expect("a folder to copy to");
        let copied = || {
            let view = mount.join(view);
            stdout_of(&[
                "rsync".as_ref(),
                "-a".as_ref(),
                "--out-format=%i %n".as_ref(),
                view.as_os_str(),
                copy.path().as_os_str(),
            ])
        };
        assert!(copied().lines().count() > COUNT, "{view}");
        assert_eq!(names(copy.path()), names(&mount.join(view)));
        assert_eq!(copied(), "", "{view}");
    }
}

#[test]
fn each_view_has_every_message_under_its_own_name() {
    let (_liar, mount) = maildrop();
    let stems = stems(&mount);
    let texts: Vec<String> = stems.iter().map(|stem| format!("{stem}.txt")).collect();
    assert_eq!(names(&mount.join(".text")), texts);
    assert_eq!(names(&mount.join(".parts")), stems);
}

#[test]
fn what_a_view_shows_has_the_mode_and_the_owner_of_the_messages() {
    use std::os::unix::fs::MetadataExt;
    let liar = Liar::start(&corpus::realistic(61, 1));
    let mount = in_clear(&liar.source(), &["uid=1234", "gid=5678"]);
    let kind = |name: &str| {
        let found = fs::symlink_metadata(mount.join(name)).expect("stat");
        (found.mode(), found.uid(), found.gid())
    };
    for directory in [".text", ".parts", ".parts/liar-1"] {
        assert_eq!(kind(directory), (0o040_700, 1234, 5678), "{directory}");
    }
    for file in [".text/liar-1.txt", ".parts/liar-1/headers"] {
        assert_eq!(kind(file), (0o100_400, 1234, 5678), "{file}");
    }
}
