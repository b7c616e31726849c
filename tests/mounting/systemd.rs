//! The unit in contrib/systemd, under a real service manager in its own namespaces.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{PROGRAM, Reply, output_within, with_own_control_group};
use crate::{Ground, LIMIT, assert_says, liar, stderr, stdout};

const UNIT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/contrib/systemd/pop3fs@.service"
);

/// Starts a user's service manager, as on a machine that systemd has booted, and waits until it
/// works.
const MANAGER: &str = "\
    mount -t tmpfs none /run; mkdir -p /run/systemd/system; mkdir -m 700 /run/user; export XDG_RUNTIME_DIR=/run/user; \
    /usr/lib/systemd/systemd --user --unit=basic.target >/dev/null 2>&1 & \
    until systemctl --user is-active --quiet basic.target 2>/dev/null; do kill -0 $!; done; ";

/// Starts the unit, removes a message, and stops the unit. Shows its status meanwhile.
const LIFE: &str = "\
    systemctl --user start pop3fs@work; \
    systemctl --user show -p ActiveState -p StatusText pop3fs@work; \
    findmnt -n -o FSTYPE \"$1\"; rm -f \"$1\"/liar-2.eml; \
    systemctl --user stop pop3fs@work; \
    systemctl --user show -p ActiveState -p Result -p StatusText pop3fs@work; ! findmnt \"$1\"";

/// The unit, and an account `work` that it reads.
fn install(ground: &Ground, source: &str) {
    let folder = ground.0.folder();
    let units = folder.join("config/systemd/user");
    fs::create_dir_all(&units).expect("a folder of units");
    fs::copy(UNIT, units.join("pop3fs@.service")).expect("the unit");
    let accounts = folder.join("config/pop3fs");
    fs::create_dir_all(&accounts).expect("a folder of accounts");
    let account = format!(
        "SOURCE={source}\nDIR={}\nOPTIONS=tls=off,password_command=printf 'secret'\n",
        ground.dir()
    );
    fs::write(accounts.join("work.env"), account).expect("an account");
    let programs = folder.join("home/.cargo/bin");
    fs::create_dir_all(&programs).expect("a folder of programs");
    let program = programs.join("pop3fs");
    if !program.exists() {
        symlink(PROGRAM, program).expect("the program");
    }
}

fn run(ground: &Ground, script: &str) -> Output {
    let mut command = ground.0.at_home(with_own_control_group());
    command.args([
        "sh",
        "-euc",
        &format!("{MANAGER}{script}"),
        "sh",
        ground.dir(),
    ]);
    output_within(LIMIT, &mut command)
}

fn assert_succeeded(output: &Output) {
    let said = [stdout(output), stderr(output)].concat();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn the_unit_mounts_reports_its_status_and_commits_at_stop() {
    let (ground, liar) = (Ground::new(), liar(3));
    install(&ground, &liar.source());
    let output = run(&ground, LIFE);
    assert_succeeded(&output);
    let expected = format!(
        "ActiveState=active\nStatusText=3 messages of {}\nfuse.pop3fs\n\
         Result=success\nActiveState=inactive\nStatusText=\n",
        liar.source()
    );
    assert_eq!(sorted(&stdout(&output)), sorted(&expected));
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_unit_whose_commit_fails_has_failed_and_says_why() {
    let (ground, liar) = (Ground::new(), liar(3));
    install(&ground, &liar.source());
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    let output = run(&ground, LIFE);
    assert_succeeded(&output);
    assert_says(
        &stdout(&output),
        &[
            "ActiveState=failed",
            "Result=exit-code",
            "StatusText=failed: ",
            "liar-2.eml is still on the server: cannot write the maildrop",
        ],
    );
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn systemd_retries_a_busy_maildrop_but_not_a_refused_login() {
    const TRIED: &str = "! systemctl --user start pop3fs@work 2>/dev/null; ";
    let (ground, busy) = (Ground::new(), liar(3));
    install(&ground, &busy.source());
    // Other than the 30 s of the unit.
    let soon = ground
        .0
        .folder()
        .join("config/systemd/user/pop3fs@.service.d");
    fs::create_dir(&soon).expect("a folder");
    fs::write(soon.join("soon.conf"), "[Service]\nRestartSec=100ms\n").expect("a file");
    busy.once("PASS", Reply::Err("[IN-USE] locked"));
    let script = format!("{TRIED}until findmnt \"$1\" >/dev/null; do :; done; ls \"$1\"");
    let output = run(&ground, &script);
    assert_says(&stdout(&output), &["liar-1.eml"]);
    assert_eq!(busy.count("PASS"), 2);

    let strict = liar(3);
    install(&ground, &strict.source());
    strict.on("PASS", Reply::Err("[AUTH] no"));
    let script =
        format!("{TRIED}systemctl --user show -p ActiveState -p ExecMainStatus pop3fs@work");
    let output = run(&ground, &script);
    assert_eq!(
        sorted(&stdout(&output)),
        ["ActiveState=failed", "ExecMainStatus=33"]
    );
    assert_eq!(strict.count("PASS"), 1);
}

/// systemctl does not keep the order of properties.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let ground = Ground::new();
    let unit = ground.0.folder().join("pop3fs@work.service");
    fs::copy(UNIT, &unit).expect("the unit");
    let mut command = ground.0.at_home(Command::new("systemd-analyze"));
    command
        .args(["verify", "--user", "--man=no"])
        .arg(Path::new(&unit));
    let output = output_within(LIMIT, &mut command);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

/// A keyring may be locked, and a host without an answer may have several addresses.
#[test]
fn a_start_may_take_longer_than_that_of_other_units() {
    let (ground, liar) = (Ground::new(), liar(3));
    install(&ground, &liar.source());
    let config = ground.0.folder().join("config");
    fs::write(
        config.join("systemd/user.conf"),
        "[Manager]\nDefaultTimeoutStartSec=1s\n",
    )
    .expect("a file");
    let account = config.join("pop3fs/work.env");
    let said = fs::read_to_string(&account).expect("an account");
    let slow = said.replace("password_command=", "password_command=sleep 3; ");
    fs::write(&account, slow).expect("an account");
    let output = run(&ground, LIFE);
    assert_succeeded(&output);
    assert_says(&stdout(&output), &["ActiveState=active", "Result=success"]);
    assert_eq!(liar.left_serials(), [1, 3]);
}
