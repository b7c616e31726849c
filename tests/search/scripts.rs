//! Words of many scripts.

use super::{Account, NONE, message};

#[test]
fn two_characters_are_found_in_the_middle_of_a_sentence() {
    let account = Account::with(&[
        message("Subject: 会議\n", "明日は東京都庁で会議があります。"),
        message("", "京東で買い物。東の京。"),
        message("", "내일 회의를 합니다"),
        message("", "ประชุมที่กรุงเทพ"),
    ]);
    assert_eq!(account.found("東京"), [1]);
    assert_eq!(account.found("都庁で会議"), [1]);
    assert_eq!(account.found("京"), [1, 2]);
    assert_eq!(account.found("subject:会"), [1]);
    assert_eq!(account.found("。東"), [1, 2]);
    assert_eq!(account.found("회의"), [3]);
    assert_eq!(account.found("กรุงเทพ"), [4]);
    assert_eq!(account.found("\"会議が\" -明日"), NONE);
}

#[test]
fn half_width_letters_and_full_width_ones_are_the_same() {
    let account = Account::with(&[message("", "ｶﾀｶﾅ と ＡＢＣ１２３")]);
    assert_eq!(account.found("カタカナ abc123"), [1]);
}

#[test]
fn every_script_has_words() {
    for (text, query) in [
        ("Ответ на письмо: ёлка", "елка ПИСЬМО"),
        ("Καλημέρα κόσμε", "καλημερα ΚΟΣΜΕ"),
        ("שָׁלוֹם עולם", "שלום"),
        ("مُحَمَّد في القاهرة", "محمد"),
        ("हिन्दी में संदेश", "हिन्दी"),
        ("İstanbul'da ığdır", "istanbul igdir"),
        ("Tiếng Việt ở đây", "tieng viet day"),
        ("well done 🎉🎉", "🎉"),
        ("ab\u{ad}tren\u{ad}nen", "abtrennen"),
    ] {
        assert_eq!(
            Account::with(&[message("", text)]).found(query),
            [1],
            "{query}"
        );
    }
}
