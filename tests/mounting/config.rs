//! Accounts by name, from the user's configuration file and the system's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::output_within;
use crate::{Ground, LIMIT, assert_says, liar, sentence, stderr};

/// Writes the user's configuration file.
fn configure(ground: &Ground, text: &str) -> PathBuf {
    let path = ground.0.folder().join("config/pop3fs/config.toml");
    fs::create_dir(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    path
}

fn account(url: &str) -> String {
    format!(
        "[account.work]\nurl = \"{url}\"\ntls = \"off\"\npassword_command = \"echo secret\"\nro = true\n"
    )
}

/// A mount without a password in the environment.
fn pop3fs(ground: &Ground, arguments: &[&str]) -> std::process::Output {
    output_within(LIMIT, ground.0.program().args(arguments))
}

fn options_of(ground: &Ground) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let line = table.lines().find(|line| line.contains(ground.dir()));
    line.expect("the mount").to_owned()
}

#[test]
fn an_account_is_mounted_by_its_name_with_its_options() {
    let (ground, liar) = (Ground::new(), liar(2));
    configure(&ground, &account(&liar.source()));
    let output = pop3fs(&ground, &["work", ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 2);
    let shown = options_of(&ground);
    assert!(shown.contains(" ro,"), "{shown}");
}

#[test]
fn the_command_line_goes_over_the_file() {
    let (ground, liar) = (Ground::new(), liar(2));
    configure(&ground, &account(&liar.source()));
    let output = pop3fs(
        &ground,
        &["-o", "password_command=exit 3", "work", ground.dir()],
    );
    assert_says(&sentence(&output), &["password_command failed", "3"]);
    assert_eq!(liar.server().connections(), 0);
}

#[test]
fn a_url_needs_no_file_and_reads_none() {
    let (ground, liar) = (Ground::new(), liar(2));
    configure(&ground, "this is no TOML");
    let output = ground.pop3fs(&["-o", "tls=off", &liar.source(), ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = sentence(&ground.pop3fs(&["work", ground.dir()]));
    assert_says(&said, &["config.toml line 1"]);
}

#[test]
fn an_unknown_account_is_answered_with_the_known_ones() {
    let ground = Ground::new();
    let path = configure(&ground, &account("pops://al@h.invalid"));
    let said = sentence(&ground.pop3fs(&["wrok", ground.dir()]));
    let path = path.to_str().expect("a path in ASCII");
    assert_says(&said, &["no account 'wrok'", path, "did you mean work"]);
}

#[test]
fn a_misspelt_key_is_answered_with_the_right_one() {
    let ground = Ground::new();
    let text = account("pops://al@h.invalid") + "idle_timeuot = \"5m\"\n";
    configure(&ground, &text);
    let said = sentence(&ground.pop3fs(&["work", ground.dir()]));
    assert_says(
        &said,
        &["[account.work]", "idle_timeuot", "mean idle_timeout"],
    );
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let ground = Ground::new();
    let text = account("pops://al@h.invalid") + "password = \"hunter2\"\n";
    configure(&ground, &text);
    let said = sentence(&ground.pop3fs(&["work", ground.dir()]));
    assert_says(&said, &["must not contain a password", "password_command"]);
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_file_that_others_may_change_is_not_used() {
    let ground = Ground::new();
    let path = configure(&ground, &account("pops://al@h.invalid"));
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("a mode");
    let said = sentence(&ground.pop3fs(&["work", ground.dir()]));
    assert_says(&said, &["can be changed by others", "chmod go-w"]);
}

#[test]
fn the_file_of_the_system_is_there_for_fstab() {
    let ground = Ground::new();
    // The mount ends with the namespace. The output shows the account.
    let script =
        "mount -t tmpfs none /etc; printf '%s' \"$2\" >/etc/pop3fs.toml; \"$1\" work \"$3\"";
    let text = account("pops://al@h.invalid").replace("echo secret", "exit 7");
    let said = sentence(&ground.in_a_namespace(script, &[&text, ground.dir()]));
    assert_says(&said, &["password_command failed", "7"]);
}
