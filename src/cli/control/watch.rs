//! `pop3fs watch`: the daemon compares what the directory shows with what it showed, and tells the
//! client of each difference. The kernel has no call by which a FUSE server could raise inotify
//! events.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cli::control::{ControlReply, ControlResponse};
use crate::maildrop::{Fault, Maildrop, Message, MessageId, Standing, Waiter};
use crate::message::summary;
use crate::store::Body;

/// How often the daemon looks whether the directory has changed, and whether the client is still
/// there.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Of how many new messages at a time the headers are fetched, to tell sender and subject.
const HEADERS_FETCHED_MOST: usize = 100;

/// A message that has come into the directory or left it. Programs read it: fields may be added,
/// never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct MessageChange {
    /// Which of both.
    pub event: ChangeKind,
    /// Its name in the root, where messages are shown as they are.
    pub name: String,
    /// As the server sends it, with U+FFFD for what is not UTF-8; none on a server without UIDL.
    pub unique_id: Option<String>,
    /// Its size: exact where it is known, else as LIST says.
    pub octets: u64,
    /// When it arrived, in Unix seconds, if that is known.
    pub arrival: Option<i64>,
    /// Its authors, if its headers are known.
    pub from: Option<String>,
    /// Its subject, if its headers are known.
    pub subject: Option<String>,
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum ChangeKind {
    /// The directory shows it now.
    Arrived,
    /// It is gone from the server, or was removed here.
    Departed,
}

/// Counts the clients that watch: there are as many clones as clients, and one more.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Watchers(Arc<()>);

impl Watchers {
    pub(in crate::cli) fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Tells the client of each change until it leaves or the mount ends. Has the listing renewed as
/// often as `refresh` and the server allow.
pub(in crate::cli) fn watch(
    maildrop: &Arc<Maildrop>,
    watchers: &Watchers,
    mut reply: ControlReply,
) {
    let mut watch = Watch::begin(maildrop);
    let _counted = watchers.clone();
    reply.wait_for_slow_client();
    while !maildrop.has_ended() {
        maildrop.renew_listing();
        for change in watch.changes() {
            if reply.going(&ControlResponse::changed(change)).is_err() {
                return;
            }
        }
        if reply.has_left_within(BETWEEN_LOOKS) {
            return;
        }
    }
    reply.send(&ControlResponse::done("the mount has ended"));
}

/// What the client knows of the directory.
struct Watch<'a> {
    maildrop: &'a Maildrop,
    /// The inode numbers of the messages that were shown.
    shown: BTreeSet<u64>,
}

impl<'a> Watch<'a> {
    fn begin(maildrop: &'a Maildrop) -> Self {
        Self {
            maildrop,
            shown: listed(maildrop),
        }
    }

    /// What has changed since the last call, in directory order: first what has departed.
    fn changes(&mut self) -> Vec<MessageChange> {
        let now = listed(self.maildrop);
        if now == self.shown {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.shown, now);
        let ids = |inodes: Vec<u64>| -> Vec<MessageId> {
            let ids = inodes.into_iter();
            ids.filter_map(|inode| self.maildrop.by_inode(inode))
                .collect()
        };
        let departed = ids(before.difference(&self.shown).copied().collect());
        let arrived = ids(self.shown.difference(&before).copied().collect());
        let headers = self.headers_of(&arrived);
        let departed = departed.into_iter().map(|id| {
            let body = self.maildrop.peek_body(id);
            self.change(ChangeKind::Departed, id, body.as_deref())
        });
        let arrived = arrived.iter().zip(headers);
        let arrived =
            arrived.map(|(&id, headers)| self.change(ChangeKind::Arrived, id, headers.as_deref()));
        departed.chain(arrived).collect()
    }

    /// The headers of new messages. They are fetched if there are few, and waited for as long as
    /// the server may be silent.
    fn headers_of(&self, arrived: &[MessageId]) -> Vec<Option<Arc<Body>>> {
        let here: Vec<Option<Arc<Body>>> = arrived
            .iter()
            .map(|&id| self.maildrop.access_headers(id))
            .collect();
        if arrived.len() > HEADERS_FETCHED_MOST {
            return here;
        }
        let wanted = arrived.iter().zip(&here);
        let coming: Vec<Option<Receiver<_>>> = wanted
            .map(|(&id, found)| found.is_none().then(|| self.want_headers(id)))
            .collect();
        let give_up = Instant::now() + self.maildrop.timeout();
        let received = here.into_iter().zip(coming).map(|(found, coming)| {
            let left = give_up.saturating_duration_since(Instant::now());
            found.or_else(|| coming?.recv_timeout(left).ok()?.ok())
        });
        received.collect()
    }

    fn want_headers(&self, id: MessageId) -> Receiver<Result<Arc<Body>, Fault>> {
        let (tell, told) = mpsc::channel();
        let answer = move |headers| {
            let _nobody_waits_any_more = tell.send(headers);
        };
        self.maildrop.want_headers(id, Waiter::new(|| true, answer));
        told
    }

    fn change(&self, event: ChangeKind, id: MessageId, headers: Option<&Body>) -> MessageChange {
        let message = self.maildrop.message(id);
        let octets = headers.and_then(|headers| headers.whole().ok());
        let summary = octets.map(|octets| summary(&octets)).unwrap_or_default();
        MessageChange {
            event,
            name: message.name(),
            unique_id: message
                .unique_id()
                .map(|id| String::from_utf8_lossy(id).into_owned()),
            octets: message.size(),
            arrival: message.arrived,
            from: summary.from,
            subject: summary.subject,
        }
    }
}

fn listed(maildrop: &Maildrop) -> BTreeSet<u64> {
    let mut inodes = BTreeSet::new();
    maildrop.visit_after(0, Standing::Listed, |message: &Message| {
        inodes.insert(message.inode);
        ControlFlow::Continue(())
    });
    inodes
}
