//! Why a TLS handshake failed. The command line tells what the user can do.

use super::ShownCertificate;

/// Why a handshake failed. Nothing was sent over the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The certificate is not trusted.
    #[error("{}", words(*.0, .1.as_ref()))]
    Certificate(Distrust, Option<ShownCertificate>),
    /// The certificate is not one of those that are pinned.
    #[error("the server's certificate is not a pinned one")]
    NotPinned(ShownCertificate),
    /// The server uses a cipher without certificates, which we do not offer, or its certificate
    /// cannot be read.
    #[error("the server shows no certificate")]
    NoCertificate,
    /// The server is older than TLS 1.2.
    #[error(
        "the server offers neither TLS 1.2 nor a newer version: its administrator must update it"
    )]
    Version,
    /// The server accepts nothing that we offer (alert 40), and does not say what it lacks.
    #[error(
        "the server and this system have no cipher in common: the administrator of the older one must update it"
    )]
    Cipher,
    /// The server's Diffie-Hellman parameters are smaller than this system's OpenSSL allows.
    #[error(
        "the server's Diffie-Hellman key is too small for this system: its administrator must update it"
    )]
    WeakKeyExchange,
    /// The server lacks secure renegotiation (RFC 5746), which OpenSSL 3 demands.
    #[error(
        "the server supports only unsafe legacy renegotiation, which this system refuses: its administrator must update it"
    )]
    LegacyRenegotiation,
    /// The server demands a client certificate, and there is none.
    #[error("the server demands a client certificate")]
    CertificateDemanded,
    /// The server does not accept our client certificate.
    #[error("the server refuses our client certificate")]
    CertificateRefused,
    /// The answer is not TLS. Usually the server sends its greeting in the clear.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server closed the connection during the handshake.
    #[error("the server closed the connection during the handshake: is this a TLS port?")]
    Closed,
    /// Any other error of OpenSSL.
    #[error("OpenSSL says: {0}")]
    Other(String),
}

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It, or one in its chain, has expired. Its administrator must act.
    Expired,
    /// It is not valid yet. Usually this machine's clock is wrong.
    NotYetValid,
    /// It does not name the host that SOURCE names.
    OtherHost,
    /// It is self-signed.
    SelfSigned,
    /// No authority that is trusted here has signed its chain.
    UnknownIssuer,
    /// Its key or signature is weaker than this system's OpenSSL allows.
    Weak,
}

/// The meaning of OpenSSL's messages, in lower case; the first match counts. native-tls gives out
/// no codes. The words are those of X509_verify_cert_error_string(3) and of OpenSSL's reasons, from
/// 1.1.1 to 3.x.
const MEANINGS: &[(&str, Refusal)] = &[
    // Alerts are what the server says: these are about our certificate, not about its own.
    ("alert certificate required", Refusal::CertificateDemanded),
    ("alert certificate", Refusal::CertificateRefused),
    ("alert bad certificate", Refusal::CertificateRefused),
    ("alert unsupported certificate", Refusal::CertificateRefused),
    ("alert unknown ca", Refusal::CertificateRefused),
    ("certificate has expired", of_certificate(Distrust::Expired)),
    (
        "certificate is not yet valid",
        of_certificate(Distrust::NotYetValid),
    ),
    ("hostname mismatch", of_certificate(Distrust::OtherHost)),
    ("ip address mismatch", of_certificate(Distrust::OtherHost)),
    // This must come before the next two: the authority at the end of a chain is self-signed too.
    (
        "in certificate chain",
        of_certificate(Distrust::UnknownIssuer),
    ),
    (
        "self-signed certificate",
        of_certificate(Distrust::SelfSigned),
    ),
    (
        "self signed certificate",
        of_certificate(Distrust::SelfSigned),
    ),
    ("unable to get", of_certificate(Distrust::UnknownIssuer)),
    (
        "unable to verify the first certificate",
        of_certificate(Distrust::UnknownIssuer),
    ),
    ("key too weak", of_certificate(Distrust::Weak)),
    ("dh key too small", Refusal::WeakKeyExchange),
    ("legacy renegotiation", Refusal::LegacyRenegotiation),
    ("key too small", of_certificate(Distrust::Weak)),
    ("digest algorithm too weak", of_certificate(Distrust::Weak)),
    ("protocol version", Refusal::Version),
    ("unsupported protocol", Refusal::Version),
    ("alert handshake failure", Refusal::Cipher),
    ("wrong version number", Refusal::NotTls),
    ("packet length too long", Refusal::NotTls),
    ("unexpected eof", Refusal::Closed),
];

const fn of_certificate(distrust: Distrust) -> Refusal {
    Refusal::Certificate(distrust, None)
}

impl Refusal {
    /// The meaning of a message of OpenSSL.
    pub(super) fn from_openssl(said: &str) -> Self {
        let known = said.to_lowercase();
        let meaning = MEANINGS.iter().find(|(words, _)| known.contains(words));
        match meaning {
            Some((_, refusal)) => refusal.clone(),
            None => Self::Other(reason(said).to_owned()),
        }
    }
}

/// The words in a message of OpenSSL: `error:CODE:LIBRARY:FUNCTION:WORDS:FILE:LINE:DATA (WORDS
/// ABOUT A CERTIFICATE)`.
fn reason(said: &str) -> &str {
    if let Some((_, about_certificate)) = said.rsplit_once(" (") {
        return about_certificate.trim_end_matches(')');
    }
    match said.strip_prefix("error:") {
        Some(fields) => fields.split(':').nth(3).unwrap_or(said),
        None => said,
    }
}

fn words(distrust: Distrust, shown: Option<&ShownCertificate>) -> String {
    match distrust {
        Distrust::Expired => "the certificate has expired".to_owned(),
        Distrust::NotYetValid => {
            "the certificate is not valid yet: is this machine's clock right?".to_owned()
        }
        Distrust::OtherHost => format!("the certificate is for {}", hosts(shown)),
        Distrust::SelfSigned => "the certificate is self-signed".to_owned(),
        Distrust::UnknownIssuer => {
            "the certificate is not trusted, for no known authority signed it".to_owned()
        }
        Distrust::Weak => "the certificate's key or signature is too weak for this system: the server's administrator must replace it".to_owned(),
    }
}

fn hosts(shown: Option<&ShownCertificate>) -> String {
    match shown {
        Some(shown) if !shown.names.is_empty() => format!("{} only", shown.names),
        _ => "another host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_messages_of_openssl_mean_the_same() {
        let failed = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:x.c:1889:";
        for (words, distrust) in [
            ("self-signed certificate", Distrust::SelfSigned),
            ("self signed certificate", Distrust::SelfSigned),
            (
                "self-signed certificate in certificate chain",
                Distrust::UnknownIssuer,
            ),
            (
                "self signed certificate in certificate chain",
                Distrust::UnknownIssuer,
            ),
            (
                "unable to get local issuer certificate",
                Distrust::UnknownIssuer,
            ),
            ("Hostname mismatch", Distrust::OtherHost),
            ("hostname mismatch", Distrust::OtherHost),
            ("IP address mismatch", Distrust::OtherHost),
            ("ip address mismatch", Distrust::OtherHost),
            ("EE certificate key too weak", Distrust::Weak),
        ] {
            let said = format!("{failed} ({words})");
            assert_eq!(
                Refusal::from_openssl(&said),
                of_certificate(distrust),
                "{words}"
            );
        }
    }

    #[test]
    fn a_refusal_says_whose_key_or_certificate_is_the_trouble() {
        let of = |words: &str| {
            Refusal::from_openssl(&format!("error:0A000000:SSL routines:f:{words}:x.c:1:"))
        };
        assert_eq!(of("dh key too small"), Refusal::WeakKeyExchange);
        assert_eq!(of("ee key too small"), of_certificate(Distrust::Weak));
        let renegotiation = "unsafe legacy renegotiation disabled";
        assert_eq!(of(renegotiation), Refusal::LegacyRenegotiation);
        let demanded = "tlsv13 alert certificate required";
        assert_eq!(of(demanded), Refusal::CertificateDemanded);
        for words in [
            "sslv3 alert certificate expired",
            "sslv3 alert certificate revoked",
            "ssl/tls alert bad certificate",
            "tlsv1 alert unknown ca",
        ] {
            assert_eq!(of(words), Refusal::CertificateRefused, "{words}");
        }
    }

    #[test]
    fn a_handshake_that_fails_otherwise_is_explained() {
        for (words, refusal) in [
            ("alert unsupported certificate", Refusal::CertificateRefused),
            ("tlsv1 alert protocol version", Refusal::Version),
            ("unsupported protocol", Refusal::Version),
            ("sslv3 alert handshake failure", Refusal::Cipher),
            ("wrong version number", Refusal::NotTls),
            ("packet length too long", Refusal::NotTls),
            ("unexpected eof while reading", Refusal::Closed),
        ] {
            assert_eq!(Refusal::from_openssl(words), refusal, "{words}");
        }
    }

    #[test]
    fn a_distrusted_certificate_is_explained() {
        for (distrust, sentence) in [
            (Distrust::Expired, "the certificate has expired"),
            (
                Distrust::NotYetValid,
                "the certificate is not valid yet: is this machine's clock right?",
            ),
            (Distrust::OtherHost, "the certificate is for another host"),
            (Distrust::SelfSigned, "the certificate is self-signed"),
            (
                Distrust::UnknownIssuer,
                "the certificate is not trusted, for no known authority signed it",
            ),
            (
                Distrust::Weak,
                "the certificate's key or signature is too weak for this system: the server's administrator must replace it",
            ),
        ] {
            assert_eq!(of_certificate(distrust).to_string(), sentence);
        }
    }

    #[test]
    fn unknown_messages_are_shown_without_codes_and_files() {
        let failed = "error:0A000086:SSL routines:f:certificate verify failed:x.c:1:";
        for (said, told) in [
            (format!("{failed} (certificate revoked)"), "certificate revoked"),
            ("error:0A000438:SSL routines:f:tlsv1 alert internal error:x.c:1:SSL alert number 80".to_owned(), "tlsv1 alert internal error"),
            ("no words".to_owned(), "no words"),
        ] {
            let refusal = Refusal::from_openssl(&said);
            assert_eq!(refusal.to_string(), format!("OpenSSL says: {told}"));
        }
    }
}
