//! File descriptors: each large message that somebody reads takes one.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a mount takes by itself, the large messages that it keeps at hand, and some for readers.
const LEAST: u64 = 64;
/// More would only cost the programs that close every descriptor they may have.
const ENOUGH: u64 = 65_536;

/// Why there are too few.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DescriptorError {
    /// The administrator's: the hard limit.
    #[error(
        "this process may have {most} files open and needs at least {LEAST}: raise the limit (`ulimit -n`, LimitNOFILE=)"
    )]
    TooFew {
        /// The hard limit.
        most: u64,
    },
    /// The system's.
    #[error("the limit of open files cannot be raised ({0})")]
    System(#[from] io::Error),
}

/// Makes use of the hard limit, which most systems set far above the soft one.
pub(in crate::cli) fn raise_limit() -> Result<(), DescriptorError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from)?;
    if hard < LEAST {
        return Err(DescriptorError::TooFew { most: hard });
    }
    let wanted = soft.max(hard.min(ENOUGH));
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(io::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_limit().unwrap();
        let (raised, same) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(raised >= soft && raised >= hard.min(ENOUGH));
        assert_eq!(same, hard);
    }
}
