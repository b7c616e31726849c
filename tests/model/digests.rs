//! Several threads read thousands of messages with small caches while the connection breaks.

use std::collections::HashMap;
use std::time::Duration;

use pop3fs::fs::ROOT;
use pop3fs::maildrop::{Farewell, Pipeline};

use super::mail::{self, Draft, Mail, UidlForm};
use super::mounted::{Mounted, Mounting};
use super::operations::Setting;
use super::server::{Break, Fault, Offers, Server, Within};

const MESSAGES: u32 = 10_000;
/// One message in this many is too large for the memory.
const LARGE_ONES: u32 = 4_000;
const LARGE: u32 = 4_500_000;
/// Timeout that a busy machine does not reach.
const TIMEOUT: Duration = Duration::from_secs(30);
const BREAKS: usize = 4;
/// Octets between two breaks: more than the largest message, which otherwise could never be
/// fetched.
const BETWEEN_BREAKS: u32 = 5_000_000;

#[test]
fn messages_read_in_any_order_are_right_with_pipelining() {
    read_all(Pipeline::Auto);
}

#[test]
fn messages_read_in_any_order_are_right_with_7_in_flight() {
    read_all(Pipeline::Most(7));
}

#[test]
fn messages_read_in_any_order_are_right_one_at_a_time() {
    read_all(Pipeline::Off);
}

/// A file in the mount: its inode number and the message that it must contain.
struct ModelFile {
    inode: u64,
    mail: Mail,
}

fn read_all(pipeline: Pipeline) {
    let offers = Offers {
        pipelining: true,
        top: true,
        expire_at_once: false,
    };
    let setting = Setting {
        pipeline,
        offers,
        chunk: 9_000,
        memory: 1 << 20,
        disk: Some(2 << 20),
        idle_timeout: Duration::from_secs(600),
    };
    let server = Server::start(offers, setting.pace(), setting.chunk);
    let mails: Vec<Mail> = (0..MESSAGES)
        .map(|at| server.arrive(draft(at), None))
        .collect();
    let mounting = Mounting {
        setting,
        port: server.port(),
        timeout: TIMEOUT,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mounted = mounting.mount(folder.path()).expect("a mount");
    let files = files(&mounted, mails);
    break_off(&server);
    let first = files.len() / 2;
    let mut shuffled: Vec<&ModelFile> = files.iter().step_by(5).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut shuffled);
    std::thread::scope(|scope| {
        scope.spawn(|| files.iter().for_each(|file| read(&mounted, file)));
        scope.spawn(|| files[first..].iter().for_each(|file| read(&mounted, file)));
        scope.spawn(|| {
            files
                .iter()
                .rev()
                .step_by(3)
                .for_each(|file| read(&mounted, file));
        });
        scope.spawn(|| shuffled.iter().for_each(|file| read(&mounted, file)));
    });
    assert_eq!(server.broken().later, BREAKS);
    assert_eq!(server.complaints(), [""; 0]);
    mounted.end(Farewell::Discard).expect("nothing to delete");
}

fn draft(at: u32) -> Draft {
    let octets = match at % LARGE_ONES {
        1 => LARGE,
        _ => at * 7919 % 2_000,
    };
    Draft {
        octets,
        overstated: (at % 50) as i8,
        uidl: UidlForm::Plain,
    }
}

fn break_off(server: &Server) {
    for how in [Break::Close, Break::Reset]
        .into_iter()
        .cycle()
        .take(BREAKS)
    {
        server.break_off(Fault {
            how,
            after: BETWEEN_BREAKS,
            within: Within::Transfers,
        });
    }
}

/// The files in directory order.
fn files(mounted: &Mounted, mails: Vec<Mail>) -> Vec<ModelFile> {
    let named = |mail: Mail| (mail::name(&mail.uidl, 1), mail);
    let mut mails: HashMap<String, Mail> = mails.into_iter().map(named).collect();
    let entries = mounted.entries(ROOT);
    assert_eq!(entries.len(), mails.len());
    let file = |(name, attributes): (String, pop3fs::fs::Attributes)| ModelFile {
        inode: attributes.inode,
        mail: mails.remove(&name).expect("a message of that name"),
    };
    entries.into_iter().map(file).collect()
}

fn read(mounted: &Mounted, file: &ModelFile) {
    let serial = file.mail.serial;
    let opened = mounted.open(file.inode).wait().expect("an answer");
    let handle = opened
        .unwrap_or_else(|error| panic!("#{serial}: {error}"))
        .handle;
    let length = file.mail.content.len();
    for (offset, most) in [(0, length + 1), (length / 3, 100)] {
        let slice = mounted
            .filesystem
            .read(handle, offset as u64, most as u32, 0)
            .expect("an open file");
        let mut buffer = Vec::new();
        let octets = slice.octets(&mut buffer).expect("octets");
        let end = (offset + most).min(length);
        assert!(
            *octets == file.mail.content[offset..end],
            "#{serial} is another at {offset}"
        );
    }
    mounted.filesystem.release(handle);
}
