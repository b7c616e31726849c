//! Opening, reading and closing files.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::kernel_view::{KernelView, Pages, ShownSize};
use crate::fs::nodes::{self, FileNode};
use crate::fs::open_files::{
    ContentSource, Keeping, MakeFile, OpenContent, OpenFile, OpenHandles, UnmadeFile,
};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::FileKind;
use crate::fs::readings::{FileContent, FileOpener, PageUse, Readings};
use crate::fs::reply::deferred::KernelReply;
use crate::fs::view_cache::{Revision, ViewCache};
use crate::fs::views::{HEADERS_PART, PartTree, ViewForm, ViewId};
use crate::maildrop::{Fault, Maildrop, Message, MessageId};
use crate::message::parts::File;
use crate::store::{Body, BodyReader, Eol};

/// The largest message that a view is made of, in octets. The whole message is in memory meanwhile.
pub(super) const LARGEST_VIEWED: u64 = 256 * 1024 * 1024;

/// A file that was opened.
#[derive(Clone, Debug)]
pub struct OpenedFile {
    /// The handle to read it by.
    pub handle: u64,
    /// Where the content is.
    pub location: ContentLocation,
    /// What the kernel may believe about the file.
    pub kernel_view: KernelView,
}

/// Where the content of an open file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentLocation {
    /// In memory, or in a file of the cache that has other messages, too. It is small.
    Shared,
    /// In a file of its own, of which the kernel keeps the pages.
    OwnFile,
}

/// What a read(2) asks for.
#[derive(Clone, Debug)]
pub struct ReadRange {
    file: OpenFile,
    offset: u64,
    length: usize,
    handle: u64,
    thread: u32,
    readings: Arc<Readings>,
}

impl ReadRange {
    /// The octets; fewer than asked for only at the end of the file. `buffer` is as in
    /// [`Body::read_at`].
    ///
    /// # Errors
    /// As there. Then use [`Filesystem::read_again`].
    pub fn octets<'a>(&'a self, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        let content = &self.file.content;
        let octets = content.read_at(self.offset, self.length, buffer)?;
        let end = self.offset.saturating_add(octets.len() as u64);
        self.readings
            .note_read(self.handle, self.thread, self.offset..end);
        Ok(octets)
    }

    /// The octets, of which later reads get more from there as well.
    fn read_from(
        &mut self,
        content: &BodyReader,
        open_files: &OpenHandles,
    ) -> Result<Vec<u8>, Error> {
        if content.len() != self.file.content.len() {
            return Err(Error::Cache);
        }
        open_files.replace_content(self.handle, content);
        self.file.content = OpenContent::Ready(content.clone());
        let mut buffer = Vec::new();
        match self.octets(&mut buffer) {
            Ok(octets) => Ok(octets.to_vec()),
            Err(error) => Err(cache_error(&error)),
        }
    }
}

impl Filesystem {
    /// Opens a file to be read. Waits for the body of its message, unless that is in memory or on
    /// disk. The handle keeps the body, so the size is exact from here on and the file can be read
    /// whatever happens to the message.
    pub fn open(&self, inode: u64, flags: i32, reply: KernelReply<OpenedFile>) {
        match self.openable(inode, flags) {
            Ok(FileNode::Message(id)) => self.open_message(inode, id, self.appearance.eol, reply),
            Ok(FileNode::InView(view, id)) => self.open_in_view(view, id, reply),
            Ok(FileNode::Part(id, part)) => self.open_part(id, part, reply),
            Ok(FileNode::Fixed(_) | FileNode::Search | FileNode::InSearch(..)) => {
                reply.send(Err(Error::IsADirectory));
            }
            Err(error) => reply.send(Err(error)),
        }
    }

    fn openable(&self, inode: u64, flags: i32) -> Result<FileNode, Error> {
        let node = self.node(inode)?;
        if self.kind(node) == Some(FileKind::Directory) {
            return Err(Error::IsADirectory);
        }
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(self.write_refusal());
        }
        Ok(node)
    }

    /// Opens a file that shows the message itself with these line ends.
    fn open_message(&self, inode: u64, id: MessageId, eol: Eol, reply: KernelReply<OpenedFile>) {
        let opener = self.opener(inode, id, reply.caller());
        let maildrop = Arc::clone(&self.maildrop);
        let open = move |body: Arc<Body>| {
            opener.check()?;
            let shown = maildrop.read_message(id, &body).size_before(eol);
            let shown = shown.map_or(ShownSize::Right, ShownSize::AtLeast);
            Ok(opener.open_message(id, BodyReader::new(body, eol), shown))
        };
        if let Some(body) = self.maildrop.open_body(id) {
            return reply.send(open(body));
        }
        let waiter = reply.defer(
            &self.watchdog,
            self.silence_limit(),
            move |body: Result<Arc<Body>, Fault>| open(body?),
        );
        self.maildrop.want_body(id, waiter);
    }

    fn open_in_view(&self, view: ViewId, id: MessageId, reply: KernelReply<OpenedFile>) {
        let inode = nodes::in_view_inode(view, self.maildrop.inode(id));
        let form = view.view().form();
        if let Some(eol) = form.eol(self.appearance.eol) {
            return self.open_message(inode, id, eol, reply);
        }
        match form {
            ViewForm::File(make) => self.open_made(inode, id, make, reply),
            ViewForm::Headers => self.open_headers(inode, id, self.appearance.eol, reply),
            _ => reply.send(Err(Error::IsADirectory)),
        }
    }

    /// Opens a file that a view makes of a message. It is made now only if its size is not known.
    fn open_made(
        &self,
        inode: u64,
        id: MessageId,
        make: fn(&[u8]) -> Vec<u8>,
        reply: KernelReply<OpenedFile>,
    ) {
        let opener = self.opener(inode, id, reply.caller());
        if let Some(file) = self.view_cache.file(inode) {
            let shown = least_shown(&self.maildrop.message(id));
            return reply.send(Ok(opener.open_view(file, shown)));
        }
        let size = self.view_cache.size(inode);
        let found = match (size, self.find_body(id, size)) {
            (Some(size), Some(body)) if !body.has_own_file() => {
                let shown = least_shown(&self.maildrop.read_message(id, &body));
                let file = opener.unmade(id, body, Arc::new(make), Keeping::Kept, size);
                return reply.send(opener.open_unmade(file, shown));
            }
            (_, found) => found,
        };
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        self.with_found_body(found, id, reply, move |body| {
            let made = match cache.file(inode) {
                Some(file) => file,
                None => maildrop.derive(&make(&whole(body)?))?,
            };
            opener.check()?;
            cache.keep_file(opener.revision, inode, &made);
            let shown = least_shown(&maildrop.read_message(id, body));
            Ok(opener.open_view(made, shown))
        });
    }

    fn open_part(&self, id: MessageId, part: u16, reply: KernelReply<OpenedFile>) {
        let message = self.maildrop.inode(id);
        let inode = nodes::part_inode(part, message);
        if part == HEADERS_PART {
            return self.open_headers(inode, id, Eol::Crlf, reply);
        }
        let opener = self.opener(inode, id, reply.caller());
        let tree = self.view_cache.tree(message);
        let size = tree
            .as_ref()
            .and_then(|tree| tree.file(part))
            .map(File::size);
        let found = match (size, self.find_body(id, size), tree) {
            (Some(size), Some(body), Some(tree)) if !body.has_own_file() => {
                self.maildrop.read_message(id, &body);
                let make = move |octets: &[u8]| {
                    let file = tree.file(part);
                    file.map_or_else(Vec::new, |file| file.octets(octets).into_owned())
                };
                let file = opener.unmade(id, body, Arc::new(make), Keeping::NotKept, size);
                return reply.send(opener.open_unmade(file, ShownSize::Right));
            }
            (_, found, _) => found,
        };
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        self.with_found_body(found, id, reply, move |body| {
            let octets = whole(body)?;
            let tree = tree_of(&cache, opener.revision, &octets)?;
            let file = tree.file(part).ok_or(Error::Stale)?;
            let file = maildrop.derive(&file.octets(&octets))?;
            maildrop.read_message(id, body);
            Ok(opener.open_view(file, ShownSize::Right))
        });
    }

    /// The body, if it is in memory or on disk. If the size of what is made of it is known, it is
    /// not read.
    fn find_body(&self, id: MessageId, size: Option<u64>) -> Option<Arc<Body>> {
        match size {
            Some(_) => self.maildrop.open_body(id),
            None => self.maildrop.load_body(id),
        }
    }

    /// Passes the parts of a message to `then`, which makes the reply of them.
    pub(in crate::fs) fn with_tree<T: Send + 'static>(
        &self,
        id: MessageId,
        reply: KernelReply<T>,
        then: impl FnOnce(&Arc<PartTree>) -> Result<T, Error> + Send + 'static,
    ) {
        let message = self.maildrop.inode(id);
        let revision = self.view_cache.revision(message);
        if let Some(tree) = self.view_cache.tree(message) {
            return reply.send(then(&tree));
        }
        let cache = Arc::clone(&self.view_cache);
        self.with_body(id, reply, move |body| {
            then(&tree_of(&cache, revision, &whole(body)?)?)
        });
    }

    /// Passes the body of a message to `then`, in the thread that makes views.
    fn with_body<T: Send + 'static>(
        &self,
        id: MessageId,
        reply: KernelReply<T>,
        then: impl FnOnce(&Body) -> Result<T, Error> + Send + 'static,
    ) {
        self.with_found_body(self.maildrop.load_body(id), id, reply, then);
    }

    /// The same for a body that was looked for and perhaps found.
    fn with_found_body<T: Send + 'static>(
        &self,
        found: Option<Arc<Body>>,
        id: MessageId,
        reply: KernelReply<T>,
        then: impl FnOnce(&Body) -> Result<T, Error> + Send + 'static,
    ) {
        let waiter = reply.defer_to(
            &self.view_maker,
            &self.watchdog,
            self.silence_limit(),
            move |body: Result<Arc<Body>, Fault>| then(&*body?),
        );
        match found {
            Some(body) => waiter.answer(Ok(body)),
            None => self.maildrop.want_body(id, waiter),
        }
    }

    pub(super) fn opener(&self, inode: u64, id: MessageId, thread: u32) -> Opener {
        let message = self.maildrop.inode(id);
        Opener {
            open_files: Arc::clone(&self.open_files),
            cache: Arc::clone(&self.view_cache),
            readings: Arc::clone(&self.readings),
            disk_pages: self.disk_pages.get().copied().unwrap_or(PageUse::Kept),
            opener: self.readings.opener(thread),
            inode,
            revision: self.view_cache.revision(message),
        }
    }

    /// Reads from an open file. `thread` is the id of the thread that reads, or 0.
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn read(
        &self,
        handle: u64,
        offset: u64,
        length: u32,
        thread: u32,
    ) -> Result<ReadRange, Error> {
        let file = self.open_files.file(handle).ok_or(Error::NotOpen)?;
        Ok(ReadRange {
            file,
            offset,
            length: length as usize,
            handle,
            thread,
            readings: Arc::clone(&self.readings),
        })
    }

    /// Answers a read that has failed with this error. A view makes what it has yet to make. A
    /// message is fetched again, unless the cache has it elsewhere by now. The reply is the octets,
    /// or an error: never fewer of them.
    pub fn read_again(&self, mut range: ReadRange, error: &io::Error, reply: KernelReply<Vec<u8>>) {
        let (id, revision, reader) = match (range.file.source, &range.file.content) {
            (_, OpenContent::Unmade(file)) => {
                let file = file.clone();
                return self.make_and_read(range, file, reply);
            }
            (ContentSource::View, OpenContent::Ready(_)) => {
                return reply.send(Err(cache_error(error)));
            }
            (ContentSource::Message(id, revision), OpenContent::Ready(reader)) => {
                (id, revision, reader.clone())
            }
        };
        let unreadable = Arc::clone(reader.body());
        log::debug!("a message that is open cannot be read from the cache: {error}");
        let (open_files, cache) = (Arc::clone(&self.open_files), Arc::clone(&self.view_cache));
        let limit = self.silence_limit();
        let waiter = reply.defer(&self.watchdog, limit, move |body: Result<_, Fault>| {
            let body = body.map_err(fetch_error)?;
            // Octets of two contents must not mix in one file.
            cache.check(revision).map_err(|_other| Error::Cache)?;
            range.read_from(&reader.with_body(body), &open_files)
        });
        self.maildrop.want_again(id, &unreadable, waiter);
    }

    /// Makes the file, and answers the read from it.
    fn make_and_read(&self, mut range: ReadRange, file: UnmadeFile, reply: KernelReply<Vec<u8>>) {
        let (open_files, cache) = (Arc::clone(&self.open_files), Arc::clone(&self.view_cache));
        let maildrop = Arc::clone(&self.maildrop);
        let (id, kept) = (file.id, Arc::clone(&file.body));
        let waiter = reply.defer_to(
            &self.view_maker,
            &self.watchdog,
            self.silence_limit(),
            move |body: Result<Arc<Body>, Fault>| {
                let body = body.map_err(fetch_error)?;
                let made = make_file(&file, &body, &cache, &maildrop)?;
                range.read_from(&BodyReader::as_it_is(made), &open_files)
            },
        );
        // The first read verifies all of it.
        match kept.read_at(0, 1, &mut Vec::new()) {
            Ok(_) => waiter.answer(Ok(kept)),
            Err(_) => self.maildrop.want_again(id, &kept, waiter),
        }
    }

    /// Closes a file.
    pub fn release(&self, handle: u64) {
        self.open_files.close(handle);
        self.readings.note_close(handle);
    }
}

/// Opens one file with the content that its message had when the open was asked for.
pub(super) struct Opener {
    open_files: Arc<OpenHandles>,
    cache: Arc<ViewCache>,
    readings: Arc<Readings>,
    disk_pages: PageUse,
    opener: FileOpener,
    inode: u64,
    pub(super) revision: Revision,
}

impl Opener {
    /// Checks that the message still has that content.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.cache.check(self.revision)
    }

    fn open_message(&self, id: MessageId, content: BodyReader, shown: ShownSize) -> OpenedFile {
        let source = ContentSource::Message(id, self.revision);
        let content = OpenContent::Ready(content);
        self.open(self.file(content, source), shown)
    }

    fn open_view(&self, file: Arc<Body>, shown: ShownSize) -> OpenedFile {
        let content = OpenContent::Ready(BodyReader::as_it_is(file));
        let source = ContentSource::View;
        self.open(self.file(content, source), shown)
    }

    /// The file of that size that is made of the body when it is read.
    fn unmade(
        &self,
        id: MessageId,
        body: Arc<Body>,
        make: MakeFile,
        keeping: Keeping,
        size: u64,
    ) -> UnmadeFile {
        UnmadeFile {
            id,
            body,
            make,
            keeping,
            inode: self.inode,
            revision: self.revision,
            size,
        }
    }

    fn open_unmade(&self, file: UnmadeFile, shown: ShownSize) -> Result<OpenedFile, Error> {
        self.check()?;
        let content = OpenContent::Unmade(file);
        let source = ContentSource::View;
        Ok(self.open(self.file(content, source), shown))
    }

    /// Opens a file that shows headers.
    pub(super) fn open_headers(&self, content: BodyReader, shown: ShownSize) -> OpenedFile {
        let content = OpenContent::Ready(content);
        let kernel_view = self.kernel_view(&content, shown).of_headers();
        let source = ContentSource::View;
        self.open_as(self.file(content, source), kernel_view)
    }

    fn file(&self, content: OpenContent, source: ContentSource) -> OpenFile {
        OpenFile {
            inode: self.inode,
            content,
            source,
        }
    }

    fn open(&self, file: OpenFile, shown: ShownSize) -> OpenedFile {
        let kernel_view = self.kernel_view(&file.content, shown);
        self.open_as(file, kernel_view)
    }

    fn kernel_view(&self, content: &OpenContent, shown: ShownSize) -> KernelView {
        let readings = Arc::clone(&self.readings);
        KernelView::new(self.inode, self.revision, shown, content.clone(), readings)
    }

    fn open_as(&self, file: OpenFile, kernel_view: KernelView) -> OpenedFile {
        let location = match file.content.has_own_file() {
            true => ContentLocation::OwnFile,
            false => ContentLocation::Shared,
        };
        let handle = self.open_files.open(file);
        self.note_open(handle, location, &kernel_view);
        OpenedFile {
            handle,
            location,
            kernel_view,
        }
    }

    fn note_open(&self, handle: u64, location: ContentLocation, kernel_view: &KernelView) {
        let pages = match (location, kernel_view.pages()) {
            (_, Pages::Outdated | Pages::Dropped) => PageUse::Bypassed,
            (ContentLocation::OwnFile, Pages::Current) => self.disk_pages,
            (ContentLocation::Shared, Pages::Current) => PageUse::Kept,
        };
        let size = kernel_view.version().size;
        let file = FileContent {
            inode: self.inode,
            revision: self.revision.number,
        };
        self.readings
            .note_open(handle, self.opener, file, size, pages);
    }
}

/// Why the message of an open file cannot be fetched again. To the program the file is there.
fn fetch_error(fault: Fault) -> Error {
    match fault {
        Fault::Departed => Error::Cache,
        fault => fault.into(),
    }
}

/// Makes a file of the body that its handle has kept, or of a copy that was fetched again.
fn make_file(
    file: &UnmadeFile,
    body: &Arc<Body>,
    cache: &ViewCache,
    maildrop: &Maildrop,
) -> Result<Arc<Body>, Error> {
    if file.keeping == Keeping::Kept
        && let Some(made) = cache.file(file.inode)
        && cache.check(file.revision).is_ok()
    {
        return Ok(made);
    }
    let made = maildrop.derive(&(file.make)(&whole(body)?))?;
    let is_current = cache.check(file.revision).is_ok();
    if !is_current && !Arc::ptr_eq(body, &file.body) {
        // Octets of two contents must not mix in one file.
        return Err(Error::Cache);
    }
    if file.keeping == Keeping::Kept {
        cache.keep_file(file.revision, file.inode, &made);
    }
    Ok(made)
}

/// The least size that the kernel was shown for a file before a view made it: until then the size
/// of the message was shown.
fn least_shown(message: &Message) -> ShownSize {
    let size = message.size();
    let before = message.size_before(Eol::Crlf);
    ShownSize::AtLeast(before.map_or(size, |before| size.min(before)))
}

/// `octets` are the content of this revision.
fn tree_of(cache: &ViewCache, revision: Revision, octets: &[u8]) -> Result<Arc<PartTree>, Error> {
    if let Some(tree) = cache.tree(revision.message) {
        cache.check(revision)?;
        return Ok(tree);
    }
    let tree = Arc::new(PartTree::new(octets));
    cache.keep_tree(revision, &tree)?;
    Ok(tree)
}

/// The whole body in memory.
pub(super) fn whole(body: &Body) -> Result<Cow<'_, [u8]>, Error> {
    if body.len() > LARGEST_VIEWED {
        return Err(Error::TooLargeToShow);
    }
    body.whole().map_err(|error| cache_error(&error))
}

pub(super) fn cache_error(error: &io::Error) -> Error {
    log::warn!("cannot read the cache: {error}");
    Error::Cache
}
