//! Full-text search, from the octets of messages to what a query finds: through the public
//! functions of `pop3fs::search` and `pop3fs::store`. No mount, no server.

mod damage;
mod facts;
mod hostile;
mod recall;
mod scripts;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::sync::Arc;

use pop3fs::search::{Clock, Query};
use pop3fs::store::{Body, BodyKey, CacheFolder, Indexed, SearchEntry, SearchIndex};
use tempfile::TempDir;

/// 2024-05-15T12:00:00Z
const NOW: i64 = 1_715_774_400;

/// The messages that were read.
const READ: [u64; 2] = [2, 3];
/// What is found where nothing is.
const NONE: [u64; 0] = [];

/// An index in a folder of its own.
struct Account {
    base: TempDir,
    index: SearchIndex,
}

impl Account {
    fn new() -> Self {
        let base = tempfile::tempdir().expect("a folder");
        let index = SearchIndex::open(&folder(&base)).expect("an index");
        Self { base, index }
    }

    /// One with these messages, whose inode numbers count from 1.
    fn with(messages: &[Vec<u8>]) -> Self {
        let account = Self::new();
        for (inode, message) in (1..).zip(messages) {
            account.index.feed(entry(inode, message));
        }
        account.index.flush().expect("a written index");
        account
    }

    fn folder(&self) -> CacheFolder {
        folder(&self.base)
    }

    /// The inode numbers of what is found, in order.
    fn found(&self, query: &str) -> Vec<u64> {
        let query = Query::parse(query).expect(query);
        let found = self
            .index
            .search(&query, &Clock::utc(NOW), || READ.to_vec());
        found
            .expect("an answer")
            .iter()
            .map(|found| found.indexed.inode)
            .collect()
    }
}

fn folder(base: &TempDir) -> CacheFolder {
    CacheFolder::open(base.path(), "alice@example.org").expect("a cache folder")
}

fn key(inode: u64) -> BodyKey {
    BodyKey::new(&inode.to_be_bytes(), 0)
}

fn indexed(inode: u64) -> Indexed {
    let key = key(inode);
    Indexed { inode, key }
}

fn entry(inode: u64, message: &[u8]) -> SearchEntry {
    SearchEntry {
        inode,
        key: key(inode),
        body: Arc::new(Body::new(message.to_vec())),
        arrived: None,
    }
}

/// A message with these headers, given with LF, and this text.
fn message(headers: &str, text: &str) -> Vec<u8> {
    targets::mails::wire(&format!(
        "{headers}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
    ))
}
