//! The protected session: which server is trusted, and that nothing secret goes to any other.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod certificates;
mod client_certificates;
mod ends;
mod exchange;
mod peers;
mod pins;
mod proxies;
mod stls;

use std::process::Output;

use common::{Certificate, Dovecot, DovecotOptions, Mount, MountBuilder, assert_says, corpus};

/// A Dovecot with one message, which shows this certificate.
fn dovecot(certificate: Certificate) -> Dovecot {
    let options = DovecotOptions {
        tls: Some(certificate),
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(31, 1), &options)
}

/// The same server with TLS from the first octet and with STLS, by the name that good certificates
/// are for.
fn sources(dovecot: &Dovecot) -> [String; 2] {
    let starttls = format!("pop://{}@localhost:{}", Dovecot::USER, dovecot.port());
    [dovecot.tls_source(), starttls]
}

/// What is said where both sources are refused with these options; one sentence for each.
fn refusals(dovecot: &Dovecot, options: &[&str]) -> [String; 2] {
    sources(dovecot).map(|source| refusal(&source, options))
}

/// Both sources can be mounted with these options.
fn assert_trusted(dovecot: &Dovecot, options: &[&str]) {
    for source in sources(dovecot) {
        let mount = Mount::new(&source, options);
        let messages = std::fs::read_dir(mount.path()).expect("the root");
        assert_eq!(messages.count(), 1, "{source}");
    }
}

/// The one line that says why there is no mount.
fn refusal(source: &str, options: &[&str]) -> String {
    let builder = options
        .iter()
        .fold(MountBuilder::new(source), |builder, option| {
            builder.option(option)
        });
    sentence(&builder.refused())
}

fn sentence(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "more than one line:\n{said}");
    let sentence = line.strip_prefix("pop3fs: ").expect("our name in front");
    assert!(!sentence.contains(Dovecot::PASSWORD), "{sentence}");
    sentence.to_owned()
}
