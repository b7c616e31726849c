//! The README as data: its headings, its fenced blocks, its table of messages.

const README: &str = include_str!("../../README.md");

/// The first fenced block in `language` below the heading, without the fences.
pub(crate) fn block(heading: &str, language: &str) -> String {
    let fence = format!("```{language}");
    let lines = section(heading).skip_while(|line| *line != fence).skip(1);
    let block: Vec<&str> = lines.take_while(|line| *line != "```").collect();
    assert!(!block.is_empty(), "no {language} below {heading:?}");
    block.join("\n") + "\n"
}

/// A fenced block, wherever it is.
pub(crate) struct Block {
    /// The heading that it stands below.
    pub(crate) heading: &'static str,
    pub(crate) language: &'static str,
    /// Without the fences.
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

/// All fenced blocks.
pub(crate) fn blocks() -> Vec<Block> {
    let (mut found, mut heading) = (Vec::new(), "");
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(Block {
                heading,
                language,
                text: block.join("\n") + "\n",
            });
        } else if line.starts_with('#') {
            heading = line;
        }
    }
    found
}

/// The block that begins with this line.
pub(crate) fn block_with(line: &str) -> String {
    let found = blocks()
        .into_iter()
        .find(|block| block.first_line() == line);
    found
        .unwrap_or_else(|| panic!("no block begins with {line:?}"))
        .text
}

/// The headings of the recipes.
pub(crate) fn recipes() -> Vec<&'static str> {
    section("## Recipes")
        .filter(|line| line.starts_with("### "))
        .collect()
}

/// What stands in backticks in the first column of the table of messages.
pub(crate) fn messages() -> Vec<&'static str> {
    let rows = section("## Troubleshooting by message").filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// The lines up to the next heading that is as high.
fn section(heading: &str) -> impl Iterator<Item = &'static str> {
    let level = heading.split(' ').next().expect("a heading").len();
    let ends = move |line: &str| {
        let hashes = line.bytes().take_while(|octet| *octet == b'#').count();
        (1..=level).contains(&hashes) && line[hashes..].starts_with(' ')
    };
    let mut lines = README.lines();
    assert!(
        lines.any(|line| line == heading),
        "no {heading:?} in the README"
    );
    let mut is_code = false;
    lines.take_while(move |line| {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        is_code || !ends(line)
    })
}
