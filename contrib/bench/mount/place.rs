//! Where the bench works, and how it calls the programs that it measures.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::arguments::Arguments;
use crate::command::{self, Finished};
use crate::filesystems::{Pop3fs, ShownFolder};
use crate::maildrop::{Kind, Maildrop, NEEDLE};
use crate::servers::{Dovecot, mail_owner};
use crate::started::Folder;

/// The pop3fs that was built with the bench.
const BUILT: &str = env!("CARGO_BIN_EXE_pop3fs");

/// The folders and the arguments of a run.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) arguments: Arguments,
    results: PathBuf,
    maildrops: PathBuf,
    local_copy: OnceCell<PathBuf>,
    work: Folder,
    // Short, since the path of a socket has 108 octets at most.
    sockets: Folder,
    _maildrops_that_go: Option<Folder>,
}

/// What pop3fs finds of an earlier mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Nothing.
    Empty,
    /// What the mount before has left.
    Kept,
}

impl Place {
    /// Everything goes to `bench` in Cargo's target folder, and all but the maildrops and the
    /// results goes away again.
    pub(crate) fn create(arguments: Arguments) -> Result<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .context("Cargo's target folder")?;
        let results = target.join("bench");
        fs::create_dir_all(&results).context("create target/bench")?;
        // As the kernel's table of mounts shows it.
        let results = results.canonicalize()?;
        let temporary = std::env::temp_dir();
        let that_go = match is_open_to_mail_owner(&results)? {
            true => None,
            false => Some(Folder::create(&temporary)?),
        };
        if let Some(folder) = &that_go {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self {
            arguments,
            maildrops: match &that_go {
                Some(folder) => folder.path().to_owned(),
                None => results.join("maildrops"),
            },
            local_copy: OnceCell::new(),
            work: Folder::create(&results)?,
            sockets: Folder::create(&temporary)?,
            results,
            _maildrops_that_go: that_go,
        })
    }

    /// Where what was measured is written to.
    pub(crate) fn results(&self) -> &Path {
        &self.results
    }

    /// The everyday maildrop.
    pub(crate) fn realistic(&self) -> Result<Maildrop> {
        self.maildrop(Kind::Realistic, self.arguments.messages)
    }

    /// The maildrop of many notes.
    pub(crate) fn small(&self) -> Result<Maildrop> {
        self.maildrop(Kind::Small, self.arguments.small_messages)
    }

    fn maildrop(&self, kind: Kind, messages: u32) -> Result<Maildrop> {
        Maildrop::of(&self.maildrops, kind, messages, self.arguments.seed)
    }

    /// Runs the command within the limit of the arguments.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Finished> {
        command::run(command, self.arguments.limit())
    }

    /// Seconds of `grep -rl` in a folder, which must find what there is to find.
    pub(crate) fn grep(&self, folder: &Path, maildrop: &Maildrop) -> Result<f64> {
        Ok(self.grep_all(folder, maildrop)?.seconds)
    }

    /// `grep -rl` in a folder, which must find what there is to find.
    pub(crate) fn grep_all(&self, folder: &Path, maildrop: &Maildrop) -> Result<Finished> {
        let finished = self.grep_any(folder)?;
        ensure!(
            finished.lines() == maildrop.needles(),
            "grep found {} instead of {} messages in {}",
            finished.lines(),
            maildrop.needles(),
            folder.display()
        );
        Ok(finished)
    }

    /// `grep -rl` in a folder, whatever it finds: a view shows other octets.
    pub(crate) fn grep_any(&self, folder: &Path) -> Result<Finished> {
        self.run(Command::new("grep").args(["-rl", NEEDLE]).arg(folder))
    }

    /// Seconds of `grep -rl` in a folder of headers, which must find a subject in each message.
    pub(crate) fn grep_headers(&self, folder: &Path, messages: u32) -> Result<f64> {
        let finished = self.run(Command::new("grep").args(["-rl", "^Subject:"]).arg(folder))?;
        ensure!(
            finished.lines() == messages as usize,
            "grep found {} instead of {messages} subjects",
            finished.lines()
        );
        Ok(finished.seconds)
    }

    /// Seconds of `ls` with the option, which must show so many messages.
    pub(crate) fn list(&self, option: &str, folder: &Path, messages: u32) -> Result<f64> {
        let finished = self.run(Command::new("ls").arg(option).arg(folder))?;
        let listed = finished
            .stdout
            .split(|&octet| octet == b'\n')
            .filter(|line| line.ends_with(b".eml") || line.ends_with(b".txt"))
            .count();
        ensure!(
            u32::try_from(listed) == Ok(messages),
            "ls {option} shows {listed} instead of {messages} messages"
        );
        Ok(finished.seconds)
    }

    /// pop3fs on the maildrop at a port of loopback.
    pub(crate) fn mount(&self, port: u16, cache: Cache) -> Result<Pop3fs> {
        self.mount_program(Path::new(BUILT), "pop3fs", port, cache, &[])
    }

    /// The same with one more `-o` option.
    pub(crate) fn mount_with(&self, port: u16, cache: Cache, option: &str) -> Result<Pop3fs> {
        self.mount_program(Path::new(BUILT), "pop3fs", port, cache, &[option])
    }

    /// The same by another pop3fs, with a cache of its own. None if no other was given.
    pub(crate) fn mount_other(&self, port: u16, cache: Cache) -> Result<Option<Pop3fs>> {
        let other = self.arguments.other.as_deref();
        other
            .map(|program| self.mount_program(program, "other-pop3fs", port, cache, &[]))
            .transpose()
    }

    fn mount_program(
        &self,
        program: &Path,
        folder: &str,
        port: u16,
        cache: Cache,
        more_options: &[&str],
    ) -> Result<Pop3fs> {
        let folder = self.folder(folder)?;
        if cache == Cache::Empty {
            empty(&folder.join("cache"))?;
        }
        let of_the_run = self.arguments.options.iter().map(String::as_str);
        let options: Vec<&str> = of_the_run.chain(more_options.iter().copied()).collect();
        Pop3fs::mount(program, &folder, self.sockets.path(), port, &options)
    }

    /// bindfs on a folder.
    pub(crate) fn bind(&self, folder: &Path) -> Result<ShownFolder> {
        ShownFolder::by_bindfs(folder, self.work.path().join("bindfs"))
    }

    /// The floor on a folder.
    pub(crate) fn floor(&self, folder: &Path) -> Result<ShownFolder> {
        ShownFolder::by_floor(folder, self.work.path().join("floor"))
    }

    /// The files of the realistic maildrop as pop3fs shows them, in a local folder.
    pub(crate) fn local_copy(&self, dovecot: &Dovecot) -> Result<&Path> {
        if self.local_copy.get().is_none() {
            let copy = self.folder("local")?;
            let mount = self.mount(dovecot.port(), Cache::Empty)?;
            self.run(rsync(mount.path(), &copy).arg("--quiet"))?;
            mount.umount()?;
            // Nobody else sets it.
            let _ = self.local_copy.set(copy);
        }
        self.local_copy
            .get()
            .map(PathBuf::as_path)
            .context("a local copy")
    }

    /// A folder of that name, which goes away at the end.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.work.path().join(name);
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(path)
    }

    /// As [`Place::folder`], with nothing in it.
    pub(crate) fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder(name)?;
        empty(&path)?;
        Ok(path)
    }
}

/// `rsync -a FROM/ TO/`, which names what it transfers.
pub(crate) fn rsync(from: &Path, to: &Path) -> Command {
    let mut command = Command::new("rsync");
    command
        .args(["-a", "--itemize-changes"])
        .arg(from.join(""))
        .arg(to.join(""));
    command
}

fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    Ok(())
}

/// Whether the user that Dovecot serves as can enter the folder: a home directory is often closed.
fn is_open_to_mail_owner(folder: &Path) -> Result<bool> {
    const ENTER: u32 = 0o001;
    if mail_owner().is_none() {
        return Ok(true);
    }
    for ancestor in folder.ancestors() {
        if ancestor.metadata()?.permissions().mode() & ENTER == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
