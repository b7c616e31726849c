//! The structure of a message: which octets are headers, parts and nested messages (RFC 2045, RFC 2046).
//!
//! Own code where mail-parser would be at hand: it nests messages without limit, so that a hostile one overflows the stack, and
//! looks for each missing boundary to the end of the message. Here every level is one search, and levels and parts are bounded.
//! Nothing is decoded and no text is copied: what comes out is ranges.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::transfer::Encoding;
use crate::message::header_block;
use crate::message::headers::fields::{self, Fields};
use crate::message::headers::parameters::Parameterized;

/// The most parts that are looked at, nested messages and their parts with them.
pub(in crate::message) const PARTS: usize = 1000;
/// The most levels of multiparts within a message; what lies deeper is one part.
const LEVELS: usize = 32;
/// The most messages within each other.
pub(in crate::message) const NESTED: usize = 16;
/// The most octets of texts, and of nested messages that are encoded: more than anybody reads, and up to 16 times as many in
/// memory while they are made readable. What goes beyond is a file.
const DECODED: usize = 16 * 1024 * 1024;

/// What may still be looked at of a message that may hold any number of parts.
#[derive(Debug, Clone, Copy)]
pub(in crate::message) struct Bounds {
    pub(in crate::message) parts: usize,
    pub(in crate::message) nested: usize,
    decoded: usize,
}

/// A message, in ranges of the octets that it was read from.
#[derive(Debug)]
pub(in crate::message) struct Message {
    pub(in crate::message) root: Entity,
    /// From the first part that is not among the entities to the end, where there are too many.
    pub(in crate::message) rest: Option<Range<usize>>,
}

/// A message or a part of one (RFC 2045 section 2.4).
#[derive(Debug)]
pub(in crate::message) struct Entity {
    /// With the blank line, if there is one.
    pub(in crate::message) header: Range<usize>,
    pub(in crate::message) body: Range<usize>,
    pub(in crate::message) media: Media,
    pub(in crate::message) disposition: Option<Parameterized>,
    pub(in crate::message) encoding: Encoding,
    /// In a multipart, and empty elsewhere.
    pub(in crate::message) parts: Vec<Entity>,
}

/// The media type of an entity.
#[derive(Debug)]
pub(in crate::message) struct Media {
    pub(in crate::message) class: Class,
    /// What Content-Type says; None where it is missing or no media type, and `class` is the default.
    pub(in crate::message) stated: Option<Parameterized>,
}

/// What is done with an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Class {
    Multipart(Multipart),
    Message,
    Html,
    /// text/plain, and what RFC 2045 section 5.2 has read as such.
    Plain,
    /// Other text, which people can read as it is: text/csv, message/delivery-status.
    Readable,
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Multipart {
    /// The parts say the same in different ways.
    Alternative,
    /// Parts without a type are messages (RFC 2046 section 5.1.5).
    Digest,
    Signed,
    Encrypted,
    /// Mixed, related, report, and what is not known (RFC 2046 section 5.1.3).
    Mixed,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            parts: PARTS,
            nested: NESTED,
            decoded: DECODED,
        }
    }
}

impl Message {
    /// Of the whole octets; takes its parts from the bounds.
    pub(in crate::message) fn read(octets: &[u8], bounds: &mut Bounds) -> Self {
        let mut reader = Reader {
            octets,
            bounds,
            rest: None,
        };
        let root = reader.entity(0..octets.len(), Class::Plain, LEVELS);
        Self {
            root,
            rest: reader.rest.map(|start| start..octets.len()),
        }
    }
}

impl Entity {
    pub(in crate::message) fn fields<'a>(&self, octets: &'a [u8]) -> Fields<'a> {
        Fields::of(&octets[self.header.clone()])
    }

    /// The octets of the body, decoded.
    pub(in crate::message) fn content<'a>(&self, octets: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        self.encoding.decode(&octets[self.body.clone()])
    }

    /// How many octets [`Self::content`] gives.
    pub(in crate::message) fn content_size(&self, octets: &[u8]) -> u64 {
        self.encoding.decoded_size(&octets[self.body.clone()])
    }

    /// Whether it is decoded as a whole to show what is in it.
    fn is_decoded(&self) -> bool {
        match self.media.class {
            Class::Plain | Class::Html | Class::Readable => true,
            Class::Message => self.encoding != Encoding::Identity,
            Class::Multipart(_) | Class::Opaque => false,
        }
    }

    /// The name that the sender gave: any characters.
    pub(in crate::message) fn file_name(&self) -> Option<&str> {
        let disposition = self.disposition.as_ref();
        let name = disposition.and_then(|disposition| disposition.parameter("filename"));
        name.or_else(|| self.media.parameter("name"))
    }

    /// Whether the sender wants it kept apart from the text.
    pub(in crate::message) fn is_attached(&self) -> bool {
        let disposition = self.disposition.as_ref();
        disposition.is_some_and(|disposition| disposition.value == "attachment")
    }
}

impl Media {
    fn of(stated: Option<Parameterized>, default: Class) -> Self {
        let stated = stated.filter(|stated| stated.value.contains('/'));
        let class = stated
            .as_ref()
            .map_or(default, |stated| Class::of(&stated.value));
        Self { class, stated }
    }

    /// `type/subtype` in lower case.
    pub(in crate::message) fn name(&self) -> &str {
        match &self.stated {
            Some(stated) => &stated.value,
            None if self.class == Class::Message => "message/rfc822",
            None => "text/plain",
        }
    }

    pub(in crate::message) fn parameter(&self, name: &str) -> Option<&str> {
        self.stated.as_ref()?.parameter(name)
    }
}

impl Class {
    fn of(media_type: &str) -> Self {
        match media_type.split_once('/') {
            Some(("text", "plain")) => Self::Plain,
            Some(("text", "html")) => Self::Html,
            Some(("multipart", subtype)) => Self::Multipart(Multipart::of(subtype)),
            // RFC 2046 section 5.2.1, RFC 6532 section 3.7.
            Some(("message", "rfc822" | "global")) => Self::Message,
            // These go on with what is not there, or with half a message.
            Some(("message", "partial" | "external-body")) => Self::Opaque,
            Some(("text" | "message", _)) => Self::Readable,
            _ => Self::Opaque,
        }
    }
}

impl Multipart {
    fn of(subtype: &str) -> Self {
        match subtype {
            "alternative" => Self::Alternative,
            "digest" => Self::Digest,
            "signed" => Self::Signed,
            "encrypted" => Self::Encrypted,
            _ => Self::Mixed,
        }
    }
}

/// Where headers end and the body begins. A message or part whose first line is no field has no headers: a mailer forgot the
/// blank line.
pub(in crate::message) fn body_start(octets: &[u8]) -> usize {
    let first = &octets[..memchr(b'\n', octets).unwrap_or(octets.len())];
    let is_header = first.trim_ascii().is_empty()
        || fields::name(first).is_some()
        || first.starts_with(b"From ")
        || first.starts_with(b">From ");
    if is_header {
        header_block(octets).len()
    } else {
        0
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    bounds: &'a mut Bounds,
    rest: Option<usize>,
}

impl Reader<'_> {
    fn entity(&mut self, extent: Range<usize>, default: Class, levels: usize) -> Entity {
        self.bounds.parts = self.bounds.parts.saturating_sub(1);
        let start = extent.start + body_start(&self.octets[extent.clone()]);
        let (header, body) = (extent.start..start, start..extent.end);
        let fields = Fields::of(&self.octets[header.clone()]);
        let mut entity = Entity {
            media: Media::of(fields.parameterized("content-type"), default),
            disposition: fields.parameterized("content-disposition"),
            encoding: fields
                .text("content-transfer-encoding")
                .map_or(Encoding::Identity, |field| Encoding::of(&field)),
            header,
            body,
            parts: Vec::new(),
        };
        if let Class::Multipart(multipart) = entity.media.class {
            self.divide(&mut entity, multipart, levels);
        }
        if entity.is_decoded() {
            match self.bounds.decoded.checked_sub(entity.body.len()) {
                Some(left) => self.bounds.decoded = left,
                None => entity.media.class = Class::Opaque,
            }
        }
        entity
    }

    /// A multipart is never encoded (RFC 2045 section 6.4). Without a boundary that occurs it is text that someone sees.
    fn divide(&mut self, entity: &mut Entity, multipart: Multipart, levels: usize) {
        if levels == 0 {
            entity.media.class = Class::Opaque;
            return;
        }
        let default = match multipart {
            Multipart::Digest => Class::Message,
            _ => Class::Plain,
        };
        let boundary = entity.media.parameter("boundary").unwrap_or_default();
        let octets = self.octets;
        for part in parts(&octets[entity.body.clone()], boundary.as_bytes()) {
            let part = entity.body.start + part.start..entity.body.start + part.end;
            if self.bounds.parts == 0 {
                self.rest.get_or_insert(part.start);
                break;
            }
            entity.parts.push(self.entity(part, default, levels - 1));
        }
        if entity.parts.is_empty() && self.rest.is_none() {
            entity.media.class = Class::Plain;
        }
    }
}

/// The parts of a multipart's body (RFC 2046 section 5.1.1): between the delimiter lines, without the line end before one, which
/// belongs to it. The last part ends with the body where no line closes it. What follows a closing delimiter is nobody's, up to
/// the next delimiter: Outlook Express for the Mac gives a multipart the boundary of the one around it.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut delimiters = delimiters(body, boundary).peekable();
    std::iter::from_fn(move || {
        let delimiter = delimiters.find(|delimiter| !delimiter.closes)?;
        let end = delimiters.peek().map_or(body.len(), |next| next.start);
        Some(delimiter.end..end.max(delimiter.end))
    })
}

/// A delimiter line with both of its line ends.
struct Delimiter {
    start: usize,
    end: usize,
    closes: bool,
}

fn delimiters<'a>(body: &'a [u8], boundary: &[u8]) -> impl Iterator<Item = Delimiter> + 'a {
    let dashed = [b"--", boundary].concat();
    let finder = memmem::Finder::new(&dashed).into_owned();
    let mut from = if boundary.is_empty() { body.len() } else { 0 };
    std::iter::from_fn(move || {
        while let Some(found) = finder.find(&body[from..]) {
            let at = from + found;
            from = at + dashed.len();
            if let Some(delimiter) = delimiter(body, at, dashed.len()) {
                return Some(delimiter);
            }
        }
        None
    })
}

/// A boundary counts at the start of a line where nothing but white space follows.
fn delimiter(body: &[u8], at: usize, length: usize) -> Option<Delimiter> {
    let before = match &body[..at] {
        [] => 0,
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => return None,
    };
    let behind = &body[at + length..];
    let line = memchr(b'\n', behind).map_or(behind.len(), |newline| newline + 1);
    let padding = behind[..line].strip_prefix(b"--");
    let closes = padding.is_some();
    padding
        .unwrap_or(&behind[..line])
        .trim_ascii()
        .is_empty()
        .then_some(Delimiter {
            start: at - before,
            end: at + length + line,
            closes,
        })
}
