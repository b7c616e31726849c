//! The certificate by which the user proves who they are to a TLS server.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use native_tls::Identity;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use zeroize::Zeroizing;

use super::{FileFault, NetError};

const PEM_MARKER: &[u8] = b"-----BEGIN ";

/// A certificate with its private key, ready for any number of connections.
#[derive(Clone)]
pub struct ClientCertificate(Identity);

impl ClientCertificate {
    /// Reads a PEM file with a certificate, the certificates of its chain if there are any, and the
    /// private key; or a PKCS#12 file. `passphrase` decrypts the key, or the PKCS#12 file.
    ///
    /// # Errors
    /// [`NetError::ClientCertificate`] if the file cannot be read, lacks a part, or needs another
    /// passphrase.
    pub fn read(path: &Path, passphrase: Option<&str>) -> Result<Self, NetError> {
        let refuse = |reason| NetError::ClientCertificate {
            path: PathBuf::from(path),
            reason,
        };
        let octets = read_file(path).map_err(|error| refuse(FileFault::Io(error)))?;
        let passphrase = passphrase.unwrap_or_default();
        let is_pem = memchr::memmem::find(&octets, PEM_MARKER).is_some();
        let identity = match is_pem {
            true => from_pem(&octets, passphrase),
            false => from_pkcs12(&octets, passphrase),
        };
        identity.map(Self).map_err(refuse)
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.0
    }
}

fn from_pem(pem: &[u8], passphrase: &str) -> Result<Identity, FileFault> {
    let certificates = openssl::x509::X509::stack_from_pem(pem)
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or(FileFault::NoCertificate)?;
    // native-tls takes an unencrypted key in PKCS#8 only.
    let key = PKey::private_key_from_pem_passphrase(pem, passphrase.as_bytes());
    let key = key.map_err(|_| FileFault::NoKey)?;
    let public = certificates[0].public_key();
    if !public.is_ok_and(|public| public.public_eq(&key)) {
        return Err(FileFault::OtherKey);
    }
    let key = key.private_key_to_pem_pkcs8().map(Zeroizing::new);
    let key = key.map_err(|_| FileFault::NoKey)?;
    Identity::from_pkcs8(pem, &key).map_err(|_| FileFault::NoCertificate)
}

fn from_pkcs12(der: &[u8], passphrase: &str) -> Result<Identity, FileFault> {
    Pkcs12::from_der(der).map_err(|_| FileFault::NeitherFormat)?;
    Identity::from_pkcs12(der, passphrase).map_err(|_| FileFault::Pkcs12)
}

/// Reads a regular file. A device or a pipe might never end.
fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    fs::read(path).map(Zeroizing::new)
}

/// Shows nothing of the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}
