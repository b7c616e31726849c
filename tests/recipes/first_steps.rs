//! The README's blocks, and those of the page on providers.

use crate::common::free_port;
use crate::home::Home;
use crate::mailbox::{COUNT, everyday, holding, lines_with};
use crate::pages::{block, block_with};

#[test]
fn the_manual_and_the_completions_of_bash_stay_installed() {
    let home = Home::with_everyday_mail(1);
    let install = block_with(
        "README.md",
        "pop3fs man | install -D -m 644 /dev/stdin ~/.cargo/share/man/man1/pop3fs.1",
    );
    // As `cargo install` and rustup leave her home.
    let before = "mkdir -p ~/.cargo/bin; ";
    let after = "PATH=~/.cargo/bin:/usr/bin man -w pop3fs; . /usr/share/bash-completion/bash_completion; \
                 set +e; _completion_loader pop3fs; complete -p pop3fs";
    let shown = home.run_bare(&install, before, after);
    assert!(
        shown.starts_with("/home/alice/.cargo/share/man/man1/pop3fs.1\n"),
        "{shown}"
    );
    assert!(shown.ends_with("-F _pop3fs pop3fs\n"), "{shown}");
}

#[test]
fn the_completions_of_fish_stay_installed() {
    let home = Home::with_everyday_mail(1);
    let install = block("README.md", "## Install", "fish");
    let after = "fish --command 'complete -C \\\"pop3fs um\\\"'";
    let shown = home.run_by("fish", &install, "", after);
    assert_eq!(shown.split('\t').next(), Some("umount"), "{shown}");
}

#[test]
fn the_completions_of_zsh_stay_installed() {
    let home = Home::with_everyday_mail(1);
    let install = block("README.md", "## Install", "zsh");
    let after = "zsh -i -c 'echo \\$_comps[pop3fs]'";
    assert_eq!(home.run_by("zsh -e", &install, "", after), "_pop3fs\n");
}

#[test]
fn one_mounts_looks_and_unmounts() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run_bare(&block("README.md", "## Mount", "sh"), "", "ls ~/mail");
    assert_eq!(shown.matches(".eml").count(), COUNT, "{shown}");
    let pending = lines_with(&shown, "pending");
    assert_eq!(pending.len(), 1, "{shown}");
    assert!(lines_with(&shown, "delete").len() == 1, "{shown}");
}

#[test]
fn an_account_of_the_configuration_is_mounted_by_its_name() {
    let home = Home::with_everyday_mail(3);
    home.write("config.toml", &block("README.md", "## Mount", "toml"));
    let folder = home.folder().display();
    let before =
        format!("mkdir -p ~/mail ~/.config/pop3fs; cp {folder}/config.toml ~/.config/pop3fs; ");
    let after = "ls ~/mail | wc -l; pop3fs umount ~/mail";
    let shown = home.run_bare(
        &block_with("README.md", "pop3fs work ~/mail"),
        &before,
        after,
    );
    assert!(shown.contains("3\n"), "{shown}");
}

#[test]
fn mail_is_searched_raw_decoded_and_by_date() {
    let mut messages = everyday(COUNT);
    messages.push(b"Date: Sat, 1 Jan 2022 00:00:00 +0000\r\nX-Spam-Flag: YES\r\n\r\n".to_vec());
    let home = Home::new(&messages);
    let shown = home.run(&block("README.md", "## Search", "sh"), "true");
    let flagged = lines_with(&shown, "/home/alice/mail/.headers/").len();
    assert_eq!(flagged, 1, "{shown}");
    let texts = lines_with(&shown, "/home/alice/mail/.text/").len();
    assert_eq!(texts, holding("invoice"), "{shown}");
    let messages = lines_with(&shown, ".eml").len();
    // The first message came with the first second of the year; only the others are newer than
    // that.
    assert_eq!(messages, holding("invoice") + COUNT - 1, "{shown}");
}

#[test]
fn mail_is_backed_up() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "diff -r ~/mail ~/backup; ls ~/backup | wc -l";
    let shown = home.run(&block("README.md", "## Back up", "sh"), check);
    assert_eq!(shown, format!("{COUNT}\n"));
}

#[test]
fn removed_mail_is_shown_and_taken_back() {
    // Dovecot gives the message with the id 11 the name that the block has.
    let around = ["0000002", "66d6c3f1"];
    let home = Home::with_unique_ids(&everyday(COUNT), Some(around));
    let check = "ls ~/mail | wc -l";
    let shown = home.run(&block("README.md", "## Delete", "sh"), check);
    assert!(shown.starts_with("0000002b66d6c3f1.eml\n"), "{shown}");
    assert!(shown.ends_with(&format!("\n{COUNT}\n")), "{shown}");
    assert_eq!(home.left(), COUNT);
}

#[test]
fn a_password_comes_from_a_file_of_her_own() {
    let home = Home::with_everyday_mail(3);
    let mount = block("providers.md", "## Passwords", "sh");
    let before = "rm ~/.mail-password; unset POP3FS_PASSWORD; ";
    let after = "ls ~/mail | wc -l; stat -c %a ~/.mail-password; pop3fs umount ~/mail >/dev/null";
    let shown = home.run_bare(&mount, before, after);
    assert!(shown.ends_with("3\n600\n"), "{shown}");
}

#[test]
fn a_server_is_tried_step_by_step() {
    let home = Home::with_everyday_mail(3);
    let check = block("providers.md", "## TLS and certificates", "sh");
    let shown = home.run_bare(&check, "", "ls -A ~");
    assert!(shown.contains("3 messages"), "{shown}");
}

#[test]
fn a_certificate_of_her_own_is_made_one_file_and_used() {
    let home = Home::with_everyday_mail(3);
    home.write_identity("alice.crt", "alice.key");
    let folder = home.folder().display().to_string();
    let mount = block("providers.md", "## Your own certificate", "sh");
    let before = format!("mkdir ~/mail; cp {folder}/alice.* ~; ");
    let after = "ls ~/mail | wc -l; pop3fs umount ~/mail >/dev/null";
    let shown = home.run_bare(&mount, &before, after);
    assert!(shown.ends_with("\n3\n"), "{shown}");
}

#[test]
fn the_server_is_reached_through_a_proxy() {
    let home = Home::with_everyday_mail(3);
    let port = free_port().to_string();
    let mount = block("providers.md", "## A proxy", "sh").replace("1080", &port);
    let before = format!(
        "mkdir ~/mail; microsocks -i 127.0.0.1 -p {port} >/dev/null 2>~/proxy.log & \
         until (: </dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 %1; done; "
    );
    let after = "ls ~/mail | wc -l; pop3fs umount ~/mail >/dev/null; cat ~/proxy.log; kill %1";
    let shown = home.run_bare(&mount, &before, after);
    assert!(shown.contains("\n3\n"), "{shown}");
    assert!(
        shown.contains("connected to mail.example.org:995"),
        "{shown}"
    );
}
