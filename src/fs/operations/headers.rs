//! Opening the headers of a message, in `.headers` and among its parts.

use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::kernel_view::ShownSize;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::open::{LARGEST_VIEWED, OpenedFile, cache_error, whole};
use crate::fs::reply::deferred::KernelReply;
use crate::fs::views::expected_headers;
use crate::maildrop::{Fault, Maildrop, Message, MessageId};
use crate::message::header_block;
use crate::store::{Body, BodyReader, Eol};

/// Where headers that are longer end is not looked for while the kernel waits in our only thread.
const QUICKLY_FOUND: u64 = 256 * 1024;

impl Filesystem {
    /// Opens a file with the headers of a message. They come from the body if that is in memory or
    /// on disk, else from TOP. This does not count as reading the message.
    pub(super) fn open_headers(
        &self,
        inode: u64,
        id: MessageId,
        eol: Eol,
        reply: KernelReply<OpenedFile>,
    ) {
        let opener = self.opener(inode, id, reply.caller());
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        let open = move |octets: &Arc<Body>| {
            opener.check()?;
            let content = BodyReader::new(headers_of(octets, &maildrop)?, eol);
            let least = least_shown(&maildrop.message(id));
            let shown = least.min(cache.size(inode).unwrap_or(least));
            cache.keep_size(opener.revision, inode, content.len());
            Ok(opener.open_headers(content, ShownSize::AtLeast(shown)))
        };
        let found = self.maildrop.access_headers(id);
        if let Some(octets) = &found
            && octets.len() <= QUICKLY_FOUND
        {
            return reply.send(open(octets));
        }
        let waiter = reply.defer_to(
            &self.view_maker,
            &self.watchdog,
            self.silence_limit(),
            move |octets: Result<Arc<Body>, Fault>| open(&octets?),
        );
        match found {
            Some(octets) => waiter.answer(Ok(octets)),
            None => self.maildrop.want_headers(id, waiter),
        }
    }
}

/// The headers at the beginning of these octets, which are a message or what TOP shows of it. Of a
/// message that is too large for the other views only the beginning is read.
fn headers_of(octets: &Arc<Body>, maildrop: &Maildrop) -> Result<Arc<Body>, Error> {
    let mut buffer = Vec::new();
    let beginning = octets.read_at(0, QUICKLY_FOUND as usize, &mut buffer);
    let beginning = beginning.map_err(|error| cache_error(&error))?;
    let headers = header_block(beginning);
    if headers.len() as u64 == octets.len() {
        return Ok(Arc::clone(octets));
    }
    let is_all_read = beginning.len() as u64 == octets.len();
    if is_all_read || ends_with_blank_line(headers) || octets.len() > LARGEST_VIEWED {
        return Ok(maildrop.derive(headers)?);
    }
    Ok(maildrop.derive(header_block(&whole(octets)?))?)
}

fn ends_with_blank_line(headers: &[u8]) -> bool {
    let before = headers.strip_suffix(b"\n").unwrap_or_default();
    let before = before.strip_suffix(b"\r").unwrap_or(before);
    before.ends_with(b"\n")
}

/// The least size that the kernel was shown for headers that nobody had read.
fn least_shown(message: &Message) -> u64 {
    let size = message.size();
    let before = message.size_before(Eol::Crlf);
    expected_headers(before.map_or(size, |before| size.min(before)))
}
