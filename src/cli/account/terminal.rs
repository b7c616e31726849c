//! Asking for the password on the terminal, without echo. Ctrl-C and Ctrl-D leave the terminal as
//! it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// What the user did at the prompt.
pub(super) enum TypedAnswer {
    /// Typed a line; its line end is removed.
    Line(Zeroizing<Vec<u8>>),
    /// Pressed Ctrl-D, or only Enter.
    Nothing,
    /// Pressed Ctrl-C.
    Interrupted,
}

/// The controlling terminal. None where there is none.
pub(super) fn open() -> Option<File> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
    opened.ok()
}

/// Shows the prompt and reads a line of at most `longest` octets.
pub(super) fn ask(terminal: &mut File, prompt: &str, longest: usize) -> io::Result<TypedAnswer> {
    let interrupts = Interrupts::block()?;
    let silent = Silent::new(terminal.try_clone()?)?;
    terminal.write_all(prompt.as_bytes())?;
    let answer = read_line(terminal, &interrupts, longest);
    drop(silent);
    // The user's Enter was not echoed, and Ctrl-C and Ctrl-D leave the cursor behind the prompt.
    terminal.write_all(b"\n")?;
    answer
}

fn read_line(
    terminal: &mut File,
    interrupts: &Interrupts,
    longest: usize,
) -> io::Result<TypedAnswer> {
    // A vector that grows would leave copies of the password in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(longest + 1));
    let mut octet = Zeroizing::new([0u8]);
    loop {
        if interrupts.is_before(terminal)? {
            return Ok(TypedAnswer::Interrupted);
        }
        match terminal.read(octet.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) if octet[0] == b'\n' => break,
            Ok(_) if line.len() > longest => {}
            Ok(_) => line.push(octet[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(match line.is_empty() {
        true => TypedAnswer::Nothing,
        false => TypedAnswer::Line(line),
    })
}

/// Keeps Ctrl-C from ending the process while the terminal does not echo.
struct Interrupts {
    arrivals: SignalFd,
    /// The signals that were blocked before.
    before: SigSet,
}

impl Interrupts {
    fn block() -> Result<Self, Errno> {
        let before = SigSet::thread_get_mask()?;
        let interrupt = SigSet::from_iter([Signal::SIGINT]);
        interrupt.thread_block()?;
        let arrivals = SignalFd::with_flags(&interrupt, SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { arrivals, before })
    }

    /// Waits for input or Ctrl-C, and returns whether it is Ctrl-C.
    fn is_before(&self, terminal: &File) -> io::Result<bool> {
        let mut polled = [
            PollFd::new(self.arrivals.as_fd(), PollFlags::POLLIN),
            PollFd::new(terminal.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return self.is_before(terminal),
            Err(errno) => return Err(errno.into()),
        }
        let is_interrupted = polled[0].any() == Some(true);
        if is_interrupted {
            // Takes the signal, which would end the process when it is no longer blocked.
            self.arrivals.read_signal()?;
        }
        Ok(is_interrupted)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // A mask that was valid before is valid again.
        let _ = self.before.thread_set_mask();
    }
}

/// A terminal without echo. Dropping this restores it.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn new(terminal: File) -> Result<Self, Errno> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        tcsetattr(&terminal, SetArg::TCSANOW, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        if let Err(errno) = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before) {
            eprintln!("pop3fs: cannot restore the terminal ({errno}): `stty echo` does");
        }
    }
}
