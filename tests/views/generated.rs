//! Well-formed messages of every structure: chance decides, and a seed decides the chance.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;

/// A message and the files in it, those of nested messages behind its own.
pub(crate) struct Generated {
    pub(crate) octets: Vec<u8>,
    pub(crate) files: Vec<File>,
}

/// Octets that somebody attached.
pub(crate) struct File {
    /// None where the message names it not.
    pub(crate) name: Option<String>,
    pub(crate) octets: Vec<u8>,
}

/// The most multiparts and messages within each other.
const DEPTH: usize = 5;

/// The message of that seed.
pub(crate) fn generated(seed: u64) -> Generated {
    let mut author = Author {
        rng: Rng::with_seed(seed),
        serial: 0,
    };
    author.message(DEPTH)
}

/// A body with the header lines that describe it.
struct Part {
    headers: Vec<String>,
    body: Vec<u8>,
    files: Vec<File>,
    /// Of nested messages.
    deeper: Vec<File>,
}

struct Author {
    rng: Rng,
    /// Tells files and boundaries apart.
    serial: u32,
}

impl Author {
    fn message(&mut self, depth: usize) -> Generated {
        let part = if self.rng.u8(0..5) == 0 {
            self.leaf(true)
        } else {
            self.multipart(depth)
        };
        let subject = self.word();
        let mut headers = vec![
            format!("From: {} <a@example.org>", self.word()),
            format!("Subject: {subject}\r\n and {subject}"),
            "Date: Wed, 1 May 2024 09:30:00 +0200".to_owned(),
            "MIME-Version: 1.0".to_owned(),
        ];
        headers.extend(part.headers);
        self.rng.shuffle(&mut headers);
        Generated {
            octets: [headers.join("\r\n").as_bytes(), b"\r\n\r\n", &part.body].concat(),
            files: part.files.into_iter().chain(part.deeper).collect(),
        }
    }

    fn part(&mut self, depth: usize) -> Part {
        match self.rng.u8(0..10) {
            0..=2 if depth > 0 => self.multipart(depth - 1),
            3 if depth > 0 => self.nested(depth - 1),
            _ => self.leaf(false),
        }
    }

    fn multipart(&mut self, depth: usize) -> Part {
        let boundary = self.boundary();
        let subtype = self.pick(&["mixed", "alternative", "related", "x-unheard-of"]);
        let case = self.pick(&["Content-Type: multipart", "content-type: Multipart"]);
        let headers = vec![format!("{case}/{subtype};\r\n\tboundary=\"{boundary}\"")];
        let mut whole = Part {
            headers,
            body: self.pick(&["", "For readers without MIME.\r\n"]).into(),
            files: Vec::new(),
            deeper: Vec::new(),
        };
        for _ in 0..self.rng.usize(1..=4) {
            let part = self.part(depth);
            let padding = self.pick(&["", " ", "\t "]);
            let headers: String = part
                .headers
                .iter()
                .map(|line| format!("{line}\r\n"))
                .collect();
            let delimiter = format!("--{boundary}{padding}\r\n{headers}\r\n");
            whole.body.extend_from_slice(delimiter.as_bytes());
            whole.body.extend(part.body);
            whole.body.extend_from_slice(b"\r\n");
            whole.files.extend(part.files);
            whole.deeper.extend(part.deeper);
        }
        let epilogue = self.pick(&["", "\r\n", "\r\nNobody sees this.\r\n"]);
        let end = format!("--{boundary}--{epilogue}");
        whole.body.extend_from_slice(end.as_bytes());
        whole
    }

    /// RFC 2046 section 5.1.1 has these characters in a boundary, of which none is the beginning of
    /// another.
    fn boundary(&mut self) -> String {
        const ALLOWED: &[u8] = b"'()+_,-./:=? aZ9";
        self.serial += 1;
        let random = (0..self.rng.usize(0..30)).map(|_| ALLOWED[self.rng.usize(0..ALLOWED.len())]);
        let random: String = random.map(char::from).collect();
        format!("{:04}{random}x", self.serial)
    }

    fn nested(&mut self, depth: usize) -> Part {
        let message = self.message(depth);
        Part {
            headers: vec!["Content-Type: message/rfc822".to_owned()],
            body: message.octets,
            files: Vec::new(),
            deeper: message.files,
        }
    }

    /// A text of the message, or a file. The whole message is a text.
    fn leaf(&mut self, is_whole: bool) -> Part {
        let is_text = is_whole || self.rng.u8(0..3) == 0;
        let octets = if is_text { self.text() } else { self.noise() };
        let (encoding, body) = self.encoded(&octets);
        let mut headers = Vec::new();
        let mut files = Vec::new();
        if is_text {
            let html = self.pick(&["plain", "html"]);
            headers.push(format!("Content-Type: text/{html}; charset=utf-8"));
        } else {
            let name = self.name();
            headers.extend(self.named(name.as_deref()));
            files.push(File { name, octets });
        }
        headers.extend(encoding.map(|name| format!("Content-Transfer-Encoding: {name}")));
        self.rng.shuffle(&mut headers);
        Part {
            headers,
            body,
            files,
            deeper: Vec::new(),
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.pick(&[0, 1, 2, 3, 57, 76, 1000, 10_000]);
        let mut octets = vec![0; length];
        self.rng.fill(&mut octets);
        octets
    }

    fn text(&mut self) -> Vec<u8> {
        let lines =
            (0..self.rng.usize(0..20)).map(|_| format!("{} {}\r\n", self.word(), self.word()));
        lines.collect::<String>().into_bytes()
    }

    /// What is no line of text is encoded.
    fn encoded(&mut self, octets: &[u8]) -> (Option<&'static str>, Vec<u8>) {
        let is_plain = octets.is_ascii() && !octets.contains(&0) && octets.ends_with(b"\r\n");
        match self.rng.u8(0..3) {
            0 if is_plain => (
                self.pick(&[None, Some("7bit"), Some("8BIT")]),
                octets.into(),
            ),
            1 => (
                Some(self.pick(&["quoted-printable", "Quoted-Printable"])),
                quoted(octets),
            ),
            _ => (Some(self.pick(&["base64", "BASE64"])), base64(octets)),
        }
    }

    /// A name that is as harmless as it is, and no other file's.
    fn name(&mut self) -> Option<String> {
        self.serial += 1;
        let (word, extension) = (self.word(), self.pick(&["pdf", "tar.gz", "TXT"]));
        (self.rng.u8(0..4) > 0).then(|| format!("{word} {}.{extension}", self.serial))
    }

    /// The header lines that say what a file is and what it is called.
    fn named(&mut self, name: Option<&str>) -> Vec<String> {
        let media = self.pick(&["image/png", "application/pdf", "audio/x-unheard-of"]);
        let disposition = self.pick(&["attachment", "inline", "ATTACHMENT"]);
        let Some(name) = name else {
            return vec![format!("Content-Type: {media}")];
        };
        if self.rng.bool() {
            let parameter = self.parameter("name", name);
            return vec![format!("Content-Type: {media}; {parameter}")];
        }
        let parameter = self.parameter("filename", name);
        vec![
            format!("Content-Type: {media}"),
            format!("Content-Disposition: {disposition};\r\n {parameter}"),
        ]
    }

    /// As RFC 2045, 2047 (as Outlook has it) or 2231 write it.
    fn parameter(&mut self, attribute: &str, name: &str) -> String {
        match self.rng.u8(0..4) {
            0 if name.is_ascii() => format!("{attribute}=\"{name}\""),
            1 => format!("{attribute}=\"=?utf-8?B?{}?=\"", STANDARD.encode(name)),
            2 => format!("{attribute}*=utf-8''{}", percent(name)),
            _ => {
                let percent = percent(name);
                // Between two of the escapes, or in front of them all.
                let cut = percent.match_indices('%').nth(1).map_or(0, |(at, _)| at);
                let (first, second) = percent.split_at(cut);
                format!("{attribute}*0*=utf-8''{first};\r\n {attribute}*1*={second}")
            }
        }
    }

    fn word(&mut self) -> &'static str {
        self.pick(&["invoice", "plan", "Übersicht", "日本", "spring", "naïve"])
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(0..choices.len())]
    }
}

fn base64(octets: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(octets);
    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(76).collect();
    lines.join(&b"\r\n"[..])
}

/// Every octet that may be escaped, in soft lines of 75.
fn quoted(octets: &[u8]) -> Vec<u8> {
    let mut lines = vec![String::new()];
    for &octet in octets {
        let piece = match octet {
            b'!'..=b'<' | b'>'..=b'~' => char::from(octet).to_string(),
            _ => format!("={octet:02X}"),
        };
        match lines.last_mut() {
            Some(line) if line.len() + piece.len() <= 75 => line.push_str(&piece),
            _ => lines.push(piece),
        }
    }
    lines.join("=\r\n").into_bytes()
}

/// RFC 2231 section 4: all octets but letters and digits.
fn percent(name: &str) -> String {
    let escaped = name.bytes().map(|octet| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    });
    escaped.collect()
}
