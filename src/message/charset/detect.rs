//! The charset of octets that no label tells.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, WINDOWS_1252};

/// How many octets the detector looks at.
const DETECTED: usize = 256 * 1024;
/// Fewer letters in a row than this are not taken for a word.
const WORD: usize = 3;
/// How many signs of windows-1252 may be alone or at the ends of words for each letter within words.
/// Text in code page 866 comes near to it: windows-1252 reads half of its letters as signs.
const SIGNS: usize = 4;

/// The charset that the octets look like: what the detector says if that gives words, else
/// windows-1252. The detector compares pairs of octets, so signs that are repeated mislead it
/// (`£1`, `§ 2`, `5 µm`, `• `).
pub(super) fn detected(octets: &[u8]) -> &'static Encoding {
    let octets = &octets[..octets.len().min(DETECTED)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(octets, true);
    let detected = detector.guess(None, Utf8Detection::Deny);
    let gives_words = match detected.is_single_byte() {
        true => gives_words(detected, octets),
        false => has_neighbours(octets),
    };
    if gives_words { detected } else { WINDOWS_1252 }
}

/// Whether most octets outside of US-ASCII are near another one. The accents and signs of western
/// text are alone, and the letter behind one would be the second half of an Asian character.
fn has_neighbours(octets: &[u8]) -> bool {
    let is_outside = |at: usize| octets.get(at).is_some_and(|octet| !octet.is_ascii());
    let near = |at: usize| [at.wrapping_sub(2), at.wrapping_sub(1), at + 1, at + 2];
    let outside = (0..octets.len()).filter(|at| is_outside(*at));
    let (mut near_another, mut alone) = (0, 0);
    for at in outside {
        match near(at).into_iter().any(is_outside) {
            true => near_another += 1,
            false => alone += 1,
        }
    }
    near_another > alone
}

/// One octet.
struct OctetReading {
    detected: char,
    western: char,
}

/// Whether the octets that windows-1252 reads as other letters stand within words, rather than
/// alone or at the ends of words, where signs do.
fn gives_words(encoding: &'static Encoding, octets: &[u8]) -> bool {
    let detected = encoding.decode_without_bom_handling(octets).0;
    let western = WINDOWS_1252.decode_without_bom_handling(octets).0;
    let characters = detected.chars().zip(western.chars());
    let readings: Vec<OctetReading> = characters
        .map(|(detected, western)| OctetReading { detected, western })
        .collect();
    let (mut letters, mut signs) = (0, 0);
    for word in readings.chunk_by(|one, next| one.script() == next.script()) {
        if word[0].script().is_none() {
            continue;
        }
        let inner = without_signs(word);
        signs += word.len() - inner.len();
        if inner.len() >= WORD {
            letters += inner.iter().filter(|reading| reading.differs()).count();
        }
    }
    letters * SIGNS > signs
}

/// The word without what windows-1252 reads as signs at its ends.
fn without_signs(word: &[OctetReading]) -> &[OctetReading] {
    let is_letter = |reading: &OctetReading| !reading.is_western_sign();
    let start = word.iter().position(is_letter).unwrap_or(word.len());
    let end = word.iter().rposition(is_letter);
    &word[start..end.map_or(start, |at| at + 1)]
}

#[derive(PartialEq, Eq)]
enum Script {
    Latin,
    Other,
}

impl OctetReading {
    /// The script of a letter, or of an accent of Vietnamese.
    fn script(&self) -> Option<Script> {
        match self.detected {
            '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => Some(Script::Latin),
            letter if !letter.is_alphabetic() => None,
            '\0'..='\u{2ff}' => Some(Script::Latin),
            _ => Some(Script::Other),
        }
    }

    fn differs(&self) -> bool {
        self.detected != self.western
    }

    /// What windows-1252 does not have (it has control characters there) is no sign.
    fn is_western_sign(&self) -> bool {
        match self.western {
            'ª' | 'º' | 'µ' => true,
            western => !western.is_alphabetic() && !western.is_control(),
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{
        BIG5, EUC_JP, EUC_KR, GBK, IBM866, ISO_8859_2, ISO_8859_4, ISO_8859_5, ISO_8859_6,
        ISO_8859_7, ISO_8859_13, KOI8_R, KOI8_U, SHIFT_JIS, WINDOWS_874, WINDOWS_1250,
        WINDOWS_1251, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
        WINDOWS_1258,
    };

    use super::*;

    /// The text as a message without a label shows it.
    fn read(encoding: &'static Encoding, text: &str) -> String {
        let (octets, _, has_errors) = encoding.encode(text);
        assert!(!has_errors, "{text}");
        let detected = detected(&octets);
        let read = detected.decode_without_bom_handling(&octets).0;
        read.into_owned()
    }

    #[test]
    fn signs_of_western_text_make_no_other_charset() {
        let table: String = (0..20).map(|n| format!("{n};£{n}.99\n")).collect();
        let sizes: String = (0..20).map(|n| format!("{n};{n} µm;±0.{n}\n")).collect();
        for text in [
            &*table,
            &sizes,
            "Price £10, £20, £30, £40, £50, £60, £70, £80, £90, £100, £110, £120, £130",
            "<tr><td>Item<td>£1<tr><td>Item<td>£2<tr><td>Item<td>£3<tr><td>Item<td>£4",
            "§ 3 Abs. 2, § 4 Abs. 1, § 5, §§ 8 ff., § 10, § 12, § 15, § 20. Gruß Müller",
            "Il dit «\u{a0}oui\u{a0}», elle dit «\u{a0}non\u{a0}», on répète «\u{a0}bien\u{a0}»",
            "« Oui ! » « Non ! » « Oui ! » « Non ! » « Oui ! » « Non ! » répète-t-il",
            "10\u{a0}€, 20\u{a0}€, 30\u{a0}€, 40\u{a0}€, 50\u{a0}€, 60\u{a0}€ à régler",
            "•\u{a0}One\n•\u{a0}Two\n•\u{a0}Three\n•\u{a0}Four\n•\u{a0}Five\n•\u{a0}Six",
            "•\u{a0}\u{a0}\u{a0}One\n•\u{a0}\u{a0}\u{a0}Two\n•\u{a0}\u{a0}\u{a0}Three",
            "¿Si? ¿No? ¿Yes? ¿What? ¿Who? ¿How? ¿Why? ¿When? ¿Where? ¡Hey! ¡Yes! ¡No! ¡Ok!",
            "«Sí» «No» «Ven» «Ya» «Voy» «Bien» «Mal» «Hola»",
            "Nº 1, Nº 2, Nº 3, Nº 4, Nº 5, Nº 6, Nº 7, Nº 8, Nº 9, Nº 10, Nº 11, Nº 12",
            "½ cup, ¼ cup, ¾ cup, ½ tsp, ¼ tsp, ¾ tsp, ½ cup, ¼ cup, ¾ cup, ½ tsp, ¼ tsp",
            "©One ©Two ©Three ©Four ©Five ©Six ©Seven ©Eight ©Nine ©Ten ©Eleven naïve",
            "The § sign, the ¶ sign, the © sign, the ® sign, the ± sign, the ¬ sign, the ¤ sign",
        ] {
            assert_eq!(read(WINDOWS_1252, text), text);
        }
    }

    #[test]
    fn western_text_is_western() {
        for text in [
            "Für die Übersendung der Unterlagen danken wir. Schöne Grüße, Jürgen Weiß",
            "Il a été décidé à l’été. Très déçu, ça ne marche pas, où êtes-vous\u{a0}?",
            "¿Qué pasó mañana? El niño comió piña y bebió té según mamá, señor",
            "A situação não está boa, são opiniões; amanhã haverá uma reunião às três",
            "Perché è così? È già qui: più giù, là, però la città ha l’università, sì",
            "Blåbär, smör, ägg, mjöl, fläsk, gräslök, rödlök, vitlök, ärtor, bönor",
            "Rødgrød på en ø i å, æbleskiver, smørrebrød, kål, øl, får, kød og brød",
            "Það er gott veður í dag, þú og ég förum út að ganga. Þetta er frábært.",
            "ÄÖÜ äöüß ÄÖÜ äöüß ÄÖÜ äöüß",
        ] {
            assert_eq!(read(WINDOWS_1252, text), text);
        }
    }

    #[test]
    fn text_of_other_alphabets_is_read() {
        let russian = "Добрый день! Я посылаю вам счёт и договор, а также акт.";
        let polish = "Proszę o przesłanie zaległej faktury, ponieważ są błędy w treści.";
        let slovak = "Dobrý deň, môžete nám už odoslať označiť, potvrdiť či vymazať účet? Ďakujem";
        let czech = "Dobrý den, příliš žluťoučký kůň úpěl ďábelské ódy, děkuji předem.";
        let croatian = "Molimo vas da što prije pošaljete račun za plaćanje, jer će kasniti. Đuro";
        let hungarian = "Jelenleg a világ repülőgépei a légszennyezés öt százalékáért felelősek.";
        let lithuanian = "Ačiū už jūsų užsakymą, sąskaitą išsiųsime į jūsų paštą šiandien.";
        let greek = "Καλημέρα, σας στέλνω το τιμολόγιο και τη σύμβαση.";
        let arabic = "صباح الخير، أرسل إليكم الفاتورة والعقد";
        let japanese = "会議の資料を添付します。ご確認ください。";
        for (text, encodings) in [
            (russian, &[WINDOWS_1251, KOI8_R, ISO_8859_5, IBM866][..]),
            ("Привет, мой друг, как ты там?", &[WINDOWS_1251, KOI8_R]),
            (
                "Добрий день! Її рахунок є у вкладенні.",
                &[WINDOWS_1251, KOI8_U],
            ),
            (polish, &[WINDOWS_1250, ISO_8859_2]),
            (slovak, &[WINDOWS_1250, ISO_8859_2]),
            (czech, &[WINDOWS_1250, ISO_8859_2]),
            (croatian, &[WINDOWS_1250]),
            (hungarian, &[WINDOWS_1250]),
            (
                "Bună ziua, vă rog să îmi trimiteţi factura şi preţurile până mâine. Şi aş dori \
                 să ştiu când îmi răspundeţi, mulţumesc.",
                &[WINDOWS_1250],
            ),
            (lithuanian, &[WINDOWS_1257, ISO_8859_13]),
            (
                "Labdien! Lūdzu, nosūtiet rēķinu, jo mēs vēl neesam to saņēmuši.",
                &[WINDOWS_1257, ISO_8859_4],
            ),
            (
                "İyi günler, faturanın ödenmiş olduğunu şimdi öğrendik, teşekkür ederiz.",
                &[WINDOWS_1254],
            ),
            (
                "Xin cha\u{300}o, tôi gư\u{309}i ba\u{323}n ho\u{301}a đơn va\u{300} hơ\u{323}p \
                 đô\u{300}ng",
                &[WINDOWS_1258],
            ),
            (greek, &[WINDOWS_1253, ISO_8859_7]),
            (
                "שלום רב, אני שולח לך את החשבונית ואת החוזה",
                &[WINDOWS_1255],
            ),
            (arabic, &[WINDOWS_1256, ISO_8859_6]),
            ("สวัสดีครับ ผมส่งใบแจ้งหนี้และสัญญามาให้ครับ", &[WINDOWS_874]),
            ("您好，附件是发票和合同，请查收。", &[GBK]),
            ("您好，附件是發票和合約，請查收。", &[BIG5]),
            (japanese, &[SHIFT_JIS, EUC_JP]),
            ("テストサーバーのアカウント", &[SHIFT_JIS, EUC_JP]),
            ("안녕하세요. 송장과 계약서를 보냅니다.", &[EUC_KR]),
        ] {
            for encoding in encodings {
                assert_eq!(read(encoding, text), text, "{}", encoding.name());
            }
        }
    }
}
