//! A mount without the kernel: the engine, its caches and the operations that FUSE calls.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use pop3fs::fs::{
    Access, Appearance, Attributes, DELETED, Eol, Error, FileKind, Filesystem, KernelReply,
    OpenedDirectory, OpenedFile, ROOT, Xattrs,
};
use pop3fs::maildrop::{
    Consent, Credential, Dating, Farewell, Fault, Login, LoginPatience, Maildrop, Mechanism,
    Method, OfflineMode, OpenError, Secret, Security, Settings, Verdict, Waiter,
};
use pop3fs::net::{Endpoint, Route};
use pop3fs::store::{CacheFolder, Disk, Index};

use super::kernel::Kernel;
use super::mail;
use super::operations::{Damage, Setting};
use super::server::{PASSWORD, USER};

/// Limit for any reply; all silences of the server together are shorter.
const ANSWERED: Duration = Duration::from_secs(90);
/// Start of the names of the index files.
const INDEX: &str = "index.sqlite";
/// Directory entries per readdir call.
const PAGE: usize = 3;

pub(crate) struct Mounted {
    pub(crate) maildrop: Arc<Maildrop>,
    pub(crate) filesystem: Filesystem,
    pub(crate) kernel: Arc<Mutex<Kernel>>,
}

/// Settings of a mount.
#[derive(Clone)]
pub(crate) struct Mounting {
    pub(crate) setting: Setting,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
}

/// An operation that got no reply within [`ANSWERED`].
#[derive(Debug)]
pub(crate) struct Unanswered;

impl Mounting {
    /// Mounts with the cache in `base`, which an earlier mount may have written.
    pub(crate) fn mount(&self, base: &Path) -> Result<Mounted, OpenError> {
        let folder = CacheFolder::open(base, USER).expect("a folder for the cache");
        let index = Index::open(&folder).expect("an index");
        let disk = match self.setting.disk {
            Some(limit) => Disk::open(&folder, limit).expect("a folder for bodies"),
            None => Disk::off(),
        };
        let maildrop = Arc::new(Maildrop::open(self.settings(), index, disk)?);
        let appearance = Appearance {
            access: Access::ReadWrite,
            root: None,
            eol: Eol::Crlf,
            xattrs: Xattrs::Hidden,
        };
        let filesystem = Filesystem::new(Arc::clone(&maildrop), appearance).expect("its threads");
        let kernel: Arc<Mutex<Kernel>> = Arc::default();
        let told = Arc::clone(&kernel);
        maildrop.on_change(move |change| told.lock().hear(&change));
        Ok(Mounted {
            maildrop,
            filesystem,
            kernel,
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            login: Login {
                route: Route::direct(Endpoint {
                    host: "127.0.0.1".to_owned(),
                    port: self.port,
                }),
                security: Security::Clear,
                user: USER.to_owned(),
                credential: Credential::lasting(Secret::new(PASSWORD.as_bytes().to_vec().into())),
                mechanism: Mechanism::Only(Method::UserPass),
                timeout: self.timeout,
            },
            idle_timeout: self.setting.idle_timeout,
            keepalive: None,
            // Opening the directory always renews the listing.
            refresh: Duration::ZERO,
            pipeline: self.setting.pipeline,
            memory: self.setting.memory,
            max_message: 1 << 30,
            max_delete: None,
            at_login_delay: |_| LoginPatience::Fail,
            offline: OfflineMode::Off,
            dating: Dating::Headers(mail::arrived),
            titling: pop3fs::message::title,
            outlining: None,
        }
    }
}

/// A reply that comes later.
pub(crate) struct Pending<T>(mpsc::Receiver<T>);

impl<T> Pending<T> {
    pub(crate) fn wait(self) -> Result<T, Unanswered> {
        self.0.recv_timeout(ANSWERED).map_err(|_| Unanswered)
    }
}

impl Mounted {
    pub(crate) fn attributes(&self, inode: u64) -> Pending<Result<Attributes, Error>> {
        asked(|answer| self.filesystem.getattr(inode, answer))
    }

    pub(crate) fn lookup_name(&self, name: &str) -> Pending<Result<Attributes, Error>> {
        asked(|answer| self.filesystem.lookup(ROOT, name, answer))
    }

    pub(crate) fn unlink(&self, name: &str) -> Pending<Result<(), Error>> {
        asked(|answer| self.filesystem.remove(ROOT, name, FileKind::File, answer))
    }

    pub(crate) fn open(&self, inode: u64) -> Pending<Result<OpenedFile, Error>> {
        asked(|answer| self.filesystem.open(inode, libc::O_RDONLY, answer))
    }

    pub(crate) fn open_directory(&self) -> Pending<Result<OpenedDirectory, Error>> {
        asked(|answer| self.filesystem.opendir(ROOT, answer))
    }

    pub(crate) fn commit(&self) -> Pending<Result<Verdict, Fault>> {
        let (tell, told) = mpsc::channel();
        let waiter = Waiter::new(|| true, move |verdict| drop(tell.send(verdict)));
        self.maildrop.commit(Consent::Given, waiter);
        Pending(told)
    }

    /// The entries of a directory in its order, without `.` and `..`.
    pub(crate) fn entries(&self, directory: u64) -> Vec<(String, Attributes)> {
        let mut entries = Vec::new();
        let mut cookie = 0;
        loop {
            let (before, begin) = (entries.len(), cookie);
            let add = |entry: &pop3fs::fs::DirectoryEntry<'_>| {
                if entries.len() - before == PAGE {
                    return ControlFlow::Break(());
                }
                entries.push((entry.name.to_owned(), entry.attributes));
                cookie = entry.cookie;
                ControlFlow::Continue(())
            };
            self.filesystem
                .readdir(directory, 0, begin, add)
                .expect("a directory");
            if entries.len() == before {
                entries.retain(|(name, _)| !matches!(name.as_str(), "." | ".."));
                return entries;
            }
        }
    }

    pub(crate) fn restore(&self, name: &str) -> Result<(), Error> {
        self.filesystem.rename(DELETED, name, ROOT, name, 0)
    }

    pub(crate) fn end(&self, farewell: Farewell) -> Result<Verdict, Fault> {
        self.maildrop.close(farewell)
    }

    /// Reads from a file that is open.
    pub(crate) fn octets(
        &self,
        handle: u64,
        offset: u64,
        length: u32,
    ) -> Pending<Result<Vec<u8>, Error>> {
        asked(|answer| {
            let range = match self.filesystem.read(handle, offset, length, 0) {
                Ok(range) => range,
                Err(error) => return answer.send(Err(error)),
            };
            match range.octets(&mut Vec::new()).map(<[u8]>::to_vec) {
                Ok(octets) => answer.send(Ok(octets)),
                Err(error) => self.filesystem.read_again(range, &error, answer),
            }
        })
    }
}

impl Drop for Mounted {
    /// Ends a mount whose sequence failed.
    fn drop(&mut self) {
        let _ended_already = self.maildrop.close(Farewell::Discard);
    }
}

fn asked<T: Send + 'static>(ask: impl FnOnce(KernelReply<T>)) -> Pending<Result<T, Error>> {
    let (tell, told) = mpsc::channel();
    // Without a calling process no signal can be pending.
    ask(KernelReply::new(0, move |result| drop(tell.send(result))));
    Pending(told)
}

/// What remains of a cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Everything written so far, as a killed process leaves it.
    All,
    /// Everything except the index.
    BodiesAlone,
}

pub(crate) fn copy_cache(from: &Path, to: &Path, left: Left) {
    for path in files_below(from) {
        if left == Left::BodiesAlone && path.to_string_lossy().contains(INDEX) {
            continue;
        }
        let target = to.join(path.strip_prefix(from).expect("a path below"));
        let folder = target.parent().expect("a folder");
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .expect("a folder");
        match fs::copy(&path, &target) {
            Ok(_) => {}
            // The writer may have removed the file by now.
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
}

/// Damages all files of bodies below `base`.
pub(crate) fn damage(base: &Path, damage: Damage) {
    for path in files_of_bodies(base) {
        match File::options().read(true).write(true).open(&path) {
            Ok(file) => damage_file(&path, &file, damage).expect("a damaged file"),
            // The writer may have removed the file by now.
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
}

fn damage_file(path: &Path, file: &File, damage: Damage) -> io::Result<()> {
    let length = file.metadata()?.len();
    match damage {
        Damage::Removed => fs::remove_file(path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }),
        Damage::Truncated => file.set_len(length / 2),
        Damage::Altered(_) if length == 0 => Ok(()),
        Damage::Altered(at) => {
            let (mut octet, at) = ([0], u64::from(at) % length);
            file.read_exact_at(&mut octet, at)?;
            file.write_all_at(&[octet[0] ^ 1], at)
        }
    }
}

fn files_of_bodies(base: &Path) -> Vec<PathBuf> {
    let is_of_bodies = |path: &PathBuf| {
        path.parent()
            .is_some_and(|folder| folder.ends_with("bodies"))
    };
    files_below(base).into_iter().filter(is_of_bodies).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
