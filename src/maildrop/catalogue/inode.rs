//! Inode numbers in the same order as the file names.
//!
//! Tools walk a directory in the order of readdir, of names or of inode numbers (fts sorts by inode
//! above 10,000 entries). Read-ahead works best if these three orders are the same. So a new
//! message gets a number between the numbers of its neighbours by name.
//!
//! Numbers start in the middle of their range, with wide gaps, and are never reused. Once a gap is
//! full, new numbers follow the greatest one. The order only affects speed; the numbers must be
//! unique.

/// The least number of a message. Below it are the root and the hidden directories.
const LOWEST: u64 = 1 << 20;
/// The number of the first message in the first listing.
const MIDDLE: u64 = 1 << 46;
/// Messages have numbers below this; views have this and greater ones.
const HIGHEST: u64 = 1 << 47;
/// The distance between the numbers of messages that appear together.
const GAP: u64 = 1 << 16;

/// Where new messages belong among the numbers already given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// No number has been given yet.
    Everywhere,
    /// Below the least number given, which is this one.
    Before(u64),
    /// Between two numbers that are given, with none given in between.
    Between(u64, u64),
    /// Above the greatest number given.
    After,
}

/// Ascending numbers for `count` messages in the room. `last` is the greatest number ever given.
pub(crate) fn numbers(room: Room, count: u64, last: u64) -> Vec<u64> {
    let spaced = |first: u64, step: u64| (0..count).map(|k| first + k * step).collect();
    match room {
        Room::Everywhere => spaced(MIDDLE, GAP),
        Room::Before(least) if least > LOWEST + count * GAP => spaced(least - count * GAP, GAP),
        Room::Between(before, after) if (after - before) / (count + 1) > 0 => {
            let step = (after - before) / (count + 1);
            spaced(before + step, step)
        }
        Room::After | Room::Before(_) | Room::Between(..) => spaced(last + GAP, GAP),
    }
}

/// Whether a message can have this number.
pub(crate) fn is_message(inode: u64) -> bool {
    (LOWEST..HIGHEST).contains(&inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_listing_is_numbered_from_the_middle() {
        assert_eq!(
            numbers(Room::Everywhere, 3, 0),
            vec![MIDDLE, MIDDLE + GAP, MIDDLE + 2 * GAP]
        );
    }

    #[test]
    fn a_message_between_two_gets_a_number_between_theirs() {
        assert_eq!(numbers(Room::Between(100, 200), 1, 500), vec![150]);
        assert_eq!(numbers(Room::After, 1, MIDDLE), vec![MIDDLE + GAP]);
        assert_eq!(
            numbers(Room::Before(MIDDLE), 2, MIDDLE),
            vec![MIDDLE - 2 * GAP, MIDDLE - GAP]
        );
    }

    #[test]
    fn numbers_follow_the_greatest_once_a_gap_is_full() {
        assert_eq!(numbers(Room::Between(100, 101), 1, 500), vec![500 + GAP]);
    }
}
