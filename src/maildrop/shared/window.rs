//! Limits on what may be in flight between this machine and the server.

/// The most octets expected from commands in flight, and the most octets of bodies read ahead. So
/// small messages are fetched by the hundred, and a large one alone. A connection of 2 Gbit/s
/// carries this much in 100 ms.
pub(crate) const WINDOW_OCTETS: u64 = 32 * 1024 * 1024;
/// The most commands in flight.
pub(crate) const WINDOW_COMMANDS: usize = 8192;
/// The octets that a reply to TOP is expected to have.
pub(crate) const HEADER_OCTETS: u64 = 4 * 1024;
/// A NOOP follows after this many commands whose replies only a NOOP can confirm.
pub(crate) const CHECK_COMMANDS: usize = 256;
/// A NOOP follows after this many octets expected from such commands.
pub(crate) const CHECK_OCTETS: u64 = WINDOW_OCTETS / 8;
/// The octets of memory for bodies that readers hold or that wait to be written, beyond those that
/// are kept. Once they take more, bodies arrive in files.
pub(crate) const MEMORY_OF_READERS: u64 = WINDOW_OCTETS / 2;
