//! The file of the search index: its format, and how it is opened.
//!
//! ```text
//! document   a row for each message that is indexed: where it is, and the facts that queries ask for
//! words      the words of the messages, by the id of the document: FTS5, without the texts themselves
//! ```
//! Ids are dense, inode numbers are not: FTS5 stores the distances between them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::index::{lock, make_private_file};
use crate::store::{CacheFolder, StoreError};

/// `inode` and `octets` are the bits of a u64. The tokens come with blanks between them
/// ([`crate::search`]), and `ascii` parts them there.
const CREATE: &str = "CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    inode INTEGER NOT NULL UNIQUE,
    key BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    arrived INTEGER,
    attached INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    text, sender, recipient, copy, subject, attachment, list,
    content = '', contentless_delete = 1, tokenize = 'ascii'
);";

/// The format that this program reads and writes, kept as `user_version`. It grows with every
/// change of [`CREATE`], and of how a text is cut into tokens.
pub(super) const FORMAT: i32 = 1;
/// `application_id`: "pops".
pub(super) const APPLICATION: i32 = 0x706f_7073;
/// How long SQLite waits for another mount's transaction.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory for pages that queries read.
const READER_CACHE_KIB: i64 = 8 << 10;

/// Its name in the folder of an account.
pub(super) const FILE: &str = "search.sqlite";

/// What may be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Everything; a file that is damaged or of an older format is made again.
    Write,
    /// Only reading.
    Read,
}

/// Opens the file, and makes it again where it cannot be used.
///
/// # Errors
/// What the system refuses, and a file of a newer pop3fs.
pub(super) fn open(folder: &CacheFolder) -> Result<Connection, StoreError> {
    // Held until the end: another mount must not remove what this one begins.
    let _alone = lock(folder.path())?;
    let path = path(folder);
    make_private_file(&path)?;
    match connect(&path, Use::Write) {
        Err(error) if is_damage(&error) => {
            log::warn!("{} is damaged ({error}); it is made again", path.display());
        }
        Err(source) => return Err(StoreError::Sqlite { path, source }),
        Ok(connection) => match state(&connection) {
            FileState::Usable => return Ok(connection),
            FileState::Newer(found) => {
                let known = FORMAT;
                return Err(StoreError::NewerFormat { path, found, known });
            }
            FileState::Unusable => log::info!("{} is made again", path.display()),
        },
    }
    renew(&path)
}

/// Removes the file, as a damaged one, and begins it again. All that it had can be made of the
/// cached messages.
pub(super) fn recreate(folder: &CacheFolder) -> Result<Connection, StoreError> {
    let _alone = lock(folder.path())?;
    renew(&path(folder))
}

/// A connection more, for queries.
pub(super) fn open_reader(folder: &CacheFolder) -> Result<Connection, StoreError> {
    let _alone = lock(folder.path())?;
    let path = path(folder);
    connect(&path, Use::Read).map_err(|source| StoreError::Sqlite { path, source })
}

pub(super) fn path(folder: &CacheFolder) -> PathBuf {
    folder.path().join(FILE)
}

/// Whether a new file cures it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// What is in a file.
enum FileState {
    Usable,
    /// Written by a newer pop3fs, in that format.
    Newer(i32),
    /// Of an older format, of another program, or without a table that belongs there.
    Unusable,
}

fn state(connection: &Connection) -> FileState {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id") != Ok(APPLICATION) {
        return FileState::Unusable;
    }
    match number("user_version") {
        Ok(FORMAT) if has_tables(connection) => FileState::Usable,
        Ok(found) if found > FORMAT => FileState::Newer(found),
        _ => FileState::Unusable,
    }
}

fn has_tables(connection: &Connection) -> bool {
    connection
        .prepare("SELECT document.key, words.rowid FROM document, words WHERE words MATCH 'a'")
        .is_ok_and(|mut statement| statement.exists([]).is_ok())
}

/// A connection to the file as it is, which a blank one gets its tables from.
fn connect(path: &Path, purpose: Use) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // As the index beside it: a write-ahead log would be mapped into memory.
    connection.pragma_update(None, "journal_mode", "truncate")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    if purpose == Use::Read {
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    let is_blank = "SELECT count(*) = 0 FROM sqlite_schema";
    if connection.query_row(is_blank, [], |row| row.get(0))? {
        begin(&mut connection)?;
    }
    Ok(connection)
}

fn begin(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(CREATE)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Another mount that has the old file open goes on with it until its next batch.
fn renew(path: &Path) -> Result<Connection, StoreError> {
    for beside in ["", "-journal"] {
        let file = path.with_file_name(format!("{FILE}{beside}"));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &file)(error));
            }
            _ => (),
        }
    }
    make_private_file(path)?;
    connect(path, Use::Write).map_err(|source| StoreError::Sqlite {
        path: path.into(),
        source,
    })
}
