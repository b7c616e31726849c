//! `/proc/self/mountinfo`: the table of all mounts.
//!
//! stat(2) of a mount point asks the daemon behind it, and waits as long as that one hangs. Reading
//! this table never waits.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The mount table of this process.
pub(super) const OWN_TABLE: &str = "/proc/self/mountinfo";

/// The filesystem type that the kernel shows for pop3fs.
pub const FILESYSTEM_TYPE: &str = "fuse.pop3fs";

/// How many symbolic links in a row the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// The device number of a mounted filesystem: `st_dev` of its files. No other filesystem that is
/// mounted now has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceNumber {
    /// 0 for filesystems without a disk, FUSE among them.
    pub major: u32,
    /// The kernel chooses it at mount(2). Once this filesystem is gone, another one may get it.
    pub minor: u32,
}

/// Written as in mountinfo: `0:52`.
impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A mounted pop3fs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMount {
    /// Absolute, without symbolic links.
    pub path: PathBuf,
    /// The control socket of its daemon has this in its name.
    pub device: DeviceNumber,
    /// The name of the maildrop, as given to mount(2).
    pub source: OsString,
    /// The id of the user who mounted it.
    pub owner: u32,
}

/// Why no pop3fs was found at a directory.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The caller's: nothing is mounted there.
    #[error("nothing is mounted at {}: `findmnt -t fuse.pop3fs` shows where something is", dir.display())]
    NotMounted {
        /// As the caller gave it.
        dir: PathBuf,
    },
    /// The caller's: another filesystem is mounted there.
    #[error("{} is a mount of type {kind}, not of pop3fs: `findmnt -t fuse.pop3fs` shows where one is", dir.display())]
    Foreign {
        /// As the caller gave it.
        dir: PathBuf,
        /// The filesystem's type, as the kernel names it.
        kind: String,
    },
    /// The system's: the path or the mount table cannot be read.
    #[error("cannot look up {}: {source}", dir.display())]
    Lookup {
        /// As the caller gave it.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Finds the pop3fs that is mounted at `dir`, which may be relative or a symbolic link.
///
/// This touches only the parent directories: the daemon of the mount may hang or be gone.
pub fn find(dir: &Path) -> Result<FoundMount, FindError> {
    let lookup = |source| FindError::Lookup {
        dir: dir.to_owned(),
        source,
    };
    let table = MountTable::read().map_err(lookup)?;
    let path = table.resolve(dir).map_err(lookup)?;
    let entry = table.topmost(&path).ok_or_else(|| FindError::NotMounted {
        dir: dir.to_owned(),
    })?;
    if entry.kind != FILESYSTEM_TYPE {
        return Err(FindError::Foreign {
            dir: dir.to_owned(),
            kind: entry.kind.clone(),
        });
    }
    Ok(FoundMount {
        path,
        device: entry.device,
        source: entry.source.clone(),
        owner: entry.owner,
    })
}

/// All mounts of pop3fs that can be seen, in the order of the mount table. Their daemons may be
/// gone.
///
/// # Errors
/// The mount table cannot be read.
pub fn all() -> io::Result<Vec<FoundMount>> {
    Ok(MountTable::read()?.of_pop3fs())
}

/// The id of a mount in this mount namespace. The kernel gives it to another mount once this one is
/// gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MountId(u32);

/// One line of mountinfo: the fields that are needed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MountEntry {
    pub(super) id: MountId,
    parent: MountId,
    pub(super) device: DeviceNumber,
    pub(super) mountpoint: PathBuf,
    pub(super) kind: String,
    pub(super) source: OsString,
    owner: u32,
}

impl MountEntry {
    fn is_of(&self, device: DeviceNumber, source: &OsStr) -> bool {
        self.device == device && self.source == source
    }

    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    /// (proc_pid_mountinfo(5)).
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&octet| octet == b' ');
        let id = MountId(number(fields.next()?)?);
        let parent = MountId(number(fields.next()?)?);
        let device = device_number(fields.next()?)?;
        let mountpoint = PathBuf::from(unescape(fields.nth(1)?));
        // There may be any number of optional fields. A lone hyphen ends them.
        fields.find(|field| field == b"-")?;
        let kind = String::from_utf8_lossy(fields.next()?).into_owned();
        let source = unescape(fields.next()?);
        let owner = owner(fields.next().unwrap_or_default());
        Some(Self {
            id,
            parent,
            device,
            mountpoint,
            kind,
            source,
            owner,
        })
    }
}

/// All mounts of a mount namespace.
#[derive(Debug)]
pub(super) struct MountTable(Vec<MountEntry>);

impl MountTable {
    pub(super) fn read() -> io::Result<Self> {
        Self::read_from(Path::new(OWN_TABLE))
    }

    /// The table of another process, which may be in another mount namespace.
    pub(super) fn read_from(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&fs::read(path)?))
    }

    fn parse(table: &[u8]) -> Self {
        Self(
            table
                .split(|&octet| octet == b'\n')
                .filter_map(MountEntry::parse)
                .collect(),
        )
    }

    fn of_pop3fs(&self) -> Vec<FoundMount> {
        let ours = |entry: &&MountEntry| entry.kind == FILESYSTEM_TYPE && !self.is_covered(entry);
        let found = |entry: &MountEntry| FoundMount {
            path: entry.mountpoint.clone(),
            device: entry.device,
            source: entry.source.clone(),
            owner: entry.owner,
        };
        self.0.iter().filter(ours).map(found).collect()
    }

    /// The mount that programs see at `path`. When several mounts lie on each other, each is the
    /// parent of the next.
    pub(super) fn topmost(&self, path: &Path) -> Option<&MountEntry> {
        self.0
            .iter()
            .rfind(|entry| entry.mountpoint == path && !self.is_covered(entry))
    }

    /// Whether another mount lies on this one.
    pub(super) fn is_covered(&self, entry: &MountEntry) -> bool {
        self.0
            .iter()
            .any(|other| other.parent == entry.id && other.mountpoint == entry.mountpoint)
    }

    /// The mount of that id, if it shows the filesystem of that device number.
    ///
    /// The system gives the id and the device number to the next mount that comes, which may be
    /// another pop3fs. Its source is another then.
    pub(super) fn find(
        &self,
        id: MountId,
        device: DeviceNumber,
        source: &OsStr,
    ) -> Option<&MountEntry> {
        self.0
            .iter()
            .find(|entry| entry.id == id && entry.is_of(device, source))
    }

    /// Whether the filesystem of that device number and source is mounted anywhere.
    pub(super) fn shows(&self, device: DeviceNumber, source: &OsStr) -> bool {
        self.0.iter().any(|entry| entry.is_of(device, source))
    }

    /// The absolute path of `dir` without symbolic links. This does not touch what is mounted
    /// there.
    pub(super) fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        let mut path = std::path::absolute(dir)?;
        for _ in 0..MOST_LINKS {
            path = in_canonical_parent(&path)?;
            if self.topmost(&path).is_some() {
                return Ok(path);
            }
            match (fs::read_link(&path), path.parent()) {
                (Ok(target), Some(parent)) => path = parent.join(target),
                _ => return Ok(path),
            }
        }
        Err(io::Error::from_raw_os_error(libc::ELOOP))
    }
}

fn in_canonical_parent(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        // `/`, or a path that ends in `..`, which is not the name of a mount point.
        _ => path.canonicalize(),
    }
}

fn number(field: &[u8]) -> Option<u32> {
    str::from_utf8(field).ok()?.parse().ok()
}

fn device_number(field: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = str::from_utf8(field).ok()?.split_once(':')?;
    Some(DeviceNumber {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

/// FUSE shows `user_id=` among the options of the superblock. Other filesystems belong to root.
fn owner(super_options: &[u8]) -> u32 {
    super_options
        .split(|&octet| octet == b',')
        .find_map(|option| number(option.strip_prefix(b"user_id=")?))
        .unwrap_or(0)
}

/// The kernel writes a blank, tab, newline or backslash as `\` and three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        match octal_escape(rest) {
            Some(octet) => {
                plain.push(octet);
                rest = &rest[4..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain)
}

fn octal_escape(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"\\")?.get(..3)?;
    u8::from_str_radix(OsStr::from_bytes(digits).to_str()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_of_pop3fs_are_listed() {
        let mounts = MountTable::parse(TABLE.as_bytes()).of_pop3fs();
        let paths: Vec<&Path> = mounts.iter().map(|mount| mount.path.as_path()).collect();
        assert_eq!(paths, [Path::new("/home/al/my mail\\x"), Path::new("/mnt")]);
        assert_eq!(mounts[0].owner, 1000);
    }

    const TABLE: &str = "\
22 28 0:21 / /proc rw,nosuid - proc proc rw\n\
28 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n\
60 28 0:52 / /home/al/my\\040mail\\134x rw,nosuid,nodev - fuse.pop3fs pops://al@example.org rw,user_id=1000,group_id=100\n\
61 28 0:53 / /mnt rw - fuse.sshfs host: rw,user_id=0,group_id=0\n\
62 61 0:54 / /mnt rw - fuse.pop3fs pops://b@example.org rw,user_id=7,group_id=0\n";

    fn table() -> MountTable {
        MountTable::parse(TABLE.as_bytes())
    }

    #[test]
    fn octal_escapes_in_a_mount_point_are_decoded() {
        let entry = table();
        let entry = entry.topmost(Path::new("/home/al/my mail\\x")).unwrap();
        assert_eq!(entry.device.to_string(), "0:52");
        assert_eq!(entry.kind, FILESYSTEM_TYPE);
        assert_eq!(entry.source, "pops://al@example.org");
        assert_eq!(entry.owner, 1000);
    }

    #[test]
    fn there_may_be_no_or_several_optional_fields() {
        assert_eq!(table().0.len(), 5);
        assert_eq!(table().topmost(Path::new("/")).unwrap().kind, "ext4");
    }

    #[test]
    fn the_topmost_of_stacked_mounts_is_the_uncovered_one() {
        let table = table();
        assert_eq!(table.topmost(Path::new("/mnt")).unwrap().device.minor, 54);
        let mut reversed = MountTable(table.0.into_iter().rev().collect());
        assert_eq!(
            reversed.topmost(Path::new("/mnt")).unwrap().device.minor,
            54
        );
        reversed.0.retain(|entry| entry.device.minor != 54);
        assert_eq!(
            reversed.topmost(Path::new("/mnt")).unwrap().device.minor,
            53
        );
    }

    #[test]
    fn a_covered_mount_is_found_by_its_id_device_and_source() {
        let table = table();
        let device = DeviceNumber {
            major: 0,
            minor: 53,
        };
        let by_id = table.0.iter().find(|entry| entry.id == MountId(61));
        let source = by_id.unwrap().source.clone();
        let entry = table.find(MountId(61), device, &source).unwrap();
        assert_eq!(entry.mountpoint, Path::new("/mnt"));
        assert!(table.is_covered(entry));
        assert!(table.find(MountId(60), device, &source).is_none());
        let other = OsStr::new("pops://bob@example.org");
        assert!(table.find(MountId(61), device, other).is_none());
        assert!(!table.is_covered(table.topmost(Path::new("/mnt")).unwrap()));
    }

    #[test]
    fn broken_lines_are_skipped() {
        let table = MountTable::parse(b"\n1 2\nx y z\n5 6 0:7 / /a rw shared:1\n");
        assert!(table.0.is_empty());
    }

    #[test]
    fn a_backslash_without_three_octal_digits_stays() {
        assert_eq!(unescape(b"a\\04"), "a\\04");
        assert_eq!(unescape(b"a\\09b"), "a\\09b");
        assert_eq!(unescape(b"\\011"), "\t");
    }

    #[test]
    fn a_symbolic_link_to_a_mount_point_leads_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let link = dir.join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        let table = MountTable::read().unwrap();
        assert_eq!(table.resolve(&link).unwrap(), Path::new("/proc"));
        assert_eq!(
            table.resolve(&dir.join("none")).unwrap(),
            dir.join("none"),
            "a missing directory is no error: nothing is mounted there"
        );
    }

    #[test]
    fn a_symbolic_link_to_itself_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        let error = MountTable::read().unwrap().resolve(&link).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }

    #[test]
    fn other_filesystems_and_plain_directories_are_distinguished() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            find(dir.path()),
            Err(FindError::NotMounted { .. })
        ));
        assert!(matches!(
            find(Path::new("/proc")),
            Err(FindError::Foreign { .. })
        ));
        assert!(matches!(
            find(&dir.path().join("no/such")),
            Err(FindError::Lookup { .. })
        ));
    }
}
