//! The limit of file descriptors: each large message that is being read needs one.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Enough for a mount, the large messages that it keeps open, and a few readers.
const LEAST: u64 = 64;
/// A higher limit only slows down child processes that close every possible descriptor.
const ENOUGH: u64 = 65_536;

/// Why the limit is too low.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DescriptorError {
    /// The administrator has set the hard limit too low.
    #[error(
        "this process may have {most} files open and needs at least {LEAST}: raise the limit (`ulimit -n`, LimitNOFILE=)"
    )]
    TooFew {
        /// The hard limit.
        most: u64,
    },
    /// The system refused.
    #[error("the limit of open files cannot be raised ({0})")]
    System(#[from] io::Error),
}

/// Raises the soft limit towards the hard limit, which most systems set far higher.
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

    #[test]
    fn a_limit_that_the_system_keeps_is_told_with_its_words() {
        let refused = DescriptorError::System(io::Error::other("no"));
        assert_eq!(
            refused.to_string(),
            "the limit of open files cannot be raised (no)"
        );
    }
}
