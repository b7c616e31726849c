//! TLS clients: at least 1.2, the chain and the host name verified.

use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use native_tls::{
    Certificate, HandshakeError, MidHandshakeTlsStream, Protocol, TlsConnector, TlsStream,
};

use super::NetError;

/// How a stream is made secure: the trust in certificates, ready for any number of connections.
#[derive(Debug, Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// Trusts the system's store, or the PEM certificates of `ca_file` alone where one is given.
    ///
    /// # Errors
    /// [`NetError::CaFile`] where the file is unreadable or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Tls, NetError> {
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        if let Some(path) = ca_file {
            builder.disable_built_in_roots(true);
            for certificate in certificates(path)? {
                builder.add_root_certificate(certificate);
            }
        }
        builder
            .build()
            .map(Tls)
            .map_err(|error| NetError::NoTls(error.to_string()))
    }

    /// Shakes hands over a blocking socket whose time-outs are set; `deadline` bounds the whole.
    pub(super) fn secure(
        &self,
        socket: TcpStream,
        host: &str,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, NetError> {
        let mut attempt = self.0.connect(host, socket);
        loop {
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(HandshakeError::Failure(error)) => return Err(refusal(host, &error)),
                Err(HandshakeError::WouldBlock(unfinished)) => {
                    attempt = resume(unfinished, deadline)?;
                }
            }
        }
    }
}

type Attempt = Result<TlsStream<TcpStream>, HandshakeError<TcpStream>>;

/// A socket time-out surfaces as `WouldBlock`; only the deadline makes it final.
fn resume(
    unfinished: MidHandshakeTlsStream<TcpStream>,
    deadline: Instant,
) -> Result<Attempt, NetError> {
    if Instant::now() >= deadline {
        let patience = unfinished
            .get_ref()
            .read_timeout()
            .ok()
            .flatten()
            .unwrap_or_default();
        return Err(NetError::Silence(patience));
    }
    Ok(unfinished.handshake())
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, NetError> {
    let refuse = |reason: String| NetError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let found = Certificate::stack_from_pem(&pem).map_err(|error| refuse(error.to_string()))?;
    if found.is_empty() {
        return Err(refuse("holds no PEM certificate".to_owned()));
    }
    Ok(found)
}

/// OpenSSL's reason in words that name the option that would help.
fn refusal(host: &str, error: &native_tls::Error) -> NetError {
    let said = error.to_string();
    let known = said.to_lowercase();
    let untrusted = [
        "self-signed",
        "self signed",
        "unable to get",
        "unable to verify",
    ];
    let reason = if known.contains("expired") {
        "the certificate has expired: the server's administrator must renew it".to_owned()
    } else if known.contains("not yet valid") {
        "the certificate is not valid yet: is this machine's clock right?".to_owned()
    } else if known.contains("hostname mismatch") || known.contains("ip address mismatch") {
        "the certificate is for another host: use the name that it was made for".to_owned()
    } else if untrusted.iter().any(|words| known.contains(words)) {
        "the certificate is not trusted: -o ca_file=FILE names an authority to trust".to_owned()
    } else if known.contains("wrong version number") || known.contains("unexpected eof") {
        format!("no TLS on this port ({said}): try the pop:// scheme (STLS) or another port")
    } else {
        said
    };
    NetError::Handshake {
        host: host.to_owned(),
        reason,
    }
}
