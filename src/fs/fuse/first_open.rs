//! Which versions of which files were opened in this mount, and what waits for the first open.
//!
//! The kernel is told of each version of a file once, before its first open is answered. If it were
//! told again while a program reads, it would take the end of the file for a short read, and show
//! zeros behind it.

use std::collections::{HashMap, HashSet};

use crate::fs::kernel_view::FileVersion;
use crate::fs::nodes;

pub(super) type OpenReply = Box<dyn FnOnce() + Send>;

/// The files that were opened, each in its latest version.
#[derive(Default)]
pub(super) struct OpenedVersions(HashMap<u64, OpenedVersion>);

struct OpenedVersion {
    version: FileVersion,
    notice: NoticeProgress,
}

enum NoticeProgress {
    /// The kernel is being told; these replies wait for that.
    Running(Vec<OpenReply>),
    Done,
}

/// What becomes of the reply to an open.
pub(super) enum Joined {
    /// The kernel must be told first. Nobody has had the file open, so nobody reads it: the kernel
    /// holds no page of it for a request.
    FirstOpen,
    /// The kernel must be told first. Another version of the file may be open.
    OtherVersion,
    /// It waits until the kernel was told because of another open.
    Waits,
    /// The kernel was told.
    Told(OpenReply),
}

impl OpenedVersions {
    pub(super) fn join(&mut self, version: FileVersion, reply: OpenReply) -> Joined {
        let (joined, mut waiting) = match self.0.get_mut(&version.inode) {
            None => (Joined::FirstOpen, Vec::new()),
            Some(opened) if opened.version == version => {
                return match &mut opened.notice {
                    NoticeProgress::Done => Joined::Told(reply),
                    NoticeProgress::Running(waiting) => {
                        waiting.push(reply);
                        Joined::Waits
                    }
                };
            }
            Some(opened) => (Joined::OtherVersion, opened.notice.end()),
        };
        waiting.push(reply);
        let notice = NoticeProgress::Running(waiting);
        self.0
            .insert(version.inode, OpenedVersion { version, notice });
        joined
    }

    /// Gives the replies that have waited. None if a later version has taken them over.
    pub(super) fn finish(&mut self, version: FileVersion) -> Vec<OpenReply> {
        match self.0.get_mut(&version.inode) {
            Some(opened) if opened.version == version => opened.notice.end(),
            _ => Vec::new(),
        }
    }

    /// Drops what is kept of messages that the maildrop does not know any more, except where
    /// replies wait.
    pub(super) fn drop_unknown(&mut self, messages: &HashSet<u64>) {
        self.0.retain(|&inode, opened| {
            matches!(opened.notice, NoticeProgress::Running(_))
                || !messages.contains(&nodes::message_of(inode))
        });
    }

    /// Whether the version was opened, or is being opened.
    pub(super) fn has(&self, version: FileVersion) -> bool {
        self.0
            .get(&version.inode)
            .is_some_and(|opened| opened.version == version)
    }
}

impl NoticeProgress {
    /// The kernel was told. Returns the replies that waited for that.
    fn end(&mut self) -> Vec<OpenReply> {
        match std::mem::replace(self, Self::Done) {
            Self::Running(waiting) => waiting,
            Self::Done => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::view_cache::Revision;

    fn version(number: u32, size: u64) -> FileVersion {
        let message = 1 << 20;
        FileVersion {
            inode: message,
            revision: Revision { message, number },
            size,
        }
    }

    fn reply() -> OpenReply {
        Box::new(|| {})
    }

    #[test]
    fn the_kernel_is_told_once_and_other_opens_wait_for_it() {
        let mut opened = OpenedVersions::default();
        let version = version(0, 10);
        assert!(!opened.has(version));
        let first = opened.join(version, reply());
        assert!(matches!(first, Joined::FirstOpen));
        assert!(opened.has(version));
        assert!(matches!(opened.join(version, reply()), Joined::Waits));
        assert_eq!(opened.finish(version).len(), 2);
        assert!(matches!(opened.join(version, reply()), Joined::Told(_)));
    }

    #[test]
    fn versions_of_unknown_messages_are_dropped_once_told() {
        let mut opened = OpenedVersions::default();
        let version = version(0, 10);
        let unknown = HashSet::from([version.inode]);
        opened.join(version, reply());
        opened.drop_unknown(&unknown);
        assert_eq!(opened.finish(version).len(), 1);
        opened.drop_unknown(&HashSet::from([version.inode + 1]));
        assert!(opened.has(version));
        opened.drop_unknown(&unknown);
        assert!(opened.0.is_empty());
    }

    #[test]
    fn another_version_is_told_again_and_loses_no_reply() {
        for (old, new) in [
            (version(0, 10), version(1, 10)),
            (version(1, 10), version(1, 11)),
        ] {
            let mut opened = OpenedVersions::default();
            assert!(matches!(opened.join(old, reply()), Joined::FirstOpen));
            let other = opened.join(new, reply());
            assert!(matches!(other, Joined::OtherVersion));
            assert_eq!(opened.finish(old).len(), 0);
            assert_eq!(opened.finish(new).len(), 2);
        }
    }
}
