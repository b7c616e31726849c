//! How the index file is opened, and what happens to one that cannot be read.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema::{
    APPLICATION, CREATE, DELETIONS, FORMAT, LISTING, LOAD, REMOVALS, WATERMARK, steps_from,
};
use crate::store::account::{INDEX_FILE, refuse_other_owner};
use crate::store::{CacheFolder, StoreError};

/// How long a mount waits for another one that has the file or the folder locked.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it looks whether the folder is free.
const LOCK_LOOKS: Duration = Duration::from_millis(10);
/// How long a file in WAL mode may keep the mount waiting before it is used as it is.
const LEAVE_WAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens the index of an account. Creates it if there is none, and sets a damaged one aside.
pub(super) fn open(folder: &CacheFolder) -> Result<(Connection, PathBuf), StoreError> {
    // Held to the end of this function, so that no other mount sets aside what this one creates.
    let _alone = lock(folder.path())?;
    let path = folder.path().join(INDEX_FILE);
    make_private_file(&path)?;
    let connection = match open_existing(&path) {
        Ok(connection) => connection,
        Err(OpenFailure::Refused(error)) => return Err(error),
        Err(OpenFailure::Damaged(why)) => {
            log::warn!(
                "{} is damaged ({why}); it is set aside and a new one begins",
                path.display()
            );
            set_aside(&path)?;
            make_private_file(&path)?;
            open_existing(&path).map_err(|failure| failure.of_new_file(&path))?
        }
    };
    Ok((connection, path))
}

/// Why a file cannot serve as the index.
enum OpenFailure {
    /// It is no index, or is not whole. A new file can replace it.
    Damaged(String),
    /// A new file would not help.
    Refused(StoreError),
}

impl OpenFailure {
    fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
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

    /// The failure of a file that was just created: if it is damaged, the disk loses data.
    fn of_new_file(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Damaged(why) => {
                StoreError::io("write", path)(io::Error::new(ErrorKind::InvalidData, why))
            }
        }
    }
}

/// Keeps other mounts from beginning or removing a file of the folder, until the lock is dropped.
///
/// # Errors
/// Another process has it locked for longer than [`BUSY_TIMEOUT`]; it may be stopped.
pub(in crate::store) fn lock(folder: &Path) -> Result<File, StoreError> {
    let failed = StoreError::io("lock", folder);
    let file = File::open(folder).map_err(&failed)?;
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_LOOKS),
            Err(TryLockError::WouldBlock) => return Err(failed(another_has_it())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn another_has_it() -> io::Error {
    let why = "another pop3fs is beginning or ending with it, or was stopped there";
    io::Error::new(ErrorKind::TimedOut, why)
}

/// Makes sure that an index is a file of the effective user that only they may read. SQLite gives
/// its mode to the files beside it. An existing file is not opened here: closing it would drop the
/// locks that SQLite holds on it in this process (fcntl(2), record locks).
pub(in crate::store) fn make_private_file(path: &Path) -> Result<(), StoreError> {
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
    refuse_other_owner(path, &metadata)?;
    if metadata.mode() & 0o777 == 0o600 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)
}

fn open_existing(path: &Path) -> Result<Connection, OpenFailure> {
    let fail = |source| OpenFailure::from_sqlite(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    use_rollback_journal(&connection).map_err(fail)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    if is_blank(&connection).map_err(fail)? {
        create_table(&mut connection).map_err(fail)?;
    }
    for step in check_format(&connection, path)? {
        upgrade(&connection, step, path)?;
    }
    check_content(&connection, path)?;
    Ok(connection)
}

/// Has SQLite keep a rollback journal beside the file. A write-ahead log needs a file that is
/// mapped into memory: some file systems cannot do that (mergerfs, some NFS), and if anybody
/// truncates that file, SIGBUS kills the mount. The journal costs 10 to 20 ms for each batch of
/// rows, for which nobody waits.
///
/// Older versions used a write-ahead log. To leave it, SQLite must be alone with the file for a
/// moment, and needs no mapped file then. If an older mount uses the file, it stays as it is.
fn use_rollback_journal(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LEAVE_WAL_TIMEOUT)?;
    let set = |name, value| connection.pragma_update(None, name, value);
    set("locking_mode", "exclusive")?;
    let left = set("journal_mode", "truncate");
    set("locking_mode", "normal")?;
    match left {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            log::info!("another mount keeps the index in WAL mode");
            Ok(())
        }
        left => left,
    }
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

fn create_table(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(CREATE)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// The steps from the format of the file to the current one.
fn check_format(
    connection: &Connection,
    path: &Path,
) -> Result<&'static [&'static str], OpenFailure> {
    let number = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(|source| OpenFailure::from_sqlite(path, source))
    };
    if number("application_id")? != APPLICATION {
        return Err(OpenFailure::Damaged("another program's database".into()));
    }
    let found = number("user_version")?;
    if found > FORMAT {
        return Err(OpenFailure::Refused(StoreError::NewerFormat {
            path: path.into(),
            found,
            known: FORMAT,
        }));
    }
    steps_from(found).ok_or_else(|| OpenFailure::Damaged(format!("format {found} never existed")))
}

/// Brings the file to the next format. All rows stay.
fn upgrade(connection: &Connection, step: &str, path: &Path) -> Result<(), OpenFailure> {
    let upgraded = connection.execute_batch(step);
    upgraded.map_err(|error| match is_missing(&error) {
        true => OpenFailure::Damaged(error.to_string()),
        false => OpenFailure::from_sqlite(path, error),
    })
}

/// Checks the whole file, which takes a fraction of the time of loading it, and that the tables
/// have our columns.
fn check_content(connection: &Connection, path: &Path) -> Result<(), OpenFailure> {
    let verdict: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(|source| OpenFailure::from_sqlite(path, source))?;
    if verdict != "ok" {
        return Err(OpenFailure::Damaged(verdict));
    }
    let watermark = connection.query_row(WATERMARK, [], |row| row.get::<_, i64>(0));
    let tables = [LOAD, LISTING, REMOVALS, DELETIONS];
    let columns = tables
        .iter()
        .try_for_each(|table| connection.prepare(table).map(drop));
    match columns.and(watermark) {
        Err(error) if is_missing(&error) => Err(OpenFailure::Damaged(error.to_string())),
        Err(error) => Err(OpenFailure::from_sqlite(path, error)),
        Ok(_) => Ok(()),
    }
}

/// Whether a table, a column or a row that belongs into the file is missing.
fn is_missing(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqlInputError { .. } | rusqlite::Error::QueryReturnedNoRows
    ) || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// Renames the index and the files that SQLite keeps beside it. Replaces an earlier damaged one.
fn set_aside(path: &Path) -> Result<(), StoreError> {
    for beside in ["", "-journal", "-wal", "-shm"] {
        let from = path.with_file_name(format!("{INDEX_FILE}{beside}"));
        let to = path.with_file_name(format!("{INDEX_FILE}.damaged{beside}"));
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
    use std::num::NonZeroU32;
    use std::os::unix::fs::symlink;

    use super::super::fixture::{IndexFolder, row};
    use super::super::{Deletions, Index, LastListing, Row};
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

    /// Format 3 as it was written: never to be changed.
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

    /// The table of messages since format 4: never to be changed.
    const FORMAT_4: &str = "CREATE TABLE message (
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
    first_listed INTEGER,
    departed INTEGER,
    top_digest BLOB,
    body_digest BLOB,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT";

    #[test]
    fn only_the_owner_may_read_the_files() {
        let folder = IndexFolder::new();
        fs::write(folder.file(), "").unwrap();
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let index = folder.open();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        let modes: Vec<(String, u32)> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    entry.metadata().unwrap().mode() & 0o777,
                )
            })
            .collect();
        assert_eq!(modes.len(), 3, "{modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    }

    /// The mapped files of this process that lie in the folder.
    fn mapped_files(folder: &IndexFolder) -> Vec<String> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let folder = folder.path().to_str().unwrap();
        let lines = maps.lines().filter(|line| line.contains(folder));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn no_file_of_an_open_index_is_mapped_into_memory() {
        let folder = IndexFolder::new();
        let indexes = [folder.open(), folder.open()];
        for (index, inode) in indexes.iter().zip(2..) {
            index.learn(vec![row(&[inode as u8], inode)]);
            index.flush().unwrap();
            assert_eq!(index.load().unwrap().len(), inode as usize - 1);
        }
        assert_eq!(mapped_files(&folder), Vec::<String>::new());
    }

    #[test]
    fn an_index_in_wal_mode_leaves_it_with_all_its_rows() {
        let folder = IndexFolder::new();
        folder.open().learn(vec![row(b"a", 2)]);
        let outside = Connection::open(folder.file()).unwrap();
        outside.pragma_update(None, "journal_mode", "wal").unwrap();
        outside.execute("UPDATE message SET size = 7", []).unwrap();
        drop(outside);
        let index = folder.open();
        assert_eq!(index.load().unwrap()[0].size, Some(7));
        assert_eq!(mapped_files(&folder), Vec::<String>::new());
    }

    #[test]
    fn an_index_that_an_older_mount_uses_stays_in_wal_mode() {
        let folder = IndexFolder::new();
        folder.open().learn(vec![row(b"a", 2)]);
        let older = Connection::open(folder.file()).unwrap();
        older.pragma_update(None, "journal_mode", "wal").unwrap();
        older.execute("UPDATE message SET size = 7", []).unwrap();
        let index = folder.open();
        index.learn(vec![row(b"b", 3)]);
        assert_eq!(index.load().unwrap().len(), 2);
    }

    #[test]
    fn an_index_that_is_a_link_is_refused() {
        let folder = IndexFolder::new();
        symlink("/dev/null", folder.file()).unwrap();
        let error = Index::open(&folder.folder).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_unchanged() {
        let folder = IndexFolder::new();
        folder.open().learn(vec![row(b"a", 2)]);
        let outside = Connection::open(folder.file()).unwrap();
        outside.pragma_update(None, "user_version", 7).unwrap();
        drop(outside);
        let error = Index::open(&folder.folder).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::NewerFormat {
                    found: 7,
                    known: 6,
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
        let outside = Connection::open(folder.file()).unwrap();
        let rows: u32 = outside
            .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    fn assert_set_aside_and_replaced(folder: &IndexFolder) {
        let damaged = fs::read(folder.file()).unwrap();
        assert_eq!(folder.rows(), []);
        folder.open().learn(vec![row(b"new", 2)]);
        assert_eq!(folder.rows(), [row(b"new", 2)]);
        assert_eq!(
            fs::read(folder.path().join("index.sqlite.damaged")).unwrap(),
            damaged
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_set_aside() {
        let folder = IndexFolder::new();
        fs::write(
            folder.file(),
            "this is no database, it is a letter".repeat(100),
        )
        .unwrap();
        assert_set_aside_and_replaced(&folder);
    }

    #[test]
    fn a_damaged_page_is_found_and_the_file_set_aside() {
        let folder = IndexFolder::new();
        folder.open().learn(
            (1..=1000_u64)
                .map(|inode| row(&inode.to_be_bytes(), inode))
                .collect(),
        );
        let mut octets = fs::read(folder.file()).unwrap();
        let middle = octets.len() / 2 / 4096 * 4096;
        octets[middle..middle + 4096].fill(0xa5);
        fs::write(folder.file(), octets).unwrap();
        assert_set_aside_and_replaced(&folder);
    }

    #[test]
    fn a_truncated_file_is_set_aside() {
        let folder = IndexFolder::new();
        folder.open().learn(
            (1..=1000_u64)
                .map(|inode| row(&inode.to_be_bytes(), inode))
                .collect(),
        );
        let octets = fs::read(folder.file()).unwrap();
        fs::write(folder.file(), &octets[..octets.len() / 2]).unwrap();
        assert_set_aside_and_replaced(&folder);
    }

    #[test]
    fn another_programs_database_is_set_aside() {
        let folder = IndexFolder::new();
        Connection::open(folder.file())
            .unwrap()
            .execute_batch(FORMAT_3)
            .unwrap();
        assert_set_aside_and_replaced(&folder);
    }

    #[test]
    fn an_index_without_its_columns_is_set_aside() {
        let folder = IndexFolder::new();
        drop(folder.open());
        let outside = Connection::open(folder.file()).unwrap();
        outside
            .execute_batch("ALTER TABLE message RENAME COLUMN size TO length")
            .unwrap();
        drop(outside);
        assert_set_aside_and_replaced(&folder);
    }

    #[test]
    fn format_1_is_upgraded_with_its_rows() {
        let folder = IndexFolder::new();
        let outside = Connection::open(folder.file()).unwrap();
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
            twins: NonZeroU32::new(2),
            read: false,
            title: None,
            mark: None,
            crlfs: None,
            outline: None,
            first_listed: None,
            departed: None,
            top_digest: None,
            body_digest: None,
        };
        let index = folder.open();
        assert_eq!(index.load().unwrap(), [first, row(b"b", u64::MAX)]);
        let read = Row {
            read: true,
            ..row(b"b", u64::MAX)
        };
        index.learn(vec![read.clone()]);
        drop(index);
        assert_eq!(folder.rows()[1], read);
    }

    #[test]
    fn format_2_is_upgraded_with_its_rows() {
        let folder = IndexFolder::new();
        let outside = Connection::open(folder.file()).unwrap();
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
            twins: NonZeroU32::new(2),
            read: true,
            title: Some("Alice - Hello".into()),
            mark: Some("cur:2,S".into()),
            crlfs: None,
            outline: None,
            first_listed: None,
            departed: None,
            top_digest: None,
            body_digest: None,
        };
        let index = folder.open();
        assert_eq!(index.load().unwrap(), [first.clone(), row(b"b", u64::MAX)]);
        let counted = Row {
            crlfs: Some(40),
            outline: Some("Hello\nAlice\n".into()),
            ..first
        };
        index.learn(vec![counted.clone()]);
        drop(index);
        assert_eq!(folder.rows()[0], counted);
    }

    #[test]
    fn format_3_is_upgraded_and_then_knows_departures() {
        let folder = IndexFolder::new();
        let outside = Connection::open(folder.file()).unwrap();
        outside.execute_batch(FORMAT_3).unwrap();
        outside
            .execute_batch(
                "PRAGMA application_id = 1886351411; PRAGMA user_version = 3;
                INSERT INTO message VALUES (x'61', 0, 17, 9, 1700000000, 9, 1, 1, 'A', 'S', 2, 'B');",
            )
            .unwrap();
        drop(outside);
        let learnt = Row {
            size: Some(9),
            arrived: Some(1_700_000_000),
            listed: 9,
            read: true,
            title: Some("A".into()),
            mark: Some("S".into()),
            crlfs: Some(2),
            outline: Some("B".into()),
            ..row(b"a", 17)
        };
        assert_eq!(folder.rows(), std::slice::from_ref(&learnt));
        let departed = Row {
            first_listed: Some(1),
            departed: Some(i64::MAX),
            ..learnt
        };
        folder.open().learn(vec![departed.clone()]);
        assert_eq!(folder.rows(), [departed]);
    }

    #[test]
    fn an_index_that_lacks_a_later_table_is_set_aside() {
        for damage in [
            "DROP TABLE watermark",
            "DELETE FROM watermark",
            "DROP TABLE listing",
            "DROP TABLE removal",
            "DROP TABLE deletion",
        ] {
            let folder = IndexFolder::new();
            drop(folder.open());
            let outside = Connection::open(folder.file()).unwrap();
            outside.execute_batch(damage).unwrap();
            drop(outside);
            assert_set_aside_and_replaced(&folder);
        }
    }

    #[test]
    fn a_damaged_format_1_is_set_aside() {
        let folder = IndexFolder::new();
        Connection::open(folder.file())
            .unwrap()
            .execute_batch(
                "PRAGMA application_id = 1886351411; PRAGMA user_version = 1; CREATE TABLE other (x)",
            )
            .unwrap();
        assert_set_aside_and_replaced(&folder);
    }

    /// Format 5 has three more tables than format 4: never to be changed.
    const FORMAT_5: [(&str, &str); 3] = [
        (
            "listing",
            "CREATE TABLE listing (
    taken INTEGER NOT NULL,
    unnamed INTEGER NOT NULL,
    inodes BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT",
        ),
        ("message", FORMAT_4),
        (
            "removal",
            "CREATE TABLE removal (
    uidl BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    twins INTEGER NOT NULL,
    resized INTEGER NOT NULL,
    read INTEGER NOT NULL,
    top_digest BLOB,
    body_digest BLOB,
    twin_digest BLOB,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT",
        ),
    ];

    /// An index of format 4 or 5 with one message, which the present format has, too.
    fn written_as(format: i32, tables: &[&str]) -> IndexFolder {
        let folder = IndexFolder::new();
        let outside = Connection::open(folder.file()).unwrap();
        for table in tables {
            outside.execute_batch(table).unwrap();
        }
        outside
            .execute_batch(
                "CREATE TABLE watermark (inode INTEGER NOT NULL) STRICT;
                INSERT INTO watermark VALUES (3);
                PRAGMA application_id = 1886351411;
                INSERT INTO message (uidl, ordinal, inode, listed, twins)
                VALUES (x'61', 0, 17, 0, 1);",
            )
            .unwrap();
        outside.pragma_update(None, "user_version", format).unwrap();
        drop(outside);
        assert_eq!(folder.rows(), [row(b"a", 17)]);
        folder
    }

    #[test]
    fn format_4_is_upgraded_and_then_keeps_listings() {
        let folder = written_as(4, &[FORMAT_4]);
        let index = folder.open();
        assert_eq!(index.last_listing().unwrap(), None);
        let listing = LastListing {
            taken: 5,
            unnamed: 0,
            inodes: vec![17],
        };
        index.keep_listing(Vec::new(), listing.clone());
        assert_eq!(index.last_listing().unwrap(), Some(listing));
        assert_eq!(
            (index.watermark().unwrap(), index.removals().unwrap()),
            (3, vec![])
        );
    }

    /// Format 6 has one more table than format 5: never to be changed.
    const DELETION: &str =
        "CREATE TABLE deletion (at INTEGER NOT NULL, messages BLOB NOT NULL) STRICT";

    #[test]
    fn format_5_is_upgraded_and_then_keeps_deletions() {
        let folder = written_as(5, &FORMAT_5.map(|(_, table)| table));
        let deletions = Deletions {
            messages: vec![(b"a"[..].into(), 0)],
            at: 5,
        };
        folder.open().retire(deletions).unwrap();
        let deleted = Row {
            twins: None,
            departed: Some(5),
            ..row(b"a", 17)
        };
        assert_eq!(folder.rows(), [deleted]);
    }

    #[test]
    fn a_new_index_has_format_6() {
        let folder = IndexFolder::new();
        drop(folder.open());
        let outside = Connection::open(folder.file()).unwrap();
        for (table, expected) in FORMAT_5.into_iter().chain([("deletion", DELETION)]) {
            let written: String = outside
                .query_row(
                    "SELECT sql FROM sqlite_schema WHERE name = ?1",
                    [table],
                    |row| row.get(0),
                )
                .unwrap();
            assert_eq!(
                written, expected,
                "version bump required: the format changed"
            );
        }
        let version: i32 = outside
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 6);
    }
}
