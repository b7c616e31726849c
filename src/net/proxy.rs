//! A SOCKS5 proxy (RFC 1928), with a user name and password if it demands them (RFC 1929).
//!
//! The proxy resolves the server's name, so nothing about the server leaves this machine by another
//! way. The crates for this either have no overall timeout or need an asynchronous runtime.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{Endpoint, NetError, ProxyRefusal};

const SCHEME: &str = "socks5://";
const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD_LOGIN: u8 = 2;
/// The version of the login with a password (RFC 1929 section 2).
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;

/// A SOCKS5 proxy. It is written `socks5://[USER@]HOST:PORT`, and the user name may be
/// percent-encoded. A password is no part of it, because other users can read arguments. Neither
/// `Debug` nor `Display` shows the login.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    endpoint: Endpoint,
    /// 1 to 255 octets.
    user: Option<String>,
    password: Option<Zeroizing<Vec<u8>>>,
}

/// The text is not a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("socks5://[USER@]HOST:PORT")]
pub struct NoProxy;

impl Proxy {
    /// Where the proxy is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The same proxy with the password of its user.
    #[must_use]
    pub fn with_password(self, password: Zeroizing<Vec<u8>>) -> Self {
        Self {
            password: Some(password),
            ..self
        }
    }

    /// Has the proxy connect this socket to the server.
    ///
    /// # Errors
    /// [`NetError::Proxy`] if the proxy refuses, [`NetError::Connect`] if the server does not
    /// answer it, [`NetError::Silence`] if the proxy does not answer until the deadline.
    pub(super) fn connect_through(
        &self,
        socket: &TcpStream,
        server: &Endpoint,
        deadline: Instant,
    ) -> Result<(), NetError> {
        socket.set_nonblocking(false).map_err(NetError::Broken)?;
        let mut wire = ProxyWire {
            socket,
            begin: Instant::now(),
            deadline,
        };
        let answer = self.negotiate(&mut wire, server);
        match answer.map_err(|error| wire.fault(error))? {
            ProxyAnswer::Connected => Ok(()),
            ProxyAnswer::Refused(refusal) => Err(NetError::Proxy {
                proxy: self.to_string(),
                refusal,
            }),
            ProxyAnswer::Unreachable(source) => Err(server.does_not_answer(source)),
        }
    }

    fn negotiate(&self, wire: &mut ProxyWire<'_>, server: &Endpoint) -> io::Result<ProxyAnswer> {
        let Some(request) = request(server) else {
            return Ok(ProxyAnswer::Refused(ProxyRefusal::NameTooLong));
        };
        if let Some(refusal) = self.log_in(wire)? {
            return Ok(ProxyAnswer::Refused(refusal));
        }
        wire.write_all(&request)?;
        answer(wire)
    }

    /// RFC 1928 section 3.
    fn log_in(&self, wire: &mut ProxyWire<'_>) -> io::Result<Option<ProxyRefusal>> {
        let login = self.user.as_ref().zip(self.password.as_ref());
        match login {
            None => wire.write_all(&[VERSION, 1, NO_LOGIN])?,
            Some(_) => wire.write_all(&[VERSION, 2, NO_LOGIN, PASSWORD_LOGIN])?,
        }
        match (wire.octets::<2>()?, login) {
            ([VERSION, NO_LOGIN], _) => Ok(None),
            ([VERSION, PASSWORD_LOGIN], Some((user, password))) => {
                prove(user.as_bytes(), password, wire)
            }
            ([VERSION, _], _) => Ok(Some(ProxyRefusal::LoginDemanded)),
            _ => Ok(Some(ProxyRefusal::NotSocks5)),
        }
    }
}

/// RFC 1929 section 2.
fn prove(
    user: &[u8],
    password: &[u8],
    wire: &mut ProxyWire<'_>,
) -> io::Result<Option<ProxyRefusal>> {
    let mut login = Zeroizing::new(Vec::with_capacity(3 + user.len() + password.len()));
    login.push(LOGIN_VERSION);
    for part in [user, password] {
        let Ok(length) = u8::try_from(part.len()) else {
            return Ok(Some(ProxyRefusal::LoginTooLong));
        };
        login.push(length);
        login.extend_from_slice(part);
    }
    wire.write_all(&login)?;
    let [_version, status] = wire.octets()?;
    Ok((status != 0).then_some(ProxyRefusal::LoginRefused))
}

/// What the proxy answered in the end.
enum ProxyAnswer {
    Connected,
    Refused(ProxyRefusal),
    Unreachable(io::Error),
}

/// RFC 1928 section 4. None if the name of the server does not fit.
fn request(server: &Endpoint) -> Option<Vec<u8>> {
    let mut request = vec![VERSION, CONNECT, 0];
    match server.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.extend([DOMAIN_NAME, u8::try_from(server.host.len()).ok()?]);
            request.extend(server.host.as_bytes());
        }
    }
    request.extend(server.port.to_be_bytes());
    Some(request)
}

/// RFC 1928 section 6.
fn answer(wire: &mut ProxyWire<'_>) -> io::Result<ProxyAnswer> {
    let [version, reply, _reserved, kind] = wire.octets()?;
    if version != VERSION {
        return Ok(ProxyAnswer::Refused(ProxyRefusal::NotSocks5));
    }
    if let Some(failure) = failure(reply) {
        return Ok(failure);
    }
    // The address of the proxy's own socket, which is of no use here.
    match kind {
        IPV4 => drop(wire.octets::<4>()?),
        IPV6 => drop(wire.octets::<16>()?),
        DOMAIN_NAME => {
            let [length] = wire.octets()?;
            for _ in 0..length {
                let [_octet] = wire.octets()?;
            }
        }
        _ => return Ok(ProxyAnswer::Refused(ProxyRefusal::NotSocks5)),
    }
    let [_, _] = wire.octets()?;
    Ok(ProxyAnswer::Connected)
}

/// None if the reply says that the connection stands.
fn failure(reply: u8) -> Option<ProxyAnswer> {
    let unreachable = |kind, why| Some(ProxyAnswer::Unreachable(io::Error::new(kind, why)));
    match reply {
        0 => None,
        2 => Some(ProxyAnswer::Refused(ProxyRefusal::Forbidden)),
        3 => unreachable(
            ErrorKind::NetworkUnreachable,
            "the proxy says: network unreachable",
        ),
        4 => unreachable(
            ErrorKind::HostUnreachable,
            "the proxy says: host unreachable",
        ),
        5 => unreachable(
            ErrorKind::ConnectionRefused,
            "the proxy says: connection refused",
        ),
        6 => unreachable(ErrorKind::TimedOut, "the proxy says: timed out"),
        _ => unreachable(ErrorKind::Other, "the proxy says: connection failed"),
    }
}

/// The socket to a proxy. Its calls block until the deadline at the latest.
struct ProxyWire<'a> {
    socket: &'a TcpStream,
    begin: Instant,
    deadline: Instant,
}

impl ProxyWire<'_> {
    fn octets<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        let mut octets = [0; COUNT];
        self.read_exact(&mut octets)?;
        Ok(octets)
    }

    fn time_left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(left),
        }
    }

    /// An expired timeout of a socket is EAGAIN.
    fn fault(&self, error: io::Error) -> NetError {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                NetError::Silence(self.deadline.saturating_duration_since(self.begin))
            }
            _ => NetError::from_socket(error),
        }
    }
}

impl Read for ProxyWire<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.time_left()?))?;
        self.socket.read(into)
    }
}

impl Write for ProxyWire<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.time_left()?))?;
        self.socket.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FromStr for Proxy {
    type Err = NoProxy;

    fn from_str(text: &str) -> Result<Self, NoProxy> {
        let rest = text.strip_prefix(SCHEME).ok_or(NoProxy)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, address)) => (Some(decoded(user)?), address),
        };
        let (host, port) = address.rsplit_once(':').ok_or(NoProxy)?;
        let host = match host.strip_prefix('[') {
            Some(inside) => inside.strip_suffix(']').ok_or(NoProxy)?,
            None if host.contains(':') => return Err(NoProxy),
            None => host,
        };
        let port = port.parse().map_err(|_| NoProxy)?;
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err(NoProxy);
        }
        let endpoint = Endpoint {
            host: host.to_owned(),
            port,
        };
        Ok(Self {
            endpoint,
            user,
            password: None,
        })
    }
}

/// The user name in a URL. A `:` in it would begin a password.
fn decoded(user: &str) -> Result<String, NoProxy> {
    if user.contains(':') {
        return Err(NoProxy);
    }
    let decoded = percent_decode_str(user).decode_utf8();
    let user = decoded.map_err(|_| NoProxy)?.into_owned();
    match user.len() {
        1..=255 => Ok(user),
        _ => Err(NoProxy),
    }
}

/// Without the login.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.endpoint)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_host_a_port_and_perhaps_a_user() {
        let proxy: Proxy = "socks5://al%3ace@example.org@proxy.example:1080"
            .parse()
            .unwrap();
        assert_eq!(proxy.user(), Some("al:ce@example.org"));
        assert_eq!(proxy.endpoint.port, 1080);
        let proxy: Proxy = "socks5://[::1]:9050/".parse().unwrap();
        assert_eq!(proxy.endpoint.host, "::1");
        assert_eq!(proxy.user(), None);
    }

    #[test]
    fn anything_else_is_not_a_proxy() {
        for text in [
            "",
            "proxy.example:1080",
            "http://proxy.example:1080",
            "socks5://proxy.example",
            "socks5://proxy.example:",
            "socks5://proxy.example:65536",
            "socks5://:1080",
            "socks5://::1:1080",
            "socks5://[::1:1080",
            "socks5://alice:secret@proxy.example:1080",
            "socks5://@proxy.example:1080",
            "socks5://%ff@proxy.example:1080",
            "socks5://proxy.example/x:1080",
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(NoProxy), "{text}");
        }
        let long = format!("socks5://{}@proxy.example:1080", "a".repeat(256));
        assert_eq!(long.parse::<Proxy>(), Err(NoProxy));
    }

    #[test]
    fn neither_debug_nor_display_shows_the_password() {
        let proxy: Proxy = "socks5://alice@proxy.example:1080".parse().unwrap();
        let proxy = proxy.with_password(Zeroizing::new(b"secret".to_vec()));
        for shown in [format!("{proxy:?}"), proxy.to_string()] {
            assert!(
                shown.contains("proxy.example:1080") && !shown.contains("secret"),
                "{shown}"
            );
        }
    }

    #[test]
    fn addresses_and_names_are_sent_as_what_they_are() {
        let requested = |host: &str| {
            let host = host.to_owned();
            request(&Endpoint { host, port: 995 })
        };
        assert_eq!(
            requested("127.0.0.1").unwrap(),
            b"\x05\x01\0\x01\x7f\0\0\x01\x03\xe3"
        );
        let ipv6 = [&b"\x05\x01\0\x04"[..], &[0; 15], b"\x01\x03\xe3"].concat();
        assert_eq!(requested("::1").unwrap(), ipv6);
        assert_eq!(
            requested("mail").unwrap(),
            b"\x05\x01\0\x03\x04mail\x03\xe3"
        );
        assert_eq!(requested(&"x".repeat(256)), None);
    }
}
