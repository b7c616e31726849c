//! No block of a page is left out, no link leads nowhere, and the README stays short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{Block, Page, blocks, messages, page, pages};

/// The longest README, in words.
const MOST_WORDS: usize = 1_600;
/// The lines of a terminal or browser window.
const SCREEN: usize = 40;

/// The blocks that are not run here: page, first line, and why not.
const NOT_RUN: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "$ pop3fs pops://alice@mail.example.org ~/mail",
        "a first glance; each of its commands is run further down",
    ),
    (
        "README.md",
        "sudo apt install gcc libc6-dev pkg-config libssl-dev fuse3      # Debian and Ubuntu",
        "installs; contrib/check.sh installs the same packages, and runs the same `cargo install`",
    ),
    (
        "README.md",
        "sudo apt install ./$(contrib/deb/build.sh)",
        "installs; contrib/deb/check.sh does the same",
    ),
    (
        "views.md",
        "$ getfattr -d 04-invoice.eml",
        "`pop3fs demo` takes no options; tests/reading/xattrs.rs shows the same",
    ),
    (
        "search.md",
        "ls ~/mail/.search/'invoice from:alice after:2024-01'",
        "of a maildrop with other mail; tests/reading/search.rs does the same",
    ),
    (
        "HACKING.md",
        "sudo apt install musl-tools make perl",
        "installs a target of rustup, and takes minutes to compile OpenSSL",
    ),
    (
        "HACKING.md",
        "contrib/check.sh     # installs the servers and tools that the tests use, and runs everything",
        "runs this test",
    ),
];

#[test]
fn every_block_is_run_here_or_has_a_reason_not_to_be() {
    let tests = squeezed(&texts_below("tests/recipes"));
    for (page, line, _) in NOT_RUN {
        let is_there = |block: Block| block.page == *page && block.first_line() == *line;
        assert!(blocks().any(is_there), "{page}: {line}");
    }
    let mut seen = BTreeSet::new();
    for block in blocks() {
        let (page, line) = (block.page, block.first_line());
        let is_first = seen.insert((page, block.heading, block.language));
        let by_line = format!("block_with({page:?}, {line:?})");
        let by_heading = format!("block({page:?}, {:?}, {:?})", block.heading, block.language);
        let is_run = tests.contains(&squeezed(&by_line))
            || is_first && tests.contains(&squeezed(&by_heading));
        let is_excused = NOT_RUN
            .iter()
            .any(|(excused, first_line, _)| *excused == page && *first_line == line);
        assert!(is_run != is_excused, "{page}: {line}");
    }
}

#[test]
fn every_command_block_says_its_language() {
    const LANGUAGES: &[&str] = &["sh", "fish", "zsh", "console", "toml", "fstab"];
    for block in blocks() {
        let language = block.language;
        assert!(LANGUAGES.contains(&language), "{}: {language}", block.page);
    }
}

#[test]
fn every_recipe_is_in_the_list_of_recipes() {
    let page = page("recipes.md");
    let links: Vec<&str> = page.links().collect();
    for heading in page.headings().filter_map(|line| line.strip_prefix("## ")) {
        assert!(links.contains(&anchor(heading).as_str()), "{heading}");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        for link in page.links().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = Path::new(&page.folder).join(file);
            assert!(path.exists(), "{}: {link}", page.name);
            assert!(
                anchor.is_empty() || anchors(page, file).contains(&format!("#{anchor}")),
                "{}: {link}",
                page.name
            );
        }
    }
}

#[test]
fn every_file_of_the_project_that_a_page_names_exists() {
    let (mut named, folders) = (0, ["src/", "tests/", "contrib/"]);
    for page in pages() {
        for line in page.lines_outside_blocks() {
            let words = line.split('`').skip(1).step_by(2);
            for path in words.filter(|word| folders.iter().any(|folder| word.starts_with(folder))) {
                // A script may stand there with its arguments.
                let file = path.split(' ').next().expect("a word");
                assert!(path_of(file).exists(), "{}: {path}", page.name);
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_readme_links_to_every_page() {
    let links: Vec<&str> = page("README.md").links().collect();
    for page in &pages()[1..] {
        let link = format!("contrib/doc/{}", page.name);
        assert!(links.contains(&link.as_str()), "{link}");
    }
}

#[test]
fn the_readme_is_short_and_shows_the_basics_early() {
    let readme = &page("README.md").text;
    let words = readme.split_whitespace().count();
    assert!(words <= MOST_WORDS, "{words} words");
    for (heading, command) in [
        ("## Install", "cargo install"),
        ("## Mount", "pop3fs pops://"),
        ("## Mount", "pop3fs umount"),
    ] {
        let below = readme.lines().skip_while(|line| *line != heading);
        let screen: Vec<&str> = below.take(SCREEN).collect();
        assert!(
            screen.iter().any(|line| line.starts_with(command)),
            "{command}"
        );
    }
}

#[test]
fn the_packages_that_the_readme_names_are_those_that_check_sh_installs() {
    let check = fs::read_to_string(path_of("contrib/check.sh")).expect("contrib/check.sh");
    let installed: Vec<&str> = check.split_whitespace().collect();
    let install = blocks().find(|block| block.heading == "## Install");
    let install = install.expect("a block below Install");
    let packages = install.first_line().strip_prefix("sudo apt install ");
    let packages = packages.expect("a line for apt");
    let packages = packages.split('#').next().expect("packages");
    assert!(packages.split_whitespace().count() > 3);
    for package in packages.split_whitespace() {
        assert!(installed.contains(&package), "{package}");
    }
}

#[test]
fn every_message_of_the_troubleshooting_is_one_that_is_said() {
    let sources = texts_below("src");
    let of_the_system = [
        nix::errno::Errno::ENOTCONN,
        nix::errno::Errno::ETIMEDOUT,
        nix::errno::Errno::EACCES,
        nix::errno::Errno::EOVERFLOW,
    ];
    let of_the_system = of_the_system.map(nix::errno::Errno::desc);
    // As strerror(3) has it.
    let of_the_system = [of_the_system.as_slice(), &["Stale file handle"]].concat();
    assert!(messages().len() > 10);
    for message in messages() {
        let is_said = message.split('…').all(|part| sources.contains(part.trim()))
            || of_the_system.contains(&message);
        assert!(is_said, "{message}");
    }
}

/// The anchors of the page that a link leads to, as GitHub makes them.
fn anchors(from: &Page, file: &str) -> Vec<String> {
    let name = Path::new(file).file_name();
    let name = name.map_or(from.name.as_str(), |name| name.to_str().expect("UTF-8"));
    page(name).headings().map(anchor).collect()
}

/// `## Read with mutt` is `#read-with-mutt`.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    format!("#{}", kept.collect::<String>().replace(' ', "-"))
}

/// Without white space and trailing commas, so that it does not matter how rustfmt breaks lines.
fn squeezed(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    text.replace(",)", ")")
}

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// All Rust sources below a folder of the project.
fn texts_below(folder: &str) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(path_of(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&texts_below(path.to_str().expect("UTF-8")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
    text
}
