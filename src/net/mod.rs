//! One stream to the server: TCP, TLS, STLS and time-outs. The only door to native-tls and openssl.
//!
//! A [`Stream`] is non-blocking once it is connected; [`wait`] blocks until it is ready, until the
//! [`WakeUp`] rings, or until a deadline. What is sent over it, and when, is somebody else's matter.

mod certificate;
mod error;
mod fingerprint;
mod refusal;
mod stream;
mod tls;
mod version;
mod wait;

pub use certificate::{Accepted, Names, Shown};
pub use error::NetError;
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use refusal::{Distrust, Refusal};
pub use stream::{Endpoint, Protection, Stream, Transfer};
pub use tls::{Tls, Trust};
pub use version::TlsVersion;
pub use wait::{Interest, Ready, WakeUp, wait};
