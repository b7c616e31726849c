//! What can happen to a mount, and how it is drawn.

use std::time::Duration;

use pop3fs::maildrop::Pipeline;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::mail::{Draft, UidlForm};
use super::server::{Break, Fault, Offers, Pace, Quit, Update, Within};

/// A mount, its server, and what happens to them.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) setting: Setting,
    pub(crate) mails: Vec<Draft>,
    pub(crate) operations: Vec<Operation>,
}

/// What stays as it is for a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) pipeline: Pipeline,
    pub(crate) offers: Offers,
    /// The most octets that the server writes at once.
    pub(crate) chunk: usize,
    /// The mount's memory for bodies, in octets.
    pub(crate) memory: u64,
    /// The mount's room for bodies on disk, in octets; none for no disk.
    pub(crate) disk: Option<u64>,
    pub(crate) idle_timeout: Duration,
}

/// Picks one of those that there are: the remainder by their count.
pub(crate) type Pick = u8;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// The directories are read, without asking for a new listing.
    List,
    /// Any name that ever was is looked up.
    LookUp(Pick),
    /// Any message that ever was shows its attributes.
    Stat(Pick),
    /// Any message that ever was is opened, and stays open.
    Open(Pick),
    /// An open message is read in part.
    Read {
        open: Pick,
        offset: u16,
        length: u16,
    },
    /// An open message is closed.
    Close(Pick),
    /// Any message that ever was is opened, read and closed.
    Cat(Pick),
    /// All that is listed is read, in directory order.
    Walk,
    /// All that is listed shows its attributes, and is opened, at once.
    Together,
    /// A listed message is unlinked.
    Unlink(Pick),
    /// An unlinked message is moved back.
    Restore(Pick),
    /// The directory is opened, which renews the listing.
    Refresh,
    /// New mail.
    Arrive(Draft),
    /// New mail, the same octets and UIDL as a message that is there.
    Copy(Pick),
    /// New mail under the UIDL of a message that is there.
    Twin(Pick, Draft),
    /// Another client deletes a message.
    Expunge(Pick),
    /// The message under a UIDL becomes another one.
    Alter(Pick, Draft),
    /// The server is going to break off in midst of a reply.
    Fault(Fault),
    /// The server ends all connections.
    Restart,
    /// The cache on disk is damaged.
    Damage(Damage),
    /// What is unlinked is committed. The server refuses those DELEs whose bit is set.
    Commit { refused: u8, quit: Quit },
    /// The mount ends, and begins anew.
    Remount(Parting),
}

/// What becomes of the files of bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// An octet is another one, so far into each file.
    Altered(u16),
    /// The second half is gone.
    Truncated,
    /// The files are gone.
    Removed,
}

/// How a mount ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parting {
    /// By `pop3fs umount`; the server answers so.
    Committing(Quit),
    /// What is unlinked is forgotten.
    Discarding,
    /// The same, and somebody removes the index.
    LosingTheIndex,
    /// The process is killed: the next mount finds what is on disk at that moment.
    Crashing,
}

impl Setting {
    /// How many commands the mount may have under way.
    pub(crate) fn pace(&self) -> Pace {
        match self.pipeline {
            Pipeline::Auto | Pipeline::Most(_) if self.offers.pipelining => Pace::Pipelined,
            _ => Pace::OneAtATime,
        }
    }
}

impl Sequence {
    /// Whether the server is silent for good somewhere: then the mount's time-out is short.
    pub(crate) fn has_silence(&self) -> bool {
        let is_silent = |quit: &Quit| matches!(quit, Quit::Silent(_));
        self.operations.iter().any(|operation| match operation {
            Operation::Fault(fault) => fault.how == Break::Silence,
            Operation::Commit { quit, .. } | Operation::Remount(Parting::Committing(quit)) => {
                is_silent(quit)
            }
            _ => false,
        })
    }
}

/// Sequences; one in six has silence in it, which takes its time.
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
    prop_oneof![
        5 => sequences_of(breaks.to_vec(), loud),
        1 => sequences_of([breaks.as_slice(), &[Break::Silence]].concat(), all),
    ]
}

fn sequences_of(breaks: Vec<Break>, quits: Vec<Quit>) -> impl Strategy<Value = Sequence> {
    let operations = vec(operation(breaks, quits), 1..40);
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

fn operation(breaks: Vec<Break>, quits: Vec<Quit>) -> impl Strategy<Value = Operation> {
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
        6 => fault,
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
        2 => select(quits).prop_map(Parting::Committing),
        1 => Just(Parting::Discarding),
        1 => Just(Parting::LosingTheIndex),
        1 => Just(Parting::Crashing),
    ]
}
