//! The table of the index, its statements, and the steps from older formats.

/// `application_id`: "pop3", so that file(1) and this program recognize the file.
pub(super) const APPLICATION: i32 = 0x706f_7033;
/// The format that this program reads and writes, stored as `user_version`. It grows with every
/// change of [`CREATE`].
pub(super) const FORMAT: i32 = 3;

/// One row for each message. `inode` is UNIQUE because two mounts may give out the same number at
/// the same time.
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

/// All rows. `inode`, `size`, `listed` and `crlfs` are the bits of a u64.
pub(super) const LOAD: &str = "SELECT uidl, ordinal, inode, size, arrived, listed, twins, read,
    title, mark, crlfs, outline FROM message";

/// The row of one message, with the columns of [`LOAD`].
pub(super) const FIND: &str = "SELECT uidl, ordinal, inode, size, arrived, listed, twins, read,
    title, mark, crlfs, outline FROM message WHERE uidl = ?1 AND ordinal = ?2";

/// Stores a row with the columns of [`LOAD`]. It changes nothing if another message has the inode
/// number; then [`FREE_INODE`] finds one that is free.
pub(super) const STORE: &str = "INSERT INTO message (uidl, ordinal, inode, size, arrived, listed,
    twins, read, title, mark, crlfs, outline)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (uidl, ordinal) DO UPDATE SET size = excluded.size, arrived = excluded.arrived,
        listed = excluded.listed, twins = excluded.twins, read = excluded.read,
        title = excluded.title, mark = excluded.mark, crlfs = excluded.crlfs,
        outline = excluded.outline
    ON CONFLICT (inode) DO NOTHING";

/// The first free inode number behind ?1, which is taken: another mount may have given it to a
/// message that this one never saw. It is near ?1, so that inode numbers still sort as names do.
pub(super) const FREE_INODE: &str = "SELECT inode + 1 FROM message AS taken WHERE inode >= ?1
    AND NOT EXISTS (SELECT 1 FROM message WHERE inode = taken.inode + 1) ORDER BY inode LIMIT 1";

/// Format 1 had no titles, no flags, and did not know what was read.
const FROM_FORMAT_1: &str = "BEGIN IMMEDIATE;
    ALTER TABLE message ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE message ADD COLUMN title TEXT;
    ALTER TABLE message ADD COLUMN mark TEXT;
    PRAGMA user_version = 2;
    COMMIT";
/// Format 2 had no line ends and no summaries.
const FROM_FORMAT_2: &str = "BEGIN IMMEDIATE;
    ALTER TABLE message ADD COLUMN crlfs INTEGER;
    ALTER TABLE message ADD COLUMN outline TEXT;
    PRAGMA user_version = 3;
    COMMIT";

/// The steps from an older format to the current one; none if no such format ever existed.
pub(super) fn steps_from(format: i32) -> Option<&'static [&'static str]> {
    match format {
        1 => Some(&[FROM_FORMAT_1, FROM_FORMAT_2]),
        2 => Some(&[FROM_FORMAT_2]),
        FORMAT => Some(&[]),
        _ => None,
    }
}
