//! Which codes a template turns off for itself: a mail in its head, `allow = { W230 =
//! "reason" }`; a file without a head in a comment, `{{!-- allow W230: reason --}}`, or
//! `# allow W230: reason` in the wording of `templates/strings`.

use super::front;
use crate::model::allow::Allowance;
use crate::model::codes::is_code;

/// What such a comment begins with.
const WORD: &str = "allow ";

/// Reads the allowances of all templates. Heads that cannot be read are left to others.
pub fn allowances(files: &[(String, String)]) -> Vec<Allowance> {
    let mut found = Vec::new();
    for (path, text) in files {
        let Some(rest) = path.strip_prefix("templates/") else {
            continue;
        };
        if !text.contains(WORD.trim_end()) {
            continue;
        }
        if rest.starts_with("mail/") && !path.ends_with(".txt") {
            found.extend(front::allowances(path, text));
        } else if rest.ends_with(".ftl") {
            comments(path, text, ("#", "\n"), &mut found);
        } else {
            comments(path, text, ("{{!", "}}"), &mut found);
        }
    }
    found
}

/// Comments of a file that begin with `allow` and something like a code.
fn comments(path: &str, text: &str, (open, close): (&str, &str), found: &mut Vec<Allowance>) {
    for (at, _) in text.match_indices(open) {
        let start = at + open.len();
        let comment = text[start..].split(close).next().unwrap_or_default();
        let inner = comment.trim_matches(['-', ' ', '\t', '\r', '\n']);
        let Some(words) = inner.strip_prefix(WORD) else {
            continue;
        };
        let (code, reason) = words.split_once(':').unwrap_or((words, ""));
        let code = code.trim();
        // A sentence that begins with the word is none of ours.
        if !is_code(&code.to_ascii_uppercase()) && !words.contains(':') || code.contains(' ') {
            continue;
        }
        let place = start + comment.find(code).unwrap_or_default();
        found.push(Allowance {
            code: code.to_owned(),
            reason: reason.trim().to_owned(),
            file: path.to_owned(),
            span: place..place + code.len(),
            also: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Vec<(String, String, String)> {
        allowances(&[(path.to_owned(), text.to_owned())])
            .into_iter()
            .map(|one| (one.code, one.reason, text[one.span].to_owned()))
            .collect()
    }

    fn one(code: &str, reason: &str) -> Vec<(String, String, String)> {
        vec![(code.into(), reason.into(), code.into())]
    }

    #[test]
    fn heads_and_comments_are_read() {
        let head = "+++\nsubject = \"x\"\nallow = { W230 = \"Decoration.\" }\n+++\nallow W1\n";
        assert_eq!(
            read("templates/mail/a/b.en.md", head),
            one("W230", "Decoration.")
        );
        let table = "+++\nsubject = \"x\"\n[allow]\nW230 = \"Decoration.\"\n+++\n";
        assert_eq!(
            read("templates/mail/a/b.en.md", table),
            one("W230", "Decoration.")
        );
        assert_eq!(
            read(
                "templates/partials/a.hbs",
                "{{!-- allow W230: Decoration: only. --}}\n<img>"
            ),
            one("W230", "Decoration: only.")
        );
        assert_eq!(
            read("templates/layouts/a.mjml", "{{! allow W230 }}"),
            one("W230", "")
        );
        assert_eq!(
            read(
                "templates/strings/en.ftl",
                "# allow W260: Same word.\nx = \"y\"\n"
            ),
            one("W260", "Same word.")
        );
        assert_eq!(
            read(
                "templates/partials/a.hbs",
                "{{!-- allow for slow readers --}}"
            ),
            []
        );
        assert_eq!(
            read("templates/mail/a/b.en.md", "no head, allow nothing"),
            []
        );
    }
}
