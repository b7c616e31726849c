//! Why a TLS handshake failed, in words that name the option that would help.

use super::Fingerprint;

/// Why a handshake led to no secure stream. Nothing was sent over it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The last day of the certificate, or of one in its chain, is over: its administrator's fault.
    #[error(
        "the certificate has expired: the server's administrator must renew it (-o tls_pin=… would trust it as it is)"
    )]
    Expired,
    /// The first day of the certificate is still to come: more often this machine's fault.
    #[error("the certificate is not valid yet: is this machine's clock right?")]
    NotYetValid,
    /// The certificate does not name the host that SOURCE names.
    #[error(
        "the certificate is for another host: write the name that it was made for into SOURCE, or trust it with -o tls_pin=…"
    )]
    OtherHost,
    /// The certificate has no authority behind it.
    #[error(
        "the certificate is signed by itself alone: trust it with -o tls_pin=…, or with -o ca_file=FILE if FILE holds it"
    )]
    SelfSigned,
    /// The certificate's chain leads to no authority that is trusted here.
    #[error(
        "the certificate is not trusted, for no known authority signed it: -o ca_file=FILE names another authority, -o tls_pin=… trusts this one certificate"
    )]
    UnknownIssuer,
    /// The certificate's key or signature is below what this system's OpenSSL takes.
    #[error(
        "the certificate's key or signature is too weak for this system: the server's administrator must replace it"
    )]
    Weak,
    /// None of the pinned certificates; this is the one that came.
    #[error(
        "the server's certificate is not the one that tls_pin names: if it was replaced by right, the option is now -o tls_pin={0}"
    )]
    NotPinned(Fingerprint),
    /// A cipher without certificates, which no client of today offers.
    #[error("the server shows no certificate")]
    NoCertificate,
    /// The server is older than TLS 1.2.
    #[error(
        "the server offers neither TLS 1.2 nor a newer version: its administrator must update it"
    )]
    Version,
    /// The server found nothing in what we offered that it takes (alert 40), and does not say what it misses.
    #[error(
        "the server and this system have no cipher in common: the administrator of the older one must update it"
    )]
    Cipher,
    /// What came is no TLS: a server that greets in clear, mostly.
    #[error(
        "the server does not speak TLS on this port: try the pop:// scheme (STLS, port 110), or pops:// with another port (995)"
    )]
    NotTls,
    /// The server ended the connection in the midst of the handshake.
    #[error("the server closed the connection during the handshake: is this a port of TLS?")]
    Closed,
    /// Whatever else OpenSSL does not like.
    #[error("OpenSSL says: {0}")]
    Other(String),
}

/// What OpenSSL's words mean. native-tls hands on no codes; the words are those of X509_verify_cert_error_string(3) and of
/// OpenSSL's reasons, from 1.1.1 to 3.x, in lower case. The first match counts.
const MEANINGS: &[(&str, Refusal)] = &[
    ("certificate has expired", Refusal::Expired),
    ("certificate is not yet valid", Refusal::NotYetValid),
    ("hostname mismatch", Refusal::OtherHost),
    ("ip address mismatch", Refusal::OtherHost),
    // The authority at the end of a chain is signed by itself too.
    ("in certificate chain", Refusal::UnknownIssuer),
    ("self-signed certificate", Refusal::SelfSigned),
    ("self signed certificate", Refusal::SelfSigned),
    ("unable to get", Refusal::UnknownIssuer),
    (
        "unable to verify the first certificate",
        Refusal::UnknownIssuer,
    ),
    ("key too weak", Refusal::Weak),
    ("key too small", Refusal::Weak),
    ("digest algorithm too weak", Refusal::Weak),
    ("md too weak", Refusal::Weak),
    ("protocol version", Refusal::Version),
    ("unsupported protocol", Refusal::Version),
    ("alert handshake failure", Refusal::Cipher),
    ("wrong version number", Refusal::NotTls),
    ("packet length too long", Refusal::NotTls),
    ("unexpected eof", Refusal::Closed),
];

impl Refusal {
    /// The meaning of what OpenSSL said.
    pub(super) fn from_openssl(said: &str) -> Refusal {
        let known = said.to_lowercase();
        let meaning = MEANINGS.iter().find(|(words, _)| known.contains(words));
        match meaning {
            Some((_, refusal)) => refusal.clone(),
            None => Refusal::Other(reason(said).to_owned()),
        }
    }
}

/// The words in what OpenSSL says: `error:CODE:LIBRARY:FUNCTION:WORDS:FILE:LINE:DATA (WORDS ABOUT A CERTIFICATE)`.
fn reason(said: &str) -> &str {
    if let Some((_, about_certificate)) = said.rsplit_once(" (") {
        return about_certificate.trim_end_matches(')');
    }
    match said.strip_prefix("error:") {
        Some(fields) => fields.split(':').nth(3).unwrap_or(said),
        None => said,
    }
}
