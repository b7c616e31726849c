//! The structure of a message: which octets are headers, parts and nested messages (RFC 2045, RFC
//! 2046).
//!
//! mail-parser is not used for this: it nests messages without limit, so that a hostile message
//! overflows the stack, and it searches for each missing boundary up to the end of the message.
//! Here each level is one search, and levels and parts are limited. Nothing is decoded or copied:
//! the result is ranges of the message's octets.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::embedded::{self, EmbeddedFile};
use super::sniff;
use super::transfer::Encoding;
use crate::message::charset;
use crate::message::headers::block::{self, Owner};
use crate::message::headers::fields::Fields;
use crate::message::headers::parameters::Parameterized;

/// The most parts that are read, including nested messages and their parts.
pub(in crate::message) const PARTS: usize = 1000;
/// The most levels of multiparts within a message; a deeper multipart is one part.
const LEVELS: usize = 32;
/// The most levels of messages within messages.
pub(in crate::message) const NESTED: usize = 16;
/// The most octets of texts and of encoded nested messages. Making them readable takes up to 16
/// times the memory. A text beyond the limit is shown as a file.
const DECODED: usize = 16 * 1024 * 1024;

/// How much of a message may still be read: it may have any number of parts.
#[derive(Debug, Clone, Copy)]
pub(in crate::message) struct Bounds {
    pub(in crate::message) parts: usize,
    pub(in crate::message) nested: usize,
    decoded: usize,
}

/// A message, in ranges of the octets that it was read from.
#[derive(Debug)]
pub(in crate::message) struct MessageTree {
    pub(in crate::message) root: Entity,
    /// If there are too many parts: from the first one that is not read to the end.
    pub(in crate::message) rest: Option<Range<usize>>,
    /// The first charset that the message or a part of it states.
    pub(in crate::message) charset: Option<String>,
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
    /// The value of Content-Type; the type in it may be missing or unknown.
    pub(in crate::message) stated: Option<Parameterized>,
}

/// How an entity is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Class {
    Multipart(Multipart),
    Message,
    Html,
    /// text/plain, and what RFC 2045 section 5.2 treats as such.
    Plain,
    /// Other text that people can read: text/csv, message/delivery-status.
    Readable,
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Multipart {
    /// The parts have the same content in different forms.
    Alternative,
    /// Parts without a type are messages (RFC 2046 section 5.1.5).
    Digest,
    Signed,
    Encrypted,
    /// Mixed, related, report, and unknown subtypes (RFC 2046 section 5.1.3).
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

impl MessageTree {
    /// Reads all octets; takes the parts from the bounds.
    pub(in crate::message) fn read(octets: &[u8], owner: Owner, bounds: &mut Bounds) -> Self {
        let mut reader = Reader {
            octets,
            bounds,
            rest: None,
            charset: None,
        };
        let root = reader.entity(0..octets.len(), Class::Plain, LEVELS, owner);
        Self {
            root,
            rest: reader.rest.map(|start| start..octets.len()),
            charset: reader.charset,
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

    /// How many octets [`Self::content`] has.
    pub(in crate::message) fn content_size(&self, octets: &[u8]) -> u64 {
        self.encoding.decoded_size(&octets[self.body.clone()])
    }

    /// Whether the whole entity is decoded to show its content.
    fn is_decoded(&self) -> bool {
        match self.media.class {
            Class::Plain | Class::Html | Class::Readable => true,
            Class::Message => self.encoding != Encoding::Identity,
            Class::Multipart(_) | Class::Opaque => false,
        }
    }

    /// The file name that the sender gave; any characters.
    pub(in crate::message) fn file_name(&self) -> Option<&str> {
        let disposition = self.disposition.as_ref();
        let name = disposition.and_then(|disposition| disposition.parameter("filename"));
        name.or_else(|| self.media.parameter("name"))
    }

    /// Whether the sender marked it as separate from the text.
    pub(in crate::message) fn is_attached(&self) -> bool {
        let disposition = self.disposition.as_ref();
        disposition.is_some_and(|disposition| disposition.value == "attachment")
    }
}

impl Media {
    fn of(stated: Option<Parameterized>, default: Class) -> Self {
        let class = match &stated {
            Some(stated) if stated.value == "message/partial" => class_of_piece(stated),
            Some(stated) => Class::of(&stated.value, default),
            None => default,
        };
        Self { class, stated }
    }

    /// Plain text in the form of this one.
    fn of_piece(&self) -> Self {
        let stated = self.stated.as_ref();
        Self {
            class: Class::Plain,
            stated: stated.map(|stated| stated.without_parameter("name")),
        }
    }

    /// A text that is too large to be shown keeps its type.
    fn become_file(&mut self) {
        if self.name() == "text/plain" {
            self.stated = Some(Parameterized::of_value("text/plain"));
        }
        self.class = Class::Opaque;
    }

    /// `type/subtype` in lower case.
    pub(in crate::message) fn name(&self) -> &str {
        match (&self.stated, self.class) {
            (Some(stated), _) if stated.value.contains('/') => &stated.value,
            (_, Class::Message) => "message/rfc822",
            (_, Class::Opaque) => "application/octet-stream",
            (_, Class::Html) => "text/html",
            _ => "text/plain",
        }
    }

    pub(in crate::message) fn parameter(&self, name: &str) -> Option<&str> {
        self.stated.as_ref()?.parameter(name)
    }

    /// Whether the octets of a text may have zeros.
    fn is_wide(&self) -> bool {
        let label = self
            .parameter("charset")
            .unwrap_or_default()
            .to_ascii_lowercase();
        ["utf-16", "utf16", "utf-32", "utf32", "ucs", "unicode"]
            .iter()
            .any(|wide| label.contains(wide))
    }
}

/// The first piece begins with the headers of the message that was cut (RFC 2046 section 5.2.2).
fn class_of_piece(stated: &Parameterized) -> Class {
    let number = stated.parameter("number");
    match number.map(|number| number.trim_start_matches('0')) {
        None | Some("1") => Class::Message,
        Some(_) => Class::Readable,
    }
}

impl Class {
    fn of(media_type: &str, default: Self) -> Self {
        match media_type.split_once('/') {
            Some(("text", "plain" | "*")) => Self::Plain,
            Some(("text", "html") | ("application", "xhtml+xml")) => Self::Html,
            Some(("multipart", subtype)) => Self::Multipart(Multipart::of(subtype)),
            // RFC 2046 section 5.2.1, RFC 6532 section 3.7, RFC 5537 section 2.3.
            Some(("message", "rfc822" | "global" | "news")) => Self::Message,
            // Its body is somewhere else.
            Some(("message", "external-body")) => Self::Opaque,
            Some(("text" | "message", _)) => Self::Readable,
            Some(_) => Self::Opaque,
            None => Self::of_incomplete(media_type, default),
        }
    }
}

impl Class {
    /// Of a type without a subtype, which RFC 2045 section 5.2 has read as the default.
    fn of_incomplete(word: &str, default: Self) -> Self {
        match word {
            "text" | "plain" => Self::Plain,
            "html" => Self::Html,
            "multipart" => Self::Multipart(Multipart::Mixed),
            "message" => Self::Message,
            "image" | "audio" | "video" | "application" => Self::Opaque,
            _ => default,
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

struct Reader<'a> {
    octets: &'a [u8],
    bounds: &'a mut Bounds,
    rest: Option<usize>,
    charset: Option<String>,
}

impl Reader<'_> {
    fn entity(
        &mut self,
        extent: Range<usize>,
        default: Class,
        levels: usize,
        owner: Owner,
    ) -> Entity {
        self.bounds.parts = self.bounds.parts.saturating_sub(1);
        let start = extent.start + block::length(&self.octets[extent.clone()], owner);
        let (header, body) = (extent.start..start, start..extent.end);
        let fields = Fields::of(&self.octets[header.clone()]).or_charset(self.charset.as_deref());
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
        if self.charset.is_none() {
            self.charset = entity.media.parameter("charset").map(str::to_owned);
        }
        if matches!(
            entity.media.class,
            Class::Plain | Class::Html | Class::Readable
        ) {
            entity.encoding = entity.encoding.of_text(&self.octets[entity.body.clone()]);
        }
        match entity.media.class {
            Class::Multipart(multipart) => self.divide(&mut entity, multipart, levels),
            Class::Plain | Class::Readable => self.tell_text_from_files(&mut entity, owner),
            Class::Opaque => self.tell_text_by_name(&mut entity),
            Class::Message | Class::Html => (),
        }
        self.charge(&mut entity);
        entity
    }

    /// Counts what is decoded; a text beyond the limit is a file.
    fn charge(&mut self, entity: &mut Entity) {
        if !entity.is_decoded() {
            return;
        }
        match self.bounds.decoded.checked_sub(entity.body.len()) {
            Some(left) => self.bounds.decoded = left,
            None => entity.media.become_file(),
        }
    }

    /// What is called text, or has no type, may be any file; and a text may have files in it.
    fn tell_text_from_files(&mut self, entity: &mut Entity, owner: Owner) {
        let is_file =
            entity.is_attached() || (entity.file_name().is_some() && owner == Owner::Part);
        if !entity.media.is_wide() && self.is_binary(entity, is_file) {
            entity.media.class = Class::Opaque;
        }
        let may_embed = entity.media.class == Class::Plain && entity.encoding == Encoding::Identity;
        if may_embed && !is_file {
            let files = embedded::files(&self.octets[entity.body.clone()]);
            self.embed(entity, files);
        }
    }

    /// Many mailers have no type for a text that is attached, only its name.
    fn tell_text_by_name(&mut self, entity: &mut Entity) {
        let is_named = entity.file_name().is_some_and(sniff::is_text_name);
        let may_be_text = sniff::is_type_of_texts(entity.media.name());
        if is_named && may_be_text && !self.is_binary(entity, true) {
            entity.media.class = Class::Readable;
        }
    }

    /// A text that nobody called a file may have stray control characters.
    fn is_binary(&self, entity: &Entity, is_file: bool) -> bool {
        let body = &self.octets[entity.body.clone()];
        let start = entity
            .encoding
            .decode(&body[..body.len().min(2 * sniff::SAMPLE)]);
        let start = &start[..start.len().min(sniff::SAMPLE)];
        let stated = entity.media.stated.as_ref();
        let is_typed = stated.is_some_and(|stated| stated.value.contains('/'));
        match (is_file, is_typed) {
            (true, _) => sniff::is_binary(start),
            (false, true) => sniff::is_known_file(start) && sniff::has_controls(start),
            (false, false) if entity.encoding == Encoding::Base64 => sniff::is_binary(start),
            (false, false) => sniff::is_known_file(start),
        }
    }

    /// Makes a multipart of a text: the files in it, and the text around them.
    fn embed(&mut self, entity: &mut Entity, mut files: Vec<EmbeddedFile>) {
        files.truncate(self.bounds.parts / 2);
        if files.is_empty() {
            return;
        }
        let base = entity.body.start;
        let mut at = base;
        for file in files {
            let range = base + file.range.start..base + file.range.end;
            self.embed_text(entity, at..range.start);
            at = range.end;
            self.embed_file(entity, range, &file);
        }
        self.embed_text(entity, at..entity.body.end);
        entity.media.class = Class::Multipart(Multipart::Mixed);
    }

    fn embed_text(&mut self, entity: &mut Entity, range: Range<usize>) {
        if !self.octets[range.clone()].trim_ascii().is_empty() {
            let media = entity.media.of_piece();
            self.embed_part(entity, range, media, Encoding::Identity, None);
        }
    }

    fn embed_file(&mut self, entity: &mut Entity, range: Range<usize>, file: &EmbeddedFile) {
        let name = self.name_within(&entity.media, &file.name);
        let class = if sniff::is_text_name(&name) {
            Class::Plain
        } else {
            Class::Opaque
        };
        let media = Media {
            class,
            stated: None,
        };
        let disposition = Parameterized::new("attachment", "filename", name);
        self.embed_part(entity, range, media, file.encoding, Some(disposition));
    }

    /// A name that stands within a text has the charset of the text.
    fn name_within(&self, text: &Media, name: &[u8]) -> String {
        match text.parameter("charset") {
            Some(label) => charset::decode(Some(label), name),
            None => charset::decode_unlabelled(self.charset.as_deref(), name),
        }
    }

    fn embed_part(
        &mut self,
        entity: &mut Entity,
        range: Range<usize>,
        media: Media,
        encoding: Encoding,
        disposition: Option<Parameterized>,
    ) {
        self.bounds.parts = self.bounds.parts.saturating_sub(1);
        let mut part = Entity {
            header: range.start..range.start,
            body: range,
            media,
            disposition,
            encoding,
            parts: Vec::new(),
        };
        if part.disposition.is_some() && self.is_binary(&part, true) {
            part.media.class = Class::Opaque;
        }
        self.charge(&mut part);
        entity.parts.push(part);
    }

    /// A multipart is never encoded (RFC 2045 section 6.4). If its boundary does not occur, it is
    /// shown as text.
    fn divide(&mut self, entity: &mut Entity, multipart: Multipart, levels: usize) {
        if levels == 0 {
            entity.media.class = Class::Opaque;
            return;
        }
        let default = match multipart {
            Multipart::Digest => Class::Message,
            _ => Class::Plain,
        };
        let octets = self.octets;
        let body = &octets[entity.body.clone()];
        let stated = entity.media.parameter("boundary").unwrap_or_default();
        let boundary = boundary_in(body, stated);
        for part in parts(body, boundary) {
            let part = entity.body.start + part.start..entity.body.start + part.end;
            if self.bounds.parts == 0 {
                self.rest.get_or_insert(part.start);
                break;
            }
            entity
                .parts
                .push(self.entity(part, default, levels - 1, Owner::Part));
        }
        if entity.parts.is_empty() && self.rest.is_none() {
            entity.media.class = Class::Plain;
        }
    }
}

/// The stated boundary as it is in the body. Some mailers put a space behind it (which RFC 2046
/// section 5.1.1 forbids) or apostrophes around it, and some gateways write quite another one.
fn boundary_in<'a>(body: &'a [u8], stated: &'a str) -> &'a [u8] {
    let readings = [stated, stated.trim_end(), stated.trim_matches('\'')];
    let occurs = |boundary: &&[u8]| delimiters(body, boundary).next().is_some();
    let mut boundaries = readings.into_iter().map(str::as_bytes);
    boundaries
        .find(occurs)
        .unwrap_or_else(|| apparent_boundary(body))
}

/// What looks like the boundary of a body in which the stated one is not; empty if nothing does.
fn apparent_boundary(body: &[u8]) -> &[u8] {
    let mut lines = body.split(|octet| *octet == b'\n').peekable();
    let found = std::iter::from_fn(|| {
        let line = lines.next()?;
        let next = lines.peek().copied().unwrap_or_default();
        let is_field = next.len() > 8 && next[..8].eq_ignore_ascii_case(b"content-");
        Some(line.strip_prefix(b"--").filter(|_| is_field))
    });
    found.flatten().next().unwrap_or_default().trim_ascii_end()
}

/// The parts of a multipart's body (RFC 2046 section 5.1.1): between the delimiter lines. The line
/// end before a delimiter belongs to the delimiter. If no delimiter closes the last part, the part
/// ends with the body. What follows a closing delimiter is skipped up to the next delimiter:
/// Outlook Express for the Mac uses one boundary for a multipart and the one around it.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut delimiters = delimiters(body, boundary).peekable();
    std::iter::from_fn(move || {
        let delimiter = delimiters.find(|delimiter| !delimiter.closes)?;
        let end = delimiters.peek().map_or(body.len(), |next| next.start);
        Some(delimiter.end..end.max(delimiter.end))
    })
}

/// A delimiter line, with the line ends before and after it.
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

/// A boundary counts only at the start of a line, with nothing but white space behind it.
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
