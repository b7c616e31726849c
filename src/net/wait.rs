//! Waits for a socket and for a wake-up at the same time, with poll(2) and an eventfd.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::NetError;

/// A bell that another thread rings to end a [`wait`]. If it was rung before the wait, the wait
/// ends at once.
#[derive(Debug)]
pub struct WakeUp(EventFd);

impl WakeUp {
    /// A bell that nobody has rung.
    ///
    /// # Errors
    /// [`NetError::System`] if the process has no file descriptor left.
    pub fn new() -> Result<Self, NetError> {
        EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map(Self)
            .map_err(|errno| NetError::System {
                what: "an eventfd",
                source: errno.into(),
            })
    }

    /// Rings the bell. Never blocks.
    pub fn ring(&self) {
        // It fails only if the counter is full, and then the bell was rung.
        let _ = self.0.write(1);
    }

    /// Forgets all rings so far.
    fn silence(&self) {
        // It fails only if the bell was not rung.
        let _ = self.0.read();
    }
}

/// What a wait on the stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Octets from the server.
    Read,
    /// Octets from the server, or room for octets to it.
    ReadAndWrite,
}

/// Why a wait ended. Several reasons may hold at once, and none at the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// There are octets, an end or an error to read.
    pub readable: bool,
    /// The stream accepts octets.
    pub writable: bool,
    /// The bell was rung. It is silent again.
    pub woken: bool,
}

/// Waits for the stream if there is one, for the bell if there is one, and until the deadline if
/// there is one.
///
/// # Errors
/// [`NetError::System`] if poll(2) itself fails.
pub fn wait(
    stream: Option<(&dyn AsFd, Interest)>,
    wake_up: Option<&WakeUp>,
    deadline: Option<Instant>,
) -> Result<Ready, NetError> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(2);
    if let Some((stream, interest)) = stream {
        fds.push(PollFd::new(stream.as_fd(), interest.flags()));
    }
    if let Some(bell) = wake_up {
        fds.push(PollFd::new(bell.0.as_fd(), PollFlags::POLLIN));
    }
    poll_until(&mut fds, deadline)?;
    let mut events = fds
        .iter()
        .map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
    let mut ready = Ready::default();
    if stream.is_some() {
        let of_stream = events.next().unwrap_or(PollFlags::empty());
        ready.readable =
            of_stream.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR);
        ready.writable = of_stream.contains(PollFlags::POLLOUT);
    }
    ready.woken = events
        .next()
        .is_some_and(|of_bell| of_bell.contains(PollFlags::POLLIN));
    if let (true, Some(bell)) = (ready.woken, wake_up) {
        bell.silence();
    }
    Ok(ready)
}

/// Waits until the socket is ready for these events, or until the deadline.
pub(super) fn wait_for(
    socket: &impl AsFd,
    events: PollFlags,
    deadline: Instant,
) -> Result<(), NetError> {
    poll_until(&mut [PollFd::new(socket.as_fd(), events)], Some(deadline))
}

/// A signal ends the wait too; then nothing is ready.
pub(super) fn poll_until(
    fds: &mut [PollFd<'_>],
    deadline: Option<Instant>,
) -> Result<(), NetError> {
    match poll(fds, timeout(deadline)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(NetError::System {
            what: "to poll",
            source: errno.into(),
        }),
    }
}

impl Interest {
    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::POLLIN,
            Self::ReadAndWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
        }
    }
}

/// The time left in milliseconds, rounded up: otherwise a wait would end a fraction of a
/// millisecond early, and its caller would spin.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds.min(i32::MAX as u128)).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bell_rung_before_the_wait_ends_it_once() {
        let bell = WakeUp::new().unwrap();
        bell.ring();
        bell.ring();
        assert!(wait(None, Some(&bell), None).unwrap().woken);
        let deadline = Instant::now() + Duration::from_millis(1);
        let ready = wait(None, Some(&bell), Some(deadline)).unwrap();
        assert_eq!(ready, Ready::default());
    }
}
