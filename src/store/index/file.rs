//! The index file: its format, how it is opened, and what happens to one that cannot be read.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::account::refuse_if_anothers;
use crate::store::{CacheFolder, StoreError};

/// Every message that was ever seen. A UNIQUE inode, because two mounts may give out the same one at the same time.
pub(super) const CREATE: &str = "CREATE TABLE message (
    uidl BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    inode INTEGER NOT NULL UNIQUE,
    size INTEGER,
    arrived INTEGER,
    listed INTEGER NOT NULL,
    twins INTEGER NOT NULL,
    read INTEGER NOT NULL DEFAULT 0,
    title TEXT,
    mark TEXT,
    crlfs INTEGER,
    outline TEXT,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT";

/// All rows; `inode`, `size`, `listed` and `crlfs` are the bits of a u64.
pub(super) const LOAD: &str = "SELECT uidl, ordinal, inode, size, arrived, listed, twins, read, title, mark, crlfs, outline FROM message";

/// What was shown stays: the inode, and of the arrivals the first, until the message is one of more or fewer twins; so does the
/// mark. A size comes from a body that was seen, so the last one is right, until the message is listed otherwise than it was
/// then; so are title and outline, and that the body was read. CRLFs are those of the body of that size. A new message whose
/// inode another message has is left out: [`FREE`] tells of one that it can be kept with.
pub(super) const LEARN: &str =
    "INSERT INTO message (uidl, ordinal, inode, size, arrived, listed, twins, read, title, mark, crlfs, outline) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (uidl, ordinal) DO UPDATE SET
        crlfs = iif(listed = excluded.listed AND twins = excluded.twins AND coalesce(excluded.size, size) = size, coalesce(excluded.crlfs, crlfs), excluded.crlfs),
        size = iif(listed = excluded.listed AND twins = excluded.twins, coalesce(excluded.size, size), excluded.size),
        read = iif(listed = excluded.listed AND twins = excluded.twins, max(read, excluded.read), excluded.read),
        title = iif(listed = excluded.listed AND twins = excluded.twins, coalesce(excluded.title, title), excluded.title),
        outline = iif(listed = excluded.listed AND twins = excluded.twins, coalesce(excluded.outline, outline), excluded.outline),
        mark = iif(twins = excluded.twins, coalesce(excluded.mark, mark), excluded.mark),
        arrived = iif(twins = excluded.twins, coalesce(arrived, excluded.arrived), excluded.arrived), listed = excluded.listed, twins = excluded.twins
    ON CONFLICT (inode) DO NOTHING";

/// The first inode from ?1 on that nobody has, where ?1 itself is taken: another mount may have given it to a message that this
/// one never saw. Near it, so that inodes still sort as names do.
pub(super) const FREE: &str = "SELECT inode + 1 FROM message AS taken WHERE inode >= ?1
    AND NOT EXISTS (SELECT 1 FROM message WHERE inode = taken.inode + 1) ORDER BY inode LIMIT 1";

/// The format that this program reads and writes, kept as `user_version`. It grows with every change of [`CREATE`].
const FORMAT: i32 = 3;
/// From format 1, which knew no titles, no marks, nor what was read.
const FROM_FORMAT_1: &str = "BEGIN IMMEDIATE;
    ALTER TABLE message ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE message ADD COLUMN title TEXT;
    ALTER TABLE message ADD COLUMN mark TEXT;
    PRAGMA user_version = 2;
    COMMIT";
/// From format 2, which knew no line ends and no outlines.
const FROM_FORMAT_2: &str = "BEGIN IMMEDIATE;
    ALTER TABLE message ADD COLUMN crlfs INTEGER;
    ALTER TABLE message ADD COLUMN outline TEXT;
    PRAGMA user_version = 3;
    COMMIT";
/// `application_id`: "pop3", so that file(1) and we know the file.
const APPLICATION: i32 = 0x706f_7033;
/// How long SQLite waits for another mount's transaction.
const PATIENCE: Duration = Duration::from_secs(10);

/// Its name in the folder of an account.
pub(in crate::store) const FILE: &str = "index.sqlite";

/// Opens the index of an account, begins one where there is none, and sets a damaged one aside.
pub(super) fn open(folder: &CacheFolder) -> Result<(Connection, PathBuf), StoreError> {
    // Held until the end: another mount must not set aside what this one begins.
    let _alone = lock(folder.path())?;
    let path = folder.path().join(FILE);
    make_private(&path)?;
    let connection = match open_as_it_is(&path) {
        Ok(connection) => connection,
        Err(Fault::Refused(error)) => return Err(error),
        Err(Fault::Damaged(why)) => {
            log::warn!(
                "{} is damaged ({why}); it is set aside and learnt again",
                path.display()
            );
            set_aside(&path)?;
            make_private(&path)?;
            open_as_it_is(&path).map_err(|fault| fault.without_cure(&path))?
        }
    };
    Ok((connection, path))
}

/// Why a file cannot serve as the index.
enum Fault {
    /// Not an index, or not whole. A new one cures it.
    Damaged(String),
    /// Nothing that a new file would cure.
    Refused(StoreError),
}

impl Fault {
    fn of(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(source.to_string())
            }
            _ => Self::Refused(StoreError::Sqlite {
                path: path.into(),
                source,
            }),
        }
    }

    /// A file that was begun anew and is damaged again: the disk loses what it is given.
    fn without_cure(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Damaged(why) => {
                StoreError::io("write", path)(io::Error::new(ErrorKind::InvalidData, why))
            }
        }
    }
}

/// Keeps other mounts from beginning or removing a file of the folder, until the lock is dropped.
pub(in crate::store) fn lock(folder: &Path) -> Result<File, StoreError> {
    let locked = File::open(folder).and_then(|file| file.lock().map(|()| file));
    locked.map_err(StoreError::io("lock", folder))
}

/// Sees to it that an index is a file of ours that only we may read, before SQLite opens it and gives its mode to the
/// files beside it. An existing file is not opened: closing it would drop the locks that SQLite holds on it in this process
/// (fcntl(2), record locks).
pub(in crate::store) fn make_private(path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::io("create", path);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => (),
    }
    let metadata = fs::symlink_metadata(path).map_err(&failed)?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile { path: path.into() });
    }
    refuse_if_anothers(path, &metadata)?;
    if metadata.mode() & 0o777 == 0o600 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)
}

fn open_as_it_is(path: &Path) -> Result<Connection, Fault> {
    let fault = |source| Fault::of(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(PATIENCE).map_err(fault)?;
    // A flush brings the log to the disk; a commit alone need not.
    connection
        .pragma_update(None, "synchronous", "normal")
        .map_err(fault)?;
    if is_blank(&connection).map_err(fault)? {
        begin(&mut connection).map_err(fault)?;
    }
    for step in check_format(&connection, path)? {
        upgrade(&connection, step, path)?;
    }
    check_content(&connection, path)?;
    Ok(connection)
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

fn begin(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction()?;
    transaction.execute(CREATE, [])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// The steps from the format of the file to the current one.
fn check_format(connection: &Connection, path: &Path) -> Result<&'static [&'static str], Fault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let fault = |source| Fault::of(path, source);
    if number("application_id").map_err(fault)? != APPLICATION {
        return Err(Fault::Damaged("another program's database".into()));
    }
    match number("user_version").map_err(fault)? {
        FORMAT => Ok(&[]),
        2 => Ok(&[FROM_FORMAT_2]),
        1 => Ok(&[FROM_FORMAT_1, FROM_FORMAT_2]),
        found if found > FORMAT => Err(Fault::Refused(StoreError::NewerFormat {
            path: path.into(),
            found,
            known: FORMAT,
        })),
        found => Err(Fault::Damaged(format!(
            "no format {found} was ever written"
        ))),
    }
}

/// All that was learnt stays.
fn upgrade(connection: &Connection, step: &str, path: &Path) -> Result<(), Fault> {
    let upgraded = connection.execute_batch(step);
    upgraded.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::Unknown) => Fault::Damaged(error.to_string()),
        _ => Fault::of(path, error),
    })
}

/// Looks through the whole file, which takes a fraction of loading it, and for the table that we know.
fn check_content(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let verdict: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(|source| Fault::of(path, source))?;
    if verdict != "ok" {
        return Err(Fault::Damaged(verdict));
    }
    match connection.prepare(LOAD) {
        Err(missing @ rusqlite::Error::SqlInputError { .. }) => {
            Err(Fault::Damaged(missing.to_string()))
        }
        Err(error) => Err(Fault::of(path, error)),
        Ok(_) => Ok(()),
    }
}

/// Renames the index and what SQLite keeps beside it; an earlier damaged one is replaced.
fn set_aside(path: &Path) -> Result<(), StoreError> {
    for beside in ["", "-wal", "-shm"] {
        let from = path.with_file_name(format!("{FILE}{beside}"));
        let to = path.with_file_name(format!("{FILE}.damaged{beside}"));
        match fs::rename(&from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("set aside", &from)(error));
            }
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::fixture::{Account, row};
    use super::super::{Index, Row};
    use super::*;

    /// Format 1 as it was written: never to be changed.
    const FORMAT_1: &str = "CREATE TABLE message (
    uidl BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    inode INTEGER NOT NULL UNIQUE,
    size INTEGER,
    arrived INTEGER,
    listed INTEGER NOT NULL,
    twins INTEGER NOT NULL,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT";

    /// Format 2 as it was written: never to be changed.
    const FORMAT_2: &str = "CREATE TABLE message (
    uidl BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    inode INTEGER NOT NULL UNIQUE,
    size INTEGER,
    arrived INTEGER,
    listed INTEGER NOT NULL,
    twins INTEGER NOT NULL,
    read INTEGER NOT NULL DEFAULT 0,
    title TEXT,
    mark TEXT,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT";

    /// Format 3 as it is written: never to be changed.
    const FORMAT_3: &str = "CREATE TABLE message (
    uidl BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    inode INTEGER NOT NULL UNIQUE,
    size INTEGER,
    arrived INTEGER,
    listed INTEGER NOT NULL,
    twins INTEGER NOT NULL,
    read INTEGER NOT NULL DEFAULT 0,
    title TEXT,
    mark TEXT,
    crlfs INTEGER,
    outline TEXT,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT";

    #[test]
    fn only_the_owner_may_read_the_files() {
        let account = Account::new();
        fs::write(account.file(), "").unwrap();
        fs::set_permissions(account.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let index = account.open();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        let modes: Vec<(String, u32)> = fs::read_dir(account.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    entry.metadata().unwrap().mode() & 0o777,
                )
            })
            .collect();
        assert_eq!(modes.len(), 4, "{modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    }

    #[test]
    fn an_index_that_is_a_link_is_refused() {
        let account = Account::new();
        symlink("/dev/null", account.file()).unwrap();
        let error = Index::open(&account.folder).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_and_left_as_it_is() {
        let account = Account::new();
        account.open().learn(vec![row(b"a", 2)]);
        let outside = Connection::open(account.file()).unwrap();
        outside.pragma_update(None, "user_version", 4).unwrap();
        drop(outside);
        let error = Index::open(&account.folder).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::NewerFormat {
                    found: 4,
                    known: 3,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("use the newer pop3fs, or remove the file"),
            "{error}"
        );
        let outside = Connection::open(account.file()).unwrap();
        let rows: u32 = outside
            .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    fn is_set_aside_and_begun_anew(account: &Account) {
        let damaged = fs::read(account.file()).unwrap();
        assert_eq!(account.rows(), []);
        account.open().learn(vec![row(b"new", 2)]);
        assert_eq!(account.rows(), [row(b"new", 2)]);
        assert_eq!(
            fs::read(account.folder.path().join("index.sqlite.damaged")).unwrap(),
            damaged
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_set_aside() {
        let account = Account::new();
        fs::write(
            account.file(),
            "this is no database, it is a letter".repeat(100),
        )
        .unwrap();
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn a_damaged_page_is_found_and_the_file_set_aside() {
        let account = Account::new();
        account.open().learn(
            (1..=1000_u64)
                .map(|inode| row(&inode.to_be_bytes(), inode))
                .collect(),
        );
        let mut octets = fs::read(account.file()).unwrap();
        let middle = octets.len() / 2 / 4096 * 4096;
        octets[middle..middle + 4096].fill(0xa5);
        fs::write(account.file(), octets).unwrap();
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn a_truncated_file_is_set_aside() {
        let account = Account::new();
        account.open().learn(
            (1..=1000_u64)
                .map(|inode| row(&inode.to_be_bytes(), inode))
                .collect(),
        );
        let octets = fs::read(account.file()).unwrap();
        fs::write(account.file(), &octets[..octets.len() / 2]).unwrap();
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn another_programs_database_is_set_aside() {
        let account = Account::new();
        Connection::open(account.file())
            .unwrap()
            .execute_batch(FORMAT_3)
            .unwrap();
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn an_index_without_its_columns_is_set_aside() {
        let account = Account::new();
        drop(account.open());
        let outside = Connection::open(account.file()).unwrap();
        outside
            .execute_batch("ALTER TABLE message RENAME COLUMN size TO length")
            .unwrap();
        drop(outside);
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn format_1_is_read_and_goes_on_as_the_current_one() {
        let account = Account::new();
        let outside = Connection::open(account.file()).unwrap();
        outside.execute_batch(FORMAT_1).unwrap();
        outside
            .execute_batch(
                "PRAGMA application_id = 1886351411; PRAGMA user_version = 1;
                INSERT INTO message VALUES (x'6100', 1, 17, 2345, 1700000000, 2340, 2), (x'62', 0, -1, NULL, NULL, 0, 1);",
            )
            .unwrap();
        drop(outside);
        let first = Row {
            uidl: (*b"a\0").into(),
            ordinal: 1,
            inode: 17,
            size: Some(2345),
            arrived: Some(1_700_000_000),
            listed: 2340,
            twins: 2,
            read: false,
            title: None,
            mark: None,
            crlfs: None,
            outline: None,
        };
        let index = account.open();
        assert_eq!(index.load().unwrap(), [first, row(b"b", u64::MAX)]);
        let read = Row {
            read: true,
            ..row(b"b", u64::MAX)
        };
        index.learn(vec![read.clone()]);
        drop(index);
        assert_eq!(account.rows()[1], read);
    }

    #[test]
    fn format_2_is_read_and_goes_on_as_the_current_one() {
        let account = Account::new();
        let outside = Connection::open(account.file()).unwrap();
        outside.execute_batch(FORMAT_2).unwrap();
        outside
            .execute_batch(
                "PRAGMA application_id = 1886351411; PRAGMA user_version = 2;
                INSERT INTO message VALUES (x'6100', 1, 17, 2345, 1700000000, 2340, 2, 1, 'Alice - Hello', 'cur:2,S'),
                    (x'62', 0, -1, NULL, NULL, 0, 1, 0, NULL, NULL);",
            )
            .unwrap();
        drop(outside);
        let first = Row {
            uidl: (*b"a\0").into(),
            ordinal: 1,
            inode: 17,
            size: Some(2345),
            arrived: Some(1_700_000_000),
            listed: 2340,
            twins: 2,
            read: true,
            title: Some("Alice - Hello".into()),
            mark: Some("cur:2,S".into()),
            crlfs: None,
            outline: None,
        };
        let index = account.open();
        assert_eq!(index.load().unwrap(), [first.clone(), row(b"b", u64::MAX)]);
        let counted = Row {
            crlfs: Some(40),
            outline: Some("Hello\nAlice\n".into()),
            ..first
        };
        index.learn(vec![counted.clone()]);
        drop(index);
        assert_eq!(account.rows()[0], counted);
    }

    #[test]
    fn a_damaged_format_1_is_set_aside() {
        let account = Account::new();
        Connection::open(account.file())
            .unwrap()
            .execute_batch(
                "PRAGMA application_id = 1886351411; PRAGMA user_version = 1; CREATE TABLE other (x)",
            )
            .unwrap();
        is_set_aside_and_begun_anew(&account);
    }

    #[test]
    fn the_format_that_is_written_is_format_3() {
        let account = Account::new();
        drop(account.open());
        let outside = Connection::open(account.file()).unwrap();
        let written: String = outside
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'message'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let version: i32 = outside
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(
            (written.as_str(), version),
            (FORMAT_3, 3),
            "version bump required: the format changed"
        );
    }
}
