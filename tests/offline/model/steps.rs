//! What happens in a sequence.

use proptest::collection::vec;
use proptest::prelude::*;

/// Chooses one of what there is, modulo its number.
pub(super) type Pick = u8;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    ServerGoes(Absence),
    ServerComesBack,
    /// All connections break; the server stays.
    LinksBreak,
    MailArrives,
    AnotherClientDeletes(Pick),
    Read(Pick),
    Remove(Pick),
    Restore(Pick),
    /// A user lists the directory.
    Look,
    /// A user waits until the mount has found its server again, and fetches nothing.
    Wait,
    Commit(Mishap),
    Remount(Parting),
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// Nothing listens.
    Stopped,
    /// It says in its greeting that it has trouble.
    Busy,
    /// Another client has locked the maildrop.
    Locked,
    /// It takes connections and closes them.
    Closes,
}

/// What goes wrong in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    None,
    /// The connection ends in place of the reply to each DELE.
    DeleCloses,
    /// The connection ends in place of the reply to each QUIT, which is not carried out.
    QuitCloses,
    /// Each QUIT is carried out, and its reply is lost.
    QuitIsLost,
}

/// How a mount ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parting {
    Commit(Mishap),
    /// The user forgets the pending removals.
    Discard,
    /// The connection of the kernel has been aborted.
    Abandon,
    /// Killed: what is on disk remains.
    Kill,
}

pub(super) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 4..28)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => absence().prop_map(Step::ServerGoes),
        4 => Just(Step::ServerComesBack),
        1 => Just(Step::LinksBreak),
        3 => Just(Step::MailArrives),
        1 => any::<Pick>().prop_map(Step::AnotherClientDeletes),
        4 => any::<Pick>().prop_map(Step::Read),
        7 => any::<Pick>().prop_map(Step::Remove),
        2 => any::<Pick>().prop_map(Step::Restore),
        4 => Just(Step::Look),
        1 => Just(Step::Wait),
        2 => mishap().prop_map(Step::Commit),
        6 => parting().prop_map(Step::Remount),
    ]
}

fn absence() -> impl Strategy<Value = Absence> {
    prop_oneof![
        Just(Absence::Stopped),
        Just(Absence::Busy),
        Just(Absence::Locked),
        Just(Absence::Closes),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        3 => Just(Mishap::None),
        1 => Just(Mishap::DeleCloses),
        1 => Just(Mishap::QuitCloses),
        1 => Just(Mishap::QuitIsLost),
    ]
}

fn parting() -> impl Strategy<Value = Parting> {
    prop_oneof![
        5 => mishap().prop_map(Parting::Commit),
        1 => Just(Parting::Discard),
        1 => Just(Parting::Abandon),
        4 => Just(Parting::Kill),
    ]
}
