//! The log of a mount: where it goes (stderr, a file, the journal, syslog), and what it contains.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{Background, MountBuilder, Reply, eventually, stdout_of};
use crate::{Ground, LIMIT, assert_says, liar, sentence, stderr};

/// A mount namespace without journal and syslog, even if the machine has them.
const NO_LOGS: &str = "\
    mount -t tmpfs none /run; mount -t tmpfs none \"$2\"; \
    for name in null tty fuse; do touch \"$2/$name\"; mount --bind \"/dev/$name\" \"$2/$name\"; done; \
    mount --rbind \"$2\" /dev; ";

/// Replaces the sockets of the system by those of the test: $3 is the journal's, $4 is syslog's.
const JOURNAL: &str = "\
    mkdir -p /run/systemd/journal; touch /run/systemd/journal/socket; mount --bind \"$3\" /run/systemd/journal/socket; ";
const SYSLOG: &str = "touch /dev/log; mount --bind \"$4\" /dev/log; ";

/// Mounts in the background, removes a message, and ends the mount by umount(8).
const LIFE: &str = "\
    \"$1\" -o tls=off \"$5\" \"$6\"; rm -f \"$6\"/liar-2.eml; umount \"$6\"";

/// The same in the foreground of a service whose stderr is the journal, here the file $3.err.
const SERVICE: &str = "\
    touch \"$3.err\"; JOURNAL_STREAM=$(stat -c %d:%i \"$3.err\") \"$1\" -f -v -o tls=off \"$5\" \"$6\" 2>\"$3.err\" & \
    while ! findmnt \"$6\" >/dev/null; do kill -0 $!; done; rm -f \"$6\"/liar-2.eml; umount \"$6\"; wait $!; cat \"$3.err\"";

/// The two sockets, and a folder for another /dev.
struct Sockets {
    journal: UnixDatagram,
    syslog: UnixDatagram,
    journal_path: PathBuf,
    syslog_path: PathBuf,
    dev: PathBuf,
}

impl Sockets {
    fn open(folder: &Path) -> Self {
        let (journal_path, syslog_path) = (folder.join("journal"), folder.join("syslog"));
        let dev = folder.join("dev");
        fs::create_dir(&dev).expect("a folder");
        Self {
            journal: listen(&journal_path),
            syslog: listen(&syslog_path),
            journal_path,
            syslog_path,
            dev,
        }
    }

    fn run(&self, ground: &Ground, script: &str, source: &str) -> Output {
        let script = format!("{NO_LOGS}{script}");
        let path = |path: &Path| path.to_str().expect("a path in ASCII").to_owned();
        let paths = [
            path(&self.dev),
            path(&self.journal_path),
            path(&self.syslog_path),
        ];
        let arguments = [&paths[0], &paths[1], &paths[2], source, ground.dir()];
        let output = ground.in_a_namespace(&script, &arguments);
        ground.0.wait_until_no_process_is_left();
        output
    }
}

fn listen(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a socket");
    socket.set_nonblocking(true).expect("a mode");
    socket
}

/// All datagrams so far, each followed by a line end.
fn heard(socket: &UnixDatagram) -> String {
    let mut datagram = vec![0; 64 * 1024];
    let mut text = String::new();
    while let Ok(length) = socket.recv(&mut datagram) {
        text.push_str(&String::from_utf8_lossy(&datagram[..length]));
        text.push('\n');
    }
    text
}

#[test]
fn a_daemon_logs_to_the_journal_with_levels_and_its_mount_point() {
    let (ground, liar) = (Ground::new(), liar(3));
    let sockets = Sockets::open(ground.0.folder());
    let script = [JOURNAL, SYSLOG, LIFE].concat();
    let output = sockets.run(&ground, &script, &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let said = heard(&sockets.journal);
    assert_says(
        &said,
        &[
            "SYSLOG_IDENTIFIER=pop3fs",
            "PRIORITY=5",
            &format!("POP3FS_MOUNTPOINT={}", ground.dir()),
            "in clear: 3 messages",
            "1 message deleted on the server",
        ],
    );
    assert_eq!(heard(&sockets.syslog), "");
}

#[test]
fn the_journal_names_the_mount_point_as_the_mount_table_does() {
    let (ground, liar) = (Ground::new(), liar(3));
    let sockets = Sockets::open(ground.0.folder());
    let script = "\
        \"$1\" -o tls=off \"$5\" \"$6/\"; \"$1\" umount \"$6\"; \
        ln -s \"$6\" \"$3.link\"; \"$1\" -o tls=off \"$5\" \"$3.link\"; \"$1\" umount \"$6\"";
    let output = sockets.run(&ground, &[JOURNAL, script].concat(), &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = heard(&sockets.journal);
    let fields = said
        .lines()
        .filter_map(|line| line.strip_prefix("POP3FS_MOUNTPOINT="));
    let fields: BTreeSet<&str> = fields.collect();
    assert_eq!(fields, BTreeSet::from([ground.dir()]));
}

#[test]
fn a_service_whose_stderr_is_the_journal_logs_there_with_levels() {
    let (ground, liar) = (Ground::new(), liar(3));
    let sockets = Sockets::open(ground.0.folder());
    let script = [JOURNAL, SERVICE].concat();
    let output = sockets.run(&ground, &script, &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(crate::stdout(&output), "");
    let said = heard(&sockets.journal);
    assert_says(
        &said,
        &[
            "SYSLOG_IDENTIFIER=pop3fs",
            "1 message deleted on the server",
        ],
    );
}

#[test]
fn a_daemon_logs_to_syslog_where_there_is_no_journal() {
    let (ground, liar) = (Ground::new(), liar(3));
    let sockets = Sockets::open(ground.0.folder());
    let output = sockets.run(&ground, &[SYSLOG, LIFE].concat(), &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let said = heard(&sockets.syslog);
    // The priority of LOG_USER and LOG_INFO.
    assert!(said.starts_with("<14>"), "{said}");
    assert_says(
        &said,
        &[
            " pop3fs[",
            "in clear: 3 messages",
            "1 message deleted on the server",
        ],
    );
}

#[test]
fn a_daemon_without_any_log_says_so_and_how_to_keep_one() {
    let (ground, liar) = (Ground::new(), liar(3));
    let sockets = Sockets::open(ground.0.folder());
    let output = sockets.run(&ground, LIFE, &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_says(
        &stderr(&output),
        &["neither a journal nor syslog", "-o log_file=FILE"],
    );
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_commit_that_fails_after_a_plain_umount_is_in_the_log() {
    let liar = liar(3);
    let ground = Ground::new();
    let log = ground.0.folder().join("log");
    let mut mount = MountBuilder::new(&liar.source())
        .option(&format!("tls=off,timeout=1,log_file={}", log.display()))
        .daemon()
        .mount();
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    stdout_of(&["umount", mount.arg()]);
    mount.wait();
    let said = fs::read_to_string(&log).expect("a log");
    let line = said
        .lines()
        .find(|line| line.contains("ERROR"))
        .expect("an error");
    assert_says(line, &["liar-2.eml is still on the server"]);
}

#[test]
fn a_failed_later_login_is_logged_with_the_next_attempt() {
    let liar = liar(3);
    let ground = Ground::new();
    let log = ground.0.folder().join("log");
    let mount = MountBuilder::new(&liar.source())
        .option(&format!("tls=off,log_file={}", log.display()))
        .daemon()
        .mount();
    liar.on("PASS", Reply::Err("[IN-USE] another session"));
    liar.server().cut_all();
    assert!(fs::read(mount.join("liar-1.eml")).is_err());
    let said = fs::read_to_string(&log).expect("a log");
    let line = said.lines().find(|line| line.contains("WARN"));
    assert_says(
        line.expect("a warning"),
        &["the maildrop is busy", "not tried again for "],
    );
}

#[test]
fn a_log_file_takes_the_place_of_stderr() {
    let liar = liar(2);
    let ground = Ground::new();
    let log = ground.0.folder().join("log");
    let mut mount = MountBuilder::new(&liar.source())
        .option(&format!("tls=off,log_file={}", log.display()))
        .option("ro")
        .mount();
    mount.umount();
    assert_eq!(mount.wait().stderr, "");
    assert!(log.exists());
}

#[test]
fn an_unwritable_log_file_is_refused_before_the_log_in() {
    let (ground, liar) = (Ground::new(), liar(1));
    let options = "tls=off,log_file=/proc/no/such";
    let output = ground.pop3fs(&[&liar.source(), ground.dir(), "-o", options]);
    assert_says(&sentence(&output), &["cannot write log_file /proc/no/such"]);
    assert_eq!(liar.commands().len(), 0);
}

#[test]
fn the_highest_level_has_both_sides_of_the_protocol_and_no_mail() {
    let (ground, liar) = (Ground::new(), liar(2));
    let mut command = ground.0.program();
    command
        .args(["-d", "-o", "tls=off", &liar.source(), ground.dir()])
        .env("POP3FS_PASSWORD", "secret");
    let mount = Background::spawn(&mut command);
    eventually("the mount", || ground.0.is_mounted().then_some(()));
    let message = Path::new(ground.dir()).join("liar-1.eml");
    let subject = fs::read_to_string(message).expect("a message");
    let subject = subject.lines().find(|line| line.starts_with("Subject:"));
    ground.pop3fs(&["umount", ground.dir()]);
    let said = stderr(&mount.output_within(LIMIT));
    assert_says(
        &said,
        &[
            "C: USER",
            "C: PASS ***",
            "S: +OK",
            "C: RETR 1",
            "octets)",
            "C: QUIT",
        ],
    );
    assert!(!said.contains(subject.expect("a subject")), "{said}");
}

/// Operations that programs try on a file besides reading: is it a terminal, has it holes, is it
/// ready, can it be cloned?
const QUESTIONS: &str = "\
import errno, fcntl, os, select, sys
file = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(file).st_size
assert not os.isatty(file)
assert os.lseek(file, 0, os.SEEK_DATA) == 0 and os.lseek(file, 0, os.SEEK_HOLE) == size
ready = select.poll()
ready.register(file, select.POLLIN)
assert ready.poll() == [(file, select.POLLIN)]
copy = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
FICLONE, FIGETBSZ, FS_IOC_GETFLAGS = 0x40049409, 2, 0x80086601
def refused(call, *allowed):
    try: call()
    except OSError as error: assert error.errno in allowed, error
    else: assert False
refused(lambda: fcntl.ioctl(copy, FICLONE, file), errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY)
refused(lambda: fcntl.ioctl(file, FS_IOC_GETFLAGS, bytes(8)), errno.ENOTTY)
refused(lambda: fcntl.ioctl(os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY), FS_IOC_GETFLAGS, bytes(8)), errno.ENOTTY)
refused(lambda: os.posix_fallocate(file, 0, 1), errno.EBADF)
refused(lambda: os.open(os.path.dirname(sys.argv[1]), os.O_TMPFILE | os.O_RDWR), errno.EOPNOTSUPP, errno.EPERM)
refused(lambda: os.readlink(sys.argv[1]), errno.EINVAL)
refused(lambda: os.copy_file_range(file, copy, size), errno.EXDEV)
assert os.sendfile(copy, file, 0, size) == size
fcntl.flock(file, fcntl.LOCK_SH)
fcntl.lockf(file, fcntl.LOCK_SH)
os.statvfs(file), os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED), os.fsync(file)
";

#[test]
fn unsupported_file_operations_leave_no_noise_in_the_log() {
    let (ground, liar) = (Ground::new(), liar(3));
    let mount = crate::in_clear(&liar.source());
    let file = mount.join("liar-1.eml");
    let file = file.to_str().expect("a path in ASCII");
    let copy = |name: &str| ground.0.folder().join(name).display().to_string();
    for command in [
        &["python3", "-c", QUESTIONS, file, &copy("asked")][..],
        &[
            "cp",
            "-a",
            "--reflink=auto",
            "--sparse=auto",
            file,
            &copy("cloned"),
        ],
        &[
            "tar",
            "--sparse",
            "-cf",
            &copy("tar"),
            "-C",
            mount.arg(),
            ".",
        ],
        &["rsync", "-a", &format!("{}/", mount.arg()), &copy("synced")],
        &["grep", "-c", "^Subject:", file],
        &["tail", "-n", "1", file],
        &["less", "-F", file],
        &["stat", file, mount.arg()],
        &["stat", "-f", file],
    ] {
        stdout_of(command);
    }
    assert_eq!(mount.stderr(), "");
}
