//! The password or token of a login, and whether the server accepts it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::maildrop::fault::authentication::AuthenticationError;
use parking_lot::Mutex;
use zeroize::Zeroizing;

/// A password or a token. It is wiped from memory when its last clone is dropped. `Debug` never
/// shows it.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

/// Fetches a fresh token. The engine's thread calls it and waits, so it must end without help.
pub type Renewal = dyn Fn() -> Result<Secret, Arc<dyn Error + Send + Sync>> + Send + Sync;

/// The secret of a login, and how to replace it if it expires.
pub struct Credential {
    current: Mutex<CurrentSecret>,
    renewal: Option<Box<Renewal>>,
}

struct CurrentSecret {
    secret: Secret,
    trial: Trial,
    /// The server has accepted this secret or an earlier one.
    has_logged_in: bool,
}

/// What a refusal of a secret means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedSecret {
    /// The server has never accepted a secret: this one is wrong.
    AtFirst,
    /// The server has accepted a secret before, so the refusal may pass.
    AfterAcceptance,
}

/// What the server has said about the current secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// Nothing yet.
    Untried,
    /// The server accepted it. A refusal from now on means that it has expired.
    Accepted,
    /// The server accepted it, and later refused it.
    Expired,
    /// The server accepted an earlier secret, and refused this one at once.
    Failed,
}

impl Secret {
    /// Takes the octets of the password or token. They need not be UTF-8.
    #[must_use]
    pub fn new(octets: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(octets))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Credential {
    /// A password. It is never replaced.
    #[must_use]
    pub fn lasting(secret: Secret) -> Self {
        Self {
            current: Mutex::new(CurrentSecret {
                secret,
                trial: Trial::Untried,
                has_logged_in: false,
            }),
            renewal: None,
        }
    }

    /// A token. If the server refuses it after having accepted it, `renewal` fetches the next one.
    #[must_use]
    pub fn expiring(token: Secret, renewal: Box<Renewal>) -> Self {
        Self {
            renewal: Some(renewal),
            ..Self::lasting(token)
        }
    }

    /// The secret to try now. Fetches a fresh one if the current one has expired or failed.
    pub(super) fn secret(&self) -> Result<Secret, AuthenticationError> {
        let current = self.current.lock();
        let (secret, trial) = (current.secret.clone(), current.trial);
        drop(current);
        match &self.renewal {
            Some(renew) if matches!(trial, Trial::Expired | Trial::Failed) => {
                log::info!("the token has expired: fetching a fresh one");
                let fresh = renew().map_err(AuthenticationError::NoFreshToken)?;
                let mut current = self.current.lock();
                current.secret = fresh.clone();
                current.trial = Trial::Untried;
                Ok(fresh)
            }
            _ => Ok(secret),
        }
    }

    /// Whether the server has not accepted the secret yet.
    pub(super) fn is_untried(&self) -> bool {
        self.current.lock().trial == Trial::Untried
    }

    pub(super) fn note_accepted(&self) {
        let mut current = self.current.lock();
        current.trial = Trial::Accepted;
        current.has_logged_in = true;
    }

    /// Notes that the server refused the secret. Returns what that means.
    pub(super) fn note_refused(&self) -> RefusedSecret {
        let mut current = self.current.lock();
        current.trial = match current.trial {
            Trial::Accepted => Trial::Expired,
            Trial::Untried if current.has_logged_in => Trial::Failed,
            trial => trial,
        };
        match current.has_logged_in {
            true => RefusedSecret::AfterAcceptance,
            false => RefusedSecret::AtFirst,
        }
    }

    /// Whether [`Credential::secret`] will fetch a fresh secret in place of one that worked.
    pub(super) fn has_expired(&self) -> bool {
        self.renewal.is_some() && self.current.lock().trial == Trial::Expired
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
        Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
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
    fn a_token_is_renewed_only_if_the_server_accepted_it_before() {
        let credential = numbered();
        assert_eq!(credential.note_refused(), RefusedSecret::AtFirst);
        assert!(!credential.has_expired(), "it was never accepted");
        credential.note_accepted();
        assert_eq!(credential.secret().unwrap().as_bytes(), b"token 0");
        credential.note_refused();
        assert!(credential.has_expired());
        assert_eq!(credential.secret().unwrap().as_bytes(), b"token 1");
        assert_eq!(credential.secret().unwrap().as_bytes(), b"token 1");
        credential.note_refused();
        assert!(
            !credential.has_expired(),
            "the fresh one was never accepted"
        );
    }

    #[test]
    fn a_fresh_token_that_is_refused_is_replaced_at_the_next_login() {
        let credential = numbered();
        credential.note_accepted();
        assert_eq!(credential.note_refused(), RefusedSecret::AfterAcceptance);
        assert_eq!(credential.secret().unwrap().as_bytes(), b"token 1");
        assert_eq!(credential.note_refused(), RefusedSecret::AfterAcceptance);
        assert!(!credential.has_expired(), "not within the same login");
        assert_eq!(credential.secret().unwrap().as_bytes(), b"token 2");
    }

    #[test]
    fn a_password_is_never_renewed() {
        let credential = Credential::lasting(secret("secret"));
        credential.note_accepted();
        credential.note_refused();
        assert!(!credential.has_expired());
        assert_eq!(credential.secret().unwrap().as_bytes(), b"secret");
    }

    #[test]
    fn an_expired_token_is_not_tried_again_if_renewal_fails() {
        let fail = || Err(Arc::from(Box::from("no network")));
        let credential = Credential::expiring(secret("old"), Box::new(fail));
        credential.note_accepted();
        credential.note_refused();
        for _ in 0..2 {
            let error = credential.secret().unwrap_err().to_string();
            assert!(error.contains("no network"), "{error}");
        }
    }

    #[test]
    fn debug_output_never_contains_the_secret() {
        let credential = Credential::lasting(secret("hunter2"));
        let shown = format!("{credential:?} {:?}", secret("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
