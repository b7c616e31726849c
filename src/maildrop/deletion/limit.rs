//! The delete limit: many messages are deleted only after the user confirms, unless the program that removed them had read
//! them.
//!
//! `mv` and `rsync --remove-source-files` read what they remove, in any number. `rm` reads nothing; what another program has
//! read, or an earlier mount has shown, is no copy. Of the removals by programs that had not read the message
//!
//! | a commit deletes | and is |
//! |---|---|
//! | more than `max_delete` messages | held back: a wrong pattern |
//! | more than 10, with less than a tenth as many left in the maildrop | held back: `rm -rf ~/mail/*`, whatever mail has come since |
//! | anything else | carried out |
//!
//! With `max_delete=off` there is no limit, and [`Consent::Given`] suspends it for one commit.

use std::fmt;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::message::Standing;
use serde::{Deserialize, Serialize};

/// So many messages are deleted without a question, be they the whole maildrop.
const FEW: usize = 10;
/// A maildrop is nearly emptied if what is left is less than this part of the removals that count.
const PART_LEFT: u64 = 10;

/// What the user says of deleting many messages that the removing program had not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Nothing: the limit decides.
    #[default]
    Unsaid,
    /// Yes, to all that is pending.
    Given,
}

/// A commit that is held back, and why. Nothing is deleted, and all stays pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Messages that it would have deleted.
    pub pending: usize,
    /// Those of them that the removing program had not read.
    pub unread: usize,
    /// What was too much.
    pub excess: Excess,
}

/// Which limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// More messages than `max_delete`.
    Many {
        /// The most messages that may go without a question.
        max_delete: u32,
    },
    /// All of the maildrop, or nearly.
    NearlyAll {
        /// How many messages would be left.
        left: u64,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held {
            pending, unread, ..
        } = self;
        if unread == pending {
            write!(
                f,
                "{pending} messages were removed by programs that had not read them"
            )?;
        } else {
            write!(
                f,
                "{pending} messages were removed, {unread} of them by programs that had not read them"
            )?;
        }
        match self.excess {
            Excess::Many { max_delete } => {
                write!(f, ", more than max_delete allows ({max_delete})")
            }
            Excess::NearlyAll { left: 0 } => f.write_str(", and none would be left on the server"),
            Excess::NearlyAll { left } => {
                write!(f, ", and only {left} would be left on the server")
            }
        }
    }
}

/// Whether the pending deletions may be committed; `max_delete` is none where the user wants no limit.
pub(crate) fn check(
    catalogue: &Catalogue,
    max_delete: Option<u32>,
    consent: Consent,
) -> Result<(), Held> {
    let Some(max_delete) = max_delete else {
        return Ok(());
    };
    if consent == Consent::Given {
        return Ok(());
    }
    let pending = catalogue.after(0, Standing::Unlinked);
    let (pending, unread) = pending.fold((0, 0), |(pending, unread), (id, _)| {
        (
            pending + 1,
            unread + usize::from(!catalogue.has_remover_read(id)),
        )
    });
    let left = catalogue.totals().messages;
    match excess(unread, left, max_delete) {
        None => Ok(()),
        Some(excess) => Err(Held {
            pending,
            unread,
            excess,
        }),
    }
}

fn excess(unread: usize, left: u64, max_delete: u32) -> Option<Excess> {
    if unread > max_delete as usize {
        return Some(Excess::Many { max_delete });
    }
    let empties = left.saturating_mul(PART_LEFT) < unread as u64;
    (unread > FEW && empties).then_some(Excess::NearlyAll { left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::listing::{Coverage, Entry};
    use crate::maildrop::catalogue::pending::Remover;
    use crate::pop3::UniqueId;

    /// So many listed, of which the first are unlinked, and of these the first by who had read them.
    fn maildrop(listed: usize, unlinked: usize, read: usize) -> Catalogue {
        let mut catalogue = Catalogue::remembered(&[]);
        let entry = |n: usize| Entry {
            uidl: UniqueId::from_wire(format!("{n:05}").as_bytes()),
            octets: 1,
        };
        let entries = (0..listed).map(entry).collect();
        let (order, _) = catalogue.update(entries, Coverage::Complete);
        for &id in &order[..unlinked] {
            catalogue.stand(id, Standing::Unlinked);
        }
        for &id in &order[..read] {
            catalogue.note_remover(id, Remover::HasReadIt);
        }
        catalogue
    }

    fn held(catalogue: &Catalogue, max_delete: u32) -> Option<Excess> {
        let checked = check(catalogue, Some(max_delete), Consent::Unsaid);
        checked.err().map(|held| held.excess)
    }

    #[test]
    fn what_was_read_passes_in_any_number() {
        assert_eq!(held(&maildrop(3000, 3000, 3000), 1000), None);
        assert_eq!(held(&maildrop(3000, 3000, 2990), 1000), None);
    }

    #[test]
    fn unread_messages_pass_up_to_max_delete() {
        let many = |max_delete| Some(Excess::Many { max_delete });
        assert_eq!(held(&maildrop(5000, 1000, 0), 1000), None);
        assert_eq!(held(&maildrop(5000, 1001, 0), 1000), many(1000));
        assert_eq!(held(&maildrop(5000, 1500, 500), 1000), None);
        assert_eq!(held(&maildrop(100, 1, 0), 0), many(0));
        assert_eq!(held(&maildrop(100, 1, 1), 0), None);
    }

    #[test]
    fn a_maildrop_of_more_than_ten_is_not_emptied_unread() {
        assert_eq!(held(&maildrop(10, 10, 0), 1000), None);
        let none_left = Some(Excess::NearlyAll { left: 0 });
        assert_eq!(held(&maildrop(11, 11, 0), 1000), none_left);
        assert_eq!(held(&maildrop(300, 300, 289), 1000), none_left);
    }

    #[test]
    fn mail_that_has_come_since_does_not_lift_the_limit() {
        let few_left = Some(Excess::NearlyAll { left: 29 });
        assert_eq!(held(&maildrop(329, 300, 0), 1000), few_left);
        assert_eq!(held(&maildrop(330, 300, 0), 1000), None);
    }

    #[test]
    fn a_yes_and_no_limit_let_everything_through() {
        let catalogue = maildrop(3000, 3000, 0);
        assert_eq!(check(&catalogue, Some(0), Consent::Given), Ok(()));
        assert_eq!(check(&catalogue, None, Consent::Unsaid), Ok(()));
    }

    #[test]
    fn the_sentence_tells_how_many_and_what_was_too_much() {
        let sentence = |pending, unread, excess| {
            let held = Held {
                pending,
                unread,
                excess,
            };
            held.to_string()
        };
        assert_eq!(
            sentence(300, 300, Excess::NearlyAll { left: 0 }),
            "300 messages were removed by programs that had not read them, and none would be left on the server"
        );
        assert_eq!(
            sentence(1501, 1500, Excess::Many { max_delete: 1000 }),
            "1501 messages were removed, 1500 of them by programs that had not read them, more than max_delete allows (1000)"
        );
    }
}
