//! A thousand readers while the server does not answer.

use std::process::Command;

use nix::errno::Errno;

use crate::common::{
    Dovecot, DovecotOptions, Liar, Mount, Reply, corpus, output_within, readers, retr_all,
};
use crate::{AT_ONCE, errno, messages, mounted, resident, stderr};

const READERS: usize = 1000;
/// The most memory that the readers may cost, in octets, however many they are.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

fn assert_answers_at_once(mount: &Mount) {
    for program in ["ls", "df"] {
        let output = output_within(AT_ONCE, Command::new(program).arg(mount.path()));
        assert!(output.status.success(), "{program}: {}", stderr(&output));
    }
    let output = mount.subcommand(&["status", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_thousand_readers_get_their_mail_when_the_server_resumes() {
    let dovecot = Dovecot::start(&corpus::realistic(77, 250), &DovecotOptions::default());
    let files: Vec<(String, Vec<u8>)> = retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD)
        .into_iter()
        .map(|message| {
            let uidl = String::from_utf8(message.uidl).expect("a unique-id in ASCII");
            (format!("{uidl}.eml"), message.bytes)
        })
        .collect();
    let mount = mounted(&dovecot.source(), &[]);
    assert_answers_at_once(&mount);
    let before = resident(&mount);
    dovecot.pause();
    let wanted: Vec<&(String, Vec<u8>)> = files.iter().cycle().take(READERS).collect();
    let readers = readers(wanted.iter().map(|(name, _)| mount.join(name)));
    assert_answers_at_once(&mount);
    assert!(
        resident(&mount) < before + MOST_MEMORY,
        "{} of {before}",
        resident(&mount)
    );
    dovecot.resume();
    for (reader, (name, octets)) in readers.into_iter().zip(wanted) {
        let read = reader.join().expect("a reader");
        assert!(read.expect("a message") == *octets, "{name}");
    }
    assert!(
        resident(&mount) < before + MOST_MEMORY,
        "{} of {before}",
        resident(&mount)
    );
}

#[test]
fn a_thousand_readers_of_a_silent_server_all_time_out() {
    let messages = messages(99);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["timeout=4s"]);
    let before = resident(&mount);
    liar.on("RETR", Reply::Silent);
    let paths = (0..READERS).map(|reader| mount.join(crate::name(reader as u64 % 100 + 1)));
    for reader in readers(paths) {
        assert_eq!(errno(reader.join().expect("a reader")), Errno::ETIMEDOUT);
    }
    assert_answers_at_once(&mount);
    assert!(resident(&mount) < before + MOST_MEMORY);
    liar.behave("RETR");
    crate::assert_reads_all(mount.path(), &messages);
}
