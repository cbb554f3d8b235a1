//! The same problem in many files whose cause is in none of them: a partial, a layout or a
//! person that is gone is missed wherever it was used, and is put back once. It is told
//! where it is missed first, with how often it is missed elsewhere. One mistake must not
//! look like many.

use crate::model::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Problems whose cause lies elsewhere: a partial, a layout, somebody who signs, a step, a
/// SKU, and what a row of the feed makes of an event.
const ELSEWHERE: [&str; 6] = ["E206", "E212", "E125", "E121", "E412", "E413"];
/// Of the same problem so many are told one by one.
const FEW: usize = 2;
/// So many other files are named.
const NAMED: usize = 3;

/// Tells once what is missed in many places. Problems must be in their order.
pub fn gather(problems: &mut Vec<Diagnostic>) {
    let mut files: BTreeMap<(&'static str, String), Vec<String>> = BTreeMap::new();
    for one in problems.iter().filter(|one| ELSEWHERE.contains(&one.code)) {
        files
            .entry((one.code, one.message.clone()))
            .or_default()
            .push(one.file.clone());
    }
    files.retain(|_, files| files.len() > FEW);
    let mut told: BTreeSet<(&'static str, String)> = BTreeSet::new();
    problems.retain_mut(|one| {
        let key = (one.code, one.message.clone());
        let Some(files) = files.get(&key) else {
            return true;
        };
        if !told.insert(key) {
            return false;
        }
        let mut others: Vec<&str> = files[1..].iter().map(String::as_str).collect();
        let places = others.len();
        others.dedup();
        others.retain(|file| *file != one.file);
        let more = if others.len() > NAMED { ", …" } else { "" };
        others.truncate(NAMED);
        let mut line = format!("the same in {places} more places");
        if !others.is_empty() {
            line.push_str(&format!(": {}{more}", others.join(", ")));
        }
        one.help.push(line);
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_in_many_places_is_told_once() {
        let one = |code, file: &str, message: &str| Diagnostic::new(code, file, 3..4, message);
        let mut problems: Vec<Diagnostic> = ["a", "b", "c", "d", "e"]
            .iter()
            .map(|file| one("E206", file, "there is no partial \"x\""))
            .collect();
        problems.push(one("E206", "a", "there is no partial \"y\""));
        problems.push(one("E206", "b", "there is no partial \"y\""));
        problems.extend(["a", "b", "c"].map(|file| one("E203", file, "`z` does not exist")));
        gather(&mut problems);
        let said: Vec<(&str, usize)> = problems
            .iter()
            .map(|one| (one.file.as_str(), one.help.len()))
            .collect();
        assert_eq!(
            said,
            [("a", 1), ("a", 0), ("b", 0), ("a", 0), ("b", 0), ("c", 0)]
        );
        assert_eq!(problems[0].help, ["the same in 4 more places: b, c, d, …"]);
    }
}
