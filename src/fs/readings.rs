//! Which process has read which file to its end, in this mount.
//!
//! A program that moves mail reads each message itself before it removes it; `rm` reads nothing,
//! and what another program has read is no copy. A process has read a file if it opened it and each
//! octet of the file either went to this process, or went into the kernel's pages before it closed
//! the file: the kernel answers reads from pages that it keeps, and the mount hears nothing of
//! them. In doubt a process has not read the file, and the user is asked.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;

use crate::fs::process::{ProcessId, ThreadTable, since_boot, started};

/// How many readings of a whole file are remembered.
const READINGS: usize = 128 * 1024;
/// Of how many files it is remembered which pages the kernel may keep.
const FILES_IN_PAGES: usize = 64 * 1024;
/// How many separate ranges of a file are remembered.
const RANGES: usize = 16;

/// A file with one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::fs) struct FileContent {
    /// The inode number.
    pub(in crate::fs) inode: u64,
    /// How often the content of its message has changed.
    pub(in crate::fs) revision: u32,
}

/// Who opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct FileOpener {
    thread: u32,
    process: Option<ProcessId>,
}

/// Whether reads of an open file go through the kernel's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum PageUse {
    /// The kernel keeps what it was given, for all programs.
    Kept,
    /// Each read(2) becomes a request.
    Bypassed,
}

/// The readings of all processes.
#[derive(Debug)]
pub(in crate::fs) struct Readings(Mutex<ReadingsState>);

#[derive(Debug)]
struct ReadingsState {
    threads: ThreadTable,
    /// By handle.
    open: HashMap<u64, OpenReading>,
    /// What may be in the kernel's pages.
    pages: LruCache<FileContent, ReadRanges>,
    /// Files that a process has read to their end, and when it had opened them, since boot.
    complete: LruCache<(ProcessId, FileContent), Duration>,
}

#[derive(Debug)]
struct OpenReading {
    opener: FileOpener,
    /// Since boot.
    opened: Duration,
    file: FileContent,
    /// In octets.
    size: u64,
    pages: PageUse,
    read: ReadRanges,
}

impl Readings {
    pub(in crate::fs) fn new() -> Self {
        Self(Mutex::new(ReadingsState {
            threads: ThreadTable::new(),
            open: HashMap::new(),
            pages: LruCache::unbounded(),
            complete: LruCache::unbounded(),
        }))
    }

    /// Identifies the process of a thread that opens a file and waits for that.
    pub(in crate::fs) fn opener(&self, thread: u32) -> FileOpener {
        let process = self.0.lock().threads.process_of(thread);
        FileOpener { thread, process }
    }

    /// Notes that a file of that size was opened.
    pub(in crate::fs) fn note_open(
        &self,
        handle: u64,
        opener: FileOpener,
        file: FileContent,
        size: u64,
        pages: PageUse,
    ) {
        let reading = OpenReading {
            opener,
            opened: since_boot(),
            file,
            size,
            pages,
            read: ReadRanges::default(),
        };
        self.0.lock().open.insert(handle, reading);
    }

    /// Notes that the kernel was given these octets before any program asked for them.
    pub(in crate::fs) fn note_stored(&self, file: FileContent, range: Range<u64>) {
        self.0.lock().cover_pages(file, range);
    }

    /// Notes that a thread was given these octets of an open file.
    pub(in crate::fs) fn note_read(&self, handle: u64, thread: u32, range: Range<u64>) {
        let mut state = self.0.lock();
        let Some(open) = state.open.get(&handle) else {
            return;
        };
        let (opener, file, pages) = (open.opener, open.file, open.pages);
        let range = range.start..range.end.min(open.size);
        if range.is_empty() {
            return;
        }
        let is_opener = thread == opener.thread
            || opener.process.is_some() && state.threads.process_of(thread) == opener.process;
        if is_opener && let Some(open) = state.open.get_mut(&handle) {
            open.read.cover(range.clone());
        }
        if pages == PageUse::Kept {
            state.cover_pages(file, range);
        }
    }

    /// Notes that the file was closed.
    pub(in crate::fs) fn note_close(&self, handle: u64) {
        let mut state = self.0.lock();
        let Some(open) = state.open.remove(&handle) else {
            return;
        };
        if let Some(process) = open.opener.process
            && state.is_whole(&open)
        {
            state.complete.put((process, open.file), open.opened);
            if state.complete.len() > READINGS {
                state.complete.pop_lru();
            }
        }
    }

    /// Whether a process has the file open.
    pub(in crate::fs) fn is_open(&self, inode: u64) -> bool {
        let state = self.0.lock();
        state.open.values().any(|open| open.file.inode == inode)
    }

    /// Whether the process of this thread has read the file to its end.
    pub(in crate::fs) fn has_read(&self, thread: u32, file: FileContent) -> bool {
        let mut state = self.0.lock();
        let Some(process) = state.threads.process_of(thread) else {
            return false;
        };
        let Some(opened) = state.when_opened(process, file) else {
            return false;
        };
        drop(state);
        // A process that was started later has only got the id of the one that read.
        started(process).is_some_and(|started| started <= opened)
    }
}

impl ReadingsState {
    fn cover_pages(&mut self, file: FileContent, range: Range<u64>) {
        self.pages
            .get_or_insert_mut(file, ReadRanges::default)
            .cover(range);
        if self.pages.len() > FILES_IN_PAGES {
            self.pages.pop_lru();
        }
    }

    fn is_whole(&self, open: &OpenReading) -> bool {
        let mut read = open.read.clone();
        if open.pages == PageUse::Kept
            && let Some(pages) = self.pages.peek(&open.file)
        {
            pages.0.iter().for_each(|range| read.cover(range.clone()));
        }
        read.is_whole(open.size)
    }

    /// When the process opened the file that it has read to its end. A file that is still open
    /// counts, too: the kernel may tell of the close after the removal.
    fn when_opened(&self, process: ProcessId, file: FileContent) -> Option<Duration> {
        if let Some(&opened) = self.complete.peek(&(process, file)) {
            return Some(opened);
        }
        self.open
            .values()
            .find(|open| {
                open.file == file && open.opener.process == Some(process) && self.is_whole(open)
            })
            .map(|open| open.opened)
    }
}

/// Ranges of a file, none of which touches another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ReadRanges(Vec<Range<u64>>);

impl ReadRanges {
    /// Adds a range, unless there are too many already.
    fn cover(&mut self, mut range: Range<u64>) {
        self.0.retain(|known| {
            let is_touched = known.start <= range.end && range.start <= known.end;
            if is_touched {
                range = known.start.min(range.start)..known.end.max(range.end);
            }
            !is_touched
        });
        if self.0.len() < RANGES {
            self.0.push(range);
        }
    }

    fn is_whole(&self, size: u64) -> bool {
        size == 0
            || self
                .0
                .iter()
                .any(|range| range.start == 0 && range.end >= size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileContent = FileContent {
        inode: 1 << 20,
        revision: 0,
    };

    fn own_thread() -> u32 {
        std::process::id()
    }

    /// The test's process opens a file of 100 octets.
    fn open(readings: &Readings, handle: u64, pages: PageUse) {
        let opener = readings.opener(own_thread());
        readings.note_open(handle, opener, FILE, 100, pages);
    }

    /// A process that cannot be identified reads the whole file.
    fn read_by_another(readings: &Readings, pages: PageUse) {
        let opener = readings.opener(0);
        readings.note_open(9, opener, FILE, 100, pages);
        readings.note_read(9, 0, 0..100);
        readings.note_close(9);
    }

    #[test]
    fn reads_that_together_reach_the_end_are_a_reading() {
        for order in [[0..60, 60..4096], [50..100, 0..50]] {
            let readings = Readings::new();
            open(&readings, 1, PageUse::Bypassed);
            for range in order {
                assert!(!readings.has_read(own_thread(), FILE));
                readings.note_read(1, own_thread(), range);
            }
            assert!(readings.has_read(own_thread(), FILE), "before the close");
            readings.note_close(1);
            assert!(readings.has_read(own_thread(), FILE), "after the close");
        }
    }

    #[test]
    fn a_part_of_a_file_is_no_reading() {
        let readings = Readings::new();
        open(&readings, 1, PageUse::Kept);
        readings.note_read(1, own_thread(), 0..99);
        readings.note_close(1);
        assert!(!readings.has_read(own_thread(), FILE));
    }

    #[test]
    fn what_another_process_read_is_no_reading() {
        let readings = Readings::new();
        read_by_another(&readings, PageUse::Kept);
        assert!(!readings.has_read(own_thread(), FILE));
        assert!(!readings.has_read(0, FILE));
    }

    #[test]
    fn an_open_file_can_be_read_from_pages_that_the_kernel_keeps() {
        let readings = Readings::new();
        read_by_another(&readings, PageUse::Kept);
        open(&readings, 1, PageUse::Kept);
        readings.note_close(1);
        assert!(readings.has_read(own_thread(), FILE));
    }

    #[test]
    fn without_pages_of_the_kernel_an_open_alone_is_no_reading() {
        for (before, now) in [
            (PageUse::Bypassed, PageUse::Kept),
            (PageUse::Kept, PageUse::Bypassed),
        ] {
            let readings = Readings::new();
            read_by_another(&readings, before);
            open(&readings, 1, now);
            readings.note_close(1);
            assert!(!readings.has_read(own_thread(), FILE), "{before:?} {now:?}");
        }
    }

    #[test]
    fn pages_that_come_after_the_close_are_no_reading() {
        let readings = Readings::new();
        open(&readings, 1, PageUse::Kept);
        readings.note_close(1);
        read_by_another(&readings, PageUse::Kept);
        assert!(!readings.has_read(own_thread(), FILE));
    }

    #[test]
    fn a_reading_of_other_content_does_not_count() {
        let readings = Readings::new();
        open(&readings, 1, PageUse::Bypassed);
        readings.note_read(1, own_thread(), 0..100);
        let revision = FILE.revision + 1;
        assert!(!readings.has_read(own_thread(), FileContent { revision, ..FILE }));
    }

    #[test]
    fn many_separate_ranges_take_bounded_memory() {
        let mut ranges = ReadRanges::default();
        (0..1000).for_each(|at| ranges.cover(at * 10..at * 10 + 5));
        assert_eq!(ranges.0.len(), RANGES);
        ranges.cover(0..10_000);
        assert!(ranges.is_whole(10_000));
    }
}
