//! Which headers a session has shown. Message numbers do not change within a session (RFC 1939
//! section 5), so before a DELE it need not show again what it has shown already.

use slotmap::SecondaryMap;

use crate::maildrop::catalogue::digest::HeaderSource;
use crate::maildrop::catalogue::id::MessageId;

/// The messages whose headers a session has shown, by the command that showed them.
#[derive(Debug, Default)]
pub(crate) struct ShownHeaders {
    by_top: SecondaryMap<MessageId, ()>,
    by_body: SecondaryMap<MessageId, ()>,
}

impl ShownHeaders {
    pub(crate) fn note(&mut self, message: MessageId, source: HeaderSource) {
        match source {
            HeaderSource::Top => self.by_top.insert(message, ()),
            HeaderSource::Body => self.by_body.insert(message, ()),
        };
    }

    pub(crate) fn contains(&self, message: MessageId, source: HeaderSource) -> bool {
        match source {
            HeaderSource::Top => self.by_top.contains_key(message),
            HeaderSource::Body => self.by_body.contains_key(message),
        }
    }
}
