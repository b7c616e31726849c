//! The words in which servers without response codes say that they cannot serve a login now.
//!
//! nginx, perdition and Courier report in such words that the server behind them is down.
//! Providers do so for their login limits, and solid-pop3d and Courier if they cannot read the
//! maildrop.

/// Words about the machines that serve the login. They count whatever else the text says.
const OF_THE_SERVER: [&str; 32] = [
    // nginx, if the server behind it or its authentication service is down
    "internal server error",
    "internal error",
    "server error",
    "system error",
    // perdition
    "could not connect",
    "cannot connect",
    "can't connect",
    "unable to connect",
    "connection refused",
    "connection timed out",
    "connection failed",
    "backend",
    "upstream",
    // Courier
    "temporary problem",
    "temporary failure",
    "temporary error",
    "temporary system",
    "temporary server",
    // Dovecot before it had response codes
    "temporary authentication failure",
    "temporary lookup failure",
    "temporarily unavailable",
    "temporarily out of",
    "temporarily down",
    "currently unavailable",
    "service not available",
    "service unavailable",
    // InterMail
    "services unavailable",
    "server unavailable",
    "server is down",
    "server not available",
    "maintenance",
    "shutting down",
];

/// Words that ask the client to wait. They do not count if the text also finds fault with the
/// login.
const OF_LIMITS: [&str; 35] = [
    "try again",
    "try later",
    "try tomorrow",
    "retry later",
    "wait a ",
    "please wait",
    "too many connections",
    "too many concurrent",
    "too many simultaneous",
    "too many sessions",
    "too many open",
    "too many logins",
    "too many users",
    "too many clients",
    "connection limit",
    "login limit",
    "session limit",
    "rate limit",
    "too often",
    "too frequent",
    "too many requests",
    "maximum number of connections",
    "maximum connections",
    "connections exceeded",
    "throttl",
    "slow down",
    "overload",
    "out of resources",
    "temporarily",
    "being migrated",
    "being moved",
    "come back later",
    "timed out",
    "unreachable",
    "no route to host",
];

/// Words about the maildrop behind a login that the server has accepted.
const OF_THE_MAILDROP: [&str; 11] = [
    // solid-pop3d
    "mailbox is damaged",
    "message is damaged",
    "message file is damaged",
    "mailbox content",
    "maildir content",
    "can't open mail",
    "can't open message",
    "can't read",
    // Courier
    "maildir invalid",
    "chdir ",
    "out of memory",
];

/// Words that find fault with the login. A server may block an account that is tried again.
const OF_THE_LOGIN: [&str; 14] = [
    "password",
    "passwd",
    "credential",
    "invalid",
    "incorrect",
    "wrong",
    "bad ",
    "failed",
    "failure",
    "lock",
    "disabled",
    "suspend",
    "block",
    "denied",
];

/// Whether the words of an -ERR say that the server has trouble, or a limit, that passes by itself.
pub(crate) fn speaks_of_passing_trouble(text: &str) -> bool {
    let says = |phrases: &[&str]| says_one_of(text, phrases);
    says(&OF_THE_SERVER) || (says(&OF_LIMITS) && !says(&OF_THE_LOGIN))
}

/// Whether the words of an -ERR to a login say that the server cannot read the maildrop. That
/// passes when somebody mends it. The password is not at fault.
pub(crate) fn speaks_of_an_unreadable_maildrop(text: &str) -> bool {
    says_one_of(text, &OF_THE_MAILDROP)
}

fn says_one_of(text: &str, phrases: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    phrases.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_servers_for_passing_trouble_are_known() {
        for text in [
            "internal server error",
            "failed: Could not connect to server",
            "Temporary problem, please try again later",
            "Temporary authentication failure.",
            "Mail storage services unavailable, wait a few minutes and try again",
            "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests.",
            "Too many simultaneous connections from your host, try again later",
            "Service temporarily unavailable",
            "Service not available",
            "Login too frequently, please wait",
            "You are logging in too often",
            "The server is under maintenance",
            "Download exceeds the limit, try tomorrow",
            "Maximum number of connections from user+IP exceeded",
            "Request is throttled. Suggested backoff time: 60000 milliseconds",
            "Mailbox is being migrated, come back later",
            "authentication server timed out",
            "no route to host",
        ] {
            assert!(speaks_of_passing_trouble(text), "{text}");
        }
    }

    #[test]
    fn a_refused_password_is_not_passing_trouble() {
        for text in [
            "",
            "no",
            "Authentication failed",
            "Re-Authentication Failure",
            "Authentication failed, please try again",
            "Login incorrect, try again",
            "invalid user name or password: try again later",
            "Too many failed logins, try again later",
            "Account locked: wait a few minutes",
            "Your access is blocked, please wait 30 minutes",
            "Account temporarily disabled",
            "temporarily blocked: too many requests",
            "Password expired while the mailbox is being moved",
            "unknown user",
        ] {
            assert!(!speaks_of_passing_trouble(text), "{text}");
            assert!(!speaks_of_an_unreadable_maildrop(text), "{text}");
        }
    }

    #[test]
    fn words_of_real_servers_for_an_unreadable_maildrop_are_known() {
        for text in [
            "mailbox is damaged",
            "message is damaged",
            "maildir content probably has been changed",
            "can't open mailbox file",
            "Maildir invalid (no 'cur' directory)",
            "chdir Maildir failed",
            "Server out of memory, aborting connection.",
        ] {
            assert!(speaks_of_an_unreadable_maildrop(text), "{text}");
        }
    }
}
