//! `[experiment]`: arms, shares, hold-out, and what decides; and how steps say which arm
//! gets what. Who is in which arm is drawn elsewhere (`plan::assign`).

use super::{Reader, suggest};
use crate::model::assignment::HOLDOUT;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::model::names::Known;
use crate::sequence::catalog::{Arm, Decide, Experiment, Guard, Judge, Sequence, Step};
use crate::sequence::keys;
use crate::sequence::syntax::{Section, Sheet, Spanned, length};
use std::cell::Cell;
use std::ops::Range;

/// Most arms of an experiment: more would each hold too few people to tell apart.
pub const MAX_ARMS: usize = 10;
/// The largest hold-out, per cent: who measures by leaving more people without help than
/// with it no longer helps.
pub const MAX_HOLDOUT: i64 = 50;
/// How `judge` is written, up to its length.
const BOUGHT_AGAIN: &str = "bought again within";

/// What the steps of a file need to know of its experiment.
#[derive(Debug, Clone, Default)]
pub(super) struct Arms {
    /// Whether the file has one, readable or not.
    pub(super) there: bool,
    /// In the order of the file; none where it could not be read.
    pub(super) names: Vec<String>,
    pub(super) holdout: u32,
    /// Whether it was said that there is none; once is enough.
    told: Cell<bool>,
}

impl Arms {
    pub(super) fn of(there: bool, experiment: Option<&Experiment>) -> Arms {
        let arms = experiment.iter().flat_map(|one| &one.arms);
        Arms {
            there,
            names: arms.map(|arm| arm.name.clone()).collect(),
            holdout: experiment.map_or(0, |one| one.holdout),
            told: Cell::new(false),
        }
    }
}

/// One step in every form that it takes.
pub(super) struct Forms {
    /// By arm; without an experiment, one form without an arm.
    pub(super) by_arm: Vec<(Option<String>, Step)>,
}

impl<'s> Reader<'s> {
    /// Reads `[experiment]`. The steps of its arms are filled in by [`Reader::arranged`].
    pub(super) fn experiment(&self, section: &Section<'s, '_>) -> Option<Experiment> {
        section.only(&keys::EXPERIMENT, &[]);
        let id = section
            .need("id", "\"cadence-2026\"")
            .filter(|id| self.is_id(id));
        let arms = self.split(section);
        let holdout = self.holdout(section);
        let judge = section.parsed("judge", judge);
        let mut watch = Vec::new();
        for text in section.texts("watch", false).unwrap_or_default() {
            match Guard::ALL.iter().find(|one| one.as_str() == text.value) {
                Some(guard) if watch.contains(guard) => {}
                Some(guard) => watch.push(*guard),
                None => self.sheet.report(suggest(
                    self.sheet.problem(
                        "E195",
                        text.span,
                        format!(
                            "\"{}\" is nothing that can be watched",
                            text.value.escape_debug()
                        ),
                    ),
                    &text.value,
                    Guard::ALL.map(Guard::as_str),
                    "there are",
                )),
            }
        }
        let decide = self.decide(section);
        Some(Experiment {
            place: self.sheet.place(id.as_ref()?.span.start),
            id: id?.value,
            arms: arms?,
            holdout: holdout?,
            judge: judge.map(|judge| judge.value),
            watch,
            decide,
        })
    }

    fn split(&self, section: &Section<'s, '_>) -> Option<Vec<Arm>> {
        const EXAMPLE: &str = "{ weekly = 50, fortnightly = 50 }";
        if section.has("split").is_none() {
            section.missing("split", EXAMPLE);
            return None;
        }
        let mut split = section.table("split")?;
        split.what = "`split`".to_owned();
        let mut arms: Vec<Arm> = Vec::new();
        let (mut whole, mut unread) = (true, false);
        let mut wrong = |span: Range<usize>, message: String, help: &str| {
            whole = false;
            self.sheet.report(
                self.sheet
                    .problem("E193", span, message)
                    .help(help.to_owned()),
            );
        };
        for key in split.keys() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            let name = key.value.escape_debug().to_string();
            if key.value == HOLDOUT {
                wrong(
                    key.span,
                    format!("no arm can be called \"{HOLDOUT}\""),
                    "who is held out is in no arm; write holdout = 5 beside `split`",
                );
                continue;
            }
            if key.value.is_empty() || !key.value.chars().all(plain) {
                wrong(
                    key.span,
                    format!("\"{name}\" is no name of an arm"),
                    "names are small letters, digits, - and _",
                );
                continue;
            }
            match split.number(&key.value, i64::MIN, i64::MAX) {
                Some(share) if (1..100).contains(&share) => arms.push(Arm {
                    name: key.value,
                    share: u32::try_from(share).unwrap_or_default(),
                    steps: Vec::new(),
                }),
                Some(share) => wrong(
                    split.has(&key.value).unwrap_or(key.span),
                    format!("arm \"{name}\" gets {share} per cent of the customers"),
                    "a share is a whole number from 1 to 99; an arm that nobody gets is left out",
                ),
                None => unread = true,
            }
        }
        if !whole || unread {
            return None;
        }
        let span = split.span.clone();
        let sum: u32 = arms.iter().map(|arm| arm.share).sum();
        let problem = if arms.len() < 2 {
            Some((
                "an experiment compares two arms at least".to_owned(),
                format!("write split = {EXAMPLE}; to compare with nothing at all, use `holdout`"),
            ))
        } else if arms.len() > MAX_ARMS {
            Some((
                format!("an experiment has {MAX_ARMS} arms at most"),
                "with more, each holds too few customers to tell them apart".to_owned(),
            ))
        } else if sum != 100 {
            Some((
                format!("the shares add up to {sum}, not to 100"),
                "they are per cent of the customers who are not held out: each gets one arm"
                    .to_owned(),
            ))
        } else {
            None
        };
        match problem {
            Some((message, help)) => {
                self.sheet
                    .report(self.sheet.problem("E193", span, message).help(help));
                None
            }
            None => Some(arms),
        }
    }

    fn holdout(&self, section: &Section<'s, '_>) -> Option<u32> {
        let Some(span) = section.has("holdout") else {
            return Some(0);
        };
        let share = section.number("holdout", i64::MIN, i64::MAX)?;
        if (0..=MAX_HOLDOUT).contains(&share) {
            return u32::try_from(share).ok();
        }
        self.sheet.report(
            self.sheet
                .problem(
                    "E194",
                    span,
                    format!("{share} per cent of the customers cannot be held out"),
                )
                .help(
                    "who is held out gets fulfilment mails only: no help, no questions, no offers",
                )
                .help(format!(
                    "write a number from 0 to {MAX_HOLDOUT}; 5 is usual"
                )),
        );
        None
    }

    fn decide(&self, section: &Section<'s, '_>) -> Option<Decide> {
        let Some(_) = section.has("decide") else {
            self.sheet.report(
                self.sheet
                    .problem(
                        "W191",
                        section.span.clone(),
                        "this experiment has no day on which it is decided",
                    )
                    .help("who looks until one arm is ahead finds a winner by chance, and every customer gets it")
                    .help("write decide = { on = 2027-01-15, at_least = 400 }"),
            );
            return None;
        };
        let decide = section.table("decide")?;
        decide.only(&keys::DECIDE, &[]);
        if decide.has("on").is_none() {
            decide.missing("on", "2027-01-15");
        }
        let at_least = decide
            .number("at_least", 1, i64::from(u32::MAX))
            .and_then(|people| u32::try_from(people).ok());
        Some(Decide {
            on: decide.date("on")?.value,
            at_least,
        })
    }

    /// The arms that have a step: those of `variant`, else all.
    pub(super) fn arms_of(&self, section: &Section<'s, '_>) -> Vec<Option<String>> {
        let arms = &self.arms;
        let Some(span) = section.has("variant") else {
            return if arms.names.is_empty() {
                vec![None]
            } else {
                arms.names.iter().cloned().map(Some).collect()
            };
        };
        if !arms.there {
            self.no_experiment("variant", span);
            return vec![None];
        }
        let texts = section.texts("variant", true).unwrap_or_default();
        if texts.is_empty() && section.peek_texts("variant").is_empty() {
            self.sheet.report(
                self.sheet
                    .problem("E127", span, "no arm has this step")
                    .help("no customer would ever get its mail")
                    .help("name the arms that have it, or leave `variant` out for all of them"),
            );
        }
        if arms.names.is_empty() {
            return vec![None];
        }
        let mut found = Vec::new();
        for text in texts {
            if self.is_arm(&text.value, text.span) && !found.contains(&Some(text.value.clone())) {
                found.push(Some(text.value));
            }
        }
        found
    }

    /// The names of a place where the arm is drawn already.
    pub(super) fn with_variant(&self, known: Known) -> Known {
        if self.arms.there {
            known.with("variant")
        } else {
            known
        }
    }

    /// Whether an arm is called so; reports where none is.
    pub(super) fn is_arm(&self, name: &str, span: Range<usize>) -> bool {
        let names = &self.arms.names;
        let known = names.is_empty() || names.iter().any(|arm| arm == name);
        if !known {
            self.sheet.report(suggest(
                self.sheet.problem(
                    "E191",
                    span,
                    format!(
                        "no arm of the experiment is called \"{}\"",
                        name.escape_debug()
                    ),
                ),
                name,
                names.iter().map(String::as_str),
                "there are",
            ));
        }
        known
    }

    fn no_experiment(&self, key: &str, span: Range<usize>) {
        if self.arms.told.replace(true) {
            return;
        }
        self.sheet.report(
            self.sheet
                .problem(
                    "E199",
                    span,
                    format!("`{key}` differs by arm, and this sequence has no [experiment]"),
                )
                .help("without arms nobody would know which of them a customer gets")
                .help("write [experiment] with an id and split = { weekly = 50, fortnightly = 50 }, or one value"),
        );
    }

    /// Where the value of a key stands for an arm: in the section itself, or in a table by
    /// arm under the key. `None` where there is none; that is reported.
    pub(super) fn form<'d>(
        &self,
        section: &Section<'s, 'd>,
        key: &str,
        arm: Option<&str>,
        of_step: &[Option<String>],
    ) -> Option<(Section<'s, 'd>, String)> {
        let Some(span) = section.has(key).filter(|_| section.is_table(key)) else {
            return Some((section.clone(), key.to_owned()));
        };
        if !self.arms.there {
            self.no_experiment(key, span);
            return None;
        }
        let mut table = section.table(key)?;
        table.what.clone_from(&section.what);
        let keys = table.keys();
        let Some(arm) = arm else {
            // The experiment could not be read, of which something was said.
            let first = keys.into_iter().next()?;
            return Some((table, first.value));
        };
        for name in &keys {
            let there = self.is_arm(&name.value, name.span.clone());
            if there && !of_step.iter().flatten().any(|one| *one == name.value) {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E191",
                            name.span.clone(),
                            format!("arm \"{}\" does not have this step", name.value),
                        )
                        .help("`variant` says which arms have it; add the arm there, or leave it out here"),
                );
            }
        }
        if table.has(arm).is_none() {
            // Most likely misspelt, of which something was said.
            let misspelt = keys.iter().any(|key| !self.arms.names.contains(&key.value));
            if !misspelt {
                self.sheet.report(
                    self.sheet
                        .problem("E192", span, format!("`{key}` says nothing for arm \"{arm}\""))
                        .help(format!("customers in \"{arm}\" would never get this step"))
                        .help(format!("add {arm} = \"…\", or variant = [\"…\"] with the arms that have the step")),
                );
            }
            return None;
        }
        Some((table, arm.to_owned()))
    }

    /// A fulfilment step goes to those who are held out too, and they are in no arm.
    pub(super) fn same_for_all(&self, section: &Section<'s, '_>, kind: Option<Kind>) {
        if kind != Some(Kind::Fulfilment) || self.arms.holdout == 0 {
            return;
        }
        let by_arm = section.has("variant").or_else(|| {
            ["after", "at", "slot", "mail"]
                .iter()
                .find(|key| section.is_table(key))
                .and_then(|key| section.has(key))
        });
        if let Some(span) = by_arm {
            self.sheet.report(
                self.sheet
                    .problem("E196", span, "a fulfilment step differs by arm, and some customers are held out")
                    .help("who is held out gets fulfilment mails and is in no arm, so nobody knows which form is theirs")
                    .help("give the step one form for everybody, or write holdout = 0"),
            );
        }
    }

    /// The steps, once each, and the experiment with the steps of each arm.
    pub(super) fn arranged(
        &self,
        experiment: Option<Experiment>,
        forms: Vec<Forms>,
    ) -> (Vec<Step>, Option<Experiment>) {
        let steps = forms
            .iter()
            .filter_map(|forms| forms.by_arm.first())
            .map(|(_, step)| step.clone())
            .collect();
        let experiment = experiment.map(|mut experiment| {
            for arm in &mut experiment.arms {
                arm.steps = forms
                    .iter()
                    .flat_map(|forms| &forms.by_arm)
                    .filter(|(of, _)| of.as_deref() == Some(arm.name.as_str()))
                    .map(|(_, step)| step.clone())
                    .collect();
            }
            experiment
        });
        (steps, experiment)
    }
}

/// `bought again within 180d`.
fn judge(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Judge, Box<Diagnostic>> {
    match text.value.trim().strip_prefix(BOUGHT_AGAIN) {
        Some(within) => Ok(Judge::BoughtAgain {
            within: length(sheet, text, within.trim())?,
        }),
        None => Err(sheet
            .problem(
                "E195",
                text.span.clone(),
                format!(
                    "\"{}\" decides nothing that we can count",
                    text.value.escape_debug()
                ),
            )
            .help(
                "opens and clicks are no use to a customer; what counts is whether they come back",
            )
            .help(format!("write judge = \"{BOUGHT_AGAIN} 180d\""))
            .into()),
    }
}

/// One experiment in several sequences is the same in all of them: people are drawn once.
pub(super) fn agree(sequences: &[Sequence], sheets: &[Sheet<'_>]) {
    let of = |sequence: &Sequence| sequence.experiment.clone();
    for (at, sequence) in sequences.iter().enumerate() {
        let Some(own) = of(sequence) else { continue };
        let other = sequences[..at].iter().find_map(|earlier| {
            of(earlier).filter(|one| one.id == own.id && one.split() != own.split())
        });
        let sheet = sheets.iter().find(|sheet| sheet.path == own.place.file);
        if let (Some(other), Some(sheet)) = (other, sheet) {
            let start = offset(sheet.text, own.place.line, own.place.column);
            let end = sheet.text.len().min(start + own.id.len() + QUOTES);
            sheet.report(
                sheet
                    .problem(
                        "E198",
                        start..end,
                        format!(
                            "experiment \"{}\" is split otherwise in another sequence",
                            own.id
                        ),
                    )
                .help(format!(
                    "here {}; in {} {}",
                    own.split(),
                    other.place.file,
                    other.split()
                ))
                .help("a customer is drawn once for both; give them the same split and holdout, or ids of their own"),
            );
        }
    }
}

/// The quotes around an id.
const QUOTES: usize = 2;

/// The byte at a line and column.
fn offset(text: &str, line: u32, column: u32) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines
        .take(line.saturating_sub(1) as usize)
        .map(str::len)
        .sum();
    let rest = text.get(before..).unwrap_or_default();
    let inside = rest.char_indices().nth(column.saturating_sub(1) as usize);
    before + inside.map_or(0, |(at, _)| at)
}
