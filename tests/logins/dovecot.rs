//! Every password mechanism on Dovecot.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::common::{
    Certificate, Dovecot, DovecotOptions, Ground, MountBuilder, corpus, eventually, output_within,
};
use crate::{NO_PENALTY, assert_says, count, in_the_clear, refusal};

fn dovecot(tls: Option<Certificate>, mechanisms: &'static [&'static str]) -> Dovecot {
    let options = DovecotOptions {
        tls,
        mechanisms,
        extra: NO_PENALTY.to_owned(),
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(41, 3), &options)
}

/// Checks the mechanism of the last login in Dovecot's log, which another process writes a little
/// later.
fn assert_method(dovecot: &Dovecot, method: &str) {
    eventually(&format!("a login by {method} in Dovecot's log"), || {
        let login = dovecot.logins().pop()?;
        (login.contains("user=<alice>") && login.contains(&format!("method={method},")))
            .then_some(())
    });
}

#[test]
fn each_mechanism_opens_the_maildrop() {
    let dovecot = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    for (mechanism, method) in [
        ("user", "PLAIN"),
        ("plain", "PLAIN"),
        ("login", "LOGIN"),
        ("cram-md5", "CRAM-MD5"),
        ("scram-sha-1", "SCRAM-SHA-1"),
        ("scram-sha-256", "SCRAM-SHA-256"),
        ("apop", "APOP"),
    ] {
        let mount = in_the_clear(&dovecot.source(), mechanism).mount();
        assert_eq!(count(&mount), 3, "{mechanism}");
        assert_method(&dovecot, method);
    }
}

#[test]
fn each_mechanism_refuses_a_wrong_password_and_shows_it_nowhere() {
    let dovecot = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    for mechanism in [
        "user",
        "plain",
        "login",
        "cram-md5",
        "scram-sha-1",
        "scram-sha-256",
        "apop",
    ] {
        let builder = in_the_clear(&dovecot.source(), mechanism).password(Some("hunter2"));
        let said = refusal(builder);
        assert_says(
            &said,
            &["refused the login", "check the user name and the password"],
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// In ISO 8859-1, which is not UTF-8.
const LATIN1: &[u8] = b"caf\xe9 \xff";

fn dovecot_with_latin1() -> Dovecot {
    let options = DovecotOptions {
        password: Some(LATIN1.to_vec()),
        mechanisms: Dovecot::PASSWORD_MECHANISMS,
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(41, 3), &options)
}

/// A file that only its owner may read.
fn own_file(ground: &Ground, name: &str, octets: &[u8]) -> String {
    let path = ground.0.folder().join(name);
    fs::write(&path, octets).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    path.display().to_string()
}

#[test]
fn each_mechanism_sends_a_password_that_is_not_utf8() {
    let (ground, dovecot) = (Ground::new(), dovecot_with_latin1());
    let file = own_file(&ground, "password", &[LATIN1, b"\n"].concat());
    let option = format!("password_file={file}");
    for mechanism in [
        "user",
        "plain",
        "login",
        "cram-md5",
        "scram-sha-256",
        "apop",
    ] {
        let builder = in_the_clear(&dovecot.source(), mechanism).password(None);
        let mount = builder.option(&option).mount();
        assert_eq!(count(&mount), 3, "{mechanism}");
    }
}

#[test]
fn a_password_that_is_not_utf8_comes_from_every_place() {
    let (ground, dovecot) = (Ground::new(), dovecot_with_latin1());
    let source = dovecot.source();
    let file = own_file(&ground, "pop3fs-password", &[LATIN1, b"\n"].concat());
    let check = |options: &[&str], environment: &[(&str, &[u8])]| {
        let mut command = ground.0.program();
        command
            .args(["check", "-o", "tls=off"])
            .args(options)
            .arg(&source);
        command.stdin(fs::File::open(&file).expect("a file"));
        for (name, value) in environment {
            command.env(name, OsStr::from_bytes(value));
        }
        let output = output_within(crate::common::PATIENCE, &mut command);
        assert!(output.status.success(), "{output:?}");
    };
    check(&["-o", &format!("password_command=cat {file}")], &[]);
    check(&["--password_stdin"], &[]);
    check(&[], &[("POP3FS_PASSWORD", LATIN1)]);
    let folder = ground.0.folder().as_os_str().as_encoded_bytes();
    check(&[], &[("CREDENTIALS_DIRECTORY", folder)]);
    let line = [b"default login alice password \"", LATIN1, b"\"\n"].concat();
    own_file(&ground, "home/.netrc", &line);
    check(&[], &[]);
}

#[test]
fn the_url_names_the_mechanism() {
    let dovecot = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    let source = dovecot.source().replace("alice@", "alice;AUTH=CRAM-MD5@");
    let mount = MountBuilder::new(&source).option("tls=off").mount();
    assert_eq!(count(&mount), 3);
    assert_method(&dovecot, "CRAM-MD5");
}

#[test]
fn auto_takes_the_strongest_mechanism_in_the_clear() {
    let strong = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    let _mount = in_the_clear(&strong.source(), "auto").mount();
    assert_method(&strong, "SCRAM-SHA-256");
    let weak = dovecot(None, &["login", "cram-md5", "apop"]);
    let _mount = in_the_clear(&weak.source(), "auto").mount();
    assert_method(&weak, "PLAIN");
}

#[test]
fn auto_takes_the_strongest_mechanism_under_tls() {
    let dovecot = dovecot(Some(Certificate::Good), Dovecot::PASSWORD_MECHANISMS);
    let authority = format!("ca_file={}", dovecot.ca_file().display());
    let starttls = dovecot.source().replace("127.0.0.1", "localhost");
    for source in [dovecot.tls_source(), starttls] {
        let mount = MountBuilder::new(&source).option(&authority).mount();
        assert_eq!(count(&mount), 3, "{source}");
        assert_method(&dovecot, "SCRAM-SHA-256");
    }
}

/// What pop3fs logs with -d about a successful login.
fn logged(dovecot: &Dovecot, host: &str, mechanism: &str) -> String {
    let source = dovecot.source().replace("127.0.0.1", host);
    let mut mount = in_the_clear(&source, mechanism).flag("-d").mount();
    // Once the directory can be read, the mount also answers `pop3fs umount`.
    assert_eq!(count(&mount), 3);
    let output = mount.umount();
    assert!(output.status.success(), "{output:?}");
    mount.wait().stderr
}

#[test]
fn a_password_sent_in_the_clear_to_a_remote_host_is_reported() {
    const WARNING: &str = "the password goes to";
    let dovecot = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    // This address is the same machine, but not one of its loopback names.
    assert!(logged(&dovecot, "0.0.0.0", "plain").contains(WARNING));
    assert!(!logged(&dovecot, "0.0.0.0", "scram-sha-256").contains(WARNING));
    assert!(!logged(&dovecot, "127.0.0.1", "plain").contains(WARNING));
}

#[test]
fn no_log_shows_the_password() {
    let dovecot = dovecot(None, Dovecot::PASSWORD_MECHANISMS);
    for mechanism in [
        "user",
        "plain",
        "login",
        "cram-md5",
        "scram-sha-256",
        "apop",
    ] {
        let log = logged(&dovecot, "127.0.0.1", mechanism);
        assert!(log.contains("logged in"), "{log}");
        for shown in ["secret", "c2VjcmV0", "AGFsaWNl"] {
            assert!(!log.contains(shown), "{mechanism}: {log}");
        }
    }
}
