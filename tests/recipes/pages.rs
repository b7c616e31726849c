//! README.md and the pages of contrib/doc as data: their headings, their fenced blocks, their
//! links, the table of messages.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every page that users read, by its file name. README.md comes first.
static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let mut paths: Vec<_> = fs::read_dir(Path::new(ROOT).join("contrib/doc"))
        .expect("the folder of pages")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.sort();
    paths.insert(0, Path::new(ROOT).join("README.md"));
    paths.iter().map(|path| Page::read(path)).collect()
});

/// A page of Markdown.
pub(crate) struct Page {
    pub(crate) name: String,
    /// The folder that its links start from.
    pub(crate) folder: String,
    pub(crate) text: String,
}

impl Page {
    fn read(path: &Path) -> Self {
        let name = path.file_name().expect("a file name");
        Self {
            name: name.to_string_lossy().into_owned(),
            folder: path.parent().expect("a folder").display().to_string(),
            text: fs::read_to_string(path).expect("a page"),
        }
    }

    /// The headings with their `#`s. Lines of blocks are none.
    pub(crate) fn headings(&self) -> impl Iterator<Item = &str> {
        self.lines_outside_blocks()
            .filter(|line| line.starts_with('#'))
    }

    /// The lines that stand in no fenced block.
    pub(crate) fn lines_outside_blocks(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }

    /// The targets of its links, such as `views.md#attributes`.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        self.text
            .split("](")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(')')?.0))
    }
}

/// A fenced block, without the fences.
pub(crate) struct Block {
    /// The name of its page.
    pub(crate) page: &'static str,
    /// The heading that it stands below.
    pub(crate) heading: &'static str,
    pub(crate) language: &'static str,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

/// All pages.
pub(crate) fn pages() -> &'static [Page] {
    &PAGES
}

/// The page with this file name.
pub(crate) fn page(name: &str) -> &'static Page {
    PAGES
        .iter()
        .find(|page| page.name == name)
        .unwrap_or_else(|| panic!("no page {name}"))
}

/// The fenced blocks of all pages.
pub(crate) fn blocks() -> impl Iterator<Item = Block> {
    PAGES.iter().flat_map(blocks_of)
}

fn blocks_of(page: &'static Page) -> Vec<Block> {
    let (mut found, mut heading) = (Vec::new(), "");
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(Block {
                page: &page.name,
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

/// The first block in `language` directly below the heading.
pub(crate) fn block(page: &str, heading: &str, language: &str) -> String {
    blocks_of(self::page(page))
        .into_iter()
        .find(|block| block.heading == heading && block.language == language)
        .unwrap_or_else(|| panic!("{page} has no {language} below {heading:?}"))
        .text
}

/// The block of the page that begins with this line.
pub(crate) fn block_with(page: &str, line: &str) -> String {
    blocks_of(self::page(page))
        .into_iter()
        .find(|block| block.first_line() == line)
        .unwrap_or_else(|| panic!("no block of {page} begins with {line:?}"))
        .text
}

/// What stands in backticks in the first column of the table of messages.
pub(crate) fn messages() -> Vec<&'static str> {
    let page = page("troubleshooting.md");
    let rows = page
        .lines_outside_blocks()
        .filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}
