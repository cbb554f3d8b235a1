//! `[[allow]]` in the TOML files of `config/`: which codes a file turns off for itself.

use super::keys;
use super::syntax::{Section, Sheet};
use super::{CATALOG, PEOPLE, SEQUENCES, STORE};
use crate::model::allow::Allowance;
use crate::model::diagnostic::Diagnostic;

/// The key, in every file that may have it.
pub(crate) const KEY: &str = "allow";
/// What files begin with that `catalog.toml` answers for.
const FEEDS: &str = "config/";

/// Reads the allowances of all files, and what is wrong with how they are written. Files
/// that cannot be read are left to others.
pub fn allowances(files: &[(String, String)]) -> (Vec<Allowance>, Vec<Diagnostic>) {
    let (mut allowances, mut problems) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let is_ours = [STORE, PEOPLE, CATALOG].contains(&path.as_str())
            || path.starts_with(SEQUENCES) && path.ends_with(".toml");
        if !is_ours || !text.contains(KEY) {
            continue;
        }
        let Some(document) = Sheet::new(path, text).parse() else {
            continue;
        };
        let sheet = Sheet::new(path, text);
        for section in Section::root(&sheet, &document).tables(KEY) {
            section.only(&keys::ALLOWED, &[]);
            let code = section.need("code", "\"W510\"");
            if section.has("reason").is_none() {
                section.missing("reason", "\"…\", why customers are fine with it");
            }
            let (Some(code), Some(reason)) = (code, section.text("reason")) else {
                continue;
            };
            let feeds = files
                .iter()
                .map(|(path, _)| path)
                .filter(|path| path.starts_with(FEEDS) && path.ends_with(".json"));
            allowances.push(Allowance {
                code: code.value,
                reason: reason.value,
                file: path.clone(),
                span: code.span,
                also: if path == CATALOG {
                    feeds.cloned().collect()
                } else {
                    Vec::new()
                },
            });
        }
        problems.extend(sheet.found());
    }
    (allowances, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> (Vec<Allowance>, Vec<Diagnostic>) {
        let files = [
            (path.to_owned(), text.to_owned()),
            ("config/catalog.json".to_owned(), "[]".to_owned()),
        ];
        allowances(&files)
    }

    #[test]
    fn tables_of_a_file_are_read_with_their_places() {
        let text = "id = 1\n[[allow]]\ncode = \"W135\"\nreason = \"It comes at night.\"\n";
        let (found, problems) = read("config/sequences/a.toml", text);
        assert_eq!(problems, []);
        assert_eq!(&text[found[0].span.clone()], "\"W135\"");
        assert_eq!(found[0].reason, "It comes at night.");
        assert!(found[0].also.is_empty());
        let (found, _) = read("config/catalog.toml", text);
        assert_eq!(found[0].also, ["config/catalog.json"]);
        assert_eq!(read("config/aftercare.toml", text).0, []);
        assert_eq!(read("config/store.toml", "[[allow]\n"), (vec![], vec![]));
    }

    #[test]
    fn what_is_missing_or_misspelt_is_said() {
        let codes = |text: &str| -> Vec<&str> {
            let (_, problems) = read("config/store.toml", text);
            problems.iter().map(|one| one.code).collect()
        };
        assert_eq!(codes("[[allow]]\ncode = \"W135\"\n"), ["E102"]);
        assert_eq!(codes("[[allow]]\nreason = \"x\"\n"), ["E102"]);
        assert_eq!(
            codes("[[allow]]\ncode = \"W135\"\nraeson = \"x\"\n"),
            ["E104", "E102"]
        );
        assert_eq!(codes("allow = [\"W135\"]\n"), ["E103"]);
    }
}
