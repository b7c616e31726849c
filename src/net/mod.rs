//! One stream to the server: TCP, TLS, STLS and timeouts. Only this module uses native-tls and
//! openssl.
//!
//! A [`Stream`] is non-blocking once it is connected. [`wait`] blocks until the stream is ready,
//! until another thread rings the [`WakeUp`], or until a deadline. This module does not know what
//! is sent.

mod boot_time;
mod certificate;
mod client_certificate;
mod endpoint;
mod error;
mod fingerprint;
mod proxy;
mod race;
mod recording;
mod refusal;
mod route;
mod stream;
mod tls;
mod wait;

pub use boot_time::BootTime;
pub use certificate::{Accepted, Names, ShownCertificate};
pub use client_certificate::ClientCertificate;
pub use endpoint::Endpoint;
pub use error::{FileFault, NetError, ProxyRefusal};
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use proxy::{NoProxy, Proxy};
pub use recording::TlsVersion;
pub use refusal::{Distrust, Refusal};
pub use route::Route;
pub use stream::{IoOutcome, Protection, Stream};
pub use tls::{Tls, Trust};
pub use wait::{Interest, Ready, WakeUp, wait};
