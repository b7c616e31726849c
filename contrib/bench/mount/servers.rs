//! The servers that are asked.

mod dovecot;
mod synthetic;

use nix::unistd::{Uid, getgid, getuid};

pub(crate) use dovecot::Dovecot;
pub(crate) use synthetic::Synthetic;

/// Who logs in.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "secret";

/// The user and group id that mail belongs to, as chown(2) takes it: `nobody` under root, as whom
/// Dovecot serves nobody.
pub(crate) fn mail_owner() -> Option<u32> {
    const NOBODY: u32 = 65534;
    is_root().then_some(NOBODY)
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The user and group id that Dovecot serves as.
fn mail_ids() -> (u32, u32) {
    match mail_owner() {
        Some(id) => (id, id),
        None => (getuid().as_raw(), getgid().as_raw()),
    }
}
