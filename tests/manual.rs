//! The manual page and the completions, as the programs that use them see them.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use common::{PROGRAM, run, stdout_of};
use tempfile::TempDir;

/// What `pop3fs ARGUMENT…` prints, in a file of its own.
fn printed(arguments: &[&str], name: &str) -> (TempDir, PathBuf) {
    let text = stdout_of(&[&[PROGRAM], arguments].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    (folder, path)
}

fn assert_silent(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn man_finds_nothing_to_warn_of_in_the_page() {
    let (_folder, page) = printed(&["man"], "pop3fs.1");
    let page = page.to_str().expect("a path in ASCII");
    let output = run(&[
        "env",
        "LC_ALL=C.UTF-8",
        "MANWIDTH=80",
        "man",
        "--warnings",
        "-l",
        page,
    ]);
    assert_silent(&output);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for section in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "EXAMPLES",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
    ] {
        assert!(
            shown.lines().any(|line| line == section),
            "{section}: {shown}"
        );
    }
}

#[test]
fn mandoc_finds_nothing_to_say_of_the_page() {
    let (_folder, page) = printed(&["man"], "pop3fs.1");
    let output = run(&["mandoc", "-Tlint", page.to_str().expect("a path in ASCII")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_silent(&output);
}

#[test]
fn bash_completes_commands_and_options() {
    let (_folder, script) = printed(&["completions", "bash"], "pop3fs");
    let complete = "\
        source \"$0\"; \
        complete_word() { COMP_WORDS=(pop3fs \"$1\"); COMP_CWORD=1; COMPREPLY=(); _pop3fs pop3fs \"$1\" pop3fs; echo \"${COMPREPLY[@]}\"; }; \
        complete_word um; complete_word --cache_s; complete -p pop3fs";
    let script = script.to_str().expect("a path in ASCII");
    let shown = stdout_of(&["bash", "--norc", "-euc", complete, script]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[..2], ["umount", "--cache_size"]);
    assert!(lines[2].ends_with("-F _pop3fs pop3fs"), "{shown}");
}

#[test]
fn zsh_takes_the_completions_for_the_program() {
    let (folder, _script) = printed(&["completions", "zsh"], "_pop3fs");
    // The function is loaded whole, so that a fault in it shows.
    let load = "fpath=($0 $fpath); autoload -U compinit; compinit -D -u; echo $_comps[pop3fs]; autoload +X _pop3fs";
    let folder = folder.path().to_str().expect("a path in ASCII");
    let output = run(&["zsh", "-f", "-e", "-c", load, folder]);
    assert_silent(&output);
    assert_eq!(output.stdout, b"_pop3fs\n");
}

#[test]
fn fish_completes_commands_and_options() {
    let (folder, script) = printed(&["completions", "fish"], "pop3fs.fish");
    let script = script.to_str().expect("a path in ASCII");
    let home = format!("HOME={}", folder.path().display());
    let complete =
        format!("source {script}; complete -C 'pop3fs um'; complete -C 'pop3fs --cache_s'");
    let shown = stdout_of(&["env", &home, "fish", "--no-config", "--command", &complete]);
    let words: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(words, ["umount", "--cache_size"]);
}
