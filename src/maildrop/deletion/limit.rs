//! The delete limit: a commit that deletes many messages needs the user's consent, unless the
//! program that removed a message had read it.
//!
//! `mv` and `rsync --remove-source-files` read what they remove, so they may remove any number.
//! `rm` reads nothing. A message that another program or an earlier mount has read does not count
//! as copied. Only removals by programs that had not read the message count here:
//!
//! | removals that count | the commit is | such as |
//! |---|---|---|
//! | more than `max_delete` | held back | `rm` with a wrong pattern |
//! | more than 10, and more than ten times what is left | held back | `rm -rf ~/mail/*` |
//! | any others | carried out | |
//!
//! With `max_delete=off` there is no limit. [`Consent::Given`] suspends it for one commit.

use std::fmt;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::message::Standing;
use serde::{Deserialize, Serialize};

/// This many messages may be deleted without consent, even if they are the whole maildrop.
const FEW: usize = 10;
/// A maildrop is nearly empty if the removals that count are more than this many times what is
/// left.
const PART_LEFT: u64 = 10;

/// Whether the user agrees to delete many messages that the removing programs had not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The user has said nothing, so the limit decides.
    #[default]
    Unsaid,
    /// The user agrees to all pending deletions.
    Given,
}

/// A commit that is held back, and the reason. It deletes nothing, and all deletions stay pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many messages the commit would have deleted.
    pub pending: usize,
    /// How many of them the removing program had not read.
    pub unread: usize,
    /// The limit that is exceeded.
    pub excess: Excess,
}

/// Which limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// `max_delete`.
    Many {
        /// The most messages that may be deleted without consent.
        max_delete: u32,
    },
    /// The commit would delete the whole maildrop, or nearly.
    NearlyAll {
        /// How many messages would be left.
        left: u64,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pending, unread, ..
        } = self;
        let removers = match unread {
            1 => "a program that had not read it",
            _ => "programs that had not read them",
        };
        match (pending, unread) {
            (1, _) => write!(f, "1 message was removed by {removers}")?,
            _ if pending == unread => {
                write!(f, "{pending} messages were removed by {removers}")?;
            }
            _ => write!(
                f,
                "{pending} messages were removed, {unread} of them by {removers}"
            )?,
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

/// Checks whether the pending deletions may be committed. `max_delete` is `None` for no limit.
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
    let is_nearly_empty = left.saturating_mul(PART_LEFT) < unread as u64;
    (unread > FEW && is_nearly_empty).then_some(Excess::NearlyAll { left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::listing::{Coverage, Entry};
    use crate::maildrop::catalogue::pending::Remover;
    use crate::pop3::UniqueId;

    /// A catalogue of `listed` messages. The first `unlinked` of them are removed, and the first
    /// `read` of these by a program that had read them.
    fn maildrop(listed: usize, unlinked: usize, read: usize) -> Catalogue {
        let mut catalogue = Catalogue::remembered(&[]);
        let entry = |n: usize| Entry {
            uidl: UniqueId::from_wire(format!("{n:05}").as_bytes()),
            octets: 1,
        };
        let entries = (0..listed).map(entry).collect();
        let (order, _) = catalogue.update(entries, Coverage::Complete);
        for &id in &order[..unlinked] {
            catalogue.set_standing(id, Standing::Unlinked);
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
    fn any_number_of_read_messages_may_be_deleted() {
        assert_eq!(held(&maildrop(3000, 3000, 3000), 1000), None);
        assert_eq!(held(&maildrop(3000, 3000, 2990), 1000), None);
    }

    #[test]
    fn up_to_max_delete_unread_messages_may_be_deleted() {
        let many = |max_delete| Some(Excess::Many { max_delete });
        assert_eq!(held(&maildrop(5000, 1000, 0), 1000), None);
        assert_eq!(held(&maildrop(5000, 1001, 0), 1000), many(1000));
        assert_eq!(held(&maildrop(5000, 1500, 500), 1000), None);
        assert_eq!(held(&maildrop(100, 1, 0), 0), many(0));
        assert_eq!(held(&maildrop(100, 1, 1), 0), None);
    }

    #[test]
    fn deleting_all_of_more_than_ten_unread_messages_is_held_back() {
        assert_eq!(held(&maildrop(10, 10, 0), 1000), None);
        let none_left = Some(Excess::NearlyAll { left: 0 });
        assert_eq!(held(&maildrop(11, 11, 0), 1000), none_left);
        assert_eq!(held(&maildrop(300, 300, 289), 1000), none_left);
    }

    #[test]
    fn a_little_new_mail_does_not_lift_the_limit() {
        let few_left = Some(Excess::NearlyAll { left: 29 });
        assert_eq!(held(&maildrop(329, 300, 0), 1000), few_left);
        assert_eq!(held(&maildrop(330, 300, 0), 1000), None);
    }

    #[test]
    fn consent_or_no_limit_allows_any_deletion() {
        let catalogue = maildrop(3000, 3000, 0);
        assert_eq!(check(&catalogue, Some(0), Consent::Given), Ok(()));
        assert_eq!(check(&catalogue, None, Consent::Unsaid), Ok(()));
    }

    #[test]
    fn the_message_states_the_counts_and_the_exceeded_limit() {
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
