//! Merges a session's listing into the catalogue. Both are sorted by name, so one walk is enough.
//!
//! The numbers of new messages come from the index, so that all mounts of the account use the same.
//! The index may have to wait for the disk, which nobody does with the catalogue locked. So the
//! walk makes a plan, the caller has the index store the new messages, and the plan is carried out.

use std::collections::HashSet;

use crate::maildrop::catalogue::changes::Changes;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::inode::Room;
use crate::maildrop::catalogue::listing::{Coverage, Entry, Group, Listed, listed_by_name};
use crate::maildrop::catalogue::message::{Message, Standing, WhyMissing, unix_now};
use crate::maildrop::catalogue::pending::Absence;
use crate::maildrop::catalogue::{Catalogue, inode};
use crate::pop3::UniqueId;
use crate::store::Row;

impl Catalogue {
    /// Takes in a listing without asking the index for inode numbers. Returns the message of each
    /// entry, in maildrop order, and the changes.
    pub(crate) fn update(
        &mut self,
        listing: Vec<Entry>,
        coverage: Coverage,
    ) -> (Vec<MessageId>, Changes) {
        let plan = self.plan(listing, coverage);
        self.carry_out(plan, Numbering::AsWished)
    }

    /// Carries out a plan. No other listing may come between.
    fn carry_out(&mut self, plan: MergePlan, numbering: Numbering) -> (Vec<MessageId>, Changes) {
        let mut changes = Changes::default();
        self.update_known(&plan, &mut changes);
        let order = self.merge(plan, numbering, &mut changes);
        (order, changes)
    }

    /// Gives the twins of deleted messages the names that the next listing gives them. The server
    /// keeps the order of those that are left, so no listing is needed for that.
    pub(crate) fn renumber_twins(&mut self) -> Changes {
        let listed = self.messages.iter();
        let mut left: Vec<(u32, Entry)> = listed
            .filter(|(id, _)| self.was_in_last_listing(*id))
            .map(|(_, message)| message.as_listed())
            .collect();
        left.sort_by_key(|&(ordinal, _)| ordinal);
        let listing = left.into_iter().map(|(_, entry)| entry).collect();
        let coverage = match self.unnamed {
            0 => Coverage::Complete,
            unnamed => Coverage::Partial(unnamed),
        };
        self.update(listing, coverage).1
    }

    /// Whether the last listing named the message, and no commit has deleted it since.
    fn was_in_last_listing(&self, id: MessageId) -> bool {
        match self.get(id).standing {
            Standing::Listed => true,
            Standing::Unlinked => self
                .pending(id)
                .is_some_and(|pending| pending.absence == Absence::Named),
            Standing::Departed => false,
        }
    }

    /// Compares a session's listing with the catalogue, and changes nothing.
    pub(crate) fn plan(&self, listing: Vec<Entry>, coverage: Coverage) -> MergePlan {
        let mut listed = listed_by_name(listing);
        find_shifted(self, &mut listed);
        let walk = MergeWalk {
            catalogue: self,
            steps: Vec::with_capacity(listed.len().max(self.messages.len())),
            last_known: None,
            fresh: Vec::new(),
            greatest: self.greatest,
        };
        let entries = listed.len();
        let mut steps = walk.run(listed);
        self.find_renamed(&mut steps);
        MergePlan {
            entries,
            steps,
            coverage,
        }
    }

    /// Finds the missing messages that the listing may have under other unique-ids: one that is new
    /// has the same size. Some servers give other unique-ids in each session, or after the maildrop
    /// was rebuilt.
    fn find_renamed(&self, steps: &mut [Step]) {
        let is_left = |id| self.get(id).standing != Standing::Departed;
        let is_missing = |step: &Step| matches!(step, Step::Missing(id, _) if is_left(*id));
        if !steps.iter().any(is_missing) {
            return;
        }
        let fresh: HashSet<u64> = steps.iter().filter_map(Step::fresh_octets).collect();
        for step in steps {
            if let Step::Missing(id, why) = step
                && is_left(*id)
                && fresh.contains(&self.get(*id).listed_octets())
            {
                *why = WhyMissing::PerhapsRenamed;
            }
        }
    }

    /// The rows of listed messages that the plan finds missing.
    pub(crate) fn departing(&self, plan: &MergePlan) -> Vec<Row> {
        let missing = plan.steps.iter().filter_map(|step| match step {
            Step::Missing(id, _) => Some(self.get(*id)),
            Step::Known(..) | Step::Fresh(..) => None,
        });
        missing
            .filter(|message| message.standing == Standing::Listed)
            .map(|message| Row {
                departed: Some(unix_now()),
                ..message.row()
            })
            .collect()
    }

    /// Begins to carry out a plan, with all messages that the catalogue has. [`Catalogue::merge`] has
    /// to follow. The caller may forget departed messages between the two, which makes room for the
    /// new ones. Until here the messages of earlier mounts count as departed, whether the server
    /// lists them or not.
    pub(crate) fn update_known(&mut self, plan: &MergePlan, changes: &mut Changes) {
        self.begin_listing();
        for step in &plan.steps {
            match step {
                Step::Known(id, listed) => self.note_listed(*id, listed, changes),
                Step::Missing(id, why) => self.note_missing(*id, *why, plan.coverage, changes),
                Step::Fresh(..) => {}
            }
        }
    }

    /// Carries out the rest of a plan, with the new messages. Returns the message of each entry, in
    /// maildrop order.
    pub(crate) fn merge(
        &mut self,
        plan: MergePlan,
        numbering: Numbering,
        changes: &mut Changes,
    ) -> Vec<MessageId> {
        let mut assigned = self.usable(numbering).into_iter();
        let mut order = vec![MessageId::default(); plan.entries];
        let mut by_name = Vec::with_capacity(plan.steps.len());
        for step in plan.steps {
            by_name.push(match step {
                Step::Known(id, listed) => {
                    order[listed.place] = id;
                    id
                }
                Step::Missing(id, _) if self.messages.is_kept(id) => id,
                Step::Missing(..) => continue,
                Step::Fresh(listed, wish) => {
                    let place = listed.place;
                    let id = self.add(listed, wish, assigned.next(), changes);
                    order[place] = id;
                    id
                }
            });
        }
        self.by_name = by_name;
        self.sort_by_inode();
        self.unnamed = plan.coverage.unnamed();
        order
    }

    /// Adds a message that the catalogue does not have. `assigned` is its row if the index has
    /// stored it, with what other mounts know of it.
    fn add(
        &mut self,
        listed: Listed,
        wish: u64,
        assigned: Option<Row>,
        changes: &mut Changes,
    ) -> MessageId {
        let Some(row) = assigned else {
            let id = self.push(Message::new(listed, wish));
            self.set_standing(id, Standing::Listed);
            changes.appeared.push(id);
            changes.unknown.push(id);
            return id;
        };
        let id = self.push(Message::remembered(&row));
        if let Some(outline) = row.outline {
            self.outlines.insert(id, outline);
        }
        self.note_listed(id, &listed, changes);
        id
    }

    /// The rows, if their numbers can be used. A message here may have one of them without a row in
    /// the index, where its row could not be written.
    fn usable(&self, numbering: Numbering) -> Vec<Row> {
        let is_free =
            |row: &Row| inode::is_message(row.inode) && self.by_inode(row.inode).is_none();
        match numbering {
            Numbering::Assigned(rows) if rows.iter().all(is_free) => rows,
            Numbering::Assigned(_) | Numbering::AsWished => Vec::new(),
        }
    }
}

/// What a listing will change in the catalogue.
#[derive(Debug)]
pub(crate) struct MergePlan {
    /// How many entries the listing has.
    entries: usize,
    /// Sorted by name.
    steps: Vec<Step>,
    coverage: Coverage,
}

/// What happens to one message.
#[derive(Debug)]
enum Step {
    Known(MessageId, Listed),
    Missing(MessageId, WhyMissing),
    /// With the inode number that it should have.
    Fresh(Listed, u64),
}

impl Step {
    /// LIST's octets of a new message.
    fn fresh_octets(&self) -> Option<u64> {
        match self {
            Self::Fresh(listed, _) => Some(listed.octets),
            Self::Known(..) | Self::Missing(..) => None,
        }
    }
}

/// The inode numbers of new messages.
#[derive(Debug)]
pub(crate) enum Numbering {
    /// The rows of [`MergePlan::new_rows`], as the index has stored them.
    Assigned(Vec<Row>),
    /// The numbers that were wished for. The index does not have the messages yet.
    AsWished,
}

impl MergePlan {
    /// The rows of messages that are new here, with the inode numbers that they should have.
    pub(crate) fn new_rows(&self) -> Vec<Row> {
        let fresh = self.steps.iter().filter_map(|step| match step {
            Step::Fresh(listed, wish) => {
                let mut message = Message::new(listed.clone(), *wish);
                message.standing = Standing::Listed;
                Some(message.row())
            }
            Step::Known(..) | Step::Missing(..) => None,
        });
        fresh.collect()
    }
}

/// Marks the groups of twins in which an ordinal may belong to another message now.
///
/// When one twin has gone and another has come, all ordinals may have moved, even those of twins
/// with the same size as before. The number of twins may be the same too, if one went in one
/// listing and the other came in the next.
fn find_shifted(catalogue: &Catalogue, listed: &mut [Listed]) {
    let of_several = |entry: &&Listed| entry.twins > 1;
    let is_altered = |entry: &&Listed| catalogue.is_altered(&entry.name, entry.octets, entry.twins);
    let altered = listed.iter().filter(of_several).filter(is_altered);
    let shifted: HashSet<UniqueId> = altered.map(|entry| entry.uidl.clone()).collect();
    for entry in listed {
        if shifted.contains(&entry.uidl) {
            entry.group = Group::Shifted;
        }
    }
}

/// The walk over the known names and the listed names.
struct MergeWalk<'a> {
    catalogue: &'a Catalogue,
    steps: Vec<Step>,
    last_known: Option<MessageId>,
    /// New messages in a row. They get inode numbers when the walk reaches the next known message,
    /// because the numbers lie between those of the two known neighbours.
    fresh: Vec<Listed>,
    /// The greatest inode number given or wished for so far.
    greatest: u64,
}

impl MergeWalk<'_> {
    fn run(mut self, listed: Vec<Listed>) -> Vec<Step> {
        let mut listed = listed.into_iter().peekable();
        for &id in &self.catalogue.by_name {
            let name = self.catalogue.get(id).name();
            while let Some(new) = listed.next_if(|next| next.name < name) {
                self.fresh.push(new);
            }
            self.number_fresh(Some(id));
            self.steps
                .push(match listed.next_if(|next| next.name == name) {
                    Some(known) => Step::Known(id, known),
                    None => Step::Missing(id, WhyMissing::Gone),
                });
            self.last_known = Some(id);
        }
        self.fresh.extend(listed);
        self.number_fresh(None);
        self.steps
    }

    /// Plans the waiting new messages. `next` is the known message behind them.
    fn number_fresh(&mut self, next: Option<MessageId>) {
        if self.fresh.is_empty() {
            return;
        }
        let room = self.catalogue.room(self.last_known, next);
        let count = self.fresh.len() as u64;
        let mut inodes = inode::numbers(room, count, self.greatest);
        if inodes.iter().any(|&inode| inode <= self.catalogue.used_up) {
            inodes = inode::numbers(Room::After, count, self.greatest);
        }
        self.greatest = inodes.iter().copied().fold(self.greatest, u64::max);
        let numbered = self.fresh.drain(..).zip(inodes);
        self.steps
            .extend(numbered.map(|(listed, inode)| Step::Fresh(listed, inode)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::{Extent, Totals};

    impl Catalogue {
        fn update_all(&mut self, listing: Vec<Entry>) -> (Vec<MessageId>, Changes) {
            self.update(listing, Coverage::Complete)
        }
    }

    fn entries(listing: &[(&str, u64)]) -> Vec<Entry> {
        listing
            .iter()
            .map(|&(id, octets)| Entry {
                uidl: UniqueId::from_wire(id.as_bytes()),
                octets,
            })
            .collect()
    }

    fn seen(octets: u64) -> Extent {
        Extent {
            octets,
            crlfs: Some(1),
        }
    }

    fn names(catalogue: &Catalogue, standing: Standing) -> Vec<String> {
        catalogue
            .after(0, standing)
            .map(|(_, message)| message.name())
            .collect()
    }

    #[test]
    fn new_mail_gets_an_inode_between_its_neighbours_by_name() {
        let mut catalogue = Catalogue::remembered(&[]);
        catalogue.update_all(entries(&[("c", 1), ("a", 1), ("e", 1)]));
        let before = catalogue
            .by_name("c.eml", Standing::Listed)
            .map(|id| catalogue.get(id).inode);
        catalogue.update_all(entries(&[
            ("c", 1),
            ("a", 1),
            ("e", 1),
            ("f", 1),
            ("d", 1),
            ("A", 1),
        ]));
        assert_eq!(
            names(&catalogue, Standing::Listed),
            ["A.eml", "a.eml", "c.eml", "d.eml", "e.eml", "f.eml"]
        );
        assert_eq!(
            before,
            catalogue
                .by_name("c.eml", Standing::Listed)
                .map(|id| catalogue.get(id).inode)
        );
    }

    #[test]
    fn new_mail_has_the_number_and_the_facts_that_the_index_gives() {
        let mut catalogue = Catalogue::remembered(&[]);
        catalogue.update_all(entries(&[("b", 1)]));
        let plan = catalogue.plan(entries(&[("a", 5), ("b", 1), ("c", 6)]), Coverage::Complete);
        let mut rows = plan.new_rows();
        assert!(rows.iter().all(|row| row.departed.is_none()));
        rows[0].inode -= 7;
        rows[0].arrived = Some(99);
        let expected: Vec<u64> = rows.iter().map(|row| row.inode).collect();
        let (order, changes) = catalogue.carry_out(plan, Numbering::Assigned(rows));
        let given = [order[0], order[2]].map(|id| catalogue.get(id).inode);
        assert_eq!(given.as_slice(), expected);
        assert_eq!(catalogue.get(order[0]).arrived, Some(99));
        assert_eq!((changes.appeared.len(), changes.unknown.len()), (2, 0));
        assert_eq!(catalogue.totals().messages, 3);
    }

    #[test]
    fn a_number_that_a_message_here_has_is_not_given_twice() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("b", 1)]));
        let plan = catalogue.plan(entries(&[("a", 5), ("b", 1)]), Coverage::Complete);
        let mut rows = plan.new_rows();
        rows[0].inode = catalogue.get(order[0]).inode;
        let (order, changes) = catalogue.carry_out(plan, Numbering::Assigned(rows));
        let [new, known] = [order[0], order[1]].map(|id| catalogue.get(id).inode);
        assert!(new < known);
        assert_eq!(changes.unknown, [order[0]]);
    }

    #[test]
    fn no_number_is_wished_for_that_was_used_up() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("b", 1)]));
        let used_up = catalogue.get(order[0]).inode + 5;
        catalogue.use_up(used_up);
        let plan = catalogue.plan(entries(&[("a", 5), ("b", 1), ("c", 1)]), Coverage::Complete);
        assert!(plan.new_rows().iter().all(|row| row.inode > used_up));
    }

    #[test]
    fn a_remembered_message_keeps_its_inode_and_size() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("a", 5), ("b", 6)]));
        catalogue.learn_size(order[1], Some(seen(7)));
        let rows: Vec<Row> = order.iter().map(|&id| catalogue.get(id).row()).collect();
        let inode = catalogue.get(order[1]).inode;
        let mut later = Catalogue::remembered(&rows);
        let (order, changes) = later.update_all(entries(&[("b", 6), ("0", 1)]));
        assert_eq!(
            (later.get(order[0]).inode, later.get(order[0]).size()),
            (inode, 7)
        );
        assert_eq!((changes.appeared.len(), changes.unknown.len()), (2, 1));
        assert_eq!(
            later.totals(),
            Totals {
                messages: 2,
                octets: 8
            }
        );
    }

    #[test]
    fn messages_that_another_client_deleted_depart() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("a", 5), ("b", 6)]));
        catalogue.set_standing(order[1], Standing::Unlinked);
        let (_, changes) = catalogue.update_all(Vec::new());
        assert_eq!(changes.vanished, [order[0]]);
        assert_eq!(catalogue.get(order[1]).standing, Standing::Departed);
        assert_eq!(catalogue.totals(), Totals::default());
    }

    #[test]
    fn of_many_departed_messages_the_last_are_kept() {
        let mut catalogue = Catalogue::remembered(&[]);
        let listing = |session: u32| {
            let entry = |number| Entry {
                uidl: UniqueId::from_wire(format!("{session}-{number:05}").as_bytes()),
                octets: 5,
            };
            (0..3_000).map(entry).collect::<Vec<_>>()
        };
        let (mut first, mut forgotten) = (Vec::new(), 0);
        for session in 0..8 {
            let (order, _) = catalogue.update_all(listing(session));
            first.push(order[0]);
            let inodes = catalogue.forget_departed();
            assert!(
                inodes
                    .iter()
                    .all(|&inode| catalogue.by_inode(inode).is_none())
            );
            forgotten += inodes.len();
            assert_eq!(catalogue.totals().messages, 3_000);
        }
        assert_eq!(forgotten, 8 * 3_000 - 13_000);
        assert_eq!(catalogue.messages.len(), 13_000);
        assert_eq!(catalogue.by_name.len(), 13_000);
        let inode = catalogue.get(first[6]).inode;
        assert_eq!(catalogue.by_inode(inode), Some(first[6]));
        let forgotten = catalogue.get(first[0]);
        assert_eq!(forgotten.standing, Standing::Departed);
        assert_eq!((forgotten.inode, forgotten.row().departed), (0, Some(0)));
        catalogue.update_all(listing(6));
        assert_eq!(catalogue.get(first[6]).standing, Standing::Listed);
    }

    #[test]
    fn what_the_server_lists_still_is_not_forgotten() {
        let listing = |messages: u32| {
            let entry = |number| Entry {
                uidl: UniqueId::from_wire(format!("{number:05}").as_bytes()),
                octets: 5,
            };
            (0..messages).map(entry).collect::<Vec<_>>()
        };
        let mut before = Catalogue::remembered(&[]);
        let (order, _) = before.update_all(listing(11_000));
        let rows: Vec<Row> = order.iter().map(|&id| before.get(id).row()).collect();
        let mut catalogue = Catalogue::remembered(&rows);
        let plan = catalogue.plan(listing(11_001), Coverage::Complete);
        let mut changes = Changes::default();
        catalogue.update_known(&plan, &mut changes);
        assert!(catalogue.forget_departed().is_empty());
        catalogue.merge(plan, Numbering::AsWished, &mut changes);
        assert_eq!(catalogue.totals().messages, 11_001);
        assert!(changes.left.is_empty() && changes.vanished.is_empty());
    }

    #[test]
    fn few_departed_messages_with_long_unique_ids_are_kept() {
        let mut catalogue = Catalogue::remembered(&[]);
        let ids: Vec<String> = (0..400).map(|number| format!("{number:08000}")).collect();
        let listing: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 5)).collect();
        catalogue.update_all(entries(&listing));
        catalogue.update_all(entries(&listing[..1]));
        catalogue.forget_departed();
        assert_eq!(catalogue.messages.len(), 1 + (1 << 20) / 8_000);
    }

    #[test]
    fn a_message_that_left_between_two_mounts_departs_once() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("a", 5), ("b", 6)]));
        let rows: Vec<Row> = order.iter().map(|&id| catalogue.get(id).row()).collect();
        let mut later = Catalogue::remembered(&rows);
        let (order, changes) = later.update_all(entries(&[("a", 5)]));
        assert_eq!(changes.left.len(), 1);
        assert!(later.get(changes.left[0]).row().departed.is_some());
        assert!(later.get(order[0]).row().departed.is_none());
        let (_, changes) = later.update_all(entries(&[("a", 5)]));
        assert!(changes.left.is_empty() && changes.vanished.is_empty());
    }

    #[test]
    fn a_partial_listing_keeps_a_missing_unlinked_message() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("a", 5), ("b", 6)]));
        catalogue.set_standing(order[1], Standing::Unlinked);
        let (_, changes) = catalogue.update(Vec::new(), Coverage::Partial(1));
        assert_eq!(changes.vanished, [order[0]]);
        assert_eq!(catalogue.get(order[1]).standing, Standing::Unlinked);
        let (_, changes) = catalogue.update_all(entries(&[("b", 6)]));
        assert_eq!((changes.appeared, changes.returned), (vec![], vec![]));
        catalogue.update_all(Vec::new());
        assert_eq!(catalogue.get(order[1]).standing, Standing::Departed);
        let (_, changes) = catalogue.update_all(entries(&[("b", 6)]));
        assert_eq!(
            (&changes.returned, &changes.unidentified),
            (&vec![order[1]], &vec![order[1]])
        );
        assert_eq!(names(&catalogue, Standing::Listed), ["b.eml"]);
    }

    #[test]
    fn a_missing_unlinked_message_departs_if_no_more_are_unnamed() {
        let mut catalogue = Catalogue::remembered(&[]);
        let of = |ids: &[(&str, u64)]| entries(ids);
        let (order, _) = catalogue.update(of(&[("a", 5), ("b", 6)]), Coverage::Partial(1));
        catalogue.set_standing(order[1], Standing::Unlinked);
        for (unnamed, standing) in [
            (2, Standing::Unlinked),
            (2, Standing::Unlinked),
            (1, Standing::Departed),
        ] {
            catalogue.update(of(&[("a", 5)]), Coverage::Partial(unnamed));
            assert_eq!(catalogue.get(order[1]).standing, standing, "{unnamed}");
        }
    }

    #[test]
    fn an_unlinked_twin_is_listed_again_if_its_group_changes() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("x", 5), ("x", 5)]));
        assert_eq!(names(&catalogue, Standing::Listed), ["x.eml", "x~2.eml"]);
        catalogue.set_standing(order[0], Standing::Unlinked);
        let (_, changes) = catalogue.update_all(entries(&[("x", 5)]));
        assert_eq!(
            (changes.reprieved, changes.altered),
            (vec![order[0]], vec![order[0]])
        );
        assert_eq!(names(&catalogue, Standing::Listed), ["x.eml"]);
    }

    #[test]
    fn one_resized_twin_voids_what_is_known_of_all() {
        let mut catalogue = Catalogue::remembered(&[]);
        let twins = |octets: [u64; 3]| entries(&octets.map(|octets| ("x", octets)));
        let (order, _) = catalogue.update_all(twins([5, 6, 6]));
        let (_, changes) = catalogue.update_all(twins([6, 6, 7]));
        assert_eq!((&changes.altered, &changes.unidentified), (&order, &order));
        let (_, changes) = catalogue.update_all(twins([6, 6, 7]));
        assert_eq!((changes.altered, changes.unidentified), (vec![], vec![]));
    }

    #[test]
    fn a_twin_lost_and_regained_voids_what_is_known_of_all() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("x", 5), ("x", 5)]));
        catalogue.update_all(entries(&[("x", 5)]));
        let (_, changes) = catalogue.update_all(entries(&[("x", 5), ("x", 5)]));
        assert_eq!((&changes.altered, &changes.unidentified), (&order, &order));
    }

    #[test]
    fn twins_of_a_deleted_message_get_the_next_listings_names() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("x", 5), ("y", 1), ("x", 6), ("x", 7)]));
        catalogue.set_standing(order[2], Standing::Unlinked);
        catalogue.retire(order[2]);
        let changes = catalogue.renumber_twins();
        assert_eq!(
            names(&catalogue, Standing::Listed),
            ["x.eml", "x~2.eml", "y.eml"]
        );
        assert_eq!(changes.vanished, [order[3]]);
        let octets = catalogue.by_name("x~2.eml", Standing::Listed);
        assert_eq!(octets.map(|id| catalogue.get(id).listed), Some(7));
        let (_, later) = catalogue.update_all(entries(&[("x", 5), ("y", 1), ("x", 7)]));
        assert!(later.altered.is_empty() && !later.change_the_directory());
    }

    #[test]
    fn a_renumbering_lets_no_unnamed_pending_message_depart() {
        let mut catalogue = Catalogue::remembered(&[]);
        let all = [("x", 5), ("x", 5), ("y", 1)];
        let (order, _) = catalogue.update_all(entries(&all));
        catalogue.set_standing(order[2], Standing::Unlinked);
        catalogue.update(entries(&all[..2]), Coverage::Partial(1));
        catalogue.retire(order[0]);
        catalogue.renumber_twins();
        assert_eq!(names(&catalogue, Standing::Listed), ["x.eml"]);
        assert_eq!(names(&catalogue, Standing::Unlinked), ["y.eml"]);
    }

    #[test]
    fn a_missing_message_may_have_the_name_of_a_new_one_of_its_size() {
        let before = [("a", 5), ("b", 6), ("c", 7)];
        for (after, renamed) in [
            (&[("A", 5), ("B", 6), ("C", 7)][..], &["a", "b", "c"][..]),
            (&[("C", 7), ("A", 5)], &["a", "c"]),
            (&[("A", 5), ("b", 6), ("c", 7)], &["a"]),
            (&[("b", 6), ("c", 7), ("d", 8)], &[]),
            (&[("a", 5), ("b", 6), ("c", 7), ("d", 5)], &[]),
            (&[], &[]),
        ] {
            let mut catalogue = Catalogue::remembered(&[]);
            let (order, _) = catalogue.update_all(entries(&before));
            catalogue.update_all(entries(after));
            let may_be = order.iter().map(|&id| catalogue.get(id));
            let may_be = may_be.filter(|message| message.may_be_renamed());
            let names: Vec<String> = may_be.map(Message::name).collect();
            let expected: Vec<String> = renamed.iter().map(|name| format!("{name}.eml")).collect();
            assert_eq!(names, expected, "{after:?}");
            // What is named again is not missing.
            catalogue.update_all(entries(&before));
            let is_renamed = |&id: &MessageId| catalogue.get(id).may_be_renamed();
            assert!(!order.iter().any(is_renamed));
        }
    }

    #[test]
    fn a_removal_records_the_listing_that_was_current() {
        let mut catalogue = Catalogue::remembered(&[]);
        let listing = [("x", 5), ("x", 5), ("y", 5)];
        let (order, _) = catalogue.update_all(entries(&listing));
        for &id in &order {
            catalogue.set_standing(id, Standing::Unlinked);
        }
        let is_current = |catalogue: &Catalogue, id: MessageId| {
            let pending = catalogue.pending(id);
            pending.is_some_and(|pending| pending.removed_in == catalogue.serial())
        };
        assert!(order.iter().all(|&id| is_current(&catalogue, id)));
        catalogue.update_all(entries(&listing));
        assert!(!order.iter().any(|&id| is_current(&catalogue, id)));
    }

    #[test]
    fn another_size_in_list_voids_the_exact_size() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update_all(entries(&[("x", 5)]));
        catalogue.learn_size(order[0], Some(seen(9)));
        let (_, changes) = catalogue.update_all(entries(&[("x", 6)]));
        assert_eq!(changes.altered, order);
        assert_eq!(
            (catalogue.get(order[0]).size(), catalogue.totals().octets),
            (6, 6)
        );
    }
}
