//! The sources of the password, and that it shows nowhere.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pop3fs::cli::Failure;

use crate::common::{Liar, Mount, MountBuilder, output_within, stdout_of};
use crate::{Ground, LIMIT, assert_says, liar, sentence, stderr};

/// Makes a file with this mode in the test folder.
fn file(ground: &Ground, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = ground.0.folder().join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
    path
}

fn daemon(liar: &Liar) -> MountBuilder {
    MountBuilder::new(&liar.source()).option("tls=off").daemon()
}

fn assert_mounted_without_showing_the_password(mount: &Mount) {
    assert_eq!(fs::read_dir(mount.path()).expect("the root").count(), 2);
    let arguments = fs::read(format!("/proc/{}/cmdline", mount.pid())).expect("arguments");
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    assert!(!arguments.contains(Liar::PASSWORD), "{arguments}");
}

#[test]
fn the_environment() {
    let liar = liar(2);
    assert_mounted_without_showing_the_password(&daemon(&liar).mount());
}

#[test]
fn a_file_of_ones_own() {
    let (ground, liar) = (Ground::new(), liar(2));
    let path = file(&ground, "file", "secret\nnot this\n", 0o600);
    let option = format!("password_file={}", path.display());
    let mount = daemon(&liar).password(None).option(&option).mount();
    assert_mounted_without_showing_the_password(&mount);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let (ground, liar) = (Ground::new(), liar(2));
    let path = file(&ground, "file", "secret\n", 0o644);
    let option = format!("password_file={}", path.display());
    let said = sentence(&daemon(&liar).password(None).option(&option).refused());
    assert_says(
        &said,
        &[
            "can be read by others",
            "chmod 600",
            path.to_str().expect("a path"),
        ],
    );
    assert_eq!(liar.server().connections(), 0);
}

#[test]
fn a_command_whose_environment_does_not_show_another_one() {
    let (ground, liar) = (Ground::new(), liar(2));
    let path = file(&ground, "file", "secret\n", 0o600);
    let seen = ground.0.folder().join("environment");
    let option = format!(
        "password_command=cat /proc/self/environ >{}; cat {}",
        seen.display(),
        path.display()
    );
    let mount = daemon(&liar)
        .password(Some("from the variable"))
        .option(&option)
        .mount();
    assert_mounted_without_showing_the_password(&mount);
    let seen = String::from_utf8_lossy(&fs::read(seen).expect("an environment")).into_owned();
    assert!(seen.contains("HOME="), "{seen}");
    assert!(
        !seen.contains("POP3FS_PASSWORD") && !seen.contains("from the variable"),
        "{seen}"
    );
}

#[test]
fn a_command_that_fails_is_told_with_its_words() {
    let liar = liar(2);
    let option = "password_command=echo the safe is locked >&2; exit 3";
    let said = sentence(&daemon(&liar).password(None).option(option).refused());
    assert_says(
        &said,
        &["password_command failed", "3", "the safe is locked"],
    );
}

/// A mount without any option about the password.
fn mount_with(ground: &Ground, liar: &Liar, folder: Option<&str>) -> std::process::Output {
    let mut command = ground.0.at_home(Command::new("setsid"));
    command.args([
        "--wait",
        crate::PROGRAM,
        "-o",
        "tls=off",
        &liar.source(),
        ground.dir(),
    ]);
    if let Some(folder) = folder {
        command.env("CREDENTIALS_DIRECTORY", folder);
    }
    output_within(LIMIT, &mut command)
}

#[test]
fn a_credential_of_a_service() {
    let (ground, liar) = (Ground::new(), liar(2));
    file(&ground, "pop3fs-password", "secret\n", 0o400);
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let output = mount_with(&ground, &liar, Some(folder));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 2);
}

#[test]
fn an_empty_credential_of_a_service_is_refused() {
    let (ground, liar) = (Ground::new(), liar(2));
    file(&ground, "pop3fs-password", "", 0o400);
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let said = sentence(&mount_with(&ground, &liar, Some(folder)));
    assert_says(&said, &["the credential pop3fs-password is empty"]);
}

#[test]
fn a_line_of_netrc() {
    let (ground, liar) = (Ground::new(), liar(2));
    let netrc = "machine 127.0.0.1 login bob password other\nmachine 127.0.0.1 login alice password secret\n";
    let path = file(&ground, "home/.netrc", netrc, 0o644);
    let said = sentence(&mount_with(&ground, &liar, None));
    assert_says(&said, &["can be read by others", ".netrc", "chmod 600"]);
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a mode");
    let output = mount_with(&ground, &liar, None);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 2);
}

#[test]
fn a_service_without_a_password_is_told_what_to_write() {
    let (ground, liar) = (Ground::new(), liar(2));
    file(
        &ground,
        "home/.netrc",
        "machine other login alice password secret\n",
        0o600,
    );
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let said = sentence(&mount_with(&ground, &liar, Some(folder)));
    assert_says(
        &said,
        &[
            "no password, and no terminal to ask on: give -o password_command=…, password_file=… or password_stdin, or set POP3FS_PASSWORD; a service of systemd has LoadCredential=pop3fs-password:FILE",
        ],
    );
    assert_eq!(liar.server().connections(), 0);
}

#[test]
fn standard_input() {
    let (ground, liar) = (Ground::new(), liar(2));
    let path = file(&ground, "file", "secret\n", 0o600);
    let mut command = ground.0.program();
    command
        .args(["-o", "tls=off,password_stdin", &liar.source(), ground.dir()])
        .stdin(fs::File::open(path).expect("a file"));
    let output = output_within(LIMIT, &mut command);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 2);
}

#[test]
fn the_terminal() {
    let (ground, liar) = (Ground::new(), liar(2));
    let path = file(&ground, "file", "secret\n", 0o600);
    let line = format!("pop3fs -o tls=off {} {}", liar.source(), ground.dir());
    let line = line.replacen("pop3fs", crate::PROGRAM, 1);
    let mut command = ground.0.at_home(Command::new("script"));
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(fs::File::open(path).expect("a file"));
    let output = output_within(LIMIT, &mut command);
    let shown = crate::stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert_says(&shown, &["Password for pop://alice@127.0.0.1"]);
    // The terminal ends with `script`; the mount stays.
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 2);
}

/// Mounts on a terminal, and types `keys` when the prompt is there. Returns what the terminal
/// showed, and the exit status.
fn typed_at_the_prompt(ground: &Ground, source: &str, dir: &str, keys: &[u8]) -> (String, i32) {
    let arguments = format!("-o tls=off {source} {dir}");
    typed(ground, &arguments, "Password for", keys)
}

/// The same with these arguments and this prompt.
fn typed(ground: &Ground, arguments: &str, prompt: &str, keys: &[u8]) -> (String, i32) {
    // Without `exec`, dash(1) would take Ctrl-C for itself too, and end with a status of its own.
    let line = format!("exec {} {arguments}", crate::PROGRAM);
    let mut command = ground.0.at_home(Command::new("timeout"));
    command
        .args([
            "60",
            "script",
            "--quiet",
            "--return",
            "--command",
            &line,
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut script = command.spawn().expect("script");
    let (mut keyboard, mut screen) = (script.stdin.take(), script.stdout.take().expect("a screen"));
    let (mut shown, mut octet) = (Vec::new(), [0]);
    while screen.read(&mut octet).expect("output") == 1 {
        shown.push(octet[0]);
        if shown.ends_with(b": ")
            && String::from_utf8_lossy(&shown).contains(prompt)
            && let Some(mut keyboard) = keyboard.take()
        {
            keyboard.write_all(keys).expect("to type");
            std::mem::forget(keyboard);
        }
    }
    let status = script
        .wait()
        .expect("an end")
        .code()
        .expect("an exit status");
    (String::from_utf8_lossy(&shown).into_owned(), status)
}

#[test]
fn the_passphrase_of_a_certificate_is_asked_for_before_the_server_is_tried() {
    let ground = Ground::new();
    let [key, file] = ["key.pem", "own.pem"].map(|name| ground.0.folder().join(name));
    let (key, file) = (key.display().to_string(), file.display().to_string());
    stdout_of(&[
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-passout",
        "pass:geheim",
        "-subj",
        "/CN=al",
        "-keyout",
        &key,
        "-out",
        &file,
    ]);
    let both = [&file, &key].map(|path| fs::read(path).expect("PEM"));
    fs::write(&file, both.concat()).expect("a file");
    let arguments = format!(
        "-o client_cert={file} pops://al@127.0.0.1:1 {}",
        ground.dir()
    );
    for (keys, part) in [
        (&b"geheim\n"[..], "127.0.0.1 port 1 does not answer"),
        (b"another\n", "own.pem has another passphrase"),
        (b"\x03", "interrupted: nothing is mounted"),
    ] {
        let (shown, status) = typed(&ground, &arguments, "Passphrase for", keys);
        assert_says(&shown, &[&format!("Passphrase for {file}: "), part]);
        assert!(!shown.contains("geheim"), "{shown}");
        let is_interruption = status == i32::from(Failure::Interrupted.status());
        assert_eq!(is_interruption, keys == b"\x03", "{status}");
    }
}

#[test]
fn the_password_of_a_proxy_is_asked_for() {
    let ground = Ground::new();
    let proxy = "proxy=socks5://bob@127.0.0.1:1";
    let arguments = format!("-o {proxy} pops://al@h.invalid {}", ground.dir());
    let prompt = "Password for bob at the proxy socks5://127.0.0.1:1: ";
    let (shown, _) = typed(&ground, &arguments, prompt, b"geheim\n");
    assert_says(&shown, &["127.0.0.1 port 1 does not answer"]);
    assert!(!shown.contains("geheim"), "{shown}");
    let mut command = ground.0.at_home(Command::new("setsid"));
    command.args(["--wait", crate::PROGRAM, "-o", proxy]);
    command.args(["pops://al@h.invalid", ground.dir()]);
    let said = sentence(&output_within(LIMIT, &mut command));
    let parts = [
        "no password for bob at the proxy socks5://127.0.0.1:1, and no terminal to ask on: ",
        "give -o proxy_password_command=… or proxy_password_file=…, or write it into ~/.netrc",
    ];
    assert_says(&said, &parts);
}

#[test]
fn ctrl_d_at_the_prompt_is_no_password() {
    let (ground, liar) = (Ground::new(), liar(2));
    let (shown, status) = typed_at_the_prompt(&ground, &liar.source(), ground.dir(), b"\x04");
    let line = "\r\npop3fs: no password given: nothing is mounted\r\n";
    assert!(shown.contains(line), "{shown}");
    assert_eq!(status, i32::from(Failure::Usage.status()));
    // The connection was tried before the question, and nobody has logged in.
    assert_eq!(liar.server().connections(), 1);
}

#[test]
fn ctrl_c_at_the_prompt_is_an_interruption() {
    let (ground, liar) = (Ground::new(), liar(2));
    let (shown, status) = typed_at_the_prompt(&ground, &liar.source(), ground.dir(), b"\x03");
    let line = "\r\npop3fs: interrupted: nothing is mounted\r\n";
    assert!(shown.contains(line), "{shown}");
    assert_eq!(status, i32::from(Failure::Interrupted.status()));
}

#[test]
fn what_is_wrong_anyway_is_reported_before_the_prompt() {
    let (ground, liar) = (Ground::new(), liar(2));
    let (source, dir) = (liar.source(), ground.dir());
    let missing = format!("{dir}/missing");
    for (source, dir, part) in [
        (source.as_str(), missing.as_str(), "does not exist"),
        ("pop://al@h.invalid", dir, "has no address"),
        ("pop://al@127.0.0.1:1", dir, "does not answer"),
    ] {
        let (shown, status) = typed_at_the_prompt(&ground, source, dir, b"");
        assert!(shown.contains(part), "{shown}");
        assert!(!shown.contains("Password for"), "{shown}");
        assert_ne!(status, 0, "{shown}");
    }
}

#[test]
fn a_command_that_prints_for_ever_gives_its_first_line() {
    let (ground, liar) = (Ground::new(), liar(2));
    let command = "password_command=echo secret; yes";
    let arguments = ["-o", "tls=off", "-o", command, &liar.source(), ground.dir()];
    let mut program = ground.0.program();
    let output = output_within(LIMIT, program.args(arguments));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn nothing_that_is_logged_shows_it() {
    let liar = liar(2);
    let ground = Ground::new();
    let mut command = ground.0.program();
    command
        .args(["-d", "-o", "tls=off", &liar.source(), ground.dir()])
        .env("POP3FS_PASSWORD", "a wrong secret");
    let output = output_within(LIMIT, &mut command);
    let said = stderr(&output);
    assert!(said.contains("refused the login"), "{said}");
    assert!(!said.contains("a wrong secret"), "{said}");
}
