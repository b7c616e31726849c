//! Every file has exactly the octets that RETR sends.

use super::common::{
    Certificate, Dovecot, DovecotOptions, Liar, Mailutils, MailutilsOptions, Mount, Mpopd, corpus,
    retr_all,
};
use super::{assert_same, by_identity, ended, in_clear, read, read_all};

/// Everyday messages, and messages of each shape that a server with files can store.
fn messages() -> Vec<Vec<u8>> {
    let mut messages = corpus::realistic(1, 10);
    messages.extend(corpus::octets(&corpus::storable()));
    messages
}

#[test]
fn files_on_dovecot_are_what_retr_sends() {
    let dovecot = Dovecot::start(&messages(), &DovecotOptions::default());
    let sent = by_identity(retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD));
    let mount = in_clear(&dovecot.source(), &[]);
    assert_same(&read_all(&mount), &sent);
}

#[test]
fn files_on_mailutils_are_what_retr_sends() {
    let mailutils = Mailutils::start(&messages(), MailutilsOptions::default());
    // The server adds headers in the first session, and the mount locks the maildrop, so the
    // reference is read before it.
    retr_all(mailutils.port(), Mailutils::USER, Mailutils::PASSWORD);
    let sent = by_identity(retr_all(
        mailutils.port(),
        Mailutils::USER,
        Mailutils::PASSWORD,
    ));
    let mount = in_clear(&mailutils.source(), &[]);
    assert_same(&read_all(&mount), &sent);
}

#[test]
fn files_on_mpopd_are_what_retr_sends() {
    let mpopd = Mpopd::start(&messages());
    let sent = by_identity(retr_all(mpopd.port(), Mpopd::USER, Mpopd::PASSWORD));
    let mount = in_clear(&mpopd.source(), &[]);
    assert_same(&read_all(&mount), &sent);
}

#[test]
fn files_under_tls_and_under_starttls_are_what_retr_sends() {
    let options = DovecotOptions {
        tls: Some(Certificate::Good),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&messages(), &options);
    let sent = by_identity(retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD));
    let trust = format!("ca_file={}", dovecot.ca_file().display());
    for source in [dovecot.tls_source(), dovecot.source()] {
        let mount = Mount::new(&source, &[&trust]);
        assert_same(&read_all(&mount), &sent);
    }
}

#[test]
fn awkward_messages_are_read_as_they_are_sent() {
    let liar = Liar::start(&corpus::octets(&corpus::awkward()));
    assert_awkward(&in_clear(&liar.source(), &[]));
}

#[test]
fn octets_that_come_in_small_pieces_are_put_together() {
    let liar = Liar::start(&corpus::octets(&corpus::awkward()));
    liar.set_chunk_size(17);
    assert_awkward(&in_clear(&liar.source(), &[]));
}

fn assert_awkward(mount: &Mount) {
    for (serial, (shape, octets)) in (1..).zip(corpus::awkward()) {
        let given = read(&mount.join(format!("liar-{serial}.eml")));
        assert!(given == ended(&octets), "{shape}: {} octets", given.len());
    }
}
