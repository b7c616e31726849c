//! What a pending deletion is waiting for.

use crate::maildrop::settings::Settings;

/// How far LIST speaks for it that a message is the one that was unlinked, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// It has the octets that it had, as have all of its twins: it is the one, unless its headers tell of another.
    Same,
    /// It has other octets: it is the one if its headers tell so.
    Resized,
    /// One of its twins has other octets: each may have the number of another.
    Shifted,
}

/// What was shown of a message before it was in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The worst since then.
    pub(crate) likeness: Likeness,
    /// Unix seconds.
    pub(crate) arrived: Option<i64>,
    pub(crate) title: Option<Box<str>>,
    /// A user was given the body.
    pub(crate) read: bool,
}

impl Shown {
    /// Whether it is the one, as far as the headers tell where the server gives them.
    pub(crate) fn is_of(&self, headers: Option<&[u8]>, settings: &Settings) -> bool {
        match self.likeness {
            Likeness::Same => headers.is_none_or(|headers| !self.is_belied_by(headers, settings)),
            Likeness::Resized => headers.is_some_and(|headers| self.is_told_by(headers, settings)),
            Likeness::Shifted => false,
        }
    }

    /// Whether the headers make a difference.
    pub(crate) fn can_be_told(&self) -> bool {
        let was_shown = self.arrived.is_some() || self.title.is_some();
        was_shown && self.likeness != Likeness::Shifted
    }

    /// Mail without a date shows when it was seen first, which no headers can tell.
    fn is_belied_by(&self, headers: &[u8], settings: &Settings) -> bool {
        let arrived = settings.dating.of(headers);
        let other_date = arrived.is_some() && self.arrived.is_some() && arrived != self.arrived;
        other_date || !self.has_title_of(headers, settings)
    }

    /// Where nothing was shown but the name, nothing can be told.
    fn is_told_by(&self, headers: &[u8], settings: &Settings) -> bool {
        let same_date = self.arrived.is_some() && settings.dating.of(headers) == self.arrived;
        same_date && self.has_title_of(headers, settings)
    }

    /// Also where none was shown.
    fn has_title_of(&self, headers: &[u8], settings: &Settings) -> bool {
        let title = || (settings.titling)(headers);
        let shown = self.title.as_deref();
        shown.is_none_or(|shown| shown == title().as_str())
    }
}
