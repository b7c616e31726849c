//! The names of charsets: those of RFC 2045 and IANA, and what mailers write instead.

use charset::{Charset as WebCharset, UTF_7};
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, KOI8_R, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_8,
    UTF_16BE, UTF_16LE, WINDOWS_874, X_MAC_CYRILLIC,
};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use oem_cp::code_table_type::TableType;

use super::iso_2022::Stateful;

/// A charset that can be decoded.
#[derive(Clone, Copy)]
pub(super) enum Charset {
    UsAscii,
    Utf7,
    Utf32 {
        big_endian: bool,
    },
    /// An encoding of the WHATWG Encoding standard.
    Web(&'static Encoding),
    /// A code page of DOS.
    Dos(&'static TableType),
    /// Seven bits; escape sequences switch between character sets.
    Stateful(Stateful),
}

/// Labels that mean "not known". The web has a meaning for `x-user-defined`, mail has none.
const UNKNOWN: [&str; 9] = [
    "unknown",
    "xunknown",
    "unknown8bit",
    "xuserdefined",
    "userdefined",
    "default",
    "none",
    "8bit",
    "binary",
];

/// The names of US-ASCII (RFC 1345, IANA) without punctuation.
const US_ASCII: [&str; 12] = [
    "ascii",
    "usascii",
    "ansix341968",
    "ansix341986",
    "iso646us",
    "iso646irv1991",
    "isoir6",
    "csascii",
    "us",
    "646",
    "iso646",
    "7bit",
];

impl Charset {
    /// By its label; None if it is not known.
    pub(super) fn of_label(label: &str) -> Option<Self> {
        let key = key(label);
        if key.is_empty() || UNKNOWN.contains(&key.as_str()) {
            return None;
        }
        if US_ASCII.contains(&key.as_str()) {
            return Some(Self::UsAscii);
        }
        of_seven_bits(&key)
            .or_else(|| of_the_web(label.trim()))
            .or_else(|| by_name(&key))
            .or_else(|| by_latin_number(&key))
            .or_else(|| by_code_page(&key))
            .or_else(|| key.strip_prefix('x').and_then(of_the_web))
    }
}

/// The label in lower case, letters and digits only.
fn key(label: &str) -> String {
    let alphanumeric = label.chars().filter(char::is_ascii_alphanumeric);
    alphanumeric.map(|c| c.to_ascii_lowercase()).collect()
}

/// Before the web's labels: the web decodes ISO-2022-JP more strictly, and refuses the others.
fn of_seven_bits(key: &str) -> Option<Charset> {
    let name = key.strip_prefix("cs").unwrap_or(key);
    let stateful = match name {
        "jis" | "jis7" | "cp50220" | "cp50221" | "cp50222" => Stateful::Iso2022,
        "hz" | "hzgb2312" | "hzgb" | "cp52936" => Stateful::Hz,
        "iso2022kr" | "cp50225" => Stateful::Iso2022Kr,
        "iso2022cn" | "iso2022cnext" | "cp50227" => Stateful::Iso2022Cn,
        _ if name.starts_with("iso2022jp") => Stateful::Iso2022,
        _ => return None,
    };
    Some(Charset::Stateful(stateful))
}

fn of_the_web(label: &str) -> Option<Charset> {
    let charset = WebCharset::for_label_no_replacement(label.as_bytes())?;
    if charset == UTF_7 {
        return Some(Charset::Utf7);
    }
    Encoding::for_label_no_replacement(label.as_bytes()).map(Charset::Web)
}

fn by_name(key: &str) -> Option<Charset> {
    let encoding = match key {
        "utf7" | "unicode11utf7" | "xutf7" => return Some(Charset::Utf7),
        "utf32" | "utf32be" | "ucs4" | "ucs4be" | "iso10646ucs4" => {
            return Some(Charset::Utf32 { big_endian: true });
        }
        "utf32le" | "ucs4le" => return Some(Charset::Utf32 { big_endian: false }),
        "utf8n" | "utf8mb4" | "utf8sig" | "xutf8" | "utf8" => UTF_8,
        "eucjp" | "xeucjp" | "eucjpms" | "eucjpwin" | "eucjpopen" | "ujis" | "eucjisx0213"
        | "eucjis2004" => EUC_JP,
        "sjis" | "shiftjis" | "xsjis" | "sjiswin" | "sjisopen" | "mskanji" | "pck"
        | "shiftjis2004" | "sjis2004" | "shiftjisx0213" | "windows31j" | "xmscp932" | "xsjisjp" => {
            SHIFT_JIS
        }
        "euccn" | "xeuccn" | "gbeuc" | "gb231280" | "gb2312" | "xgbk" | "gbk" | "xgb" | "gb" => GBK,
        "gb180302000" | "gb180302005" | "gb180302022" => GB18030,
        "euckr" | "xeuckr" | "ksc5601" | "uhc" | "ksx1001" | "xwindows949" => EUC_KR,
        "chinesebig5" | "bigfive" | "big5hkscs" | "big5eten" | "big5hkscs2004" | "xbig5" => BIG5,
        "tis6202533" | "tis620" | "thai" => WINDOWS_874,
        "koi8" | "koi" | "koi8r" => KOI8_R,
        "koi8ru" | "koi8u" => KOI8_U,
        "macroman" | "xmacroman" | "applemacroman" => MACINTOSH,
        "maccyrillic" | "xmacukrainian" | "macukraine" => X_MAC_CYRILLIC,
        _ => return None,
    };
    Some(Charset::Web(encoding))
}

/// ISO 8859 by its part, with or without `iso` and the year: `8859-1`, `ISO8859_15`,
/// `iso-8859-2:1987`. Latin alphabets by their number: `latin-9`.
fn by_latin_number(key: &str) -> Option<Charset> {
    const LATIN: [u8; 10] = [1, 2, 3, 4, 9, 10, 13, 14, 15, 16];
    if let Some(number) = key.strip_prefix("latin") {
        let place = number.parse::<usize>().ok()?.checked_sub(1)?;
        return iso_8859(*LATIN.get(place)?);
    }
    let at = key.find("8859")?;
    if !matches!(&key[..at], "" | "iso" | "xiso" | "isoir" | "is0" | "cp") {
        return None;
    }
    let digits = &key[at + 4..];
    let part = match digits.len() {
        1 | 2 => digits,
        _ => &digits[..digits.len().checked_sub(4)?],
    };
    iso_8859(part.parse().ok()?)
}

fn iso_8859(part: u8) -> Option<Charset> {
    of_the_web(&format!("iso-8859-{part}"))
}

/// A code page of Windows, DOS or IBM by its number: `cp1252`, `win-1251`, `ibm437`, `850`.
fn by_code_page(key: &str) -> Option<Charset> {
    let digits = key.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let prefixes = [
        "",
        "cp",
        "xcp",
        "win",
        "windows",
        "xwindows",
        "ms",
        "ibm",
        "dos",
        "cspc",
        "codepage",
        "ansi",
        "csibm",
        "msdos",
        "oem",
        "cswindows",
    ];
    if !prefixes.contains(&&key[..key.len() - digits.len()]) {
        return None;
    }
    let page: u16 = digits.parse().ok()?;
    let encoding = match page {
        20127 | 367 => return Some(Charset::UsAscii),
        65000 => return Some(Charset::Utf7),
        65001 => UTF_8,
        1200 => UTF_16LE,
        1201 => UTF_16BE,
        932 | 943 | 942 => SHIFT_JIS,
        936 | 51936 | 20936 | 1386 => GBK,
        949 | 20949 | 51949 | 970 => EUC_KR,
        950 | 951 => BIG5,
        54936 => GB18030,
        51932 | 20932 | 33722 => EUC_JP,
        10000 => MACINTOSH,
        10007 => X_MAC_CYRILLIC,
        20866 => KOI8_R,
        21866 => KOI8_U,
        819 => return iso_8859(1),
        912 => return iso_8859(2),
        28591..=28606 => return iso_8859((page - 28590) as u8),
        874 => WINDOWS_874,
        1250..=1258 | 866 => return of_the_web(&format!("cp{page}")),
        _ => return DECODING_TABLE_CP_MAP.get(&page).map(Charset::Dos),
    };
    Some(Charset::Web(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(label: &str) -> String {
        match Charset::of_label(label) {
            Some(Charset::UsAscii) => "ascii".to_owned(),
            Some(Charset::Utf7) => "utf-7".to_owned(),
            Some(Charset::Utf32 { .. }) => "utf-32".to_owned(),
            Some(Charset::Web(encoding)) => encoding.name().to_ascii_lowercase(),
            Some(Charset::Dos(_)) => "dos".to_owned(),
            Some(Charset::Stateful(_)) => "stateful".to_owned(),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn every_spelling_of_a_charset_is_known() {
        for (labels, expected) in [
            (
                "US-ASCII ANSI_X3.4-1968 iso-ir-6 ISO_646.irv:1991 us cp367 646",
                "ascii",
            ),
            ("utf8 UTF-8 utf_8 x-utf-8 cp65001 utf8mb4", "utf-8"),
            ("utf-7 unicode-1-1-utf-7 x-unicode-2-0-utf-7 UTF7", "utf-7"),
            (
                "iso-8859-1 8859-1 8859_1 ISO8859-1 iso-88591 latin1 latin-1 l1 cp-1252 win-1252 \
                 windows-1252 cp819 iso_8859-1:1987 \"iso-8859-1\" ansi-1252",
                "windows-1252",
            ),
            ("iso-8859-2 iso-8859-2:1987 latin2 ISO8859_2", "iso-8859-2"),
            ("iso-8859-15 latin-9 8859-15 iso885915", "iso-8859-15"),
            (
                "windows-1251 win-1251 cp1251 x-cp1251 cp-1251 win1251",
                "windows-1251",
            ),
            ("koi8-r koi8r koi8 cskoi8r cp20866", "koi8-r"),
            ("euc-jp eucJP ujis x-euc-jp cp51932 eucJP-ms", "euc-jp"),
            (
                "shift_jis cp932 x-sjis MS932 windows-31j sjis shift-jis cp943",
                "shift_jis",
            ),
            ("gb2312 gbk cp936 gb_2312-80 euc-cn x-gbk EUC-CN", "gbk"),
            (
                "euc-kr ks_c_5601-1987 cp949 ksc5601 windows-949 uhc",
                "euc-kr",
            ),
            (
                "big5 cp950 big5-hkscs cn-big5 x-x-big5 BIG-FIVE CHINESEBIG5",
                "big5",
            ),
            ("tis-620 windows-874 cp874 iso-8859-11", "windows-874"),
            (
                "cp437 ibm437 850 IBM850 cp850 cp-852 csIBM850 ibm858",
                "dos",
            ),
            (
                "iso-2022-jp iso-2022-jp-1 ISO-2022-JP-2 iso-2022-jp-3 iso2022jp csISO2022JP \
                 iso-2022-kr hz-gb-2312 HZ iso-2022-cn",
                "stateful",
            ),
            (
                "x-unknown unknown-8bit x-user-defined nonsense iso-8859-99",
                "none",
            ),
        ] {
            for label in labels.split_whitespace() {
                assert_eq!(name(label), expected, "{label}");
            }
        }
    }
}
