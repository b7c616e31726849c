//! The words in which servers without response codes say that the maildrop is locked.

/// Whether the words of an -ERR say that another session holds the maildrop.
///
/// Words about an account or a password never count, even if they mention a lock. The account may
/// be locked permanently, and each new attempt could prolong that.
pub(crate) fn speaks_of_a_lock(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let says = |phrase: &&str| text.contains(*phrase);
    if ["account", "password", "authenticat", "failed login"]
        .iter()
        .any(says)
    {
        return false;
    }
    let locked = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| ["lock", "locked", "locking", "lockfile"].contains(&word));
    locked
        || [
            "in use",
            "busy",
            // mpopd
            "cannot access mailbox",
            // popa3d
            "another mua active",
            "another session",
            "another pop",
            "already open",
        ]
        .iter()
        .any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_servers_for_a_locked_maildrop_are_known() {
        for text in [
            "maildrop already locked",
            "unable to lock maildrop",
            "cannot access mailbox",
            "Another MUA active, try again later",
            "/var/spool/mail/.al.pop lock busy! Is another session active? (11)",
            "Your mailbox is in use by another POP3 session",
            "Unable to get a lock on the mailbox",
            "Mailbox is locked by POP server",
        ] {
            assert!(speaks_of_a_lock(text), "{text}");
        }
    }

    #[test]
    fn a_locked_account_is_not_a_locked_maildrop() {
        for text in [
            "your account has been locked",
            "account locked out: too many attempts",
            "login blocked",
            "invalid password, mailbox will be locked after 3 attempts",
            "Authentication failed. Server busy",
            "unknown user",
            "",
        ] {
            assert!(!speaks_of_a_lock(text), "{text}");
        }
    }
}
