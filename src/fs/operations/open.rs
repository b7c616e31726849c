//! Opening, reading and closing files.

use std::borrow::Cow;
use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::nodes::{self, Node};
use crate::fs::open_files::{HandlesOf, Pages, Size};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::stat::Kind;
use crate::fs::reply::deferred::Answer;
use crate::fs::view_cache::{Derived, Revision};
use crate::fs::views::{Form, Tree, ViewId};
use crate::maildrop::{Fault, Message, MessageId};
use crate::store::{Body, Eol, Rendition};

/// What the kernel keeps files in.
const PAGE: u64 = 4096;
/// The largest message that a view is made of, in octets: it is in memory as a whole meanwhile.
const MOST_SHOWN: u64 = 256 * 1024 * 1024;

/// A file that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The handle to read by.
    pub handle: u64,
    /// Where its octets are.
    pub place: Place,
    /// What the pages that the kernel keeps are worth to this handle.
    pub pages: Pages,
    /// Where set, the kernel may hold another size, and must learn better before it learns of the open.
    pub resized: Option<Resized>,
}

/// Where the octets of an open file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our own memory.
    Memory,
    /// A file, whose pages the kernel keeps.
    File,
}

/// A file whose size was shown as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resized {
    /// The kernel is to learn of it.
    Corrected {
        /// Its inode number.
        inode: u64,
        /// The last page of a file that may be larger than was shown: where it begins, and its octets up to the end.
        /// sendfile(2) believes the size that the kernel has, and never asks; a page that is stored behind it corrects it. A
        /// size that was too large is corrected by the first short read.
        tail: Option<(u64, Vec<u8>)>,
    },
    /// Somebody has it open, and the kernel learns of it before it learns of that open. Once is enough: who reads while the
    /// kernel is told again may be given zeros behind the end, for it believes no short read then.
    Awaited,
}

/// Octets of a file.
#[derive(Clone, Debug)]
pub struct Slice {
    body: Rendition,
    offset: u64,
    length: usize,
}

impl Slice {
    /// The octets; fewer than asked for only at the end of the file. `buffer` is as in [`Body::read_at`].
    ///
    /// # Errors
    /// [`Error::Cache`].
    pub fn octets<'a>(&'a self, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        self.body
            .read_at(self.offset, self.length, buffer)
            .map_err(|error| cache_fails(&error))
    }
}

impl Filesystem {
    /// Opens a file to be read. Waits for the body of its message. The handle keeps what is read: so the size is exact from
    /// here on, and what was opened can be read whatever becomes of the message.
    pub fn open(&self, inode: u64, flags: i32, answer: Answer<Opened>) {
        match self.openable(inode, flags) {
            Ok(Node::Message(id)) => self.open_message(inode, id, self.appearance.eol, answer),
            Ok(Node::Shown(view, id)) => self.open_shown(view, id, answer),
            Ok(Node::Part(id, part)) => self.open_part(id, part, answer),
            Ok(Node::Folder(_)) => answer.give(Err(Error::IsADirectory)),
            Err(error) => answer.give(Err(error)),
        }
    }

    fn openable(&self, inode: u64, flags: i32) -> Result<Node, Error> {
        let node = self.node(inode)?;
        if self.kind(node) == Some(Kind::Directory) {
            return Err(Error::IsADirectory);
        }
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(self.refusal());
        }
        Ok(node)
    }

    /// `inode` is the message's own, or that of a view that shows the message itself, with these line ends.
    fn open_message(&self, inode: u64, id: MessageId, eol: Eol, answer: Answer<Opened>) {
        let revision = self.derived.revision(self.maildrop.message(id).inode);
        let (maildrop, handles) = (Arc::clone(&self.maildrop), self.handles.of(revision));
        let derived = Arc::clone(&self.derived);
        let opened = move |body: Arc<Body>| {
            derived.check(revision)?;
            let before = maildrop.read_message(id, &body).size_before(eol);
            let shown = Rendition::new(body, eol);
            Ok(opened_message(&handles, inode, shown, before))
        };
        if let Some(body) = self.maildrop.access_body(id) {
            return answer.give(opened(body));
        }
        let waiter = answer.owe(
            &self.ledger,
            self.while_heard(),
            move |body: Result<Arc<Body>, Fault>| opened(body?),
        );
        self.maildrop.want_body(id, waiter);
    }

    fn open_shown(&self, view: ViewId, id: MessageId, answer: Answer<Opened>) {
        let message = self.maildrop.message(id).inode;
        let inode = nodes::of_shown(view, message);
        let form = view.view().form();
        if let Some(eol) = form.eol(self.appearance.eol) {
            return self.open_message(inode, id, eol, answer);
        }
        let Form::File(show) = form else {
            return answer.give(Err(Error::IsADirectory));
        };
        let revision = self.derived.revision(message);
        if let Some(file) = self.derived.file(inode) {
            return self.open_made(inode, revision, file, answer);
        }
        let (derived, handles) = (Arc::clone(&self.derived), self.handles.of(revision));
        let maildrop = Arc::clone(&self.maildrop);
        self.with_body(id, answer, move |body| {
            if let Some(file) = derived.file(inode) {
                derived.check(revision)?;
                let resized = behind_others(&handles, inode);
                return Ok(opened(&handles, inode, Rendition::as_it_is(file), resized));
            }
            let file = maildrop.derive(&show(&whole(body)?))?;
            derived.check(revision)?;
            let shown = Rendition::as_it_is(Arc::clone(&file));
            let resized = match derived.size(inode) {
                Some(_) => behind_others(&handles, inode),
                None => {
                    let least = least_shown(revision, &maildrop.message(id));
                    Some(resized(&handles, inode, &shown, least))
                }
            };
            // Before others find it made: open_made goes by that.
            let opened = opened(&handles, inode, shown, resized);
            derived.keep_file(revision, inode, &file);
            maildrop.read_message(id, body);
            Ok(opened)
        });
    }

    /// Where somebody has the file open, in the workshop: behind whoever has it made there.
    fn open_made(&self, inode: u64, revision: Revision, file: Arc<Body>, answer: Answer<Opened>) {
        let (handles, file) = (self.handles.of(revision), Rendition::as_it_is(file));
        let Some(resized) = behind_others(&handles, inode) else {
            return answer.give(Ok(opened(&handles, inode, file, None)));
        };
        let waiter = answer.owe_in(
            &self.workshop,
            &self.ledger,
            self.while_heard(),
            move |file: Result<Rendition, Fault>| Ok(opened(&handles, inode, file?, Some(resized))),
        );
        waiter.answer(Ok(file));
    }

    fn open_part(&self, id: MessageId, part: u16, answer: Answer<Opened>) {
        let message = self.maildrop.message(id).inode;
        let inode = nodes::of_part(part, message);
        let revision = self.derived.revision(message);
        let (derived, handles) = (Arc::clone(&self.derived), self.handles.of(revision));
        let maildrop = Arc::clone(&self.maildrop);
        self.with_body(id, answer, move |body| {
            let octets = whole(body)?;
            let tree = tree_of(&derived, revision, &octets)?;
            let file = tree.file(part).ok_or(Error::Stale)?;
            let file = maildrop.derive(&file.octets(&octets))?;
            maildrop.read_message(id, body);
            Ok(opened(&handles, inode, Rendition::as_it_is(file), None))
        });
    }

    /// The parts of a message, and what is made of them.
    pub(in crate::fs) fn with_tree<T: Send + 'static>(
        &self,
        id: MessageId,
        answer: Answer<T>,
        then: impl FnOnce(&Arc<Tree>) -> Result<T, Error> + Send + 'static,
    ) {
        let message = self.maildrop.message(id).inode;
        let revision = self.derived.revision(message);
        if let Some(tree) = self.derived.tree(message) {
            return answer.give(then(&tree));
        }
        let derived = Arc::clone(&self.derived);
        self.with_body(id, answer, move |body| {
            then(&tree_of(&derived, revision, &whole(body)?)?)
        });
    }

    /// What is made, in the workshop, of a body that comes when it comes.
    fn with_body<T: Send + 'static>(
        &self,
        id: MessageId,
        answer: Answer<T>,
        then: impl FnOnce(&Body) -> Result<T, Error> + Send + 'static,
    ) {
        let patience = self.while_heard();
        let waiter = answer.owe_in(
            &self.workshop,
            &self.ledger,
            patience,
            move |body: Result<Arc<Body>, Fault>| then(&*body?),
        );
        match self.maildrop.access_body(id) {
            Some(body) => waiter.answer(Ok(body)),
            None => self.maildrop.want_body(id, waiter),
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn read(&self, handle: u64, offset: u64, length: u32) -> Result<Slice, Error> {
        let body = self.handles.body(handle).ok_or(Error::NotOpen)?;
        Ok(Slice {
            body,
            offset,
            length: length as usize,
        })
    }

    /// Closes a handle.
    pub fn release(&self, handle: u64) {
        self.handles.close(handle);
    }
}

/// `before` is the size that the kernel may hold.
fn opened_message(handles: &HandlesOf, inode: u64, body: Rendition, before: Option<u64>) -> Opened {
    let resized = before
        .filter(|&before| before != body.len())
        .map(|before| resized(handles, inode, &body, before));
    opened(handles, inode, body, resized)
}

fn opened(handles: &HandlesOf, inode: u64, body: Rendition, resized: Option<Resized>) -> Opened {
    let place = if body.is_in_memory() {
        Place::Memory
    } else {
        Place::File
    };
    let held = handles.open(inode, body);
    let resized = match (held.size, resized) {
        (Size::Right, resized) => resized,
        (Size::Doubtful, Some(corrected @ Resized::Corrected { .. })) => Some(corrected),
        (Size::Doubtful, _) => Some(Resized::Corrected { inode, tail: None }),
        (Size::Awaited, _) => Some(Resized::Awaited),
    };
    Opened {
        handle: held.handle,
        place,
        pages: held.pages,
        resized,
    }
}

/// `shown` is the least size that the kernel may hold. A page that is stored before the end that it believes in is not taken for
/// whole: it is asked for beside the pages behind the end, and of two short reads at once one is not believed.
fn resized(handles: &HandlesOf, inode: u64, body: &Rendition, shown: u64) -> Resized {
    if handles.is_open(inode) {
        return Resized::Awaited;
    }
    let tail = (body.len() > shown).then(|| last_page(body)).flatten();
    Resized::Corrected { inode, tail }
}

/// The least size that the kernel may hold of a file that was never made: those of the message were shown for it.
fn least_shown(revision: Revision, message: &Message) -> u64 {
    if revision.number > 0 {
        // It may hold one from before the message was altered.
        return 0;
    }
    let size = message.size();
    let before = message.size_before(Eol::Crlf);
    before.map_or(size, |before| size.min(before))
}

/// Of a file whose size was corrected when it was opened first: that open may not be answered yet.
fn behind_others(handles: &HandlesOf, inode: u64) -> Option<Resized> {
    handles.is_open(inode).then_some(Resized::Awaited)
}

fn last_page(body: &Rendition) -> Option<(u64, Vec<u8>)> {
    let offset = body.len().checked_sub(1)? / PAGE * PAGE;
    let mut buffer = Vec::new();
    let octets = body.read_at(offset, PAGE as usize, &mut buffer).ok()?;
    Some((offset, octets.to_vec()))
}

/// `octets` are those of this revision.
fn tree_of(derived: &Derived, revision: Revision, octets: &[u8]) -> Result<Arc<Tree>, Error> {
    if let Some(tree) = derived.tree(revision.message) {
        derived.check(revision)?;
        return Ok(tree);
    }
    let tree = Arc::new(Tree::of(octets));
    derived.keep_tree(revision, &tree)?;
    Ok(tree)
}

/// The whole body in memory.
fn whole(body: &Body) -> Result<Cow<'_, [u8]>, Error> {
    if body.len() > MOST_SHOWN {
        return Err(Error::TooLargeToShow);
    }
    body.whole().map_err(|error| cache_fails(&error))
}

fn cache_fails(error: &std::io::Error) -> Error {
    log::warn!("the cache cannot be read: {error}");
    Error::Cache
}
