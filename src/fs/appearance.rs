//! The options that decide how the mount looks to its users.

use crate::fs::mount::Access;
use crate::fs::views::ViewId;
use crate::store::Eol;

/// How the messages are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appearance {
    /// Whether messages can be removed.
    pub access: Access,
    /// The view that the root shows; none shows the messages as they are.
    pub root: Option<ViewId>,
    /// How lines end in the root, and in each view that shows messages as they are.
    pub eol: Eol,
    /// Whether messages have extended attributes.
    pub xattrs: Xattrs,
}

/// Whether messages have extended attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xattrs {
    /// They have none. The kernel learns this once and never asks again; `ls -l` would ask twice
    /// for each file.
    Hidden,
    /// They have some.
    Shown,
}

/// Who owns every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOwner {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}
