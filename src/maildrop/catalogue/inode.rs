//! Inode numbers that sort as the names do.
//!
//! Tools walk a directory in the order of readdir, of names or of inode numbers (fts sorts by inode above 10,000
//! entries); read-ahead follows best where the three are one. So a new message gets a number between those of its
//! neighbours by name. Numbers start in the middle of their range, a wide gap apart, and are never reused. Where a gap
//! is used up the number comes from the end: the order is a matter of speed, uniqueness is not.

/// Below are the root and the hidden directories.
const LOWEST: u64 = 1 << 20;
/// The first message of the first listing.
const MIDDLE: u64 = 1 << 46;
/// Above is left to the views.
const HIGHEST: u64 = 1 << 47;
/// Between two messages listed together.
const GAP: u64 = 1 << 16;

/// Where new messages stand among the numbers already given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// No number was given yet.
    Everywhere,
    /// In front of the least number given.
    Before(u64),
    /// Between two numbers that no given one separates.
    Between(u64, u64),
    /// Behind the greatest number given.
    After,
}

/// Numbers for `count` messages in the room, ascending. `last` is the greatest number ever given.
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

/// True for a number that a message can have.
pub(crate) fn is_message(inode: u64) -> bool {
    (LOWEST..HIGHEST).contains(&inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_first_listing_gets_the_same_numbers() {
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
    fn without_room_between_two_the_number_comes_from_the_end() {
        assert_eq!(numbers(Room::Between(100, 101), 1, 500), vec![500 + GAP]);
    }
}
