//! Mounts of the program that show a certificate of their own, or go through a SOCKS5 proxy.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::common::{
    Certificate, Dovecot, DovecotOptions, Ground, Liar, Mount, MountBuilder, corpus, free_port,
    stderr, stdout, stdout_of,
};
use crate::peers::openssl_server;
use crate::proxies::MicroSocks;
use crate::{assert_says, refusal, sentence};

const PASSPHRASE: &str = "a pass phrase";

fn demanding() -> Dovecot {
    let options = DovecotOptions {
        tls: Some(Certificate::Good),
        demand_client_certificate: true,
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(31, 1), &options)
}

fn own_file(path: &Path, octets: &[u8]) {
    fs::write(path, octets).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a mode");
}

/// The option for a PEM file with the server's own certificate and key, which is as good as any of
/// its authority.
fn own_certificate(folder: &TempDir, dovecot: &Dovecot) -> String {
    let identity = dovecot.identity();
    let parts = [&identity.certificate, &identity.key];
    let parts = parts.map(|path| fs::read(path).expect("PEM"));
    let file = folder.path().join("own.pem");
    own_file(&file, &parts.concat());
    format!("client_cert={}", file.display())
}

/// The same with an encrypted key, and the passphrase in a file.
fn encrypted_certificate(folder: &TempDir, dovecot: &Dovecot) -> [String; 2] {
    let identity = dovecot.identity();
    let file = folder.path().join("own.p12").display().to_string();
    let [certificate, key] = [&identity.certificate, &identity.key];
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let passphrase = format!("pass:{PASSPHRASE}");
    stdout_of(&[
        "openssl",
        "pkcs12",
        "-export",
        "-in",
        &certificate,
        "-inkey",
        &key,
        "-out",
        &file,
        "-passout",
        &passphrase,
    ]);
    let secret = folder.path().join("passphrase");
    own_file(&secret, format!("{PASSPHRASE}\n").as_bytes());
    [
        format!("client_cert={file}"),
        format!("passphrase_file={}", secret.display()),
    ]
}

fn authority(dovecot: &Dovecot) -> String {
    format!("ca_file={}", dovecot.ca_file().display())
}

fn assert_shows_one_message(mount: &Mount) {
    let messages = fs::read_dir(mount.path()).expect("the root");
    assert_eq!(messages.count(), 1);
}

#[test]
fn dovecot_accepts_a_certificate_of_its_authority() {
    let (folder, dovecot) = (tempdir().expect("a folder"), demanding());
    let authority = authority(&dovecot);
    let plain = own_certificate(&folder, &dovecot);
    let [encrypted, passphrase] = encrypted_certificate(&folder, &dovecot);
    for source in crate::sources(&dovecot) {
        assert_shows_one_message(&Mount::new(&source, &[&authority, &plain]));
        let options = [authority.as_str(), &encrypted, &passphrase];
        assert_shows_one_message(&Mount::new(&source, &options));
    }
}

#[test]
fn dovecot_refuses_a_login_without_a_certificate() {
    let dovecot = demanding();
    let said = refusal(&dovecot.tls_source(), &[&authority(&dovecot)]);
    assert_says(&said, &["certificate"]);
}

#[test]
fn a_handshake_without_the_demanded_certificate_names_the_option() {
    for version in ["-tls1_2", "-tls1_3"] {
        let folder = tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem").display().to_string();
        let demand = ["-Verify", "1", "-verify_return_error", version];
        let arguments = [&demand[..], &["-CAfile", &ca]].concat();
        let (_server, port) = openssl_server(folder.path(), &arguments);
        let source = format!("pops://alice@localhost:{port}");
        let said = refusal(&source, &[&format!("ca_file={ca}")]);
        let parts = ["demands a client certificate", "-o client_cert=FILE"];
        assert_says(&said, &parts);
        let strange = tempdir().expect("a folder");
        let identity = Certificate::Good.issue(strange.path());
        let parts = [&identity.certificate, &identity.key];
        let parts = parts.map(|path| fs::read(path).expect("PEM"));
        let file = strange.path().join("own.pem");
        own_file(&file, &parts.concat());
        let own = format!("client_cert={}", file.display());
        let said = refusal(&source, &[&format!("ca_file={ca}"), &own]);
        let parts = ["refuses our client certificate", "which authority"];
        assert_says(&said, &parts);
    }
}

#[test]
fn a_file_that_gives_no_certificate_is_refused_with_the_remedy() {
    let (folder, dovecot) = (tempdir().expect("a folder"), demanding());
    let refused = |options: &[&str]| refusal("pops://alice@h.invalid", options);
    let [encrypted, _] = encrypted_certificate(&folder, &dovecot);
    let wrong = folder.path().join("wrong");
    own_file(&wrong, b"another\n");
    let wrong = format!("passphrase_file={}", wrong.display());
    let parts = ["own.p12 has another passphrase", "passphrase_command"];
    assert_says(&refused(&[&encrypted, &wrong]), &parts);
    let identity = dovecot.identity();
    let certificate = format!("client_cert={}", identity.certificate.display());
    let parts = ["contains no private key", "PEM or PKCS#12"];
    assert_says(&refused(&[&certificate]), &parts);
    let key = format!("client_cert={}", identity.key.display());
    assert_says(&refused(&[&key]), &["contains no certificate", "PEM"]);
    let missing = ["client_cert /no/such", "No such file"];
    assert_says(&refused(&["client_cert=/no/such"]), &missing[1..]);
    let folder = format!("client_cert={}", folder.path().display());
    assert_says(&refused(&[&folder]), &["is not a file"]);
}

#[test]
fn an_encrypted_key_without_a_terminal_names_the_options() {
    let (folder, dovecot) = (tempdir().expect("a folder"), demanding());
    let [encrypted, _] = encrypted_certificate(&folder, &dovecot);
    let ground = Ground::new();
    let mut command = ground.0.at_home(std::process::Command::new("setsid"));
    command.args(["--wait", crate::common::PROGRAM, "-o", &encrypted]);
    command.args(["pops://alice@h.invalid", ground.dir()]);
    let output = crate::common::output_within(crate::common::PATIENCE, &mut command);
    let remedy = "no terminal to ask on: give -o passphrase_command=… or passphrase_file=…";
    let parts = ["no passphrase for", remedy];
    assert_says(&sentence(&output), &parts);
}

/// A proxy that demands the password of a user, and a file with it.
fn guarded_proxy(folder: &TempDir) -> (MicroSocks, String, PathBuf) {
    let proxy = MicroSocks::start(&["-u", "bob", "-P", "s@cret"]);
    let option = format!("proxy=socks5://bob@127.0.0.1:{}", proxy.port);
    let file = folder.path().join("proxy-password");
    own_file(&file, b"s@cret\n");
    (proxy, option, file)
}

#[test]
fn a_maildrop_is_mounted_through_a_proxy() {
    let dovecot = crate::dovecot(Certificate::Good);
    let proxy = MicroSocks::start(&[]);
    let option = format!("proxy=socks5://127.0.0.1:{}", proxy.port);
    for source in crate::sources(&dovecot) {
        let mount = Mount::new(&source, &[&authority(&dovecot), &option]);
        assert_shows_one_message(&mount);
    }
}

#[test]
fn the_password_of_a_proxy_comes_from_a_file_or_netrc() {
    let liar = Liar::start(&corpus::realistic(31, 1));
    let folder = tempdir().expect("a folder");
    let (_proxy, option, file) = guarded_proxy(&folder);
    let from_file = format!("proxy_password_file={}", file.display());
    let options = ["tls=off", option.as_str(), &from_file];
    assert_shows_one_message(&Mount::new(&liar.source(), &options));
    let ground = Ground::new();
    let netrc = b"machine 127.0.0.1 login bob password s@cret\n";
    own_file(&ground.0.folder().join("home/.netrc"), netrc);
    let mut command = ground.0.program();
    command.args(["check", "-o", "tls=off", "-o", &option, &liar.source()]);
    command.env("POP3FS_PASSWORD", Liar::PASSWORD);
    let output = crate::common::output_within(crate::common::PATIENCE, &mut command);
    let shown = stdout(&output);
    assert!(output.status.success(), "{shown}{}", stderr(&output));
    assert_says(&shown, &[", of the proxy socks5://127.0.0.1"]);
}

#[test]
fn what_is_wrong_with_a_proxy_is_said_with_the_remedy() {
    let liar = Liar::start(&corpus::realistic(31, 1));
    let folder = tempdir().expect("a folder");
    let (proxy, option, file) = guarded_proxy(&folder);
    let refused = |options: &[&str]| {
        let builder = MountBuilder::new(&liar.source()).option("tls=off");
        let add = |builder: MountBuilder, option: &&str| builder.option(option);
        sentence(&options.iter().fold(builder, add).refused())
    };
    own_file(&file, b"wrong\n");
    let from_file = format!("proxy_password_file={}", file.display());
    let remedy =
        "check the user in -o proxy= and what proxy_password_command or proxy_password_file gives";
    let parts = ["refuses the user name", remedy];
    assert_says(&refused(&[&option, &from_file]), &parts);
    let anonymous = format!("proxy=socks5://127.0.0.1:{}", proxy.port);
    let parts = ["demands a login", "proxy=socks5://USER@"];
    assert_says(&refused(&[&anonymous]), &parts);
    let dead = format!("proxy=socks5://127.0.0.1:{}", free_port());
    assert_says(&refused(&[&dead]), &["127.0.0.1 port", "does not answer"]);
    let other = format!("proxy=socks5://127.0.0.1:{}", liar.port());
    assert_says(&refused(&[&other]), &["is not a SOCKS5 proxy"]);
    let said = refused(&["proxy=socks5://bob:hunter2@127.0.0.1:1080"]);
    assert_says(
        &said,
        &["socks5://[USER@]HOST:PORT", "without the password"],
    );
    assert!(!said.contains("hunter2"), "{said}");
}
