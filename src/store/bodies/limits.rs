//! How much the cache on disk may hold, and how much may wait to be written.

/// The limit is divided into this many segments. A segment is what an eviction removes at once.
const SEGMENTS: u64 = 64;
/// A full segment has at least this many octets, unless the limit is smaller than two of them.
const LEAST_SEGMENT: u64 = 1024 * 1024;
/// With more octets than this waiting for the disk, nothing should be fetched ahead.
pub(super) const BEHIND: u64 = 16 * 1024 * 1024;
/// With more octets than this waiting, a body is not written to the disk at all.
pub(super) const FAR_BEHIND: u64 = 32 * 1024 * 1024;

/// The octets that stay in the cache when a new segment begins. A larger body would evict all
/// others, so it is not kept.
pub(super) fn room(limit: u64) -> u64 {
    limit - full(limit)
}

/// The octets of a full segment.
pub(super) fn full(limit: u64) -> u64 {
    (limit / SEGMENTS).max(LEAST_SEGMENT).min(limit / 2)
}
