//! The shell completions, made from the definition of the command line. The scripts ask `pop3fs
//! complete` for the accounts, mounts and options that there are.

use std::process::ExitCode;

use crate::cli::arguments::manual::print;
use crate::cli::arguments::{Shell, command_line};

/// Runs the generated function, renamed, and adds names to what it found. bash replaces only what
/// stands behind the last `=`.
const BASH: &str = r#"
_pop3fs() {
    local word="${COMP_WORDS[COMP_CWORD]}" names= found=
    local typed="${COMP_LINE:0:COMP_POINT}"
    local list="${typed##* }"
    if [[ "$typed" == *' -o '"$list" ]]; then
        local IFS=$'\n'
        compopt -o nospace
        [ "$word" = = ] && word=
        for found in $(compgen -W "$(pop3fs complete options 2>/dev/null)" -- "${list##*,}"); do
            found="${list%"${list##*,}"}$found"
            COMPREPLY+=("${found#"${list%"$word"}"}")
        done
        return
    fi
    _pop3fs_generated "$@" || true
    local IFS=$'\n'
    case "$word" in -*) return ;; esac
    case "${COMP_WORDS[1]:-}" in
        MOUNT_COMMANDS) names=mounts ;;
        check) names=accounts ;;
    esac
    if [ "$COMP_CWORD" = 1 ]; then names=accounts; fi
    if [ -n "$names" ]; then
        COMPREPLY+=($(compgen -W "$(pop3fs complete "$names" 2>/dev/null)" -- "$word" || true))
    fi
}
"#;

/// The generated function expects a command behind SOURCE and MOUNTPOINT, so ours puts two words in
/// front of it.
const ZSH: &str = r#"
_pop3fs() {
    local names=
    if [[ "${words[CURRENT-1]}" = -o ]]; then
        compset -P '*,'
        compadd -S '' -- ${(f)"$(pop3fs complete options 2>/dev/null)"}
        return
    fi
    case "${words[2]:-}" in
        MOUNT_COMMANDS) names=mounts ;;
        check) names=accounts ;;
    esac
    if (( CURRENT == 2 )); then
        names=accounts
        _pop3fs_commands
    elif [[ "${words[2]}" = (OTHER_COMMANDS|MOUNT_COMMANDS) ]]; then
        words=("${words[1]}" . . "${(@)words[2,-1]}")
        (( CURRENT += 2 ))
    fi
    if [[ -n "$names" ]]; then
        compadd -- ${(f)"$(pop3fs complete $names 2>/dev/null)"}
    fi
    _pop3fs_generated "$@"
}
"#;

/// The generated conditions take SOURCE for a command, and fail where an option lacks its value.
const FISH: &str = r#"
function __fish_pop3fs_has_no_command
    not __fish_seen_subcommand_from OTHER_COMMANDS MOUNT_COMMANDS
end
complete -c pop3fs -n __fish_pop3fs_needs_command -f -a "(pop3fs complete accounts 2>/dev/null)" -d account
complete -c pop3fs -n "__fish_seen_subcommand_from check" -f -a "(pop3fs complete accounts 2>/dev/null)" -d account
complete -c pop3fs -n "__fish_seen_subcommand_from MOUNT_COMMANDS" -a "(pop3fs complete mounts 2>/dev/null)" -d mount
complete -c pop3fs -n "__fish_seen_subcommand_from completions" -f -a "bash zsh fish"
complete -c pop3fs -s o -r -f -a "(__fish_complete_list , 'pop3fs complete options')"
"#;

/// The commands that ask for a mount.
const MOUNT_COMMANDS: [&str; 8] = [
    "umount", "unmount", "commit", "restore", "fetch", "search", "watch", "status",
];

/// `pop3fs completions SHELL`: writes the script for the shell to standard output.
pub fn completions(shell: Shell) -> ExitCode {
    print(script(shell).as_bytes())
}

fn script(shell: Shell) -> String {
    let mut command = command_line();
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut generated = Vec::new();
    clap_complete::generate(generator, &mut command, "pop3fs", &mut generated);
    let generated = String::from_utf8_lossy(&generated);
    let named = |text: &str, between: &str| {
        let names = command.get_subcommands().map(clap::Command::get_name);
        let others = names.filter(|name| !MOUNT_COMMANDS.contains(name));
        text.replace("OTHER_COMMANDS", &others.collect::<Vec<_>>().join(between))
            .replace("MOUNT_COMMANDS", &MOUNT_COMMANDS.join(between))
    };
    match shell {
        Shell::Bash => in_front(&generated, &named(BASH, "|")),
        Shell::Zsh => in_front(&generated, &named(ZSH, "|")),
        Shell::Fish => with_options_anywhere(&generated) + &named(FISH, " "),
    }
}

/// The generated function is defined once. What stands behind it registers or calls it, so ours
/// goes in front.
fn in_front(generated: &str, function: &str) -> String {
    let (before, after) = generated
        .split_once("_pop3fs() {")
        .unwrap_or((generated, ""));
    format!("{before}{}\n_pop3fs_generated() {{{after}", function.trim())
}

/// Options of a mount are offered wherever no command is.
fn with_options_anywhere(generated: &str) -> String {
    ["-s ", "-l "]
        .iter()
        .fold(generated.to_owned(), |script, option| {
            script.replace(
                &format!("-n \"__fish_pop3fs_needs_command\" {option}"),
                &format!("-n __fish_pop3fs_has_no_command {option}"),
            )
        })
}
