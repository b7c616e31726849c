//! The session with the kernel, from the handshake to the end of the mount.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread;

use fuser::{Config, Session, SessionACL};

use crate::fs::appearance::FileOwner;
use crate::fs::fuse::adapter::Adapter;
use crate::fs::fuse::notify::KernelNotices;
use crate::fs::fuse::polling::{DevicePoller, Polling};
use crate::fs::operations::filesystem::Filesystem;
use crate::maildrop::Change;

/// Threads that take requests. None of them ever waits, and a second one makes a cold `grep -r` a
/// fifth slower.
const THREADS: usize = 1;

/// A mount that answers requests from [`KernelSession::start`] on.
pub struct KernelSession {
    session: Session<Adapter>,
    filesystem: Arc<Filesystem>,
    notices: KernelNotices,
}

impl std::fmt::Debug for KernelSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KernelSession")
    }
}

impl KernelSession {
    /// Shakes hands with the kernel over the device of a mount.
    ///
    /// # Errors
    /// When the handshake fails, or the system gives no thread.
    pub fn begin(
        filesystem: Arc<Filesystem>,
        owner: FileOwner,
        device: OwnedFd,
        polling: Polling,
    ) -> io::Result<Self> {
        let notices = KernelNotices::new()?;
        let polled = Arc::clone(&filesystem);
        let poller = DevicePoller::start(polling, device.try_clone()?, move || {
            polled.is_engine_idle()
        })?;
        let adapter = Adapter::new(Arc::clone(&filesystem), owner, notices.clone(), poller);
        let mut config = Config::default();
        config.n_threads = Some(THREADS);
        // The kernel itself keeps other users out, unless the mount allows them.
        let session = Session::from_fd(adapter, device, SessionACL::All, config)?;
        notices.begin(session.notifier());
        Ok(Self {
            session,
            filesystem,
            notices,
        })
    }

    /// A function that passes the changes of the maildrop on to the kernel. `forgotten` is called
    /// after the maildrop has forgotten messages and the kernel knows of all changes before that.
    pub fn change_listener(&self, forgotten: fn()) -> impl Fn(Change) + Send + Sync + 'static {
        let (filesystem, notices) = (Arc::clone(&self.filesystem), self.notices.clone());
        move |change| {
            let forgets = matches!(change, Change::Forgotten { .. });
            notices.pass_on(change, &filesystem);
            if forgets {
                notices.submit(forgotten);
            }
        }
    }

    /// Answers requests from now on, in threads of its own, until the mount is gone. Then, or when
    /// the device fails, `ended` is called.
    ///
    /// # Errors
    /// When the system gives too few threads.
    pub fn start(self, ended: impl FnOnce(io::Result<()>) + Send + 'static) -> io::Result<()> {
        let (go, gone) = mpsc::channel();
        let spare = SpareThread::start()?;
        thread::Builder::new()
            .name("fuse".to_owned())
            .spawn(move || {
                if gone.recv().is_ok() {
                    ended(self.session.run());
                }
            })?;
        // fuser starts its thread in the place of the spare one, and does not tell when it cannot.
        spare.end();
        let _the_thread_waits_for_it = go.send(());
        Ok(())
    }
}

/// A thread that only shows that the system has one to give.
struct SpareThread {
    end: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl SpareThread {
    fn start() -> io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            let _its_time_is_over = ended.recv();
        })?;
        Ok(Self { end, thread })
    }

    fn end(self) {
        drop(self.end);
        let _it_cannot_panic = self.thread.join();
    }
}
