//! A query is understood or refused in words, whatever it is; as a name and as a text alike.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use pop3fs::search::{Query, fold, spaced};

pub fn check(octets: &[u8]) {
    let name = Query::from_name(OsStr::from_bytes(octets));
    if octets.len() > 255 || octets.starts_with(b".") {
        assert!(name.is_err());
    }
    let Ok(text) = std::str::from_utf8(octets) else {
        assert!(name.is_err());
        return;
    };
    let query = Query::parse(text);
    for error in [name.err(), query.as_ref().err().cloned()]
        .into_iter()
        .flatten()
    {
        assert!(error.to_string().len() > 10);
    }
    let folded = fold(text);
    assert_eq!(fold(&folded), folded);
    for token in spaced(text).split_ascii_whitespace() {
        assert!(
            token.len() <= 64 && !token.contains(['"', '*', '\0']),
            "{token:?}"
        );
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "invoice from:alice after:2024-01",
        "\"budget review\" OR -draft* size:>1.5M has:attachment is:unread",
        "to:\"Bob Jones\" cc:c subject:d attachment:e.pdf list:f before:7d date:2024-05-01",
        "either%2For+c%2B%2B",
        "東京 Łódź Straße e\u{301} \u{202e}abc",
        "NEAR(a b) AND {text} : ^\"x\" -(y)",
        "form:alice after:2024-13 size:1 has:x is:y \"open",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}
