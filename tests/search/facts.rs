//! What a query finds, by each kind of term.

use std::collections::HashSet;

use pop3fs::store::SearchEntry;

use super::targets::mails;
use super::{Account, NONE, entry, indexed, message};

const DAY: i64 = 86_400;

fn letters() -> Account {
    Account::with(&[
        message(
            "From: Alice Smith <alice@example.org>\nTo: bob@example.net\nSubject: Budget\n",
            "The budget review\nis on Monday.",
        ),
        message(
            "From: Bob <bob@example.net>\nTo: alice@example.org\nCc: carol@example.com\nSubject: Re: Budget\n\
             List-Id: The board <board.lists.example.net>\n",
            "A review of the budget, Łódź and Straße.",
        ),
        mails::made("attached"),
    ])
}

#[test]
fn all_words_have_to_be_there_and_phrases_in_order() {
    let account = letters();
    assert_eq!(account.found("review budget"), [1, 2]);
    assert_eq!(account.found("\"budget review\""), [1]);
    assert_eq!(account.found("budget monday"), [1]);
    assert_eq!(account.found("budget nowhere"), NONE);
}

#[test]
fn a_phrase_is_found_over_a_line_end() {
    assert_eq!(letters().found("\"review is on\""), [1]);
}

#[test]
fn alternatives_and_exclusions_are_combined() {
    let account = letters();
    assert_eq!(account.found("monday OR lodz"), [1, 2]);
    assert_eq!(account.found("review -monday"), [2]);
    assert_eq!(account.found("-review"), [3]);
    assert_eq!(account.found("-review OR monday"), [1, 3]);
    assert_eq!(account.found("has:attachment OR monday"), [1, 3]);
    assert_eq!(account.found("budget from:alice OR from:carol"), [1]);
}

#[test]
fn fields_are_looked_into_alone() {
    let account = letters();
    assert_eq!(account.found("from:alice"), [1]);
    assert_eq!(account.found("to:alice@example.org"), [2]);
    assert_eq!(account.found("cc:carol"), [2]);
    assert_eq!(account.found("alice"), [1, 2]);
    assert_eq!(account.found("subject:budget"), [1, 2]);
    assert_eq!(account.found("subject:review"), NONE);
    assert_eq!(account.found("list:board"), [2]);
    assert_eq!(account.found("attachment:report.pdf"), [3]);
    assert_eq!(account.found("attachment:ubersicht"), [3]);
}

#[test]
fn case_diacritics_and_word_beginnings_are_found() {
    let account = letters();
    for query in [
        "lodz",
        "ŁÓDŹ",
        "strasse",
        "STRASSE",
        "straße",
        "stra*",
        "\"lodz and stra\"*",
    ] {
        assert_eq!(account.found(query), [2], "{query}");
    }
    assert_eq!(account.found("stra"), NONE);
}

#[test]
fn encrypted_parts_are_not_indexed() {
    let encrypted = "Subject: secret\nMIME-Version: 1.0\n\
        Content-Type: multipart/encrypted; boundary=e; protocol=\"application/pgp-encrypted\"\n\n\
        --e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\
        --e\nContent-Type: application/octet-stream\n\nhQEMAwisp\n--e--\n";
    let account = Account::with(&[mails::wire(encrypted)]);
    assert_eq!(account.found("secret"), [1]);
    assert_eq!(account.found("hqemawisp"), NONE);
}

#[test]
fn times_sizes_and_marks_are_compared() {
    let account = Account::new();
    // The first arrived 40 days ago, each next one 10 days later; that of the last is not known.
    for inode in 1..=5_u64 {
        let age = 10 * (5 - inode.cast_signed()) * DAY;
        let long = message("Subject: x\n", &"word ".repeat(1000 * inode as usize));
        account.index.feed(SearchEntry {
            arrived: (inode < 5).then_some(super::NOW - age),
            ..entry(inode, &long)
        });
    }
    account.index.flush().expect("a written index");
    assert_eq!(account.found("after:15d"), [4]);
    assert_eq!(account.found("before:2024-05-01"), [1, 2, 3]);
    assert_eq!(account.found("date:2024-04"), [1, 2, 3]);
    assert_eq!(account.found("date:2024-04-15"), [2]);
    assert_eq!(account.found("-after:2024"), [5]);
    assert_eq!(account.found("size:>20k"), [5]);
    assert_eq!(account.found("size:<6k word"), [1]);
    assert_eq!(account.found("is:unread"), [1, 4, 5]);
    assert_eq!(account.found("is:read x"), [2, 3]);
}

#[test]
fn what_is_found_is_in_directory_order() {
    let account = Account::new();
    for inode in [1 << 46, 3, u64::from(u32::MAX), 2] {
        account.index.feed(entry(inode, &message("", "word")));
    }
    account.index.flush().expect("a written index");
    assert_eq!(account.found("word"), [2, 3, u64::from(u32::MAX), 1 << 46]);
}

#[test]
fn departed_messages_leave_the_index() {
    let account = Account::with(&[
        message("", "one word"),
        message("", "two word"),
        message("", "word"),
    ]);
    account
        .index
        .retain(HashSet::from([indexed(1), indexed(2), indexed(9)]));
    account.index.remove(vec![2, 77]);
    account.index.flush().expect("a written index");
    assert_eq!(account.found("word"), [1]);
    assert_eq!(account.found("two"), NONE);
    assert_eq!(account.index.count().expect("a count"), 1);
    let missing = account.index.missing(&[indexed(3), indexed(1), indexed(2)]);
    assert_eq!(missing.expect("an answer"), [indexed(3), indexed(2)]);
}

#[test]
fn a_message_with_other_octets_replaces_the_old_one() {
    let account = Account::with(&[message("", "old"), message("", "other")]);
    account.index.feed(entry(1, &message("", "new")));
    // Another mount gave the inode number to another message.
    let moved = SearchEntry {
        key: super::key(7),
        ..entry(2, &message("", "other"))
    };
    account.index.feed(moved);
    account.index.flush().expect("a written index");
    assert_eq!(account.found("old OR new OR other"), [1, 2]);
    assert_eq!(account.found("old"), NONE);
    let missing = account.index.missing(&[indexed(1), indexed(2)]);
    assert_eq!(missing.expect("an answer"), [indexed(2)]);
}

#[test]
fn what_was_indexed_is_there_at_the_next_mount() {
    let Account { base, index } = letters();
    drop(index);
    let index = pop3fs::store::SearchIndex::open(&super::folder(&base)).expect("an index");
    let account = Account { base, index };
    assert_eq!(account.found("budget"), [1, 2]);
}

#[test]
fn two_mounts_fill_one_index() {
    let one = Account::new();
    let other = pop3fs::store::SearchIndex::open(&one.folder()).expect("an index");
    for inode in 1..=40 {
        let index = if inode % 2 == 0 { &one.index } else { &other };
        index.feed(entry(inode, &message("", "word")));
    }
    other.flush().expect("a written index");
    one.index.flush().expect("a written index");
    assert_eq!(one.found("word").len(), 40);
}

#[test]
fn all_is_indexed_though_others_often_go_first() {
    let base = tempfile::tempdir().expect("a folder");
    // At every other look somebody needs the processors.
    let looks = std::sync::atomic::AtomicU32::new(0);
    let is_busy = move || looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 == 1;
    let index = pop3fs::store::SearchIndex::open_yielding(&super::folder(&base), is_busy);
    let index = index.expect("an index");
    let account = Account { base, index };
    for inode in 1..=20 {
        account.index.feed(entry(inode, &message("", "word")));
    }
    account.index.remove(vec![7]);
    account.index.flush().expect("a written index");
    assert_eq!(account.found("word").len(), 19);
}
