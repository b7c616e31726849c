//! Running `fusermount3`, a setuid program that mounts and unmounts for users who are not root.
//!
//! It opens /dev/fuse, mounts, and sends the descriptor as SCM_RIGHTS over the socket whose number
//! is in `_FUSE_COMMFD`.

use std::ffi::OsString;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::error::{MountError, UnmountError};
use super::{Access, MountOptions, Unmount};

const PROGRAM: &str = "fusermount3";

/// Mounts at `path`, which is absolute, and returns the FUSE device.
pub(super) fn mount(path: &Path, options: &MountOptions) -> Result<OwnedFd, MountError> {
    let (ours, theirs) = UnixStream::pair().map_err(MountError::Handshake)?;
    let mut command = fusermount();
    command
        .arg("-o")
        .arg(option_words(options))
        .arg("--")
        .arg(path)
        .env("_FUSE_COMMFD", theirs.as_raw_fd().to_string());
    // Newer versions do not accept stdin for this, so the child inherits the descriptor under its
    // own number.
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))
        .map_err(|errno| MountError::Handshake(errno.into()))?;
    let child = command.spawn().map_err(mount_not_run)?;
    // As long as this process had this end open, too, a fusermount3 that fails would leave it
    // waiting.
    drop(theirs);
    let received = receive_device(&ours);
    let output = child.wait_with_output().map_err(MountError::Handshake)?;
    match received.map_err(MountError::Handshake)? {
        Some(device) => Ok(device),
        None => Err(MountError::Refused {
            said: said(&output),
        }),
    }
}

/// Unmounts the topmost mount at `path`.
pub(super) fn unmount(path: &Path, how: Unmount) -> Result<(), UnmountError> {
    let mut command = fusermount();
    command.arg("-u");
    if let Unmount::Detach = how {
        command.arg("-z");
    }
    let output = command
        .arg("--")
        .arg(path)
        .output()
        .map_err(UnmountError::Fusermount)?;
    if output.status.success() {
        return Ok(());
    }
    let said = said(&output);
    if said.contains("busy") {
        return Err(UnmountError::Busy {
            path: path.to_owned(),
        });
    }
    Err(UnmountError::Refused {
        path: path.to_owned(),
        said,
    })
}

fn fusermount() -> Command {
    let mut command = Command::new(PROGRAM);
    // Its messages are searched for "busy".
    command.env("LC_ALL", "C");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn option_words(options: &MountOptions) -> OsString {
    let mut words = String::from("nosuid,nodev,subtype=pop3fs,fsname=");
    for character in options.fsname.chars() {
        if matches!(character, ',' | '\\') {
            words.push('\\');
        }
        words.push(character);
    }
    if let Access::ReadOnly = options.access {
        words.push_str(",ro");
    }
    words.push_str(options.visibility.options());
    words.into()
}

/// `None` if the other side closed the socket without sending a descriptor.
fn receive_device(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut octet = [0u8];
    let mut buffers = [IoSliceMut::new(&mut octet)];
    let mut control = nix::cmsg_space!(RawFd);
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags) {
            Err(nix::errno::Errno::EINTR) => {}
            other => break other?,
        }
    };
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = part {
            return Ok(descriptors.first().map(|&device| owned(device)));
        }
    }
    Ok(None)
}

fn owned(descriptor: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    #[allow(unsafe_code)]
    unsafe {
        OwnedFd::from_raw_fd(descriptor)
    }
}

fn mount_not_run(error: io::Error) -> MountError {
    match error.kind() {
        io::ErrorKind::NotFound => MountError::NoFusermount,
        _ => MountError::Handshake(error),
    }
}

/// What it printed, on one line and without its name in front.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches("fusermount3: ").trim())
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return format!("{PROGRAM} ended with {}", output.status);
    }
    lines.join("; ").replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::mount::Visibility;

    fn options(fsname: &str) -> MountOptions {
        MountOptions {
            fsname: fsname.to_owned(),
            access: Access::ReadWrite,
            visibility: Visibility::Owner,
        }
    }

    #[test]
    fn a_comma_in_the_source_does_not_end_the_option() {
        assert_eq!(
            option_words(&options("pops://a,b\\c@h")),
            "nosuid,nodev,subtype=pop3fs,fsname=pops://a\\,b\\\\c@h"
        );
    }

    #[test]
    fn the_kernel_checks_permissions_in_a_mount_for_everyone() {
        let words = option_words(&MountOptions {
            access: Access::ReadOnly,
            visibility: Visibility::Everyone,
            ..options("x")
        });
        assert_eq!(
            words,
            "nosuid,nodev,subtype=pop3fs,fsname=x,ro,allow_other,default_permissions"
        );
    }

    #[test]
    fn a_closed_socket_is_no_descriptor() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(receive_device(&ours).unwrap().is_none());
    }
}
