//! The memory allocator of the C library.

/// Blocks of at least this many octets go back to the system when they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK: i32 = 128 * 1024;

/// Has the memory of large messages go back to the system as soon as nobody holds them. By itself
/// glibc raises its threshold to the largest block that was ever freed, and then keeps the memory
/// of all smaller ones (mallopt(3), M_MMAP_THRESHOLD).
#[cfg(target_env = "gnu")]
pub(super) fn give_back_large_blocks() {
    // SAFETY: mallopt(3) may be called at any time; it takes no pointer.
    #[allow(unsafe_code)]
    let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK) };
    if is_set == 0 {
        log::debug!("the allocator keeps large blocks");
    }
}

/// Gives back the memory of small blocks that were freed between others that stay. By itself glibc
/// gives back only what is free at the end of each of its heaps (malloc_trim(3)).
#[cfg(target_env = "gnu")]
pub(super) fn give_back_free_blocks() {
    // SAFETY: malloc_trim(3) may be called at any time; it takes no pointer.
    #[allow(unsafe_code)]
    let _whether_there_were_any = unsafe { libc::malloc_trim(0) };
}

/// Other allocators have no such threshold.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back_large_blocks() {}

/// Other allocators have no such call.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back_free_blocks() {}
