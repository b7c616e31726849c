//! The ctime of a message is when this machine first listed it: what a backup goes by.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::common::{Liar, Mount, corpus, eventually, stdout_of};
use super::{in_clear, listed};

/// A ctime has whole seconds.
const A_SECOND: Duration = Duration::from_millis(1100);

/// Messages with an old date: one that was listed before the backup, of which `marker` has the
/// time, and one that has come since.
fn before_and_after_a_backup(marker: &Path) -> (Liar, Mount) {
    let messages = corpus::realistic(30, 2);
    let liar = Liar::start(&messages[..1]);
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    assert_eq!(listed(&mount), ["liar-1.eml"]);
    sleep(A_SECOND);
    fs::write(marker, "").expect("a marker");
    sleep(A_SECOND);
    liar.add(&messages[1]);
    eventually("the new message", || {
        (listed(&mount).len() == 2).then_some(())
    });
    (liar, mount)
}

fn newer(mount: &Mount, marker: &Path) -> String {
    let script = "cd \"$1\" && find . -name '*.eml' -cnewer \"$2\"";
    let arguments = ["sh", "-c", script, "sh", mount.arg()];
    stdout_of(&[arguments.map(Path::new).as_slice(), &[marker]].concat())
}

fn saved_by_tar(mount: &Mount, marker: &Path) -> String {
    let script = "cd \"$1\" && tar --create --newer=\"$2\" ./*.eml 2>/dev/null | tar --list";
    let arguments = ["sh", "-c", script, "sh", mount.arg()];
    stdout_of(&[arguments.map(Path::new).as_slice(), &[marker]].concat())
}

#[test]
fn backups_see_old_mail_that_came_since_the_last_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let marker = folder.path().join("marker");
    let (_liar, mut mount) = before_and_after_a_backup(&marker);
    for _ in 0..2 {
        let dated = fs::metadata(mount.join("liar-2.eml")).expect("a message");
        let backup = fs::metadata(&marker).expect("the marker");
        assert!(dated.modified().expect("mtime") < backup.modified().expect("mtime"));
        assert_eq!(newer(&mount, &marker), "./liar-2.eml\n");
        assert_eq!(saved_by_tar(&mount, &marker), "./liar-2.eml\n");
        mount.remount();
    }
}
