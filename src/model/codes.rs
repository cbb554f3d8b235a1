//! The codes of problems and the page of each: `docs/codes/<CODE>.md`, built into the
//! program. One text serves `explain`, code review (SARIF), the book and the tests that
//! run its examples. Nothing here knows what a code is about: the page says it.
//!
//! The form of a page is told in `docs/codes/README.md`.

use super::diagnostic::Severity;
use rust_embed::RustEmbed;

/// The heading under which a page shows how its code is turned off in a file.
const ALLOW: &str = "Allow";
/// The heading under which a page shows files that give its code.
const WRONG: &str = "Wrong";
/// The heading under which a page shows the same files, repaired.
const RIGHT: &str = "Right";

/// What begins the line that names the command that finds it, where `check` does not.
const FOUND_BY: &str = "Found by:";

#[derive(RustEmbed)]
#[folder = "docs/codes/"]
struct Files;

/// What is written about one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The code, such as `E104`.
    pub code: String,
    /// What it says, one line, lower case.
    pub title: String,
    /// The whole page, as Markdown.
    pub text: String,
}

/// A file in an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The first word after the fence: `toml`, `handlebars`, `missing`, …
    pub language: String,
    /// The path under the shop's folder.
    pub path: String,
    pub text: String,
}

/// Every code, in order.
pub fn all() -> Vec<Page> {
    let mut names: Vec<String> = Files::iter()
        .filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
        .filter(|name| is_code(name))
        .collect();
    names.sort_by(|a, b| (&a[1..], a).cmp(&(&b[1..], b)));
    names.iter().filter_map(|code| page(code)).collect()
}

/// The page of a code, whatever the case of its letter.
pub fn page(code: &str) -> Option<Page> {
    let code = code.trim().to_ascii_uppercase();
    if !is_code(&code) {
        return None;
    }
    let file = Files::get(&format!("{code}.md"))?;
    let text = String::from_utf8(file.data.into_owned()).ok()?;
    let title = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# "))
        .and_then(|line| line.strip_prefix(code.as_str()))
        .and_then(|line| line.strip_prefix(": "))
        .unwrap_or_default()
        .trim()
        .to_owned();
    Some(Page { code, title, text })
}

/// Whether a file may turn a code off: its page then says how, and when that is right.
pub fn may_be_allowed(code: &str) -> bool {
    page(code).is_some_and(|page| page.section(ALLOW).is_some())
}

/// Whether `check` by itself looks for a code: another command's page says whose it is
/// in a line `Found by:`.
pub fn is_of_check(code: &str) -> bool {
    page(code).is_some_and(|page| page.found_by().is_none())
}

/// `E` or `W` and three digits.
pub fn is_code(text: &str) -> bool {
    let mut letters = text.chars();
    matches!(letters.next(), Some('E' | 'W'))
        && text.len() == 4
        && letters.all(|c| c.is_ascii_digit())
}

impl Page {
    /// Error or warning, by the code's letter.
    pub fn severity(&self) -> Severity {
        if self.code.starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
    }

    /// Why it matters: what stands between the title and the first heading.
    pub fn why(&self) -> &str {
        let rest = self.text.split_once('\n').map_or("", |(_, rest)| rest);
        rest.split("\n## ").next().unwrap_or_default().trim()
    }

    /// The command that finds it, where `check` alone does not.
    pub fn found_by(&self) -> Option<&str> {
        let line = self
            .text
            .lines()
            .find_map(|line| line.strip_prefix(FOUND_BY))?;
        Some(line.trim().trim_matches('`'))
    }

    /// What stands under a heading.
    fn section(&self, heading: &str) -> Option<&str> {
        self.text
            .split("\n## ")
            .skip(1)
            .find_map(|part| part.strip_prefix(heading)?.strip_prefix('\n'))
    }

    /// Files that give this code.
    pub fn wrong(&self) -> Vec<Example> {
        examples(self.section(WRONG).unwrap_or_default())
    }

    /// The same files without it.
    pub fn right(&self) -> Vec<Example> {
        examples(self.section(RIGHT).unwrap_or_default())
    }

    /// The files with the code turned off, where it may be.
    pub fn allowed(&self) -> Option<Vec<Example>> {
        self.section(ALLOW).map(examples)
    }
}

/// The fenced files of a text: those whose fence names a path.
pub fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        if ticks < 3 {
            continue;
        }
        let fence = &line[..ticks];
        let mut body = String::new();
        for line in lines.by_ref() {
            if line.trim_end() == fence {
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        if let Some((language, path)) = line[ticks..].trim().split_once(' ') {
            found.push(Example {
                language: language.to_owned(),
                path: path.trim().to_owned(),
                text: body,
            });
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_in_any_case_and_taken_apart() {
        let page = page(" e104 ").unwrap();
        assert_eq!(page.code, "E104");
        assert_eq!(page.title, "unknown key");
        assert_eq!(page.severity(), Severity::Error);
        assert!(page.why().contains("spared"), "{}", page.why());
        assert!(!page.wrong().is_empty() && !page.right().is_empty());
        assert_eq!(page.allowed(), None);
        for none in ["E999", "../E104", "README", "", "E1Ü4", "Ü"] {
            assert_eq!(super::page(none), None, "{none}");
        }
    }

    #[test]
    fn codes_come_in_the_order_of_their_numbers() {
        let codes: Vec<String> = all().into_iter().map(|page| page.code).collect();
        assert!(codes.len() > 5);
        assert!(
            codes.windows(2).all(|two| two[0][1..] <= two[1][1..]),
            "{codes:?}"
        );
    }

    #[test]
    fn examples_name_their_paths_and_may_hold_fences() {
        let text = "a\n```toml config/a.toml\nx = 1\n```\nb\n````md mail.md\n```\ny\n```\n````\n```sh\nno\n```\n";
        let found = examples(text);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].path.as_str(), found[0].text.as_str()),
            ("config/a.toml", "x = 1\n")
        );
        assert_eq!(found[1].text, "```\ny\n```\n");
        assert_eq!(found[1].language, "md");
    }
}
