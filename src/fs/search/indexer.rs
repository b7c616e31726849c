//! The thread that feeds the search index with the messages that come from the server, or that an
//! earlier mount has cached. It fetches none.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use crate::maildrop::{Maildrop, MessageId};
use crate::store::{Indexed, SearchEntry, SearchIndex};

/// How often the index is compared with the listing, if that has changed.
const BETWEEN_COMPARISONS: Duration = Duration::from_secs(10);

/// Starts the thread, which waits until it is sent something or the sender is gone. It ends with the
/// maildrop.
pub(super) fn start(maildrop: &Arc<Maildrop>, index: &Arc<SearchIndex>) -> io::Result<Sender<()>> {
    let (came, bodies) = channel();
    let (go, gone) = channel();
    maildrop.on_body(move |id| {
        // The thread ends only with the process.
        let _received = came.send(id);
    });
    let indexer = Indexer {
        maildrop: Arc::clone(maildrop),
        index: Arc::clone(index),
    };
    thread::Builder::new()
        .name("indexer".to_owned())
        .spawn(move || {
            if gone.recv().is_ok() {
                indexer.run(&bodies);
            }
        })?;
    Ok(go)
}

struct Indexer {
    maildrop: Arc<Maildrop>,
    index: Arc<SearchIndex>,
}

impl Indexer {
    fn run(&self, bodies: &Receiver<MessageId>) {
        let mut compared: Option<(SystemTime, Instant)> = None;
        loop {
            let changed = self.maildrop.changed();
            let is_due = compared.is_none_or(|(listing, at)| {
                listing != changed && at.elapsed() >= BETWEEN_COMPARISONS
            });
            if is_due {
                self.compare();
                compared = Some((changed, Instant::now()));
            }
            match bodies.recv_timeout(BETWEEN_COMPARISONS) {
                Ok(id) => self.feed(id),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Removes departed messages from the index, and adds those that are cached and not in it.
    fn compare(&self) {
        let searchable = self.maildrop.searchable();
        self.index.retain(searchable.iter().copied().collect());
        let missing = self.index.missing(&searchable);
        match missing {
            Ok(missing) => missing
                .iter()
                .for_each(|message| self.feed_indexed(message)),
            Err(error) => log::warn!("{error}"),
        }
    }

    fn feed_indexed(&self, message: &Indexed) {
        if let Some(id) = self.maildrop.by_inode(message.inode) {
            self.feed(id);
        }
    }

    fn feed(&self, id: MessageId) {
        let Some(body) = self.maildrop.peek_body(id) else {
            return;
        };
        let Indexed { inode, key } = self.maildrop.indexed(id);
        self.index.feed(SearchEntry {
            inode,
            key,
            body,
            arrived: self.maildrop.message(id).arrived,
        });
    }
}
