//! What a disk does to a file.
//!
//! ```text
//! input  = *8( kind at value )
//! kind   = OCTET
//! at     = 2OCTET         ; little endian; where in the file, modulo its length
//! value  = OCTET
//! ```

/// The most times that one file is damaged.
const MOST: usize = 8;

/// The file as the input has it damaged.
pub(super) fn damaged(file: &[u8], input: &[u8]) -> Vec<u8> {
    let mut damaged = file.to_vec();
    for harm in input.chunks_exact(4).take(MOST) {
        let [kind, low, high, value] = [harm[0], harm[1], harm[2], harm[3]];
        let at = usize::from(u16::from_le_bytes([low, high])) % (damaged.len() + 1);
        let end = (at + usize::from(value)).min(damaged.len());
        match kind % 5 {
            0 if at < damaged.len() => damaged[at] ^= value,
            1 => damaged.truncate(at),
            2 => damaged[at..end].fill(0),
            3 => damaged.extend(std::iter::repeat_n(value, at % 100)),
            4 => drop(damaged.drain(at..end)),
            _ => (),
        }
    }
    damaged
}

/// One of each kind, near the beginning and farther on.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let harm = |kind, at: u16| [&[kind], &at.to_le_bytes()[..], &[0x41]].concat();
    let mut seeds = vec![Vec::new()];
    for kind in 0..5 {
        seeds.extend([7, 31, 40, 100, 1100, 5000].map(|at| harm(kind, at)));
    }
    seeds
}
