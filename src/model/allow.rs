//! Turning a problem off: by its code, in the file that has it, with a reason. What is
//! allowed is looked at once, after every problem of a run is known, so that whoever
//! finds problems need not know of it. It never hides what keeps a file from being
//! understood: only codes whose page says how may be turned off.

use super::codes;
use super::diagnostic::{Diagnostic, Severity};
use std::ops::Range;

/// One code that a file turns off for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The code, as written.
    pub code: String,
    /// Why, in the author's words.
    pub reason: String,
    /// The file that it stands in and holds for.
    pub file: String,
    /// Where the code stands.
    pub span: Range<usize>,
    /// Files beside its own that it holds for: a feed has no place for reasons.
    pub also: Vec<String>,
}

impl Allowance {
    fn covers(&self, problem: &Diagnostic) -> bool {
        self.code == problem.code
            && (self.file == problem.file || self.also.contains(&problem.file))
    }

    fn problem(&self, code: &'static str, message: String) -> Diagnostic {
        Diagnostic::new(code, self.file.as_str(), self.span.clone(), message)
    }

    /// What is wrong with it by itself.
    fn flaw(&self) -> Option<Diagnostic> {
        let code = self.code.escape_debug();
        let Some(page) = codes::page(&self.code).filter(|page| page.code == self.code) else {
            let known: Vec<String> = codes::all().into_iter().map(|page| page.code).collect();
            let near = known
                .iter()
                .find(|known| known.eq_ignore_ascii_case(self.code.trim()))
                .or_else(|| {
                    known
                        .iter()
                        .filter(|known| codes::may_be_allowed(known))
                        .find(|known| strsim::damerau_levenshtein(known, &self.code) <= 1)
                });
            let problem = self.problem("E164", format!("no problem has the code \"{code}\""));
            return Some(match near {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None => problem.help("aftercare explain lists all codes"),
            });
        };
        if page.allowed().is_none() {
            let problem = self
                .problem("E165", format!("{code} cannot be turned off"))
                .label(page.title)
                .help(if self.code.starts_with('W') {
                    "what it warns of is wrong in every shop, or quickly mended"
                } else {
                    "customers would get what nobody could answer for; repair it instead"
                });
            return Some(problem.help(format!("aftercare explain {code} shows how")));
        }
        if self.reason.trim().is_empty() {
            return Some(
                self.problem("E163", format!("{code} is turned off without a reason"))
                    .help("whoever reads this next year must know why customers are fine with it")
                    .help("write the reason beside the code, in a sentence"),
            );
        }
        None
    }
}

/// Takes away what is allowed, and adds what is wrong with the allowances themselves. One
/// that allows nothing is reported where its code was `looked_for` and no error could
/// have kept it from being found.
pub fn settle(
    problems: &mut Vec<Diagnostic>,
    allowances: &[Allowance],
    looked_for: impl Fn(&str) -> bool,
) {
    let mut used = vec![false; allowances.len()];
    let flaws: Vec<Option<Diagnostic>> = allowances.iter().map(Allowance::flaw).collect();
    problems.retain(|problem| {
        let by = allowances.iter().zip(&flaws).position(|(one, flaw)| {
            // Without a reason it still counts: one mistake should not look like many.
            one.covers(problem) && flaw.as_ref().is_none_or(|flaw| flaw.code == "E163")
        });
        match by {
            Some(at) => {
                used[at] = true;
                false
            }
            None => true,
        }
    });
    let broken = problems
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    for ((one, flaw), used) in allowances.iter().zip(flaws).zip(used) {
        match flaw {
            Some(flaw) => problems.push(flaw),
            None if !used && !broken && looked_for(&one.code) => problems.push(
                one.problem(
                    "W166",
                    format!(
                        "{} is turned off here, and nothing gives it any more",
                        one.code
                    ),
                )
                .help("take it out, or it will hide the next one that somebody makes"),
            ),
            None => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn allowance(code: &str, reason: &str) -> Allowance {
        Allowance {
            code: code.into(),
            reason: reason.into(),
            file: "config/a.toml".into(),
            span: 3..7,
            also: vec!["config/feed.json".into()],
        }
    }

    fn warning(file: &str) -> Diagnostic {
        Diagnostic::new("W135", file, 0..4, "the catalogue has no \"x\"")
    }

    fn settled(mut problems: Vec<Diagnostic>, allowances: &[Allowance]) -> Vec<String> {
        settle(&mut problems, allowances, |_| true);
        problems
            .iter()
            .map(|one| format!("{} {}", one.code, one.file))
            .collect()
    }

    #[test]
    fn only_its_own_file_and_code_are_turned_off() {
        let problems = || {
            vec![
                warning("config/a.toml"),
                warning("config/b.toml"),
                warning("config/feed.json"),
            ]
        };
        let good = allowance("W135", "The supplier's feed brings it at night.");
        assert_eq!(settled(problems(), &[good]), ["W135 config/b.toml"]);
    }

    #[test]
    fn an_allowance_may_be_wrong_itself() {
        let found = |code: &str, reason: &str| {
            settled(vec![warning("config/a.toml")], &[allowance(code, reason)])
        };
        assert_eq!(found("W135", "  "), ["E163 config/a.toml"]);
        assert_eq!(
            found("W999", "x"),
            ["W135 config/a.toml", "E164 config/a.toml"]
        );
        assert_eq!(
            found("E104", "x"),
            ["W135 config/a.toml", "E165 config/a.toml"]
        );
        let near = allowance("w135", "x").flaw().unwrap();
        assert_eq!(near.label.as_deref(), Some("did you mean `W135`?"));
    }

    #[test]
    fn what_allows_nothing_is_told_unless_an_error_may_hide_it() {
        let unused = [allowance("W135", "x")];
        assert_eq!(settled(vec![], &unused), ["W166 config/a.toml"]);
        let error = Diagnostic::new("E104", "config/b.toml", 0..1, "unknown key");
        assert_eq!(settled(vec![error], &unused), ["E104 config/b.toml"]);
        let mut problems = Vec::new();
        settle(&mut problems, &unused, |_| false);
        assert_eq!(problems, []);
        let twice = [allowance("W135", "x"), allowance("W135", "y")];
        assert_eq!(
            settled(vec![warning("config/a.toml")], &twice),
            ["W166 config/a.toml"]
        );
    }
}
