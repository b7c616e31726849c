//! Why the server refuses a command.

/// A negative reply; the text follows `-ERR `. All but `InUse` are the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DemoRefusal {
    #[error("unknown command or wrong arguments")]
    NotUnderstood,
    #[error("the line is too long")]
    TooLong,
    #[error("log in first")]
    BeforeLogin,
    #[error("already logged in")]
    AfterLogin,
    #[error("send USER first")]
    NoUser,
    #[error("wrong user name or password")]
    WrongLogin,
    /// RFC 2449 section 8.1.1.
    #[error("[IN-USE] another session is using the maildrop")]
    InUse,
    #[error("no such message")]
    NoSuchMessage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_wrong() {
        for (refusal, words) in [
            (DemoRefusal::TooLong, "the line is too long"),
            (DemoRefusal::BeforeLogin, "log in first"),
            (DemoRefusal::NoUser, "send USER first"),
            (DemoRefusal::WrongLogin, "wrong user name or password"),
        ] {
            assert_eq!(refusal.to_string(), words);
        }
    }
}
