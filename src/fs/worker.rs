//! A thread that runs tasks one after the other, in the order in which they were submitted.

use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

type WorkerTask = Box<dyn FnOnce() + Send>;

/// A handle to the thread. The thread ends when the last handle is dropped and every task has run.
#[derive(Clone)]
pub(in crate::fs) struct Worker(Sender<WorkerTask>);

impl Worker {
    /// Starts a thread of that name.
    pub(in crate::fs) fn start(name: &str) -> io::Result<Self> {
        let (submitted, tasks) = channel::<WorkerTask>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for task in tasks {
                    task();
                }
            })?;
        Ok(Self(submitted))
    }

    /// Runs the task after all that were submitted before it.
    pub(in crate::fs) fn submit(&self, task: impl FnOnce() + Send + 'static) {
        // The thread lives as long as this handle, so that sending cannot fail.
        let _sent = self.0.send(Box::new(task));
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}
