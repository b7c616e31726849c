//! `.maildir`, as mail readers use it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::common::{Liar, Mount, corpus, eventually, run_on_a_terminal, stdout, stdout_of};
use super::names::with_uidls;
use super::{in_clear, listed, read};

const COUNT: usize = 25;

fn maildir(mount: &Mount) -> PathBuf {
    mount.join(".maildir")
}

/// The names in one of its folders, sorted.
pub(super) fn names(mount: &Mount, mailbox: &str) -> Vec<String> {
    let entries = fs::read_dir(maildir(mount).join(mailbox)).expect("a directory of the view");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name: OsString| name.into_string().expect("ASCII"))
        .collect();
    names.sort();
    names
}

/// Moves the first new message to `cur` with these flags; gives its new name.
pub(super) fn flag_first(mount: &Mount, flags: &str) -> String {
    let name = names(mount, "new").remove(0);
    let flagged = format!("{name}:2,{flags}");
    let (new, cur) = (maildir(mount).join("new"), maildir(mount).join("cur"));
    fs::rename(new.join(&name), cur.join(&flagged)).expect("rename to cur");
    flagged
}

#[test]
fn all_mail_is_new_at_first_with_lf_and_the_time_of_its_arrival() {
    let messages = corpus::realistic(41, COUNT);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(names(&mount, "cur"), [""; 0]);
    assert_eq!(names(&mount, "tmp"), [""; 0]);
    let new = names(&mount, "new");
    assert_eq!(new.len(), COUNT);
    let mut octets: Vec<Vec<u8>> = Vec::new();
    for name in &new {
        let path = maildir(&mount).join("new").join(name);
        let mtime = fs::metadata(&path).expect("stat").mtime().to_string();
        assert!(
            name.starts_with(&format!("{mtime}.liar-")) && name.ends_with(".pop3fs"),
            "{name}"
        );
        octets.push(read(&path));
    }
    let mut sent: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| corpus::with_lf(message))
        .collect();
    octets.sort();
    sent.sort();
    assert!(octets == sent, "a message is not as it was sent, with LF");
}

#[test]
fn flags_are_kept_across_mounts() {
    let liar = Liar::start(&corpus::realistic(42, 3));
    let mut mount = in_clear(&liar.source(), &[]);
    let flagged = flag_first(&mount, "FS");
    assert_eq!(names(&mount, "cur"), std::slice::from_ref(&flagged));
    assert_eq!(names(&mount, "new").len(), 2);
    mount.remount();
    assert_eq!(names(&mount, "cur"), std::slice::from_ref(&flagged));
    let cur = maildir(&mount).join("cur");
    let other = flagged.replace(":2,FS", ":2,RS");
    fs::rename(cur.join(&flagged), cur.join(&other)).expect("other flags");
    let back = flagged.replace(":2,FS", "");
    fs::rename(cur.join(&other), maildir(&mount).join("new").join(&back)).expect("back to new");
    assert!(names(&mount, "new").contains(&back));
    mount.remount();
    assert_eq!(names(&mount, "cur"), [""; 0]);
    assert_eq!(names(&mount, "new").len(), 3);
}

/// Python's mailbox and notmuch look only into folders whose time has changed.
#[test]
fn a_move_shows_in_the_time_of_both_directories_and_no_other() {
    let liar = Liar::start(&corpus::realistic(49, 2));
    let mount = in_clear(&liar.source(), &[]);
    let mtimes = || {
        ["new", "cur", "tmp", ".", ".."].map(|name| {
            let directory = fs::metadata(maildir(&mount).join(name)).expect("stat");
            (directory.mtime(), directory.mtime_nsec())
        })
    };
    let [new, cur, others @ ..] = mtimes();
    let flagged = flag_first(&mount, "S");
    let [new_then, cur_then, others_then @ ..] = mtimes();
    assert!(new_then > new && cur_then > cur);
    assert_eq!(others_then, others);
    let cur = maildir(&mount).join("cur");
    fs::rename(cur.join(&flagged), cur.join(format!("{flagged}T"))).expect("another flag");
    assert!(mtimes()[1] > cur_then);
}

#[test]
fn a_message_takes_no_name_but_its_own() {
    let liar = Liar::start(&corpus::realistic(43, 2));
    let mount = in_clear(&liar.source(), &[]);
    let flagged = flag_first(&mount, "S");
    let cur = maildir(&mount).join("cur");
    let other = names(&mount, "new").remove(0);
    for name in [
        other.as_str(),
        "1.x.pop3fs:2,S",
        &flagged.replace(":2,S", ":2,S T"),
        &flagged.replace(":2,S", ":3,S"),
        &format!("{flagged}{}", "a".repeat(60)),
    ] {
        let refused = fs::rename(cur.join(&flagged), cur.join(name)).expect_err(name);
        assert_eq!(refused.raw_os_error(), Some(Errno::EPERM as i32), "{name}");
    }
    assert_eq!(names(&mount, "cur"), [flagged]);
}

/// Moves every new message to `cur`, with these flags.
fn flag_all(mount: &Mount, flags: &str) {
    let (new, cur) = (maildir(mount).join("new"), maildir(mount).join("cur"));
    for name in names(mount, "new") {
        let flagged = cur.join(format!("{name}:2,{flags}"));
        fs::rename(new.join(&name), &flagged)
            .unwrap_or_else(|error| panic!("{}: {error}", flagged.display()));
    }
}

/// The contents of the files in one of its folders, sorted.
fn octets(mount: &Mount, mailbox: &str) -> Vec<Vec<u8>> {
    let folder = maildir(mount).join(mailbox);
    let mut octets: Vec<Vec<u8>> = names(mount, mailbox)
        .iter()
        .map(|name| read(&folder.join(name)))
        .collect();
    octets.sort();
    octets
}

/// The messages of [`with_uidls`] as the Maildir shows them, sorted.
fn numbered(serials: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut numbered: Vec<Vec<u8>> = serials
        .map(|serial| format!("Subject: {serial}\n\n").into_bytes())
        .collect();
    numbered.sort();
    numbered
}

/// Some servers use the file names of a Maildir as unique-ids, and a user may have copied a message
/// from here to there.
#[test]
fn a_unique_id_that_looks_like_an_entry_can_be_flagged() {
    let uidls: [&[u8]; 3] = [b"a.pop3fs", b"1705305735.01-x.pop3fs", b"1.pop3fs:2,S"];
    let liar = with_uidls(&uidls);
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(octets(&mount, "new"), numbered(1..=3));
    flag_all(&mount, "FS");
    assert_eq!(octets(&mount, "cur"), numbered(1..=3));
    for name in names(&mount, "cur") {
        fs::remove_file(maildir(&mount).join("cur").join(name)).expect("rm");
    }
    assert!(mount.umount().status.success());
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn a_long_unique_id_leaves_room_for_all_flags() {
    let ids = [100, 170, 190, 230, 251, 252, 5_000].map(|octets| vec![b'z'; octets]);
    let mut uidls: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
    let escaped = vec![b'/'; 100];
    // The same for messages with one unique-id.
    uidls.extend([&escaped[..], &escaped, &ids[4], &ids[6]]);
    let count = uidls.len();
    let liar = with_uidls(&uidls);
    let mut mount = in_clear(&liar.source(), &[]);
    assert_eq!(octets(&mount, "new"), numbered(1..=count));
    let flags: String = ('A'..='Z').chain('a'..='z').collect();
    flag_all(&mount, &flags);
    assert_eq!(octets(&mount, "cur"), numbered(1..=count));
    let flagged = names(&mount, "cur");
    mount.remount();
    assert_eq!(names(&mount, "cur"), flagged);
    for name in &flagged[1..] {
        fs::remove_file(maildir(&mount).join("cur").join(name)).expect("rm");
    }
    assert_eq!(names(&mount, "cur"), flagged[..1]);
    assert!(mount.umount().status.success());
    assert_eq!(liar.left().len(), 1);
}

#[test]
fn nothing_is_delivered_here() {
    let liar = Liar::start(&corpus::realistic(44, 1));
    let mount = in_clear(&liar.source(), &[]);
    let is_refused = |error: std::io::Error| error.raw_os_error() == Some(Errno::EPERM as i32);
    for mailbox in ["tmp", "new", "cur"] {
        let path = maildir(&mount).join(mailbox).join("1.delivery.host");
        assert!(
            is_refused(File::create(path).expect_err("a delivery")),
            "{mailbox}"
        );
    }
    let name = names(&mount, "new").remove(0);
    let new = maildir(&mount).join("new");
    let link = fs::hard_link(new.join(&name), maildir(&mount).join("cur").join(&name));
    assert!(is_refused(link.expect_err("a link")));
    assert!(is_refused(
        fs::remove_dir(maildir(&mount).join("tmp")).expect_err("rmdir")
    ));
}

#[test]
fn what_is_removed_here_is_deleted_on_the_server() {
    let messages = corpus::realistic(45, 3);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    let flagged = flag_first(&mount, "ST");
    fs::remove_file(maildir(&mount).join("cur").join(&flagged)).expect("rm");
    assert_eq!(listed(&mount).len(), 2);
    assert!(mount.umount().status.success());
    assert_eq!(liar.left(), messages[1..]);
}

#[test]
fn pythons_mailbox_reads_flags_and_removes() {
    let liar = Liar::start(&corpus::realistic(46, COUNT));
    let mount = in_clear(&liar.source(), &[]);
    let script = "
import mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
print(len([message['subject'] for message in box]))
key, gone = sorted(box.keys())[:2]
message = box.get_message(key)
box.discard(gone)
print(len(box), message.get_subdir())
";
    let path = maildir(&mount);
    let path = path.to_str().expect("ASCII");
    assert_eq!(
        stdout_of(&["python3", "-c", script, path]),
        format!("{COUNT}\n{} new\n", COUNT - 1)
    );
    assert_eq!(listed(&mount).len(), COUNT - 1);
}

/// To set flags Python delivers a copy, removes the message, and gives the copy its name. That
/// cannot be told from a delivery followed by a removal.
#[test]
fn python_sets_flags_by_a_rename_and_not_by_a_delivery() {
    let liar = Liar::start(&corpus::realistic(48, COUNT));
    let mut mount = in_clear(&liar.source(), &[]);
    let script = "
import errno, mailbox, os, sys
box = mailbox.Maildir(sys.argv[1], create=False)
key = sorted(box.keys())[0]
message = box.get_message(key)
message.set_subdir('cur')
message.set_flags('FS')
try:
    box[key] = message
except PermissionError as error:
    print(error.errno == errno.EPERM, len(box))
os.rename(box._path + '/new/' + key, box._path + '/cur/' + key + ':2,FS')
print(box.get_message(key).get_flags())
";
    let path = maildir(&mount);
    let path = path.to_str().expect("ASCII");
    assert_eq!(
        stdout_of(&["python3", "-c", script, path]),
        format!("True {COUNT}\nFS\n")
    );
    mount.remount();
    assert_eq!(listed(&mount).len(), COUNT);
    assert_eq!(liar.count("DELE"), 0);
}

#[test]
fn mutt_shows_reads_flags_and_deletes() {
    shows_reads_flags_and_deletes("mutt");
}

#[test]
fn neomutt_shows_reads_flags_and_deletes() {
    shows_reads_flags_and_deletes("neomutt");
}

/// Without `folder` it would ask whether to create ~/Mail, and wait for an answer.
fn shows_reads_flags_and_deletes(mail_reader: &str) {
    let messages = corpus::realistic(47, 5);
    let liar = Liar::start(&messages);
    let mut mount = in_clear(&liar.source(), &[]);
    // A user reads and flags the first message and deletes the last one.
    let keys = "push '<first-entry><display-message><exit><flag-message><last-entry><delete-message><quit>'";
    let folder = format!("set folder=\"{}\"", mount.arg());
    let path = maildir(&mount);
    let shown = run_on_a_terminal(&format!(
        "{mail_reader} -n -F /dev/null -e '{folder}' -e 'set quit=yes delete=yes move=no' -e \"{keys}\" -f {}",
        path.display()
    ));
    assert!(shown.status.success(), "{shown:?}");
    let screen = stdout(&shown);
    for at in 0..5 {
        let subject = corpus::realistic_message(47, at).subject;
        assert!(screen.contains(&subject), "{subject}: {screen}");
    }
    let cur = eventually("the flag and the deletion", || {
        let cur = names(&mount, "cur");
        (cur.len() == 4 && cur[0].ends_with(":2,FS")).then_some(cur)
    });
    mount.remount();
    assert_eq!(names(&mount, "cur"), cur);
    assert_eq!(liar.left(), messages[..4]);
}

#[test]
fn the_size_is_exact_once_the_file_was_opened() {
    let liar = Liar::start(&corpus::realistic(48, 1));
    let mount = in_clear(&liar.source(), &[]);
    let path = maildir(&mount).join("new").join(&names(&mount, "new")[0]);
    let octets = read(&path).len() as u64;
    assert_eq!(
        fs::metadata(&path).as_ref().map(Metadata::len).ok(),
        Some(octets)
    );
}
