//! The index finds what a plain search of the same texts finds.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fastrand::Rng;
use pop3fs::search::{Document, Query, fold};

use super::Account;
use super::targets::mails;

const CHECKED: usize = 200;

/// Sentences of many scripts, which messages are put together of.
const SENTENCES: [&str; 16] = [
    "The quick brown fox's invoice, no. 4711-23, is attached (see below).",
    "Die Straße nach Łódź führt über Äcker; Größe 3,5 m².",
    "L'été dernier, nous étions à Besançon — ça va?",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Ørsted og Ærø ligger i Danmark.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "نص حكيم له سر قاطع وذو شأن عظيم",
    "明日は東京都庁で会議があります。資料を送ってください。",
    "私はガラスを食べられます。それは私を傷つけません。",
    "我能吞下玻璃而不伤身体，请查收附件。",
    "내일 오후에 회의를 합니다. 자료를 보내 주세요.",
    "ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ",
    "मैं काँच खा सकता हूँ और मुझे उससे कोई चोट नहीं पहुंचती।",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İyi günler!",
];

/// Made messages, and those that Python's email package is tested with, where they are installed.
fn corpus() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(1);
    let mut corpus = mails::octets();
    for _ in 0..150 {
        let lines: Vec<&str> = (0..random.usize(1..12))
            .filter_map(|_| random.choice(SENTENCES))
            .collect();
        let subject = random
            .choice(["Invoice", "Łódź", "会議", "привет"])
            .unwrap_or_default();
        corpus.push(super::message(
            &format!("Subject: {subject}\n"),
            &lines.join("\n"),
        ));
    }
    corpus.extend(python_mails());
    corpus
}

fn python_mails() -> Vec<Vec<u8>> {
    let folders = glob_python();
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = files
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

fn glob_python() -> Vec<PathBuf> {
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    libraries
        .map(|entry| entry.path().join("test/test_email/data"))
        .filter(|path| path.is_dir())
        .collect()
}

/// The texts of a message, each as the plain search sees it.
struct Plain {
    columns: Vec<String>,
}

impl Plain {
    fn of(message: &[u8]) -> Self {
        let document = Document::of(message);
        let columns = [
            document.from,
            document.to,
            document.cc,
            document.subject,
            document.list,
            document.attachments,
            document.text,
        ];
        Self {
            columns: columns.iter().map(|text| fold(text)).collect(),
        }
    }

    /// Whether the folded words are there, as words of their own where they are of a script that
    /// has spaces.
    fn has(&self, wanted: &str) -> bool {
        self.columns.iter().any(|text| {
            let mut found = text.match_indices(wanted);
            found.any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let behind = text[at + wanted.len()..].chars().next();
                is_border(before, wanted.chars().next())
                    && is_border(wanted.chars().next_back(), behind)
            })
        })
    }

    /// As [`Self::has`], whatever is between the words.
    fn has_phrase(&self, words: &[&str]) -> bool {
        let wanted = words.join(" ");
        let spaced = self.columns.iter().map(|text| {
            let words = text
                .split(|c: char| !is_letter(c))
                .filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(" ")
        });
        let columns = spaced.collect();
        Self { columns }.has(&wanted)
    }
}

fn is_letter(character: char) -> bool {
    let is_mark = |c: char| matches!(c, '\u{900}'..='\u{e4f}') && !c.is_alphanumeric();
    character.is_alphanumeric()
        || (is_mark(character)
            && !matches!(character, '\u{964}' | '\u{965}' | '\u{e3f}' | '\u{e4f}'))
}

fn has_no_spaces(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{e7f}' | '\u{3005}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

fn is_border(one: Option<char>, other: Option<char>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            !is_letter(one) || !is_letter(other) || has_no_spaces(one) || has_no_spaces(other)
        }
        _ => true,
    }
}

struct Checked {
    account: Account,
    plain: Vec<Plain>,
}

impl Checked {
    fn new() -> Self {
        let corpus = corpus();
        Self {
            account: Account::with(&corpus),
            plain: corpus.iter().map(|message| Plain::of(message)).collect(),
        }
    }

    fn found_by(&self, is_found: impl Fn(&Plain) -> bool) -> Vec<u64> {
        let found = (1..).zip(&self.plain).filter(|(_, plain)| is_found(plain));
        found.map(|(inode, _)| inode).collect()
    }

    /// The words of a text that chance picks.
    fn words(&self, random: &mut Rng) -> Vec<&str> {
        loop {
            let plain = random.choice(&self.plain).expect("a message");
            let text = random.choice(&plain.columns).expect("a text");
            let words = text.split(|c: char| !is_letter(c));
            // Longer ones are found by their beginning.
            let words: Vec<&str> = words
                .filter(|word| (1..=64).contains(&word.len()))
                .collect();
            if !words.is_empty() {
                return words;
            }
        }
    }
}

#[test]
fn words_are_found_in_the_same_messages() {
    let checked = Checked::new();
    let mut random = Rng::with_seed(2);
    let mut words = BTreeSet::new();
    while words.len() < CHECKED {
        words.insert(
            *random
                .choice(&checked.words(&mut random.clone()))
                .expect("a word"),
        );
        random.u8(..);
    }
    for word in words {
        let expected = checked.found_by(|plain| plain.has(word));
        assert!(!expected.is_empty(), "{word}");
        assert_eq!(
            checked.account.found(&format!("\"{word}\"")),
            expected,
            "{word}"
        );
    }
}

#[test]
fn phrases_are_found_in_the_same_messages() {
    let checked = Checked::new();
    let mut random = Rng::with_seed(3);
    let mut found_in_more = 0;
    for _ in 0..CHECKED {
        let words = checked.words(&mut random);
        let length = random.usize(2..=4).min(words.len());
        let start = random.usize(0..=words.len() - length);
        let words = &words[start..start + length];
        let phrase = words.join(" ");
        let expected = checked.found_by(|plain| plain.has_phrase(words));
        if Query::parse(&format!("\"{phrase}\"")).is_err() {
            continue;
        }
        assert_eq!(
            checked.account.found(&format!("\"{phrase}\"")),
            expected,
            "{phrase}"
        );
        // With a line end or punctuation between the words.
        found_in_more += expected.len() - checked.found_by(|plain| plain.has(&phrase)).len();
    }
    assert!(found_in_more > 0);
}

#[test]
fn parts_of_sentences_without_spaces_are_found() {
    let checked = Checked::new();
    let mut random = Rng::with_seed(4);
    let sentences: Vec<Vec<char>> = SENTENCES[9..14]
        .iter()
        .map(|sentence| fold(sentence).chars().collect())
        .collect();
    for _ in 0..CHECKED {
        let sentence = random.choice(&sentences).expect("a sentence");
        let length = random.usize(1..=5);
        let start = random.usize(0..sentence.len() - length);
        let part: String = sentence[start..start + length].iter().collect();
        if !part.chars().all(|c| has_no_spaces(c) && is_letter(c)) {
            continue;
        }
        let expected = checked.found_by(|plain| plain.has(&part));
        assert_eq!(checked.account.found(&part), expected, "{part}");
    }
}
