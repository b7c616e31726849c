//! The machine of alice, whom the pages tell of: her user, her home, and the server
//! mail.example.org, in namespaces of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::common::{
    Certificate, Dovecot, DovecotOptions, PROGRAM, SET_SIZE, output_within, with_own_control_group,
};

const LIMIT: Duration = Duration::from_secs(120);

/// $1 is the folder of this test, $2 the program. Both may lie in /tmp or /home, which the script
/// replaces, so it copies the program first and moves the folder back to its place.
const MACHINE: &str = r#"
mount -t tmpfs none "$1/scratch"; mkdir "$1/scratch/bin" "$1/scratch/etc"; cp "$2" "$1/scratch/bin/pop3fs"
printf '#!/bin/sh\necho secret\n' >"$1/scratch/bin/secret-tool"; cp "$1/scratch/bin/secret-tool" "$1/scratch/bin/pass"; chmod 755 "$1/scratch/bin/"*
printf '#!/bin/sh\necho "$*" >>~/notified\n' >"$1/scratch/bin/notify-send"; chmod 755 "$1/scratch/bin/notify-send"
cp "$1"/etc/* "$1/scratch/etc"; mknod -m 666 "$1/scratch/fuse" c 10 229
mount --bind "$1/scratch/fuse" /dev/fuse
mount -t overlay overlay -o lowerdir="$1/scratch/bin":/usr/bin /usr/bin
mount -t overlay overlay -o lowerdir="$1/scratch/etc":/etc /etc
mount -t tmpfs none /run; mkdir /run/folder; mount --rbind "$1" /run/folder
mount -t tmpfs none /home; mount -t tmpfs -o mode=1777 none /tmp; mkdir -p "$1"; mount --move /run/folder "$1"; cd /
mkdir -m 700 /home/alice /home/alice/.run; echo secret >/home/alice/.mail-password
printf 'set folder=~/mail\npush <exit>\n' >/home/alice/.muttrc; chmod 600 /home/alice/.mail-password; chown -R alice: /home/alice
as_alice() {
    (umask 002; cd /home/alice; exec env -i HOME=/home/alice USER=alice LANG=C.UTF-8 TERM=xterm PATH=/usr/bin:/bin \
        XDG_RUNTIME_DIR=/home/alice/.run SSL_CERT_FILE="$1/ca.pem" POP3FS_PASSWORD=secret \
        setpriv --reuid=alice --regid=alice --clear-groups bash -euo pipefail -c "$2" </dev/null)
}
export SSL_CERT_FILE="$1/ca.pem"
"#;

/// A machine and its server.
pub(crate) struct Home {
    folder: TempDir,
    server: Dovecot,
}

impl Home {
    /// Her maildrop holds the messages. mail.example.org is an address of this test alone, with
    /// POP3 over TLS on port 995.
    pub(crate) fn new(messages: &[Vec<u8>]) -> Self {
        Self::with_unique_ids(messages, None)
    }

    /// The same where unique-ids are the hexadecimal ids of the messages between these texts.
    pub(crate) fn with_unique_ids(messages: &[Vec<u8>], around: Option<[&'static str; 2]>) -> Self {
        let address = address();
        let options = DovecotOptions {
            tls: Some(Certificate::Good),
            secure_address: Some(address.clone()),
            uidl_around_id: around,
            ..DovecotOptions::default()
        };
        let server = Dovecot::start(messages, &options);
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a mode");
        for name in ["etc", "scratch"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let home = Self { folder, server };
        home.describe(&address);
        home
    }

    /// How many messages the server has.
    pub(crate) fn left(&self) -> usize {
        self.server.messages_left().len()
    }

    /// Runs a block of a page at her terminal with her mail at ~/mail, then `check`; returns what
    /// they wrote. A command that fails, fails the test.
    pub(crate) fn run(&self, block: &str, check: &str) -> String {
        let mount = "mkdir ~/mail; pop3fs pops://alice@mail.example.org ~/mail 2>/dev/null; ";
        let unmount = "; pop3fs umount ~/mail >/dev/null";
        self.run_bare(block, mount, &format!("{check}{unmount}"))
    }

    /// The same without a mount, between commands of her own.
    pub(crate) fn run_bare(&self, block: &str, before: &str, after: &str) -> String {
        self.run_by("bash -euo pipefail", block, before, after)
    }

    /// The same by another shell.
    pub(crate) fn run_by(&self, shell: &str, block: &str, before: &str, after: &str) -> String {
        self.write_block(block);
        let block = self.path("block").display().to_string();
        let at_terminal =
            format!("script --quiet --return --command '{SET_SIZE} && {shell} {block}' /dev/null");
        let folder = self.folder.path().display();
        let script = format!(r#"as_alice "{folder}" "{before}{at_terminal}; {after}""#);
        succeeded(&self.run_as_root(&script))
    }

    /// Writes a block of a page into the file `block` of the folder.
    pub(crate) fn write_block(&self, block: &str) {
        self.write("block", block);
    }

    /// Writes the server's certificate and its key into the folder, for her to show as her own.
    pub(crate) fn write_identity(&self, certificate: &str, key: &str) {
        let identity = self.server.identity();
        for (name, path) in [(certificate, &identity.certificate), (key, &identity.key)] {
            self.write(name, &fs::read_to_string(path).expect("PEM"));
        }
    }

    /// Writes a file of the folder, which everybody may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// Runs a script as root, in which `as_alice FOLDER COMMAND` runs something as her.
    pub(crate) fn run_as_root(&self, script: &str) -> Output {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        self.run_in(command, script)
    }

    /// The same in a control group of its own, for a service manager.
    pub(crate) fn run_in_control_group(&self, script: &str) -> Output {
        self.run_in(with_own_control_group(), script)
    }

    fn run_in(&self, mut namespaces: Command, script: &str) -> Output {
        let script = format!("{MACHINE}{script}");
        namespaces
            .args(["bash", "-euo", "pipefail", "-c", &script, "bash"])
            .arg(self.folder.path())
            .arg(PROGRAM);
        output_within(LIMIT, &mut namespaces)
    }

    /// Makes this line her machine's /etc/fstab.
    pub(crate) fn write_fstab(&self, line: &str) {
        fs::write(self.path("etc/fstab"), line).expect("fstab");
    }

    /// Copies a file of the project into the folder, where its commands find it whatever hides the
    /// project.
    pub(crate) fn copy(&self, path: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let name = source.file_name().expect("a file name");
        fs::copy(&source, self.folder.path().join(name)).expect("a copy");
    }

    /// The folder of this test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn describe(&self, address: &str) {
        let add = |name: &str, line: &str| {
            let text = fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
            fs::write(self.path("etc").join(name), format!("{line}\n{text}")).expect("a file");
        };
        add("passwd", "alice:x:54321:54321:Alice:/home/alice:/bin/bash");
        add("group", "alice:x:54321:");
        add("hosts", &format!("{address} mail.example.org"));
        fs::copy(self.server.ca_file(), self.path("ca.pem")).expect("the authority");
        fs::set_permissions(self.path("ca.pem"), Permissions::from_mode(0o644)).expect("a mode");
    }
}

/// An address of the loopback network that no other running test has.
fn address() -> String {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = process::id().to_be_bytes();
    let test = TAKEN.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{high}.{low}", 100 + test)
}

/// What a program wrote; fails the test if the program failed.
pub(crate) fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}{errors}", output.status);
    // A terminal ends lines with CR LF.
    said.replace('\r', "")
}
