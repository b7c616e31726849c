//! A mount without the kernel: the maildrop, its index, and the bodies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddrV4;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use pop3fs::maildrop::{
    Consent, Credential, Dating, Farewell, Fault, Login, LoginPatience, Maildrop, Mechanism,
    Method, OfflineMode, OpenError, Pipeline, Remover, Secret, Security, Settings, Standing,
    Verdict, Waiter,
};
use pop3fs::message::{self, DatePreference};
use pop3fs::net::{Endpoint, Route};
use pop3fs::store::{Body, CacheFolder, Disk, Index};

use super::provider::{Number, Provider, uidl};
use super::steps::Absence;
use crate::common::{Liar, eventually};

/// How long the server may be silent. A commit tries as long to reach it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for any answer.
const ANSWERED: Duration = Duration::from_secs(90);
const DISK: u64 = 1 << 20;

pub(super) struct Mounted {
    maildrop: Maildrop,
}

/// A message as the directory shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) inode: u64,
    pub(super) octets: u64,
}

impl Mounted {
    /// Mounts with the cache in `base`, which an earlier mount may have written.
    pub(super) fn mount(base: &Path, server: SocketAddrV4) -> Result<Self, OpenError> {
        let folder = CacheFolder::open(base, Liar::USER).expect("a folder for the cache");
        let index = Index::open(&folder).expect("an index");
        let disk = Disk::open(&folder, DISK).expect("a folder for bodies");
        let maildrop = Maildrop::open(settings(server), index, disk)?;
        Ok(Self { maildrop })
    }

    /// Since when it knows that its server is away.
    pub(super) fn offline_since(&self) -> Option<SystemTime> {
        self.maildrop.offline_since()
    }

    /// Whether it fetches, lists or commits anything, for a reader or ahead of one.
    pub(super) fn is_fetching(&self) -> bool {
        self.maildrop.has_work()
    }

    /// The messages in the directory.
    pub(super) fn listed(&self) -> BTreeMap<Number, Shown> {
        let mut listed = BTreeMap::new();
        self.maildrop.visit_after(0, Standing::Listed, |message| {
            let shown = Shown {
                inode: message.inode,
                octets: message.size(),
            };
            listed.insert(number(&message.name()), shown);
            ControlFlow::Continue(())
        });
        listed
    }

    /// The pending removals.
    pub(super) fn pending(&self) -> Vec<Number> {
        numbers(&self.maildrop.pending())
    }

    /// The pending removals that the next mount will know of, however this one ends.
    pub(super) fn remembered(&self) -> Vec<Number> {
        numbers(&self.maildrop.remembered())
    }

    /// Lists the directory as a program does: a listing may be fetched before.
    pub(super) fn look(&self) {
        let (answer, answered) = mpsc::channel();
        let waiter = Waiter::new(|| true, move |result| drop(answer.send(result)));
        self.maildrop.want_fresh_listing(ANSWERED, waiter);
        let _listed_or_away = answered.recv_timeout(ANSWERED).expect("an answer");
    }

    pub(super) fn read(&self, number: Number) -> Result<Vec<u8>, Fault> {
        let id = self.id(number, Standing::Listed);
        let body = match self.maildrop.load_body(id) {
            Some(body) => body,
            None => {
                let (answer, answered) = mpsc::channel();
                let waiter = Waiter::new(|| true, move |result| drop(answer.send(result)));
                self.maildrop.want_body(id, waiter);
                answered.recv_timeout(ANSWERED).expect("an answer")?
            }
        };
        Ok(octets(&body))
    }

    pub(super) fn remove(&self, number: Number) {
        let id = self.id(number, Standing::Listed);
        let removed = self.maildrop.unlink(id, Remover::HasNot);
        removed.expect("a removal");
    }

    pub(super) fn restore(&self, number: Number) {
        let id = self.id(number, Standing::Unlinked);
        self.maildrop.restore(id).expect("a removal to take back");
    }

    pub(super) fn commit(&self) -> Result<Verdict, Fault> {
        let (answer, answered) = mpsc::channel();
        let waiter = Waiter::new(|| true, move |verdict| drop(answer.send(verdict)));
        self.maildrop.commit(Consent::Given, waiter);
        answered.recv_timeout(ANSWERED).expect("an answer")
    }

    pub(super) fn end(self, farewell: Farewell) -> Result<Verdict, Fault> {
        self.maildrop.close(farewell)
    }

    fn id(&self, number: Number, standing: Standing) -> pop3fs::maildrop::MessageId {
        let name = format!("{}.eml", uidl(number));
        let id = self.maildrop.by_name(&name, standing);
        id.unwrap_or_else(|| panic!("{name} is not {standing:?}"))
    }
}

fn settings(server: SocketAddrV4) -> Settings {
    let password = Liar::PASSWORD.as_bytes().to_vec();
    Settings {
        login: Login {
            route: Route::direct(Endpoint {
                host: server.ip().to_string(),
                port: server.port(),
            }),
            security: Security::Clear,
            user: Liar::USER.to_owned(),
            credential: Credential::lasting(Secret::new(password.into())),
            mechanism: Mechanism::Only(Method::UserPass),
            timeout: TIMEOUT,
        },
        idle_timeout: Duration::from_secs(600),
        keepalive: None,
        // Each look at the directory renews the listing.
        refresh: Duration::ZERO,
        pipeline: Pipeline::default(),
        memory: 1 << 20,
        max_message: 1 << 30,
        max_delete: None,
        at_login_delay: |_| LoginPatience::Fail,
        offline: OfflineMode::Auto,
        dating: Dating::Headers(|headers| message::arrival(headers, DatePreference::Received)),
        titling: message::title,
        outlining: None,
    }
}

fn number(name: &str) -> Number {
    let digits = name
        .strip_prefix('m')
        .and_then(|name| name.strip_suffix(".eml"));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("the name {name}"))
}

fn numbers(names: &[String]) -> Vec<Number> {
    names.iter().map(|name| number(name)).collect()
}

fn octets(body: &Body) -> Vec<u8> {
    body.whole().expect("a body").into_owned()
}

/// Copies a cache as a killed process leaves it, at a moment when nothing is being written.
pub(super) fn copy_cache(from: &Path, to: &Path) {
    eventually("a moment without a write", || {
        let before = stamps(from);
        copy(from, to);
        let is_calm = before
            .iter()
            .all(|(name, _, octets)| !name.ends_with("-journal") || *octets == 0);
        (is_calm && stamps(from) == before).then_some(())
    });
}

/// The files below a folder with their times and sizes.
fn stamps(folder: &Path) -> Vec<(String, SystemTime, u64)> {
    let mut stamps = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => stamps.extend(self::stamps(&path)),
            Ok(metadata) => {
                let time = metadata.modified().expect("a time");
                stamps.push((path.display().to_string(), time, metadata.len()));
            }
            // It has gone meanwhile.
            Err(_) => {}
        }
    }
    stamps.sort();
    stamps
}

fn copy(from: &Path, to: &Path) {
    // What an earlier attempt has copied may have gone since.
    let _nothing_yet = fs::remove_dir_all(to);
    let arguments = ["cp", "-a", "--"].map(Path::new);
    crate::attempt(&[&arguments[..], &[from, to]].concat());
}

/// Programs that have files open may keep the process of a mount for a while.
#[test]
fn the_next_mount_need_not_wait_for_the_process_of_the_last() {
    let mut provider = Provider::start(3);
    let base = tempfile::tempdir().expect("a folder");
    let mounted = Mounted::mount(base.path(), provider.address()).expect("a mount");
    provider.go(Absence::Stopped);
    mounted.remove(2);
    let ended = mounted.maildrop.close(Farewell::Commit(Consent::Given));
    assert!(ended.is_err(), "{ended:?}");
    let next = Mounted::mount(base.path(), provider.address()).expect("a mount");
    assert_eq!(next.pending(), [2]);
}
