//! What can happen to a mount, and how random sequences are drawn.

use std::time::Duration;

use pop3fs::maildrop::Pipeline;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::mail::{Draft, UidlForm};
use super::server::{Break, Fault, Misreply, Offers, Pace, Quit, Update, Within};

/// A mount, its server, and the operations on both.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) setting: Setting,
    pub(crate) mails: Vec<Draft>,
    pub(crate) operations: Vec<Operation>,
}

/// Settings that are fixed for a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) pipeline: Pipeline,
    pub(crate) offers: Offers,
    /// Maximum octets per write of the server.
    pub(crate) chunk: usize,
    /// The mount's memory for bodies, in octets.
    pub(crate) memory: u64,
    /// The mount's disk space for bodies, in octets; `None` without a disk.
    pub(crate) disk: Option<u64>,
    pub(crate) idle_timeout: Duration,
}

/// Picks one of several items: the remainder after division by their number.
pub(crate) type Pick = u8;

/// One operation of the user, the server or another client.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// The user reads the directories; that asks for no new listing.
    List,
    /// The user looks up any name that was ever listed.
    LookUp(Pick),
    /// The user calls stat for any message that was ever listed.
    Stat(Pick),
    /// The user opens any message that was ever listed and keeps it open.
    Open(Pick),
    /// The user reads a part of an open message.
    Read {
        open: Pick,
        offset: u16,
        length: u16,
    },
    /// The user closes an open message.
    Close(Pick),
    /// The user opens, reads and closes any message that was ever listed.
    Cat(Pick),
    /// The user reads all listed messages in directory order.
    Walk,
    /// The user calls stat for and opens all listed messages at the same time.
    Together,
    /// The user unlinks a listed message.
    Unlink(Pick),
    /// The user restores an unlinked message.
    Restore(Pick),
    /// The user opens the directory, which renews the listing.
    Refresh,
    /// A new message arrives.
    Arrive(Draft),
    /// A new message arrives with the content and unique-id of an existing one.
    Copy(Pick),
    /// A new message arrives with the unique-id of an existing one.
    Twin(Pick, Draft),
    /// Another client deletes a message.
    Expunge(Pick),
    /// The message behind a unique-id becomes a different one.
    Alter(Pick, Draft),
    /// The message behind a unique-id becomes a different one of the same size.
    Reuse(Pick),
    /// Two messages exchange their unique-ids.
    Exchange(Pick, Pick),
    /// The case of the letters in a unique-id changes.
    Recase(Pick),
    /// The server will break off within a reply.
    Fault(Fault),
    /// The server will send a wrong reply to RETR.
    Misreply(Misreply),
    /// The server ends all connections.
    Restart,
    /// The cache on disk is damaged.
    Damage(Damage),
    /// The user commits the pending deletions. The server refuses the n-th DELE if bit n is set.
    Commit { refused: u8, quit: Quit },
    /// The mount ends and is mounted again.
    Remount(Parting),
}

/// Damage to the files of bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// One octet changes at this offset of each file.
    Altered(u16),
    /// The second half of each file is gone.
    Truncated,
    /// The files are gone.
    Removed,
}

/// How a mount ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parting {
    /// By `pop3fs umount`; the server answers QUIT like this.
    Committing(Quit),
    /// By `pop3fs umount --discard`.
    Discarding,
    /// Like `Discarding`, and then the index is removed.
    LosingTheIndex,
    /// The process is killed; the next mount finds what is on disk at that moment.
    Crashing,
    /// The kernel's connection is aborted while a commit is under way.
    Aborting(Quit),
    /// By `umount`, while another mount namespace or a bind mount still has the filesystem.
    HeldElsewhere(Quit),
}

impl Parting {
    /// How the server answers QUIT, if the mount commits.
    fn quit(&self) -> Option<&Quit> {
        match self {
            Self::Committing(quit) | Self::Aborting(quit) | Self::HeldElsewhere(quit) => Some(quit),
            Self::Discarding | Self::LosingTheIndex | Self::Crashing => None,
        }
    }
}

impl Setting {
    /// How many commands the mount may send before their replies.
    pub(crate) fn pace(&self) -> Pace {
        match self.pipeline {
            Pipeline::Auto | Pipeline::Most(_) if self.offers.pipelining => Pace::Pipelined,
            _ => Pace::OneAtATime,
        }
    }
}

impl Sequence {
    /// Whether the server may send a wrong reply to RETR.
    pub(crate) fn has_misreplies(&self) -> bool {
        let is_misreply = |operation: &Operation| matches!(operation, Operation::Misreply(_));
        self.operations.iter().any(is_misreply)
    }

    /// Whether the server falls silent somewhere; then the mount gets a short timeout.
    pub(crate) fn has_silence(&self) -> bool {
        let is_silent = |quit: &Quit| matches!(quit, Quit::Silent(_));
        self.operations.iter().any(|operation| match operation {
            Operation::Fault(fault) => matches!(fault.how, Break::Silence | Break::Drip),
            Operation::Misreply(misreply) => *misreply == Misreply::Missing,
            Operation::Commit { quit, .. } => is_silent(quit),
            Operation::Remount(parting) => parting.quit().is_some_and(is_silent),
            _ => false,
        })
    }
}

/// Random sequences. Silence takes long, so only one sequence in six may contain it.
pub(crate) fn sequences() -> impl Strategy<Value = Sequence> {
    let breaks = [Break::Close, Break::Reset];
    let quits = [
        Quit::Confirmed,
        Quit::Refused(Update::Done),
        Quit::Refused(Update::NotDone),
    ];
    let closing = [Quit::Closed(Update::Done), Quit::Closed(Update::NotDone)];
    let silent = [Quit::Silent(Update::Done), Quit::Silent(Update::NotDone)];
    let loud: Vec<Quit> = [quits.as_slice(), closing.as_slice()].concat();
    let all = [loud.as_slice(), silent.as_slice()].concat();
    let misreplies = [Misreply::Duplicate, Misreply::Swapped, Misreply::Unstuffed];
    let loud = Faults {
        breaks: breaks.to_vec(),
        misreplies: misreplies.to_vec(),
        quits: loud,
    };
    let all = Faults {
        breaks: [breaks.as_slice(), &[Break::Silence, Break::Drip]].concat(),
        misreplies: [misreplies.as_slice(), &[Misreply::Missing]].concat(),
        quits: all,
    };
    prop_oneof![5 => sequences_of(loud), 1 => sequences_of(all)]
}

/// The faults of the server that a sequence may contain.
struct Faults {
    breaks: Vec<Break>,
    misreplies: Vec<Misreply>,
    quits: Vec<Quit>,
}

fn sequences_of(faults: Faults) -> impl Strategy<Value = Sequence> {
    let operations = vec(operation(faults), 1..40);
    (setting(), vec(draft(), 0..12), operations).prop_map(|(setting, mails, operations)| Sequence {
        setting,
        mails,
        operations,
    })
}

fn setting() -> impl Strategy<Value = Setting> {
    let pipeline = prop_oneof![
        3 => Just(Pipeline::Auto),
        1 => Just(Pipeline::Off),
        1 => (2_u16..5).prop_map(Pipeline::Most),
    ];
    let offers = (
        prop::bool::weighted(0.75),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    let offers = offers.prop_map(|(pipelining, top, expire_at_once)| Offers {
        pipelining,
        top,
        expire_at_once,
    });
    let chunk = select(vec![1_usize, 5, 60, 1500, 65536]);
    let memory = select(vec![2_000_u64, 10_000, 1 << 20]);
    let disk = select(vec![Some(1 << 20), Some(4_000), None]);
    let idle_timeout = select(vec![Duration::from_secs(600), Duration::from_millis(5)]);
    (pipeline, offers, chunk, memory, disk, idle_timeout).prop_map(
        |(pipeline, offers, chunk, memory, disk, idle_timeout)| Setting {
            pipeline,
            offers,
            chunk,
            memory,
            disk,
            idle_timeout,
        },
    )
}

fn draft() -> impl Strategy<Value = Draft> {
    let octets = prop_oneof![4 => 0_u32..600, 1 => 600_u32..6000];
    let overstated = prop_oneof![2 => Just(0_i8), 1 => -60_i8..60];
    let uidl = prop_oneof![3 => Just(UidlForm::Plain), 1 => Just(UidlForm::Hostile)];
    (octets, overstated, uidl).prop_map(|(octets, overstated, uidl)| Draft {
        octets,
        overstated,
        uidl,
    })
}

fn operation(faults: Faults) -> impl Strategy<Value = Operation> {
    let Faults {
        breaks,
        misreplies,
        quits,
    } = faults;
    let pick = any::<Pick>;
    let after = prop_oneof![1 => 0_u32..400, 1 => 0_u32..6000];
    let fault = (select(breaks), after).prop_map(|(how, after)| {
        Operation::Fault(Fault {
            how,
            after,
            within: Within::Everything,
        })
    });
    prop_oneof![
        3 => Just(Operation::List),
        2 => pick().prop_map(Operation::LookUp),
        4 => pick().prop_map(Operation::Stat),
        3 => pick().prop_map(Operation::Open),
        3 => (pick(), 0_u16..6500, 0_u16..3000).prop_map(|(open, offset, length)| Operation::Read { open, offset, length }),
        1 => pick().prop_map(Operation::Close),
        6 => pick().prop_map(Operation::Cat),
        3 => Just(Operation::Walk),
        3 => Just(Operation::Together),
        7 => pick().prop_map(Operation::Unlink),
        2 => pick().prop_map(Operation::Restore),
        4 => Just(Operation::Refresh),
        3 => draft().prop_map(Operation::Arrive),
        1 => pick().prop_map(Operation::Copy),
        1 => (pick(), draft()).prop_map(|(of, draft)| Operation::Twin(of, draft)),
        2 => pick().prop_map(Operation::Expunge),
        2 => (pick(), draft()).prop_map(|(which, draft)| Operation::Alter(which, draft)),
        1 => pick().prop_map(Operation::Reuse),
        1 => (pick(), pick()).prop_map(|(first, second)| Operation::Exchange(first, second)),
        1 => pick().prop_map(Operation::Recase),
        6 => fault,
        3 => select(misreplies).prop_map(Operation::Misreply),
        1 => Just(Operation::Restart),
        1 => damage().prop_map(Operation::Damage),
        4 => (prop_oneof![3 => Just(0), 1 => any::<u8>()], select(quits.clone()))
            .prop_map(|(refused, quit)| Operation::Commit { refused, quit }),
        2 => parting(quits).prop_map(Operation::Remount),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<u16>().prop_map(Damage::Altered),
        Just(Damage::Truncated),
        Just(Damage::Removed)
    ]
}

fn parting(quits: Vec<Quit>) -> impl Strategy<Value = Parting> {
    prop_oneof![
        2 => select(quits.clone()).prop_map(Parting::Committing),
        1 => Just(Parting::Discarding),
        1 => Just(Parting::LosingTheIndex),
        1 => Just(Parting::Crashing),
        1 => select(quits.clone()).prop_map(Parting::Aborting),
        1 => select(quits).prop_map(Parting::HeldElsewhere),
    ]
}
