//! The certificate by which the user proves who they are to a TLS server.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use memchr::memmem;
use native_tls::Identity;
use openssl::error::{Error, ErrorStack};
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::{FileFault, NetError};

const PEM_MARKER: &[u8] = b"-----BEGIN ";
/// In PEM, `BEGIN ENCRYPTED PRIVATE KEY` or `Proc-Type: 4,ENCRYPTED` (RFC 7468 section 11, RFC 1421
/// section 4.6.1.1).
const ENCRYPTED_MARKER: &[u8] = b"ENCRYPTED";
/// Read, write and execute permission of users that are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// A certificate with its private key, ready for any number of connections.
#[derive(Clone)]
pub struct ClientCertificate(Identity);

impl ClientCertificate {
    /// Reads a PEM file with a certificate, the certificates of its chain if there are any, and the
    /// private key; or a PKCS#12 file. `passphrase` decrypts the key, or the PKCS#12 file.
    ///
    /// # Errors
    /// [`NetError::ClientCertificate`] if the file cannot be read, lacks a part, or needs another
    /// passphrase. The reason is [`FileFault::Encrypted`] if it needs one and there is none.
    pub fn read(path: &Path, passphrase: Option<&[u8]>) -> Result<Self, NetError> {
        let identity = KeyFile::read(path).and_then(|file| file.identity(passphrase));
        identity
            .map(Self)
            .map_err(|reason| NetError::ClientCertificate {
                path: PathBuf::from(path),
                reason,
            })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.0
    }
}

/// A file with a private key.
struct KeyFile {
    octets: Zeroizing<Vec<u8>>,
    is_readable_by_others: bool,
}

impl KeyFile {
    /// Reads a regular file. A device or a pipe might never end.
    fn read(path: &Path) -> Result<Self, FileFault> {
        if !path.metadata().map_err(FileFault::Io)?.is_file() {
            return Err(FileFault::Io(io::Error::other("is not a file")));
        }
        let mut file = File::open(path).map_err(FileFault::Io)?;
        let metadata = file.metadata().map_err(FileFault::Io)?;
        // A vector that grows would leave copies of the key in memory.
        let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
        let mut octets = Zeroizing::new(Vec::with_capacity(room));
        file.read_to_end(&mut octets).map_err(FileFault::Io)?;
        Ok(Self {
            octets,
            is_readable_by_others: metadata.mode() & OTHERS != 0,
        })
    }

    fn identity(&self, passphrase: Option<&[u8]>) -> Result<Identity, FileFault> {
        if memmem::find(&self.octets, PEM_MARKER).is_some() {
            self.pem_identity(passphrase)
        } else {
            self.pkcs12_identity(passphrase)
        }
    }

    fn pem_identity(&self, passphrase: Option<&[u8]>) -> Result<Identity, FileFault> {
        let certificates = X509::stack_from_pem(&self.octets)
            .ok()
            .filter(|found| !found.is_empty())
            .ok_or(FileFault::NoCertificate)?;
        let is_encrypted = memmem::find(&self.octets, ENCRYPTED_MARKER).is_some();
        let passphrase = match passphrase {
            None if is_encrypted => return Err(FileFault::Encrypted),
            passphrase => passphrase.unwrap_or_default(),
        };
        let key = PKey::private_key_from_pem_passphrase(&self.octets, passphrase);
        let key = key.map_err(|errors| match is_encrypted {
            true => refusal_to_decrypt(&errors),
            false => FileFault::NoKey,
        })?;
        let public = certificates[0].public_key();
        if !public.is_ok_and(|public| public.public_eq(&key)) {
            return Err(FileFault::OtherKey);
        }
        if !is_encrypted && self.is_readable_by_others {
            return Err(FileFault::Exposed);
        }
        // native-tls takes an unencrypted key in PKCS#8 only.
        let key = key.private_key_to_pem_pkcs8().map(Zeroizing::new);
        let key = key.map_err(|_| FileFault::NoKey)?;
        Identity::from_pkcs8(&self.octets, &key).map_err(|_| FileFault::NoCertificate)
    }

    fn pkcs12_identity(&self, passphrase: Option<&[u8]>) -> Result<Identity, FileFault> {
        let file = Pkcs12::from_der(&self.octets).map_err(|_| FileFault::NeitherFormat)?;
        // PKCS#12 has characters, no octets (RFC 7292 appendix B.1).
        let given = std::str::from_utf8(passphrase.unwrap_or_default());
        let given = given.map_err(|_| FileFault::WrongPassphrase)?;
        let parts = file.parse2(given).map_err(|errors| {
            match (refusal_to_decrypt(&errors), passphrase) {
                (FileFault::WrongPassphrase, None) => FileFault::Encrypted,
                (fault, _) => fault,
            }
        })?;
        if given.is_empty() && self.is_readable_by_others {
            return Err(FileFault::Exposed);
        }
        if parts.pkey.is_none() {
            return Err(FileFault::NoKey);
        }
        Identity::from_pkcs12(&self.octets, given).map_err(|_| FileFault::NoCertificate)
    }
}

/// What OpenSSL says about a file that it cannot decrypt.
fn refusal_to_decrypt(errors: &ErrorStack) -> FileFault {
    let mut reasons = errors.errors().iter().filter_map(Error::reason);
    match reasons.any(|reason| reason.contains("unsupported")) {
        true => FileFault::OldCipher,
        false => FileFault::WrongPassphrase,
    }
}

/// Shows nothing of the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}
