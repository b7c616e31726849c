//! How much may be in flight between this machine and the server.

/// The octets that may be expected of commands in flight, and of bodies read ahead: small messages fly by the hundred, a
/// large one flies alone. A connection of 2 Gbit/s carries that much in 100 ms.
pub(crate) const WINDOW_OCTETS: u64 = 32 * 1024 * 1024;
/// The commands that may be in flight.
pub(crate) const WINDOW_COMMANDS: usize = 8192;
/// Octets that TOP is expected to give.
pub(crate) const HEADER_OCTETS: u64 = 4 * 1024;
/// After so many commands that only a NOOP confirms, a NOOP follows.
pub(crate) const CHECK_COMMANDS: usize = 256;
/// After so many octets expected of such commands, a NOOP follows.
pub(crate) const CHECK_OCTETS: u64 = WINDOW_OCTETS / 8;
