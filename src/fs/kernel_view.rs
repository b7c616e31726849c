//! What the kernel may believe about a file that is being opened.
//!
//! The kernel keeps the pages and the size of a file. The size that it was shown may be wrong until
//! the body of the message was seen: LIST is a hint, and the size of a text is known once it was
//! made. The kernel learns the right size when it asks for the attributes. mmap(2) and sendfile(2)
//! never make it ask, so it is told before the open is answered (fuse/notify.rs).
//!
//! A message can also get other content in this mount. From then on it is opened with direct I/O
//! and its attributes are never kept, so that programs that still have the old content open cannot
//! spoil what others see.

use std::ops::Range;

use crate::fs::open_files::OpenContent;
use crate::fs::view_cache::Revision;

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
}

impl KernelView {
    pub(in crate::fs) fn new(
        inode: u64,
        revision: Revision,
        shown: ShownSize,
        content: OpenContent,
    ) -> Self {
        Self {
            inode,
            revision,
            shown,
            content,
            is_of_headers: false,
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

    /// The offset and the content of the last page, if the kernel may believe in a smaller size:
    /// sendfile(2) reads up to the size that the kernel knows, and the kernel extends the file when
    /// a page behind that is stored. (It corrects a size that is too large at the first short
    /// read.) None for a message with other content than before: programs that have the old content
    /// open would read the new page.
    #[must_use]
    pub fn missing_tail(&self) -> Option<(u64, Vec<u8>)> {
        let offset = self.missing_tail_range()?.start;
        let mut buffer = Vec::new();
        let page = self
            .content
            .read_at(offset, PAGE as usize, &mut buffer)
            .ok()?;
        Some((offset, page.to_vec()))
    }

    /// Where [`KernelView::missing_tail`] is in the file. None for a file that is yet to be made:
    /// the kernel was told of its size when it was made before.
    pub(in crate::fs) fn missing_tail_range(&self) -> Option<Range<u64>> {
        let (ShownSize::AtLeast(shown), OpenContent::Ready(_)) = (self.shown, &self.content) else {
            return None;
        };
        let size = self.content.len();
        if self.pages() == Pages::Outdated || size <= shown {
            return None;
        }
        Some(size.checked_sub(1)? / PAGE * PAGE..size)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Body, BodyReader};

    fn view(revision: u32, shown: ShownSize, length: usize) -> KernelView {
        let content = BodyReader::as_it_is(Arc::new(Body::new(vec![b'x'; length])));
        let content = OpenContent::Ready(content);
        let revision = Revision {
            message: 1 << 20,
            number: revision,
        };
        KernelView::new(1 << 20, revision, shown, content)
    }

    #[test]
    fn a_size_that_may_have_been_shown_wrong_is_corrected() {
        assert!(!view(0, ShownSize::Right, 5000).may_be_resized());
        assert!(view(0, ShownSize::AtLeast(5000), 5000).may_be_resized());
        assert!(view(0, ShownSize::AtLeast(4999), 5000).may_be_resized());
        assert!(view(1, ShownSize::Right, 5000).may_be_resized());
    }

    #[test]
    fn the_last_page_is_stored_only_behind_a_size_that_is_too_small() {
        let tail = view(0, ShownSize::AtLeast(1), 5000).missing_tail();
        assert_eq!(tail, Some((4096, vec![b'x'; 904])));
        let whole = view(0, ShownSize::AtLeast(1), 4096).missing_tail();
        assert_eq!(whole, Some((0, vec![b'x'; 4096])));
        for kept in [
            view(0, ShownSize::AtLeast(9000), 5000),
            view(0, ShownSize::Right, 5000),
            view(0, ShownSize::AtLeast(0), 0),
            view(1, ShownSize::AtLeast(1), 5000),
        ] {
            assert_eq!(kept.missing_tail(), None);
        }
    }
}
