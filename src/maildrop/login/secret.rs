//! What proves who the user is, and what becomes of it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::maildrop::fault::authentication::AuthenticationError;
use parking_lot::Mutex;
use zeroize::Zeroizing;

/// A password or a token. It is wiped from memory when its last clone is dropped, and never shown.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// Fetches a fresh token. The engine's thread calls it and waits, so it has to end by itself.
pub type Renewal = dyn Fn() -> Result<Secret, Arc<dyn Error + Send + Sync>> + Send + Sync;

/// The secret of a login, and where the next one comes from if it expires.
pub struct Credential {
    current: Mutex<(Secret, Trial)>,
    renewal: Option<Box<Renewal>>,
}

/// What the server thinks of the current secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// Not known: a refusal is final.
    Untried,
    /// It was let in: a refusal now means that it has expired.
    Accepted,
    /// It was let in and then refused.
    Expired,
}

impl Secret {
    /// Takes the password or token.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Secret {
        Secret(Arc::new(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Credential {
    /// A password: once refused, it is refused.
    #[must_use]
    pub fn lasting(secret: Secret) -> Credential {
        Credential {
            current: Mutex::new((secret, Trial::Untried)),
            renewal: None,
        }
    }

    /// A token: where the server refuses it after it has accepted it, `renewal` fetches the next one.
    #[must_use]
    pub fn expiring(token: Secret, renewal: Box<Renewal>) -> Credential {
        Credential {
            renewal: Some(renewal),
            ..Credential::lasting(token)
        }
    }

    /// The secret to try now, a fresh one if the last one has expired.
    pub(super) fn secret(&self) -> Result<Secret, AuthenticationError> {
        let (secret, trial) = self.current.lock().clone();
        match &self.renewal {
            Some(renew) if trial == Trial::Expired => {
                log::info!("the token has expired: fetching another");
                let fresh = renew().map_err(AuthenticationError::NoFreshToken)?;
                *self.current.lock() = (fresh.clone(), Trial::Untried);
                Ok(fresh)
            }
            _ => Ok(secret),
        }
    }

    /// Whether the server has not accepted the secret yet.
    pub(super) fn is_untried(&self) -> bool {
        self.current.lock().1 == Trial::Untried
    }

    pub(super) fn was_accepted(&self) {
        self.current.lock().1 = Trial::Accepted;
    }

    pub(super) fn was_refused(&self) {
        let mut current = self.current.lock();
        if current.1 == Trial::Accepted {
            current.1 = Trial::Expired;
        }
    }

    /// Whether [`Credential::secret`] has to fetch another one.
    pub(super) fn has_expired(&self) -> bool {
        self.renewal.is_some() && self.current.lock().1 == Trial::Expired
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn secret(text: &str) -> Secret {
        Secret::new(Zeroizing::new(text.to_owned()))
    }

    fn numbered() -> Credential {
        let fetched = AtomicUsize::new(0);
        let next = move || {
            Ok(secret(&format!(
                "token {}",
                1 + fetched.fetch_add(1, Ordering::SeqCst)
            )))
        };
        Credential::expiring(secret("token 0"), Box::new(next))
    }

    #[test]
    fn a_token_is_renewed_once_when_it_was_accepted_before() {
        let credential = numbered();
        credential.was_refused();
        assert!(!credential.has_expired(), "it was never accepted");
        credential.was_accepted();
        assert_eq!(credential.secret().unwrap().as_str(), "token 0");
        credential.was_refused();
        assert!(credential.has_expired());
        assert_eq!(credential.secret().unwrap().as_str(), "token 1");
        assert_eq!(credential.secret().unwrap().as_str(), "token 1");
        credential.was_refused();
        assert!(!credential.has_expired(), "fresh, and refused at once");
    }

    #[test]
    fn a_password_is_never_renewed() {
        let credential = Credential::lasting(secret("secret"));
        credential.was_accepted();
        credential.was_refused();
        assert!(!credential.has_expired());
        assert_eq!(credential.secret().unwrap().as_str(), "secret");
    }

    #[test]
    fn where_no_fresh_token_is_to_be_had_the_expired_one_is_not_tried_again() {
        let fail = || Err(Arc::from(Box::from("no network")));
        let credential = Credential::expiring(secret("old"), Box::new(fail));
        credential.was_accepted();
        credential.was_refused();
        for _ in 0..2 {
            let error = credential.secret().unwrap_err().to_string();
            assert!(error.contains("no network"), "{error}");
        }
    }

    #[test]
    fn no_secret_is_shown_by_debug() {
        let credential = Credential::lasting(secret("hunter2"));
        let shown = format!("{credential:?} {:?}", secret("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
