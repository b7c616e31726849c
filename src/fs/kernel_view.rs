//! What the kernel may believe about a file that is being opened.
//!
//! The kernel keeps the pages and the size of a file. The size that it was shown may be wrong until
//! the body of the message was seen: LIST is a hint, and the size of a text is known once it was
//! made. The kernel learns the right size when it asks for the attributes. mmap(2) and sendfile(2)
//! never make it ask, so it is told before the open is answered (fuse/notify.rs).
//!
//! The content of a small file is given to the kernel before its first open is answered: most
//! programs that open a file read it, and a request for it would cost more than the content.
//!
//! A message can also get other content in this mount. From then on it is opened with direct I/O
//! and its attributes are never kept, so that programs that still have the old content open cannot
//! spoil what others see.

use std::ops::Range;
use std::sync::Arc;

use crate::fs::open_files::OpenContent;
use crate::fs::readings::{FileContent, Readings};
use crate::fs::view_cache::Revision;
use crate::store::READ_WHOLE;

/// The size of a page of the kernel's cache.
const PAGE: u64 = 4096;

/// One version of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct FileVersion {
    /// The inode number of the file.
    pub(in crate::fs) inode: u64,
    /// The content of its message.
    pub(in crate::fs) revision: Revision,
    /// In octets.
    pub(in crate::fs) size: u64,
}

/// The size that the kernel was shown before the open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum ShownSize {
    /// The right one.
    Right,
    /// Perhaps a wrong one, but none below this.
    AtLeast(u64),
}

/// What the pages that the kernel keeps are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// They are of the content that is opened.
    Current,
    /// They may be of headers as TOP showed them, which may differ from those of the body. The
    /// kernel drops them at the open.
    Dropped,
    /// They may be of content that the message had before.
    Outdated,
}

/// A file that is being opened, and what the kernel may believe about it.
#[derive(Clone, Debug)]
pub struct KernelView {
    inode: u64,
    revision: Revision,
    shown: ShownSize,
    content: OpenContent,
    /// The file shows headers, which need not come from the body.
    is_of_headers: bool,
    readings: Arc<Readings>,
}

impl KernelView {
    pub(in crate::fs) fn new(
        inode: u64,
        revision: Revision,
        shown: ShownSize,
        content: OpenContent,
        readings: Arc<Readings>,
    ) -> Self {
        Self {
            inode,
            revision,
            shown,
            content,
            is_of_headers: false,
            readings,
        }
    }

    /// The same for a file that shows headers, whether from the body or as TOP shows them.
    pub(in crate::fs) fn of_headers(self) -> Self {
        Self {
            is_of_headers: true,
            ..self
        }
    }

    /// The inode number of the file.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    pub(in crate::fs) fn version(&self) -> FileVersion {
        FileVersion {
            inode: self.inode,
            revision: self.revision,
            size: self.content.len(),
        }
    }

    /// What the kernel's pages are worth.
    #[must_use]
    pub fn pages(&self) -> Pages {
        match (self.revision.is_first(), self.is_of_headers) {
            (false, _) => Pages::Outdated,
            (true, true) => Pages::Dropped,
            (true, false) => Pages::Current,
        }
    }

    /// Whether the kernel may believe in a wrong size.
    #[must_use]
    pub fn may_be_resized(&self) -> bool {
        self.pages() == Pages::Outdated || self.shown != ShownSize::Right
    }

    /// What the kernel is given of a file that nobody has had open: all of it if it is no longer
    /// than [`READ_WHOLE`] and the kernel keeps its pages, else what [`KernelView::missing_tail`]
    /// says. In octets.
    ///
    /// All of it only if the kernel knows the size. If it believed in more, it would ask for what is
    /// missing by several reads at once. They would all be short, and of several short reads the
    /// kernel believes one, and shows zeros for the others.
    pub(in crate::fs) fn first_pages(&self) -> Option<Range<u64>> {
        let size = self.content.len();
        let is_kept = self.pages() == Pages::Current && !self.content.has_own_file();
        let is_known = self.shown == ShownSize::Right && self.content.is_ready();
        if is_kept && is_known && (1..=READ_WHOLE).contains(&size) {
            return Some(0..size);
        }
        self.missing_tail()
    }

    /// The last page, if the kernel may believe in a smaller size: sendfile(2) reads up to the size
    /// that the kernel knows, and the kernel extends the file when a page behind that is stored.
    /// (It corrects a size that is too large at the first short read.) None for a message with
    /// other content than before: programs that have the old content open would read the new page.
    /// None for a file that is yet to be made: the kernel was told of its size when it was made
    /// before.
    pub(in crate::fs) fn missing_tail(&self) -> Option<Range<u64>> {
        let ShownSize::AtLeast(shown) = self.shown else {
            return None;
        };
        let size = self.content.len();
        if !self.content.is_ready() || self.pages() == Pages::Outdated || size <= shown {
            return None;
        }
        Some(size.checked_sub(1)? / PAGE * PAGE..size)
    }

    /// Passes these octets and their offset to `give`, which gives them to the kernel. What cannot
    /// be read is not given: the kernel asks for it when a program does.
    pub(in crate::fs) fn give_pages(&self, range: Range<u64>, give: impl FnOnce(u64, &[u8])) {
        let mut buffer = Vec::new();
        let length = (range.end - range.start) as usize;
        if let Ok(octets) = self.content.read_at(range.start, length, &mut buffer) {
            give(range.start, octets);
            let file = FileContent {
                inode: self.inode,
                revision: self.revision.number,
            };
            self.readings.note_stored(file, range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Body, BodyReader};

    fn view(revision: u32, shown: ShownSize, length: usize) -> KernelView {
        let content = BodyReader::as_it_is(Arc::new(Body::new(vec![b'x'; length])));
        let content = OpenContent::Ready(content);
        let revision = Revision {
            message: 1 << 20,
            number: revision,
        };
        KernelView::new(1 << 20, revision, shown, content, Arc::new(Readings::new()))
    }

    #[test]
    fn a_size_that_may_have_been_shown_wrong_is_corrected() {
        assert!(!view(0, ShownSize::Right, 5000).may_be_resized());
        assert!(view(0, ShownSize::AtLeast(5000), 5000).may_be_resized());
        assert!(view(0, ShownSize::AtLeast(4999), 5000).may_be_resized());
        assert!(view(1, ShownSize::Right, 5000).may_be_resized());
    }

    #[test]
    fn the_last_page_is_missing_only_behind_a_size_that_is_too_small() {
        let tail = view(0, ShownSize::AtLeast(1), 5000).missing_tail();
        assert_eq!(tail, Some(4096..5000));
        let whole = view(0, ShownSize::AtLeast(1), 4096).missing_tail();
        assert_eq!(whole, Some(0..4096));
        for kept in [
            view(0, ShownSize::AtLeast(9000), 5000),
            view(0, ShownSize::Right, 5000),
            view(0, ShownSize::AtLeast(0), 0),
            view(1, ShownSize::AtLeast(1), 5000),
        ] {
            assert_eq!(kept.missing_tail(), None);
        }
    }

    #[test]
    fn the_kernel_is_given_all_of_a_small_file_that_it_knows() {
        let small = view(0, ShownSize::Right, 5000);
        assert_eq!(small.first_pages(), Some(0..5000));
        let headers = view(0, ShownSize::AtLeast(1), 5000).of_headers();
        assert_eq!(headers.first_pages(), Some(4096..5000));
        let large = view(0, ShownSize::AtLeast(1), 128 * 1024 + 1);
        assert_eq!(large.first_pages(), Some(128 * 1024..128 * 1024 + 1));
        for not_given in [
            view(0, ShownSize::AtLeast(9000), 5000),
            view(0, ShownSize::Right, 0),
            view(0, ShownSize::Right, 128 * 1024 + 1),
            view(1, ShownSize::Right, 5000),
        ] {
            assert_eq!(not_given.first_pages(), None);
        }
    }

    #[test]
    fn octets_are_given_with_their_offset() {
        let view = view(0, ShownSize::Right, 5000);
        let mut given = Vec::new();
        view.give_pages(4096..5000, |offset, octets| {
            given.push((offset, octets.len()));
        });
        assert_eq!(given, [(4096, 904)]);
    }
}
