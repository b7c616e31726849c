//! The summary of a message and its name for people: of the headers alone, on one line, and safe on every system.

use pop3fs::message::{self, DatePreference, Outlined, Summary, Zone};

pub fn check(octets: &[u8]) {
    let block = message::header_block(octets);
    assert!(octets.starts_with(block));
    assert_eq!(message::header_block(block), block);
    let summary = message::summary(octets);
    is_of_one_line(&summary);
    assert_eq!(
        message::summary(block),
        summary,
        "the body is not looked at"
    );
    let outline = message::outline(octets);
    assert_eq!(outline.matches('\n').count(), 2, "{outline:?}");
    assert_eq!(
        Outlined::Subject.of(&outline).is_some(),
        summary.subject.is_some()
    );
    let title = message::title(octets);
    assert_eq!(message::title(block), title, "the body is not looked at");
    let arrival = message::arrival(octets, DatePreference::Received);
    let name = message::name(&title, arrival, &Zone::utc(), "6b02a91c");
    is_safe(&name);
    assert_eq!(message::tag(&name), Some("6b02a91c"));
}

fn is_of_one_line(summary: &Summary) {
    let Summary {
        subject,
        from,
        message_id,
    } = summary;
    for shown in [subject, from, message_id].into_iter().flatten() {
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

fn is_safe(name: &str) {
    let is_refused = |character: char| {
        let turns_the_text = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        character.is_control() || turns_the_text || "/\\:*?\"<>|".contains(character)
    };
    assert!(name.len() <= 255 && name.ends_with(".eml"), "{name:?}");
    assert!(
        !name.contains(is_refused) && !name.contains("  "),
        "{name:?}"
    );
    assert!(
        name.starts_with("undated ") || name.as_bytes()[0].is_ascii_digit(),
        "{name:?}"
    );
}
