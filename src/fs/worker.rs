//! Threads for what neither the requests nor the connection wait for: to make views, to correct sizes, to tell of changes.

use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

type Work = Box<dyn FnOnce() + Send>;

/// Where work is left.
#[derive(Clone)]
pub(in crate::fs) struct Workshop(Sender<Work>);

impl Workshop {
    /// Starts a thread of that name, which ends with the last of those who may leave work.
    pub(in crate::fs) fn open(name: &str) -> io::Result<Workshop> {
        let (left, taken) = channel::<Work>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for work in taken {
                    work();
                }
            })?;
        Ok(Workshop(left))
    }

    /// Leaves work, which is done in its turn.
    pub(in crate::fs) fn leave(&self, work: impl FnOnce() + Send + 'static) {
        let _the_thread_outlives_us = self.0.send(Box::new(work));
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Workshop")
    }
}
