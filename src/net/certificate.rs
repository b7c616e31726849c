//! What the certificate of a server says.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use native_tls::Certificate;
use openssl::asn1::Asn1Time;
use openssl::nid::Nid;
use openssl::x509::{GeneralNameRef, X509, X509Ref};

use super::Fingerprint;

/// The most names of a certificate that a message lists.
const MOST_NAMES: usize = 5;
/// The most characters of an issuer's name in a message.
const LONGEST_ISSUER: usize = 100;

/// A certificate as the server showed it. Nothing in it is verified: an attacker may have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// The digest that identifies it.
    pub fingerprint: Fingerprint,
    /// The hosts and addresses that it names.
    pub names: Names,
}

/// A certificate that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The certificate itself.
    pub shown: ShownCertificate,
    /// The organization and the name of the issuer, as the certificate states them.
    pub issuer: String,
    /// When it expires; none if the date cannot be read.
    pub expires: Option<SystemTime>,
}

/// Host names and addresses of a certificate. They are displayed as a list that is cut after a few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl ShownCertificate {
    /// None if the certificate cannot be read; the handshake would have refused such a one.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let der = certificate.to_der().ok()?;
        let names = X509::from_der(&der).ok()?.subject_alt_names();
        Some(Self {
            fingerprint: Fingerprint::of(&der),
            names: Names(names.iter().flatten().filter_map(name).collect()),
        })
    }
}

impl Accepted {
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let read = X509::from_der(&certificate.to_der().ok()?).ok()?;
        Some(Self {
            shown: ShownCertificate::of(certificate)?,
            issuer: issuer(&read),
            expires: expiry(&read),
        })
    }
}

impl Names {
    /// Whether the certificate names no host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = &self.0[..self.0.len().min(MOST_NAMES)];
        f.write_str(&told.join(", "))?;
        match self.0.len() - told.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The words of the issuer without control characters, which could do harm on a terminal.
fn issuer(certificate: &X509Ref) -> String {
    let entries = certificate.issuer_name().entries();
    let is_told = |nid: Nid| nid == Nid::ORGANIZATIONNAME || nid == Nid::COMMONNAME;
    let words = entries
        .filter(|entry| is_told(entry.object().nid()))
        .filter_map(|entry| entry.data().to_string().ok());
    let text: String = words.collect::<Vec<_>>().join(", ");
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(LONGEST_ISSUER).collect()
}

fn expiry(certificate: &X509Ref) -> Option<SystemTime> {
    let left = Asn1Time::days_from_now(0).ok()?;
    let left = left.diff(certificate.not_after()).ok()?;
    let seconds = i64::from(left.days) * 86_400 + i64::from(left.secs);
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => SystemTime::now().checked_sub(distance),
        false => SystemTime::now().checked_add(distance),
    }
}

/// A host name or address (RFC 5280 section 4.2.1.6). Other text is left out, because an attacker
/// may have written it and it goes to a terminal.
fn name(general: &GeneralNameRef) -> Option<String> {
    if let Some(address) = general.ipaddress() {
        return address_in(address).map(|address| address.to_string());
    }
    let letters = |octet: u8| octet.is_ascii_alphanumeric() || b".-_*".contains(&octet);
    let name = general.dnsname()?;
    (name.len() < 256 && name.bytes().all(letters)).then(|| name.to_owned())
}

fn address_in(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(octets).ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names = |count: usize| Names((1..=count).map(|n| format!("h{n}")).collect());
        assert_eq!(names(1).to_string(), "h1");
        assert_eq!(names(5).to_string(), "h1, h2, h3, h4, h5");
        assert_eq!(names(9).to_string(), "h1, h2, h3, h4, h5 and 4 more");
    }
}
