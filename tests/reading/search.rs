//! `.search`: a query is a directory.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde_json::Value;

use super::common::{Liar, Mount, corpus, eventually, stderr, stdout, stdout_of};
use super::{in_clear, listed, read, read_all};

/// Three messages, of which the first two are about a budget.
fn letters() -> Vec<Vec<u8>> {
    [
        "From: Alice <alice@example.org>\nSubject: Budget\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nThe budget\nreview is on Monday.\n",
        "From: Bob <bob@example.net>\nSubject: Re: Budget\nDate: Wed, 1 May 2024 10:00:00 +0000\n\nŁódź: the budget is spent.\n",
        "From: Carol <carol@example.com>\nSubject: Lunch\nDate: Thu, 2 May 2024 10:00:00 +0000\n\n明日は東京都庁で会議。\n",
    ]
    .map(|letter| letter.replace('\n', "\r\n").into_bytes())
    .to_vec()
}

fn indexed(mount: &Mount) -> u64 {
    mount.status()["indexed"]
        .as_u64()
        .expect("a number of indexed messages")
}

/// Reads all messages, and waits until they can be searched.
fn index_all(mount: &Mount) {
    let count = read_all(mount).len() as u64;
    eventually("an index of all messages", || {
        (indexed(mount) == count).then_some(())
    });
}

fn query(mount: &Mount, query: &str) -> PathBuf {
    mount.join(".search").join(query)
}

/// The names that a query finds.
fn found(mount: &Mount, text: &str) -> Vec<String> {
    names(&query(mount, text))
}

fn names(directory: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect()
}

#[test]
fn a_query_lists_the_messages_that_it_finds() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(found(&mount, "budget"), [""; 0]);
    index_all(&mount);
    let root = listed(&mount);
    // What a query has found is new for a second.
    eventually("both messages", || {
        (found(&mount, "budget") == root[..2]).then_some(())
    });
    assert_eq!(found(&mount, "lodz"), root[1..2]);
    assert_eq!(found(&mount, "budget+from:alice"), root[..1]);
    assert_eq!(found(&mount, "\"budget review\""), root[..1]);
    assert_eq!(found(&mount, "after:2024-05 -budget"), root[2..]);
    assert_eq!(found(&mount, "東京"), root[2..]);
    assert_eq!(found(&mount, "nowhere"), [""; 0]);
    assert_eq!(liar.count("RETR"), 3);
}

#[test]
fn a_found_message_is_the_file_of_the_root() {
    use std::os::unix::fs::MetadataExt as _;
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    index_all(&mount);
    let name = &listed(&mount)[1];
    let in_query = query(&mount, "lodz").join(name);
    let (one, other) = (fs::metadata(mount.join(name)), fs::metadata(&in_query));
    let (one, other) = (one.expect("a stat"), other.expect("a stat"));
    assert_eq!(
        (one.ino(), one.len(), one.mtime()),
        (other.ino(), other.len(), other.mtime())
    );
    assert_eq!(read(&in_query), letters()[1]);
    let absent = query(&mount, "lodz").join(&listed(&mount)[0]);
    assert_eq!(
        fs::metadata(absent).expect_err("no match").kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_query_has_the_views_of_the_root() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    index_all(&mount);
    let directory = query(&mount, "lodz");
    let texts = names(&directory.join(".text"));
    assert_eq!(texts.len(), 1);
    let text = fs::read_to_string(directory.join(".text").join(&texts[0])).expect("a text");
    assert!(text.contains("Łódź"), "{text}");
    let name = &names(&directory.join(".parts"))[0];
    assert!(names(&directory.join(".parts").join(name)).contains(&"text.txt".to_owned()));
    assert!(names(&directory.join(".named"))[0].contains("Bob - Re Budget"));
    let headers = names(&directory.join(".headers"));
    assert_eq!(headers.len(), 1);
    let headers = fs::read_to_string(directory.join(".headers").join(&headers[0]));
    let headers = headers.expect("headers");
    assert!(headers.starts_with("From: Bob") && headers.ends_with("+0000\r\n\r\n"));
    let mut folders = names(&directory.join(".maildir"));
    folders.sort();
    assert_eq!(folders, ["cur", "new", "tmp"]);
    let inside = ["cur", "new"].map(|folder| names(&directory.join(".maildir").join(folder)));
    assert_eq!(inside.concat().len(), 1);
}

#[test]
fn a_mail_reader_marks_what_a_query_has_found() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &["view=maildir"]);
    for folder in ["cur", "new"] {
        for name in names(&mount.join(folder)) {
            read(&mount.join(folder).join(name));
        }
    }
    eventually("an index of all messages", || {
        (indexed(&mount) == 3).then_some(())
    });
    let directory = query(&mount, "lodz");
    let (folder, name) = ["new", "cur"]
        .into_iter()
        .find_map(|folder| Some((folder, names(&directory.join(folder)).pop()?)))
        .expect("a message");
    let marked = format!("{}:2,F", name.split(':').next().unwrap_or_default());
    let (from, to) = (directory.join(folder), directory.join("cur"));
    fs::rename(from.join(&name), to.join(&marked)).expect("a mark");
    assert_eq!(names(&directory.join("cur")), std::slice::from_ref(&marked));
    assert!(names(&mount.join("cur")).contains(&marked));
}

#[test]
fn rm_of_a_found_message_removes_it() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    index_all(&mount);
    let root = listed(&mount);
    fs::remove_file(query(&mount, "lodz").join(&root[1])).expect("a removal");
    assert_eq!(listed(&mount), [root[0].clone(), root[2].clone()]);
    assert!(!mount.join(&root[1]).exists());
    assert_eq!(found(&mount, "budget"), root[..1]);
    let restored = mount.subcommand(&["restore", mount.arg()]);
    assert!(restored.status.success(), "{}", stderr(&restored));
    assert_eq!(found(&mount, "budget is spent"), root[1..2]);
}

#[test]
fn what_is_no_query_is_not_there() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    for name in [
        ".git",
        ".Trash-1000",
        "autorun.inf",
        "a \"b",
        "OR",
        "after:never",
        "%2F",
    ] {
        let error = fs::metadata(query(&mount, name)).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn a_walk_of_the_root_does_not_enter_the_searches() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    let walked = stdout_of(&["find", mount.arg(), "-mindepth", "1"]);
    assert!(!walked.contains(".search"), "{walked}");
    assert_eq!(names(&mount.join(".search")), [""; 0]);
}

#[test]
fn touch_pins_a_search_and_rmdir_unpins_it() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &[]);
    let pinned = "budget from:alice";
    let touch = |mount: &Mount| stdout_of(&["touch".into(), query(mount, pinned).into_os_string()]);
    touch(&mount);
    assert_eq!(names(&mount.join(".search")), [pinned]);
    index_all(&mount);
    mount.remount();
    assert_eq!(names(&mount.join(".search")), [pinned]);
    assert_eq!(found(&mount, pinned).len(), 1);
    fs::remove_dir(query(&mount, pinned)).expect("an unpinned search");
    assert_eq!(names(&mount.join(".search")), [""; 0]);
    let again = fs::remove_dir(query(&mount, pinned)).expect_err("not pinned");
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

#[test]
fn the_index_is_kept_and_follows_what_comes_and_goes() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &["refresh=1s"]);
    index_all(&mount);
    mount.remount();
    assert_eq!(found(&mount, "budget").len(), 2);
    assert_eq!(liar.count("RETR"), 3);
    let root = listed(&mount);
    liar.add(b"Subject: new\r\n\r\nA budget again.\r\n");
    liar.remove(1);
    eventually("the new message", || {
        let now = listed(&mount);
        (now.len() == 3 && now != root).then_some(())
    });
    index_all(&mount);
    eventually("another result", || {
        (found(&mount, "budget").len() == 2).then_some(())
    });
    assert_eq!(found(&mount, "monday"), [""; 0]);
}

#[test]
fn a_lost_index_is_made_again_of_the_cached_messages() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &[]);
    index_all(&mount);
    let accounts = fs::read_dir(mount.cache_dir()).expect("the cache");
    for account in accounts {
        let path = account.expect("an account").path();
        for beside in ["", "-journal"] {
            let _not_all_exist = fs::remove_file(path.join(format!("search.sqlite{beside}")));
        }
    }
    mount.remount();
    eventually("an index of all messages", || {
        (indexed(&mount) == 3).then_some(())
    });
    assert_eq!(found(&mount, "lodz").len(), 1);
    assert_eq!(liar.count("RETR"), 3);
}

#[test]
fn without_an_index_there_is_no_search() {
    let liar = Liar::start(&letters());
    for option in ["index=off", "cache=off"] {
        let mount = in_clear(&liar.source(), &[option]);
        assert!(!mount.join(".search").exists(), "{option}");
        assert_eq!(mount.status()["indexed"], Value::Null);
        let searched = mount.subcommand(&["search", mount.arg(), "budget"]);
        assert_eq!(searched.status.code(), Some(1));
        assert!(
            stderr(&searched).contains("nothing is indexed"),
            "{}",
            stderr(&searched)
        );
    }
}

#[test]
fn a_full_index_fetches_what_nobody_has_read() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &["index=full"]);
    eventually("an index of all messages", || {
        (indexed(&mount) == 3).then_some(())
    });
    assert_eq!(found(&mount, "lodz").len(), 1);
}

#[test]
fn the_search_command_prints_names_and_fails_without_any() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    let search =
        |arguments: &[&str]| mount.subcommand(&[&["search", mount.arg()], arguments].concat());
    let nothing = search(&["budget"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        stderr(&nothing).contains("0 of 3 messages are indexed"),
        "{}",
        stderr(&nothing)
    );
    index_all(&mount);
    let root = listed(&mount);
    assert_eq!(
        stdout(&search(&["budget", "-monday"])),
        format!("{}\n", root[1])
    );
    let refused = search(&["after:never"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("'never' is no time for after"),
        "{}",
        stderr(&refused)
    );
    let json = stdout(&search(&["--json", "lodz"]));
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&report["indexed"], &report["listed"]),
        (&3.into(), &3.into())
    );
    let message = &report["messages"][0];
    assert_eq!(message["name"], root[1].as_str());
    assert_eq!(message["subject"], "Re: Budget");
    assert_eq!(message["from"], "Bob <bob@example.net>");
    assert_eq!(message["date"], 1_714_557_600);
    assert_eq!(message["snippet"], "Łódź: the budget is spent.");
}

#[test]
fn many_messages_are_found_as_many_as_they_are() {
    let liar = Liar::start(&corpus::realistic(18, 300));
    let mount = in_clear(&liar.source(), &[]);
    index_all(&mount);
    assert_eq!(found(&mount, "-nowhere"), listed(&mount));
    let whole = found(&mount, "sender7").len();
    assert_eq!(whole, 1);
}
