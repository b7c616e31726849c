//! What a connection to the server needs before anybody logs in: the proxy, and the user's own
//! certificate.
//!
//! Both may need a secret of their own, and then it is asked for before the server is tried.

use crate::cli::account::password::from_netrc;
use crate::cli::account::secret::{Password, PasswordError, Prompt, SourceOptions};
use crate::cli::options::Options;
use crate::net::{ClientCertificate, FileFault, NetError, Proxy};

const PASSPHRASE: SourceOptions = SourceOptions {
    command: "passphrase_command",
    file: "passphrase_file",
};

const PROXY_PASSWORD: SourceOptions = SourceOptions {
    command: "proxy_password_command",
    file: "proxy_password_file",
};

/// The way to the server. Dropping it wipes the secrets in it.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ServerAccess {
    pub(in crate::cli) proxy: Option<Proxy>,
    pub(in crate::cli) certificate: Option<ClientCertificate>,
}

/// Why there is no way to the server.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AccessError {
    /// There is no passphrase for the certificate, or no password for the proxy.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The file of the certificate cannot be used.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl ServerAccess {
    /// Reads the certificate, and gets the secrets: from where `options` say, the proxy's else from
    /// `~/.netrc`, else by asking on the terminal.
    pub(in crate::cli) fn obtain(options: &Options) -> Result<Self, AccessError> {
        let proxy = options.proxy.clone();
        Ok(Self {
            proxy: proxy.map(|proxy| log_in_to(proxy, options)).transpose()?,
            certificate: certificate(options)?,
        })
    }
}

/// The proxy with the password of its user, if it has one.
fn log_in_to(proxy: Proxy, options: &Options) -> Result<Proxy, PasswordError> {
    let Some(user) = proxy.user() else {
        return Ok(proxy);
    };
    let found = PROXY_PASSWORD
        .obtain(&options.proxy_password)
        .or_else(|| from_netrc(&proxy.endpoint().host, user));
    let password = match found {
        Some(password) => password?,
        None => ask(
            &format!("password for {user} at the proxy {proxy}"),
            "-o proxy_password_command=… or proxy_password_file=…, or write it into ~/.netrc",
        )?,
    };
    Ok(proxy.with_password(password.into_octets()))
}

fn certificate(options: &Options) -> Result<Option<ClientCertificate>, AccessError> {
    let Some(path) = &options.client_cert else {
        return Ok(None);
    };
    let read = |passphrase: Option<Password>| {
        let octets = passphrase.map(Password::into_octets);
        ClientCertificate::read(path, octets.as_ref().map(|octets| octets.as_slice()))
    };
    let given = PASSPHRASE.obtain(&options.passphrase).transpose()?;
    match read(given) {
        Err(NetError::ClientCertificate {
            reason: FileFault::Encrypted,
            ..
        }) => {
            let passphrase = ask(
                &format!("passphrase for {}", path.display()),
                "-o passphrase_command=… or passphrase_file=…",
            )?;
            Ok(Some(read(Some(passphrase))?))
        }
        read => Ok(Some(read?)),
    }
}

/// Asks the user for `wanted` on the terminal. `remedy` is for those who have none.
fn ask(wanted: &str, remedy: &'static str) -> Result<Password, PasswordError> {
    let prompt = Prompt::open().ok_or_else(|| PasswordError::NoTerminal {
        wanted: wanted.to_owned(),
        remedy,
    })?;
    let (first, rest) = wanted.split_at(1);
    prompt.ask(&format!("{}{rest}: ", first.to_uppercase()))
}
