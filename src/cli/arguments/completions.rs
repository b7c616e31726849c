//! The shell completions, made from the definition of the command line. The scripts ask `pop3fs
//! complete` for the accounts and mounts that there are.

use std::process::ExitCode;

use crate::cli::arguments::manual::print;
use crate::cli::arguments::{Shell, command_line};

/// Runs the generated function, renamed, and adds names to what it found.
const BASH: &str = r#"
_pop3fs() {
    _pop3fs_generated "$@" || true
    local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}" names=
    case "$word" in -*) return ;; esac
    case "${COMP_WORDS[1]:-}" in
        umount|unmount|commit|restore|fetch|status) names=mounts ;;
        check) names=accounts ;;
    esac
    if [ "$COMP_CWORD" = 1 ]; then names=accounts; fi
    if [ -n "$names" ]; then
        COMPREPLY+=($(compgen -W "$(pop3fs complete "$names" 2>/dev/null)" -- "$word" || true))
    fi
}
"#;

const ZSH: &str = r#"
_pop3fs() {
    local names=
    case "${words[2]:-}" in
        umount|unmount|commit|restore|fetch|status) names=mounts ;;
        check) names=accounts ;;
    esac
    if (( CURRENT == 2 )); then names=accounts; fi
    if [[ -n "$names" ]]; then
        compadd -- ${(f)"$(pop3fs complete $names 2>/dev/null)"}
    fi
    _pop3fs_generated "$@"
}
"#;

const FISH: &str = r#"
complete -c pop3fs -n __fish_use_subcommand -f -a "(pop3fs complete accounts 2>/dev/null)" -d account
complete -c pop3fs -n "__fish_seen_subcommand_from check" -f -a "(pop3fs complete accounts 2>/dev/null)" -d account
complete -c pop3fs -n "__fish_seen_subcommand_from umount unmount commit restore fetch status" -a "(pop3fs complete mounts 2>/dev/null)" -d mount
"#;

/// `pop3fs completions SHELL`: writes the script for the shell to standard output.
pub fn completions(shell: Shell) -> ExitCode {
    print(script(shell).as_bytes())
}

fn script(shell: Shell) -> String {
    let (generator, names) = match shell {
        Shell::Bash => (clap_complete::Shell::Bash, BASH),
        Shell::Zsh => (clap_complete::Shell::Zsh, ZSH),
        Shell::Fish => (clap_complete::Shell::Fish, FISH),
    };
    let mut generated = Vec::new();
    clap_complete::generate(generator, &mut command_line(), "pop3fs", &mut generated);
    let generated = String::from_utf8_lossy(&generated).into_owned();
    // The function is defined once. What stands behind it registers or calls it, so ours goes in
    // front.
    match generated.split_once("_pop3fs() {") {
        Some((before, after)) => format!("{before}{}\n_pop3fs_generated() {{{after}", names.trim()),
        None => generated + names,
    }
}
