//! The messages about wrong arguments, configurations, passwords, mount points and caches: what is
//! wrong, and what to do. The messages about servers are tested in tests/tls, logins, faults and
//! quirks.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::common::{Liar, Mount, MountBuilder, PROGRAM, corpus, output_within, sentence};
use crate::refusals::refusal;
use crate::users::{NOBODY, as_nobody};
use crate::{Ground, LIMIT, assert_says, in_clear, liar, stderr};

#[test]
fn of_urls() {
    for (source, parts) in [
        ("pops://al@", &["no host", "pops://USER@HOST"][..]),
        ("pops://@h.invalid", &["no user", "pops://USER@HOST"]),
        ("pops://al@h h", &["not a host name", "pops://USER@HOST"]),
        ("pops://al@::1", &["in brackets", "pops://USER@[::1]"]),
        ("pops://al@h.invalid:0", &["not a port", "from 1 to 65535"]),
        ("pops://al@h:hunter2", &["not a port", "password_command"]),
        ("pops://al;AUTH=ntlm@h", &["after ;AUTH= stands", "plain"]),
        ("pops://al%0D%0ANOOP@h", &["control character", "%XX"]),
        ("pops://al@h.invalid/x", &["may follow", "no folders"]),
    ] {
        let said = refusal(&MountBuilder::new(source));
        assert_says(&said, parts);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn of_options() {
    for (option, parts) in [
        ("timeout", &["timeout needs a value", "timeout=TIME"][..]),
        ("ro=1", &["ro takes no value", "write ro alone"]),
        ("tls=maybe", &["expected", "implicit", "starttls", "off"]),
        ("cache_size=1K", &["expected", "1M"]),
        ("max_delete=many", &["expected", "off or 0"]),
        ("view=html", &["expected", "raw or text"]),
        ("uid=-1", &["expected", "0 to"]),
        ("password_command=", &["expected", "a command"]),
        ("cache_dir=", &["expected", "a path"]),
    ] {
        let builder = MountBuilder::new("pops://al@h.invalid").option(option);
        assert_says(&refusal(&builder), parts);
    }
}

/// The error message for the account `work`, if the user's file has this text.
fn of_account(text: &str) -> String {
    let ground = Ground::new();
    let folder = ground.0.folder().join("config/pop3fs");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), text).expect("a file");
    sentence(&ground.pop3fs(&["work", ground.dir()]))
}

#[test]
fn of_the_configuration() {
    const URL: &str = "url = \"pops://al@h.invalid\"";
    for (text, parts) in [
        (
            "[work]\nuser = \"al\"".to_owned(),
            &["[work]", "write [account.work]"][..],
        ),
        (
            "[account.work]\nro = true".to_owned(),
            &["no url", "pops://USER@HOST"],
        ),
        (
            format!("[account.work]\n{URL}\nro = 1979-05-27"),
            &["ro takes a text, a number"],
        ),
        (
            format!("[account.work]\n{URL}\nuser = \"bo\""),
            &["named twice", "remove one"],
        ),
        (
            format!("[account.work]\n{URL}\npassword_command = \"a\"\npassword_file = \"b\""),
            &["more than one source", "keep only one"],
        ),
        (
            format!(
                "[account.work]\n{URL}\nproxy_password_command = \"a\"\nproxy_password_file = \"b\""
            ),
            &["more than one source of the proxy password: keep only one"],
        ),
        (
            "[account.work]\nurl = \"imaps://al@h\"".to_owned(),
            &["[account.work]", "not a scheme"],
        ),
        (
            format!("[account.work]\n{URL}\ntimeout = \"never\""),
            &["[account.work]", "expected"],
        ),
        (
            format!("[account.work]\n{URL}\n= 1"),
            &["config.toml line 3"],
        ),
    ] {
        let said = of_account(&text);
        assert_says(&said, parts);
        assert_says(&said, &["config.toml"]);
    }
}

#[test]
fn an_unreadable_configuration_is_refused() {
    let ground = Ground::new();
    let file = ground.0.folder().join("config/pop3fs/config.toml");
    fs::create_dir_all(&file).expect("a folder in the place of the file");
    let said = sentence(&ground.pop3fs(&["work", ground.dir()]));
    assert_says(&said, &["cannot read", "config.toml"]);
}

#[test]
fn of_passwords() {
    for (command, parts) in [
        ("true", &["password_command is empty", "write it there"][..]),
        ("printf 'a\\rb'", &["CR, LF or NUL"]),
        (
            "head -c 100000 /dev/zero | tr '\\0' a",
            &["longer than", "is no password"],
        ),
    ] {
        let option = format!("password_command={command}");
        let builder = MountBuilder::new("pops://al@h.invalid").option(&option);
        assert_says(&sentence(&builder.password(None).refused()), parts);
    }
    let missing = MountBuilder::new("pops://al@h.invalid").option("password_file=/no/such/file");
    assert_says(&refusal(&missing), &["password_file", "/no/such/file"]);
}

#[test]
fn an_unreadable_standard_input_is_refused() {
    let ground = Ground::new();
    let mut command = ground.0.program();
    let folder = fs::File::open("/").expect("a folder");
    command
        .args(["--password_stdin", "pops://al@h.invalid", ground.dir()])
        .stdin(folder);
    let said = sentence(&output_within(LIMIT, &mut command));
    assert_says(&said, &["cannot read the password from", "standard input"]);
}

#[test]
fn of_a_current_directory_that_is_gone() {
    let ground = Ground::new();
    let gone = ground.0.folder().join("gone");
    fs::create_dir(&gone).expect("a folder");
    let mut shell = ground.0.at_home(Command::new("sh"));
    let script = "rmdir \"$PWD\"; exec \"$0\" pops://al@h.invalid mail";
    shell.args(["-c", script, PROGRAM]).current_dir(&gone);
    let said = sentence(&output_within(LIMIT, &mut shell));
    assert_says(&said, &["cannot find the current directory ("]);
}

#[test]
fn of_mount_points() {
    let (ground, liar) = (Ground::new(), liar(1));
    let loops = ground.0.folder().join("loop");
    symlink(&loops, &loops).expect("a link");
    let dir = loops.to_str().expect("a path in ASCII");
    let said = sentence(&ground.pop3fs(&["-o", "tls=off", &liar.source(), dir]));
    assert_says(&said, &["cannot look at", dir]);
}

#[test]
fn a_mount_point_with_another_fuse_filesystem_is_refused() {
    let liar = liar(1);
    let ground = Ground::new();
    // No process serves the descriptor, and none asks: the call alone makes an entry in the mount
    // table. With the type `fuse.other`, newer versions of mount(8) show plain `fuse` there.
    let script = "\
        exec 7<>/dev/fuse; \
        mount -i -t fuse -o subtype=other,fd=7,rootmode=40000,user_id=0,group_id=0 other \"$5\"; \
        exec \"$@\"";
    let arguments = ["-o", "tls=off", &liar.source(), ground.dir()];
    let said = sentence(&ground.in_a_namespace(script, &arguments));
    assert_says(&said, &["already a mount of type fuse.other", "umount"]);
}

#[test]
fn of_root_who_may_not_mount() {
    let (ground, liar) = (Ground::new(), liar(1));
    let mut command = ground.0.at_home(Command::new("setpriv"));
    command
        .args(["--bounding-set=-sys_admin", PROGRAM, "-o", "tls=off"])
        .args([&liar.source(), ground.dir()])
        .env("POP3FS_PASSWORD", "secret");
    let said = sentence(&output_within(LIMIT, &mut command));
    assert_says(&said, &["not permitted", "CAP_SYS_ADMIN"]);
}

#[test]
fn umount_refuses_a_mount_that_another_one_covers() {
    let (ground, liar) = (Ground::new(), liar(2));
    let script = "exec 3>/dev/null; \"$1\" -o tls=off \"$2\" \"$3\" 2>&3; mount -t tmpfs none \"$3\"; \"$1\" umount \"$3\"";
    let output = ground.in_a_namespace(script, &[&liar.source(), ground.dir()]);
    assert_says(
        &sentence(&output),
        &["is a mount of type tmpfs", "not of pop3fs"],
    );
}

#[test]
fn of_another_user_s_mount() {
    let liar = liar(1);
    let mount = in_clear(&liar.source());
    let (ground, program) = Ground::given_to(NOBODY);
    let output = as_nobody(&ground, "666", &[&program, "umount", mount.arg()]);
    let said = sentence(&output);
    assert_says(&said, &["was mounted by user id 0", "only they and root"]);
}

#[test]
fn of_caches() {
    let liar = liar(1);
    let (ground, mount) = (Ground::new(), in_clear(&liar.source()));
    let file = ground.0.folder().join("file");
    fs::write(&file, "").expect("a file");
    let file = file.to_str().expect("a path in ASCII");
    let refused = |option: &str| {
        let options = ["tls=off", option].join(",");
        refusal(&MountBuilder::new(&liar.source()).option(&options))
    };
    assert_says(
        &refused(&format!("cache_dir={file}")),
        &["is not a folder", "cache_dir"],
    );
    assert_says(&refused("cache_dir=/proc/no"), &["/proc/no", "cache=off"]);
    assert_says(
        &refused("log_file=/no/such/log"),
        &["cannot write log_file", "/no/such/log"],
    );
    let clear = mount.subcommand(&["cache", "clear", "--all"]);
    assert_says(&stderr(&clear), &["1 cache could not be removed"]);
}

#[test]
fn of_a_user_without_a_home() {
    let liar = liar(1);
    let (ground, program) = Ground::given_to(NOBODY);
    // No user has this id, so there is no home.
    let user = "exec setpriv --reuid=54329 --regid=54329 --clear-groups env -u HOME -u XDG_CACHE_HOME \"$@\"";
    for arguments in [
        &["-o", "tls=off", &liar.source(), ground.dir()][..],
        &["cache"],
    ] {
        let output = ground.in_a_namespace(
            &format!("shift; {user}"),
            &[&[program.as_str()], arguments].concat(),
        );
        assert_says(&sentence(&output), &["no folder for the cache", "set HOME"]);
    }
}

#[test]
fn of_a_message_that_is_too_large() {
    let liar = Liar::start(&[corpus::large(100_000)]);
    let mount = Mount::new(&liar.source(), &["tls=off,max_message=10K"]);
    let output = mount.subcommand(&["fetch", mount.arg()]);
    assert_says(
        &stderr(&output),
        &["larger than max_message", "-o max_message="],
    );
}
