//! The password must not show in arguments, environments, the log or a core file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::common::{Background, Dovecot, DovecotOptions, PROGRAM, corpus, eventually};
use crate::{Ground, LIMIT, liar, stderr};

/// The source of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Variable,
    File,
    Command,
    StandardInput,
}

impl Way {
    /// A password that nothing else contains by chance, not even the process of a test that runs at
    /// the same time.
    fn password(self) -> String {
        format!("correct-horse-{self:?}-{}", std::process::id())
    }

    /// The password as it is, and as AUTH PLAIN sends it.
    fn forms(self) -> [String; 3] {
        let password = self.password();
        let response = format!("\0{}\0{password}", Dovecot::USER);
        [BASE64.encode(&password), BASE64.encode(response), password]
    }

    fn assert_is_not_in(self, place: &str, octets: &[u8]) {
        let text = String::from_utf8_lossy(octets);
        for form in self.forms() {
            assert!(!text.contains(&form), "{form} is in {place}: {text}");
        }
    }
}

/// A Dovecot that accepts this password.
fn dovecot(password: &str) -> Dovecot {
    let options = DovecotOptions {
        password: Some(password.as_bytes().to_vec()),
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(22, 1), &options)
}

/// Mounts with the highest log level. What the password command can see goes to `seen`.
fn program(ground: &Ground, way: Way, auth: &str, source: &str) -> Command {
    let file = ground.0.folder().join("password");
    fs::write(&file, format!("{}\n", way.password())).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    let mut command = ground.0.program();
    command.args(["-d", "-o", &format!("tls=off,auth={auth}")]);
    match way {
        Way::Variable => command.env("POP3FS_PASSWORD", way.password()),
        Way::File => command.args(["-o", &format!("password_file={}", file.display())]),
        Way::Command => command.args(["-o", &password_command(&file, &seen(ground))]),
        Way::StandardInput => command
            .args(["-o", "password_stdin"])
            .stdin(fs::File::open(&file).expect("a file")),
    };
    command.args([source, ground.dir()]);
    command
}

fn seen(ground: &Ground) -> PathBuf {
    ground.0.folder().join("seen")
}

fn password_command(file: &Path, seen: &Path) -> String {
    format!(
        "password_command=cat /proc/*/cmdline /proc/$$/environ >{} 2>/dev/null; cat {}",
        seen.display(),
        file.display()
    )
}

/// The arguments and environments of all processes, except the one that got the password in its
/// environment. Only root can read that one, as `users` tests.
fn assert_no_process_shows_it(way: Way, but: Option<Pid>) {
    for entry in fs::read_dir("/proc").expect("/proc") {
        let path = entry.expect("an entry").path();
        let Some(pid) = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        // A process may end meanwhile, and kernel threads have neither.
        let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
        way.assert_is_not_in("arguments", &arguments);
        if but.map(Pid::as_raw) != Some(pid) {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            way.assert_is_not_in("an environment", &environment);
        }
    }
}

fn password_shows_nowhere(way: Way, auth: &str) {
    let dovecot = dovecot(&way.password());
    let ground = Ground::new();
    let mount = Background::spawn(&mut program(&ground, way, auth, &dovecot.source()));
    eventually("the mount", || ground.0.is_mounted().then_some(()));
    let message = fs::read_dir(ground.dir()).expect("the root").next();
    fs::read(message.expect("a message").expect("an entry").path()).expect("a body");
    assert_no_process_shows_it(way, (way == Way::Variable).then(|| mount.pid()));
    if way == Way::Command {
        let seen = fs::read(seen(&ground)).expect("what the command saw");
        assert!(String::from_utf8_lossy(&seen).contains("XDG_CACHE_HOME="));
        way.assert_is_not_in("what the password command sees", &seen);
    }
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let log = mount.output_within(LIMIT).stderr;
    let said = String::from_utf8_lossy(&log).into_owned();
    let logged = if auth == "plain" {
        "C: AUTH PLAIN ***"
    } else {
        "C: PASS ***"
    };
    assert!(said.contains(logged), "the log-in is not logged: {said}");
    way.assert_is_not_in("the log", &log);
}

#[test]
fn a_password_from_the_environment_shows_nowhere_else() {
    password_shows_nowhere(Way::Variable, "plain");
    password_shows_nowhere(Way::Variable, "user");
}

#[test]
fn a_password_from_a_file_shows_nowhere_else() {
    password_shows_nowhere(Way::File, "plain");
    password_shows_nowhere(Way::File, "user");
}

#[test]
fn a_password_from_a_command_shows_nowhere_else() {
    password_shows_nowhere(Way::Command, "plain");
    password_shows_nowhere(Way::Command, "user");
}

#[test]
fn a_password_from_standard_input_shows_nowhere_else() {
    password_shows_nowhere(Way::StandardInput, "plain");
    password_shows_nowhere(Way::StandardInput, "user");
}

#[test]
fn a_crash_writes_no_core_whatever_the_limit_was() {
    let liar = liar(1);
    let ground = Ground::new();
    let mut command = ground.0.at_home(Command::new("sh"));
    command
        .args(["-euc", "ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"", "sh"])
        .args([PROGRAM, "-f", "-o", "tls=off", &liar.source(), ground.dir()])
        .env("POP3FS_PASSWORD", "secret")
        .current_dir(ground.0.folder())
        .stdin(Stdio::null());
    let mount = Background::spawn(&mut command);
    eventually("the mount", || ground.0.is_mounted().then_some(()));
    let limits = fs::read_to_string(format!("/proc/{}/limits", mount.pid())).expect("limits");
    let of_core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = of_core.expect("a limit").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
    mount.signal(Signal::SIGABRT);
    let status = mount.output_within(LIMIT).status;
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32));
    assert!(!status.core_dumped());
}
