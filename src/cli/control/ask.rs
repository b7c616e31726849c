//! The client's end of the control socket.

use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::server::{next_line, write_line};
use super::{ControlResponse, MessageChange, Request, RequestOutcome, folder};
use crate::cli::failure::Failure;
use crate::fs::mount::{DeviceNumber, FindError, FoundMount, find};
use crate::maildrop::Progress;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No pop3fs is mounted there: mostly the caller's fault.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The mount of another user.
    #[error("{} was mounted by user id {owner}: only they and root can do that", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    /// The daemon was killed or crashed, and its mount is left.
    #[error("the pop3fs that served {path} is gone: clear the mount with `umount -l {path}` (not root: `fusermount3 -uz {path}`)", path = path.display())]
    Gone { path: PathBuf },
    /// The daemon ended between request and answer.
    #[error("the pop3fs that served {} ended without an answer: what it deleted shows at the next mount", path.display())]
    Unanswered { path: PathBuf },
    /// The answer is not readable: mostly, client and daemon are of two versions.
    #[error("the answer is not readable ({0}): the pop3fs that mounted is of another version")]
    Garbled(serde_json::Error),
}

impl From<&ControlError> for Failure {
    fn from(error: &ControlError) -> Failure {
        match error {
            ControlError::Find(_) | ControlError::Gone { .. } => Failure::NotMounted,
            ControlError::Foreign { .. } => Failure::Usage,
            ControlError::Unanswered { .. } => Failure::Uncommitted,
            ControlError::Garbled(_) => Failure::Other,
        }
    }
}

/// Asks the daemon behind the mount at `dir`, and waits for its answer: a commit takes as long as
/// the server does.
pub(in crate::cli) fn ask(dir: &Path, request: &Request) -> Result<ControlResponse, ControlError> {
    ask_for_long(dir, request, &mut |_| ())
}

/// As [`ask`], for a request that reports progress to `going`.
pub(in crate::cli) fn ask_for_long(
    dir: &Path,
    request: &Request,
    going: &mut dyn FnMut(Progress),
) -> Result<ControlResponse, ControlError> {
    let mut progress = |response: ControlResponse| {
        response.progress.into_iter().for_each(&mut *going);
        ControlFlow::Continue(())
    };
    ask_in_parts(dir, request, &mut progress)
}

/// Watches the mount at `dir` until it ends, or `told` breaks.
pub(in crate::cli) fn ask_to_watch(
    dir: &Path,
    told: &mut dyn FnMut(MessageChange) -> ControlFlow<()>,
) -> Result<ControlResponse, ControlError> {
    let mut parts = |response: ControlResponse| match response.change {
        Some(change) => told(change),
        None => ControlFlow::Continue(()),
    };
    match ask_in_parts(dir, &Request::Watch, &mut parts) {
        // The daemon need not find the time to say good-bye.
        Err(ControlError::Unanswered { .. }) if find(dir).is_err() => {
            Ok(ControlResponse::done("the mount has ended"))
        }
        answered => answered,
    }
}

/// Asks, and hands on each response that precedes the answer, until `part` breaks.
fn ask_in_parts(
    dir: &Path,
    request: &Request,
    part: &mut dyn FnMut(ControlResponse) -> ControlFlow<()>,
) -> Result<ControlResponse, ControlError> {
    let mount = find(dir)?;
    check_owner(&mount)?;
    match ask_first(&sockets_of(&mount), &mount.path, request, part) {
        // The mount table shows a mount before its daemon listens. The daemon answers the kernel
        // after that, so metadata() waits until it listens.
        Err(ControlError::Gone { .. }) if mount.path.metadata().is_ok() => {
            ask_first(&sockets_of(&mount), &mount.path, request, part)
        }
        answered => answered,
    }
}

fn check_owner(mount: &FoundMount) -> Result<(), ControlError> {
    let us = geteuid();
    if us.is_root() || us.as_raw() == mount.owner {
        return Ok(());
    }
    Err(ControlError::Foreign {
        path: mount.path.clone(),
        owner: mount.owner,
    })
}

/// All sockets that may be the daemon's: its environment may name another folder than ours.
fn sockets_of(mount: &FoundMount) -> Vec<PathBuf> {
    let us = geteuid().as_raw();
    let mut sockets = sockets_in(&folder::own(), us, mount.device);
    if us != mount.owner {
        sockets.extend(sockets_in(
            &folder::of(mount.owner),
            mount.owner,
            mount.device,
        ));
    }
    sockets
}

fn sockets_in(folders: &[PathBuf], uid: u32, device: DeviceNumber) -> Vec<PathBuf> {
    folders
        .iter()
        .flat_map(|folder| folder::sockets(folder, uid, device))
        .collect()
}

/// Asks the first socket that accepts a connection. Daemons that were killed leave sockets that
/// accept none.
fn ask_first(
    sockets: &[PathBuf],
    path: &Path,
    request: &Request,
    part: &mut dyn FnMut(ControlResponse) -> ControlFlow<()>,
) -> Result<ControlResponse, ControlError> {
    let connected = sockets
        .iter()
        .find_map(|socket| UnixStream::connect(socket).ok());
    let client = connected.ok_or_else(|| ControlError::Gone {
        path: path.to_owned(),
    })?;
    let unanswered = |error: io::Error| {
        log::debug!("no answer: {error}");
        ControlError::Unanswered {
            path: path.to_owned(),
        }
    };
    let mut answers = put(client, request).map_err(unanswered)?;
    loop {
        let line = next_line(&mut answers).map_err(unanswered)?;
        let response: ControlResponse =
            serde_json::from_slice(&line).map_err(ControlError::Garbled)?;
        if response.outcome != RequestOutcome::Going {
            return Ok(response);
        }
        if part(response).is_break() {
            return Ok(ControlResponse::done("enough"));
        }
    }
}

fn put(mut client: UnixStream, request: &Request) -> io::Result<BufReader<UnixStream>> {
    write_line(&mut client, request)?;
    Ok(BufReader::new(client))
}

#[cfg(test)]
mod tests {
    use super::super::server::{Handler, MOST_CLIENTS, read_line};
    use super::super::{ControlReply, MountStatus, Server};
    use super::*;
    use crate::maildrop::{Consent, Depth, Farewell};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    const DEVICE: DeviceNumber = DeviceNumber {
        major: 0,
        minor: 52,
    };

    const UMOUNT: Request = Request::Umount {
        farewell: Farewell::Commit(Consent::Unsaid),
    };
    const COMMIT: Request = Request::Commit {
        consent: Consent::Unsaid,
    };

    fn ask_in(folder: &Path, request: &Request) -> Result<ControlResponse, ControlError> {
        let sockets = sockets_in(&[folder.to_owned()], geteuid().as_raw(), DEVICE);
        ask_first(&sockets, Path::new("/mnt"), request, &mut |_| {
            ControlFlow::Continue(())
        })
    }

    /// A handler that leaves each request with the receiver of the channel.
    fn leave() -> (Handler, Receiver<(Request, ControlReply)>) {
        let (left, taken) = channel();
        let handler: Handler = Arc::new(move |request, reply| {
            left.send((request, reply)).unwrap();
        });
        (handler, taken)
    }

    fn private_folder() -> tempfile::TempDir {
        let mode = std::fs::Permissions::from_mode(0o700);
        tempfile::Builder::new()
            .permissions(mode)
            .tempdir()
            .unwrap()
    }

    #[test]
    fn a_request_reaches_the_handler_and_its_answer_the_client() {
        let dir = private_folder();
        let handler: Handler = Arc::new(|request, reply| match request {
            Request::Status => reply.send(&ControlResponse::status(MountStatus {
                messages: 3,
                pending: vec!["a\nb.eml".to_owned()],
                ..MountStatus::default()
            })),
            Request::Restore { names } => {
                reply.send(&ControlResponse::failed(Failure::Usage, names.join(" ")));
            }
            other => panic!("{other:?}"),
        });
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        let status = ask_in(dir.path(), &Request::Status)
            .unwrap()
            .status
            .unwrap();
        assert_eq!(
            (status.messages, status.pending),
            (3, vec!["a\nb.eml".to_owned()])
        );
        let names = vec!["x".to_owned(), "y".to_owned()];
        let response = ask_in(dir.path(), &Request::Restore { names }).unwrap();
        assert_eq!(response, ControlResponse::failed(Failure::Usage, "x y"));
    }

    #[test]
    fn an_answer_may_come_later_while_others_are_served() {
        let dir = private_folder();
        let (handler, taken) = leave();
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        std::thread::scope(|scope| {
            let commit = scope.spawn(|| ask_in(dir.path(), &COMMIT).unwrap());
            let (request, owed) = taken.recv().unwrap();
            assert_eq!(request, COMMIT);
            let status = scope.spawn(|| ask_in(dir.path(), &Request::Status).unwrap());
            taken
                .recv()
                .unwrap()
                .1
                .send(&ControlResponse::done("status"));
            assert_eq!(status.join().unwrap(), ControlResponse::done("status"));
            owed.send(&ControlResponse::done("3 messages deleted"));
            assert_eq!(
                commit.join().unwrap(),
                ControlResponse::done("3 messages deleted")
            );
        });
    }

    #[test]
    fn progress_is_reported_until_the_answer() {
        let dir = private_folder();
        let far = |messages| Progress {
            messages,
            ..Progress::default()
        };
        let handler: Handler = Arc::new(move |_, mut reply: ControlReply| {
            for messages in 1..=3 {
                reply.going(&ControlResponse::going(far(messages))).unwrap();
            }
            reply.send(&ControlResponse::done("all"));
        });
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        let sockets = sockets_in(&[dir.path().to_owned()], geteuid().as_raw(), DEVICE);
        let mut told = Vec::new();
        let mut going = |response: ControlResponse| {
            told.extend(response.progress);
            ControlFlow::Continue(())
        };
        let request = Request::Fetch { depth: Depth::Body };
        let response = ask_first(&sockets, Path::new("/mnt"), &request, &mut going).unwrap();
        assert_eq!(response, ControlResponse::done("all"));
        assert_eq!(told, [far(1), far(2), far(3)]);
    }

    #[test]
    fn an_answer_may_be_longer_than_a_request() {
        let dir = private_folder();
        let line = "1234567.eml is back".to_owned();
        let mut answer = ControlResponse::done(line.clone());
        answer.lines = vec![line; 9 * 1024 * 1024 / 20];
        let sent = answer.clone();
        let handler: Handler = Arc::new(move |_, reply| reply.send(&sent));
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        assert!(ask_in(dir.path(), &COMMIT).unwrap() == answer);
    }

    #[test]
    fn a_silent_client_keeps_nobody_waiting() {
        let dir = private_folder();
        let handler: Handler = Arc::new(|_, reply| reply.send(&ControlResponse::done("here")));
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        let socket = dir
            .path()
            .join(folder::socket_name(DEVICE, std::process::id()));
        let mut silent = UnixStream::connect(socket).unwrap();
        silent.write_all(b"\"sta").unwrap();
        assert_eq!(
            ask_in(dir.path(), &UMOUNT).unwrap(),
            ControlResponse::done("here")
        );
    }

    #[test]
    fn more_clients_than_threads_are_all_answered() {
        const CLIENTS: usize = 100;
        let dir = private_folder();
        let (inside, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let handler: Handler = Arc::new(move |_, reply| {
            seen.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(20));
            inside.fetch_sub(1, Ordering::SeqCst);
            reply.send(&ControlResponse::done("here"));
        });
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| ask_in(dir.path(), &COMMIT).unwrap()))
                .collect();
            for answer in asked {
                assert_eq!(answer.join().unwrap(), ControlResponse::done("here"));
            }
        });
        assert!(most.load(Ordering::SeqCst) <= MOST_CLIENTS);
    }

    #[test]
    fn a_dropped_reply_tells_the_client() {
        let dir = private_folder();
        let handler: Handler = Arc::new(|_, reply| drop(reply));
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        let response = ask_in(dir.path(), &COMMIT).unwrap();
        assert_eq!(response.outcome, RequestOutcome::Failed(Failure::Other));
    }

    #[test]
    fn an_unknown_request_is_answered_with_a_sentence() {
        let dir = private_folder();
        let (handler, _taken) = leave();
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        let socket = dir
            .path()
            .join(folder::socket_name(DEVICE, std::process::id()));
        let mut client = UnixStream::connect(socket).unwrap();
        client.write_all(b"\"fetch\"\n").unwrap();
        let response: ControlResponse =
            serde_json::from_slice(&read_line(&client).unwrap()).unwrap();
        assert_eq!(response.outcome, RequestOutcome::Failed(Failure::Other));
        assert!(response.lines[0].contains("version"));
    }

    #[test]
    fn a_dead_socket_is_skipped_and_a_closed_one_is_removed() {
        let dir = private_folder();
        let (handler, _taken) = leave();
        let serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        drop(serving);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
        let dead = dir.path().join(folder::socket_name(DEVICE, 1));
        drop(std::os::unix::net::UnixListener::bind(dead).unwrap());
        assert!(matches!(
            ask_in(dir.path(), &Request::Status),
            Err(ControlError::Gone { .. })
        ));
        let handler: Handler = Arc::new(|_, reply| reply.send(&ControlResponse::done("here")));
        let _serving = Server::listen_in(dir.path(), DEVICE)
            .unwrap()
            .serve(handler)
            .unwrap();
        assert_eq!(
            ask_in(dir.path(), &Request::Status).unwrap(),
            ControlResponse::done("here")
        );
    }

    #[test]
    fn a_daemon_that_ends_without_an_answer_is_no_success() {
        let dir = private_folder();
        let socket = dir.path().join(folder::socket_name(DEVICE, 1));
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask_in(dir.path(), &UMOUNT));
            drop(read_line(&listener.accept().unwrap().0).unwrap());
            assert!(matches!(
                asked.join().unwrap(),
                Err(ControlError::Unanswered { .. })
            ));
        });
    }

    #[test]
    fn asking_without_a_mount_is_an_error() {
        let dir = private_folder();
        let error = ask(dir.path(), &Request::Status).unwrap_err();
        let sentence = format!("nothing is mounted at {}: ", dir.path().display());
        assert!(error.to_string().starts_with(&sentence), "{error}");
    }

    #[test]
    fn an_answer_of_another_version_is_named_as_that() {
        let garbled = serde_json::from_str::<ControlResponse>("x").unwrap_err();
        let said = ControlError::Garbled(garbled).to_string();
        assert!(said.starts_with("the answer is not readable ("), "{said}");
        assert!(said.ends_with("): the pop3fs that mounted is of another version"));
    }
}
