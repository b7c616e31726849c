//! The table of the index, its statements, and the steps from older formats.

/// `application_id`: "pop3", so that file(1) and this program recognize the file.
pub(super) const APPLICATION: i32 = 0x706f_7033;
/// The format that this program reads and writes, stored as `user_version`. It grows with every
/// change of [`CREATE`].
pub(super) const FORMAT: i32 = 6;

/// `message` has one row for each message. `inode` is UNIQUE because two mounts may give out the
/// same number at the same time. `twins` is 0 after the message was deleted. The only row of
/// `watermark` has the greatest inode number of all rows that were deleted, so that no number up to
/// it is ever given again.
///
/// The only row of `listing`, if there is one, is the last complete listing: `inodes` are its
/// messages in maildrop order, 8 octets each, and `digest` shows whether it and the rows of its
/// messages are undamaged. `removal` has a row for each message whose deletion is pending across
/// mounts. `deletion` has a row for each commit whose deletions `message` does not show yet: when it
/// was, and the unique-ids and ordinals of the messages.
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
    first_listed INTEGER,
    departed INTEGER,
    top_digest BLOB,
    body_digest BLOB,
    PRIMARY KEY (uidl, ordinal)
) WITHOUT ROWID, STRICT;
CREATE TABLE watermark (inode INTEGER NOT NULL) STRICT;
INSERT INTO watermark VALUES (0);
CREATE TABLE listing (
    taken INTEGER NOT NULL,
    unnamed INTEGER NOT NULL,
    inodes BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE TABLE removal (
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
) WITHOUT ROWID, STRICT;
CREATE TABLE deletion (at INTEGER NOT NULL, messages BLOB NOT NULL) STRICT";

/// The columns of a row, in the order in which the writer reads and stores them. `inode`, `size`,
/// `listed` and `crlfs` are the bits of a u64.
macro_rules! columns {
    () => {
        "uidl, ordinal, inode, size, arrived, listed, twins, read, title, mark, crlfs, outline,
        first_listed, departed, top_digest, body_digest"
    };
}

/// All rows.
pub(super) const LOAD: &str = concat!("SELECT ", columns!(), " FROM message");

/// The row of one message, with the columns of [`LOAD`].
pub(super) const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM message WHERE uidl = ?1 AND ordinal = ?2"
);

/// Whether the index has no messages.
pub(super) const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM message)";

/// Stores a row with the columns of [`LOAD`], whose inode number no other message has: in the same
/// transaction, the row of a new message got one that is free.
pub(super) const STORE: &str = concat!(
    "INSERT INTO message (",
    columns!(),
    ")
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (uidl, ordinal) DO UPDATE SET size = excluded.size, arrived = excluded.arrived,
        listed = excluded.listed, twins = excluded.twins, read = excluded.read,
        title = excluded.title, mark = excluded.mark, crlfs = excluded.crlfs,
        outline = excluded.outline, first_listed = excluded.first_listed,
        departed = excluded.departed, top_digest = excluded.top_digest,
        body_digest = excluded.body_digest
    ON CONFLICT (inode) DO NOTHING"
);

/// Marks a message as deleted at ?3. A departure that is recorded already stays.
pub(super) const RETIRE: &str = "UPDATE message SET twins = 0, departed = coalesce(departed, ?3)
    WHERE uidl = ?1 AND ordinal = ?2";

/// The deletions that are noted, in the order in which they were made.
pub(super) const DELETIONS: &str = "SELECT at, messages FROM deletion ORDER BY rowid";

/// Notes the deletions of one commit.
pub(super) const NOTE_DELETIONS: &str = "INSERT INTO deletion (at, messages) VALUES (?1, ?2)";

/// Forgets the deletions that are noted.
pub(super) const DROP_DELETIONS: &str = "DELETE FROM deletion";

/// Whether a message has the inode number.
pub(super) const IS_INODE_TAKEN: &str = "SELECT 1 FROM message WHERE inode = ?1";

/// The first free inode number behind ?1, which is taken: another mount may have given it to a
/// message that this one never saw. It is near ?1, so that inode numbers still sort as names do.
pub(super) const FREE_INODE: &str = "SELECT inode + 1 FROM message AS taken WHERE inode >= ?1
    AND NOT EXISTS (SELECT 1 FROM message WHERE inode = taken.inode + 1) ORDER BY inode LIMIT 1";

/// The greatest inode number that a row has or had.
pub(super) const GREATEST_INODE: &str = "SELECT max(watermark.inode,
    coalesce((SELECT max(inode) FROM message), 0)) FROM watermark";

/// The inode number up to which none is given again.
pub(super) const WATERMARK: &str = "SELECT inode FROM watermark";

/// Raises the watermark to ?1.
pub(super) const RAISE_WATERMARK: &str = "UPDATE watermark SET inode = max(inode, ?1)";

/// Whether [`PRUNE`] with the same parameters deletes anything.
pub(super) const IS_PRUNABLE: &str = "SELECT count(*) > ?2 OR coalesce(sum(length(uidl)), 0) > ?3
    OR coalesce(min(departed), ?1) < ?1 FROM message WHERE departed IS NOT NULL";

/// Deletes the rows of messages that departed before ?1, and all but the ?2 that departed last and
/// have ?3 octets of unique-ids. Returns their inode numbers.
pub(super) const PRUNE: &str = "DELETE FROM message
    WHERE departed < ?1 OR inode IN (SELECT inode FROM (SELECT inode,
            row_number() OVER newest AS place, sum(length(uidl)) OVER newest AS octets
        FROM message WHERE departed IS NOT NULL
        WINDOW newest AS (ORDER BY departed DESC, inode DESC)) WHERE place > ?2 OR octets > ?3)
    RETURNING inode";

/// The identity of every message, in a fixed order.
pub(super) const IDENTITIES: &str = "SELECT inode, uidl, ordinal, departed FROM message
    ORDER BY uidl, ordinal";

/// The last complete listing.
pub(super) const LISTING: &str = "SELECT taken, unnamed, inodes, digest FROM listing";

/// Notes that the same listing was taken again, later.
pub(super) const RENEW_LISTING: &str = "UPDATE listing SET taken = ?1
    WHERE unnamed = ?2 AND inodes = ?3";

/// Deletes the last listing.
pub(super) const DROP_LISTING: &str = "DELETE FROM listing";

/// Stores a listing. [`DROP_LISTING`] goes before.
pub(super) const STORE_LISTING: &str = "INSERT INTO listing (taken, unnamed, inodes, digest)
    VALUES (?1, ?2, ?3, ?4)";

/// All remembered removals.
pub(super) const REMOVALS: &str = "SELECT uidl, ordinal, listed, twins, resized, read,
    top_digest, body_digest, twin_digest FROM removal";

/// Stores a removal, with the columns of [`REMOVALS`].
pub(super) const REMEMBER: &str = "INSERT OR REPLACE INTO removal (uidl, ordinal, listed, twins,
    resized, read, top_digest, body_digest, twin_digest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Deletes the removal of one message.
pub(super) const FORGET: &str = "DELETE FROM removal WHERE uidl = ?1 AND ordinal = ?2";

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

/// Format 3 kept the rows of departed messages for ever, and did not know when a message was first
/// listed, nor what its headers were.
const FROM_FORMAT_3: &str = "BEGIN IMMEDIATE;
    ALTER TABLE message ADD COLUMN first_listed INTEGER;
    ALTER TABLE message ADD COLUMN departed INTEGER;
    ALTER TABLE message ADD COLUMN top_digest BLOB;
    ALTER TABLE message ADD COLUMN body_digest BLOB;
    CREATE TABLE watermark (inode INTEGER NOT NULL) STRICT;
    INSERT INTO watermark VALUES (0);
    PRAGMA user_version = 4;
    COMMIT";

/// Format 4 kept no listing and no removals.
const FROM_FORMAT_4: &str = "BEGIN IMMEDIATE;
    CREATE TABLE listing (
        taken INTEGER NOT NULL,
        unnamed INTEGER NOT NULL,
        inodes BLOB NOT NULL,
        digest BLOB NOT NULL
    ) STRICT;
    CREATE TABLE removal (
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
    ) WITHOUT ROWID, STRICT;
    PRAGMA user_version = 5;
    COMMIT";

/// Format 5 noted a deletion in the row of its message only.
const FROM_FORMAT_5: &str = "BEGIN IMMEDIATE;
    CREATE TABLE deletion (at INTEGER NOT NULL, messages BLOB NOT NULL) STRICT;
    PRAGMA user_version = 6;
    COMMIT";

/// The steps from an older format to the current one; none if no such format ever existed.
pub(super) fn steps_from(format: i32) -> Option<&'static [&'static str]> {
    static STEPS: [&str; 5] = [
        FROM_FORMAT_1,
        FROM_FORMAT_2,
        FROM_FORMAT_3,
        FROM_FORMAT_4,
        FROM_FORMAT_5,
    ];
    let missed = usize::try_from(format).ok()?.checked_sub(1)?;
    STEPS.get(missed..)
}
