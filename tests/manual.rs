//! The manual page and the completions, checked by the programs that use them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{PROGRAM, run, stdout_of};
use pop3fs::cli::Failure;
use pop3fs::cli::options::TABLE;
use tempfile::TempDir;

const REFERENCE: &str = include_str!("../contrib/doc/reference.md");

/// A file with the output of `pop3fs ARGUMENT…`.
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
        "VIEWS",
        "ATTRIBUTES",
        "DELETING",
        "LIMITS",
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
fn the_manual_has_every_view_and_every_attribute() {
    let manual = manual();
    let views = ["text", "headers", "parts", "named", "maildir"].map(|name| format!(".{name}/"));
    for view in views
        .iter()
        .map(String::as_str)
        .chain([".deleted/", ".search/QUERY/"])
    {
        assert!(manual.contains(view), "{view}");
    }
    let page = include_str!("../contrib/doc/views.md");
    let attributes: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("user."))
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert!(attributes.len() > 4, "{attributes:?}");
    for attribute in attributes {
        assert!(manual.contains(attribute), "{attribute}");
    }
    assert!(manual.contains("pop3fs man"), "the synopsis");
}

#[test]
fn mandoc_finds_nothing_to_say_of_the_page() {
    let (_folder, page) = printed(&["man"], "pop3fs.1");
    let output = run(&["mandoc", "-Tlint", page.to_str().expect("a path in ASCII")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_silent(&output);
}

/// A home with the accounts `work` and `home`, and the completions for a shell.
struct Shell {
    folder: TempDir,
    script: PathBuf,
}

impl Shell {
    fn new(shell: &str, script: &str) -> Self {
        let (folder, script) = printed(&["completions", shell], script);
        let config = folder.path().join("config/pop3fs");
        fs::create_dir_all(&config).expect("a folder");
        let accounts =
            ["work", "home"].map(|name| format!("[account.{name}]\nurl = \"pops://al@h\"\n"));
        fs::write(config.join("config.toml"), accounts.concat()).expect("a file");
        Self { folder, script }
    }

    /// What a program of this home prints.
    fn shown(&self, program: &[&str]) -> String {
        let folder = self.folder.path().display();
        let program_folder = Path::new(PROGRAM).parent().expect("a folder").display();
        let environment = [
            format!("HOME={folder}"),
            format!("XDG_CONFIG_HOME={folder}/config"),
            format!("PATH={program_folder}:/usr/bin:/bin"),
            "TERM=dumb".to_owned(),
            "LC_ALL=C.UTF-8".to_owned(),
        ];
        let environment = environment.iter().map(String::as_str);
        let command: Vec<&str> = ["env", "-i"]
            .into_iter()
            .chain(environment)
            .chain(program.iter().copied())
            .collect();
        stdout_of(&command)
    }
}

/// What is typed, and what a shell makes of the last word. bash and zsh show the word, fish all
/// that is possible.
const COMPLETED: &[(&str, &str)] = &[
    ("um", "umount"),
    ("wo", "work"),
    ("--cache_s", "--cache_size"),
    ("--tls im", "implicit"),
    ("-o ti", "timeout="),
    ("-o tls=im", "tls=implicit"),
    ("-o ro,tls=im", "ro,tls=implicit"),
    ("check wo", "work"),
    ("check --tls im", "implicit"),
    ("status --js", "--json"),
    ("work --tls im", "implicit"),
    ("work /mnt --xa", "--xattr"),
    ("completions ba", "bash"),
];

#[test]
fn bash_completes_commands_options_and_accounts() {
    let shell = Shell::new("bash", "pop3fs");
    // bash takes `=` for a word of its own, and replaces only what is behind it.
    let complete = "compopt() { :; }; source \"$0\"; \
        COMP_LINE=\"pop3fs $1\"; COMP_POINT=${#COMP_LINE}; \
        COMP_WORDS=(${COMP_LINE//=/ = }); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
        word=${COMP_WORDS[COMP_CWORD]}; _pop3fs pop3fs \"$word\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
        echo \"${COMP_LINE%\"$word\"}${COMPREPLY[*]}\"; complete -p pop3fs >/dev/null";
    let script = shell.script.to_str().expect("a path in ASCII");
    for (typed, completed) in COMPLETED {
        let shown = shell.shown(&["bash", "--norc", "-euc", complete, script, typed]);
        let last = shown.trim_end().rsplit(' ').next();
        assert_eq!(last, Some(*completed), "{typed}: {shown}");
    }
}

#[test]
fn zsh_takes_the_completions_for_the_program() {
    let (folder, _script) = printed(&["completions", "zsh"], "_pop3fs");
    // Load the whole function, so that a fault in it shows.
    let load = "fpath=($0 $fpath); autoload -U compinit; compinit -D -u; echo $_comps[pop3fs]; autoload +X _pop3fs";
    let folder = folder.path().to_str().expect("a path in ASCII");
    let output = run(&["zsh", "-f", "-e", "-c", load, folder]);
    assert_silent(&output);
    assert_eq!(output.stdout, b"_pop3fs\n");
}

/// A zsh at a terminal of its own: types each word list and Tab, and has zsh print the line.
const TYPE_INTO_ZSH: &str = r#"
zmodload zsh/zpty; zpty shell "zsh -f -i"
read_until() { zpty -r -m shell seen "*$1*"; }
zpty -w shell 'PS1= PS2=; fpath=($0 $fpath); autoload -U compinit; compinit -D -u'
zpty -w shell 'tell() { print -r -- "<$BUFFER>"; BUFFER=; zle redisplay }; zle -N tell; bindkey "^X" tell; echo be''gin'
read_until begin
for typed in "$@"; do
    zpty -w -n shell "pop3fs $typed"$'\t\x18'
    read_until '<*>'
    print -r -- "${${seen##*<}%%>*}"
done
"#;

#[test]
fn zsh_completes_commands_options_and_accounts() {
    let shell = Shell::new("zsh", "_pop3fs");
    let folder = shell.folder.path().to_str().expect("a path in ASCII");
    let script = TYPE_INTO_ZSH.replace("$0", folder);
    let typed: Vec<&str> = COMPLETED.iter().map(|(typed, _)| *typed).collect();
    let program = ["zsh", "-f", "-c", &script, "type"];
    let shown = shell.shown(&[&program[..], &typed].concat());
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), COMPLETED.len(), "{shown}");
    for (line, (typed, completed)) in lines.iter().zip(COMPLETED) {
        let last = line.trim_end().rsplit(' ').next();
        let last = last.map(|word| word.trim_end_matches('='));
        assert_eq!(
            last,
            Some(completed.trim_end_matches('=')),
            "{typed}: {line}"
        );
    }
}

#[test]
fn fish_completes_commands_options_and_accounts() {
    let shell = Shell::new("fish", "pop3fs.fish");
    let script = shell.script.display();
    for (typed, completed) in COMPLETED {
        let complete = format!("source {script}; complete -C 'pop3fs {typed}'");
        let shown = shell.shown(&["fish", "--no-config", "--command", &complete]);
        let mut words = shown.lines().filter_map(|line| line.split('\t').next());
        assert!(words.any(|word| word == *completed), "{typed}: {shown}");
    }
}

/// The formatted manual with lines of any length.
fn manual() -> String {
    let (_folder, page) = printed(&["man"], "pop3fs.1");
    let page = page.to_str().expect("a path in ASCII");
    let shown = stdout_of(&["env", "LC_ALL=C.UTF-8", "MANWIDTH=1000", "man", "-l", page]);
    // Replace the hyphens of the formatter.
    shown.replace('\u{2010}', "-")
}

/// The lines below a heading of the page of commands and options.
fn section(heading: &str) -> &'static str {
    let (_, rest) = REFERENCE.split_once(heading).expect("a heading");
    rest.split_once("\n## ")
        .map_or(rest, |(section, _)| section)
}

/// The text in backticks in the first cells of a table.
fn first_cells(section: &str) -> Vec<&str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn the_page_of_options_has_all_of_them_and_no_others() {
    let mut told = first_cells(section("\n## Options\n"));
    let mut there: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    told.sort_unstable();
    there.sort_unstable();
    assert_eq!(told, there);
}

#[test]
fn the_manual_has_every_option_and_every_exit_status() {
    let manual = manual();
    for row in TABLE {
        assert!(manual.contains(row.name), "{}", row.name);
        assert!(manual.contains(row.help), "{}", row.name);
    }
    for failure in Failure::ALL {
        let line = format!("{:<7}{}.", failure.status(), failure.meaning());
        assert!(manual.contains(&line), "{line}");
    }
}

/// The commands and their options according to the help.
fn commands() -> Vec<(String, Vec<String>)> {
    let help = stdout_of(&[PROGRAM, "--help"]);
    let listed = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands"));
    let listed = listed.skip(1).take_while(|line| !line.is_empty());
    let mut names: Vec<String> = listed
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(ToOwned::to_owned)
        .collect();
    names.push("man".to_owned());
    let options = |name: &String| -> Vec<String> {
        let help = stdout_of(&[PROGRAM, "help", name]);
        help.split([' ', ',', '\n'])
            .filter(|word| word.starts_with("--") && *word != "--help")
            .map(ToOwned::to_owned)
            .filter(|word| !TABLE.iter().any(|row| *word == format!("--{}", row.name)))
            .collect()
    };
    names
        .into_iter()
        .map(|name| (name.clone(), options(&name)))
        .collect()
}

#[test]
fn the_help_says_how_to_write_options_and_where_the_rest_is() {
    let help = stdout_of(&[PROGRAM, "--help"]);
    for line in [
        "Usage: pop3fs [-f] [-d] [-r] [-v] [-o opt[,opt…]] SOURCE MOUNTPOINT\n       pop3fs COMMAND\n",
        "This text (`man pop3fs` has all); the version\n",
        "\nCommands (`pop3fs help COMMAND` tells more):\n",
        "\nOptions, as -o name=value[,name=value…] or --name value (\\, is a comma):\n",
    ] {
        assert!(help.contains(line), "{help}");
    }
    let of_check = stdout_of(&[PROGRAM, "help", "check"]);
    let list = "Options, as -o name=value; a comma in a value is \\,";
    assert!(of_check.contains(list), "{of_check}");
}

#[test]
fn the_page_and_the_manual_have_every_command_and_its_options() {
    let (manual, page) = (manual(), section("\n## Commands\n"));
    assert!(commands().len() > 8);
    for (command, options) in commands() {
        assert!(page.contains(&format!("`{command}")), "{command}");
        if command != "man" {
            assert!(manual.contains(&format!("pop3fs {command}")), "{command}");
        }
        for option in options {
            assert!(manual.contains(&option), "{command} {option}");
        }
    }
}

#[test]
fn the_manual_has_every_variable_that_is_read() {
    let (manual, mut read) = (manual(), vec!["POP3FS_PASSWORD".to_owned()]);
    for path in sources(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let source = fs::read_to_string(path).expect("a source");
        let calls = source.split("var_os(\"").skip(1);
        read.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
    }
    assert!(read.len() > 5, "{read:?}");
    for variable in read {
        assert!(manual.contains(&variable), "{variable}");
    }
}

fn sources(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}
