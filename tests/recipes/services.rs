//! The recipes of contrib/doc/recipes.md that a service manager or root carries out.

use crate::home::{Home, succeeded};
use crate::mailbox::{COUNT, lines_with};
use crate::pages::{block, block_with};

/// Starts alice's service manager and installs the unit.
const MANAGER: &str = "\
    export HOME=/home/alice XDG_RUNTIME_DIR=/run/user; unset XDG_CONFIG_HOME XDG_CACHE_HOME; \
    mkdir -p /run/systemd/system ~/.config/systemd/user ~/mail; mkdir -m 700 /run/user; \
    cp \"$1/pop3fs@.service\" ~/.config/systemd/user; \
    /usr/lib/systemd/systemd --user --unit=basic.target >/dev/null 2>&1 & \
    until systemctl --user is-active --quiet basic.target 2>/dev/null; do kill -0 $!; done; ";

/// Runs a script under her service manager.
fn run_with_manager(home: &Home, script: &str) -> String {
    home.copy("contrib/systemd/pop3fs@.service");
    succeeded(&home.run_in_control_group(&format!("{MANAGER}{script}")))
}

#[test]
fn the_unit_mounts_tells_how_it_stands_and_stops() {
    let home = Home::with_everyday_mail(3);
    home.write_block(&block("recipes.md", "### At login", "sh"));
    let script = "bash -euo pipefail \"$1/block\"; systemctl --user is-failed pop3fs@work || true";
    let shown = run_with_manager(&home, script);
    assert!(
        shown.contains("Status: \"3 messages of pops://alice@mail.example.org\""),
        "{shown}"
    );
    assert!(shown.ends_with("inactive\n"), "{shown}");
}

#[test]
fn a_timer_backs_up_every_night() {
    let home = Home::with_everyday_mail(COUNT);
    home.write("login", &block("recipes.md", "### At login", "sh"));
    home.write(
        "rsync",
        &block("recipes.md", "## A backup every night", "sh"),
    );
    home.write(
        "restic",
        &block("recipes.md", "## Back up with restic", "sh"),
    );
    let by_restic = block_with(
        "recipes.md",
        "mkdir -p ~/.config/systemd/user/mail-backup.service.d",
    );
    home.write("nightly", &by_restic);
    let script = "\
        for block in login rsync; do bash -euo pipefail \"$1/$block\" >/dev/null 2>&1; done; \
        diff -r ~/mail ~/backup; ls ~/backup | wc -l; \
        systemctl --user show -p NextElapseUSecRealtime mail-backup.timer; \
        for block in restic nightly; do bash -euo pipefail \"$1/$block\" >/dev/null; done; \
        restic -r ~/restic -p ~/.restic-password snapshots | tail -1; \
        systemctl --user stop pop3fs@work";
    let shown = run_with_manager(&home, script);
    assert!(shown.starts_with(&format!("{COUNT}\n")), "{shown}");
    let next = lines_with(&shown, "NextElapseUSecRealtime=");
    assert!(
        next[0].contains(" 03:") || next[0].contains(" 04:"),
        "{shown}"
    );
    assert!(shown.ends_with("3 snapshots\n"), "{shown}");
}

#[test]
fn the_line_of_fstab_mounts_for_its_user() {
    let home = Home::with_everyday_mail(3);
    let line = block("recipes.md", "### At boot, or at the first access", "fstab");
    home.write_fstab(&line);
    let folder = home.folder().display();
    let script = format!(
        "as_alice {folder} 'mkdir ~/mail'; mount /home/alice/mail; as_alice {folder} 'ls ~/mail | wc -l; stat -c %U ~/mail'; \
         umount /home/alice/mail; ! findmnt /home/alice/mail"
    );
    assert_eq!(succeeded(&home.run_as_root(&script)), "3\nalice\n");
}

#[test]
fn with_its_helper_umount_tells_a_user_the_verdict() {
    let home = Home::with_everyday_mail(3);
    home.copy("contrib/umount.fuse.pop3fs");
    let folder = home.folder().display();
    let script = format!(
        "mkdir {folder}/scratch/sbin; cp {folder}/umount.fuse.pop3fs {folder}/scratch/sbin; \
         mount -t overlay overlay -o lowerdir={folder}/scratch/sbin:/usr/sbin /usr/sbin; \
         as_alice {folder} 'mkdir ~/mail; pop3fs pops://alice@mail.example.org ~/mail 2>/dev/null; \
            rm -f ~/mail/*; umount ~/mail; ! findmnt ~/mail'"
    );
    assert_eq!(
        succeeded(&home.run_as_root(&script)),
        "3 messages deleted on the server\n"
    );
    assert_eq!(home.left(), 0);
}
