//! What is written correctly and still cannot be meant: steps that nobody can receive,
//! limits that starve a series, mail that sells where it must not, rules of law by
//! country. Reads a whole shop at once, after every file by itself was found good.
//!
//! Everything said here must be true of every customer: a lint that cries wolf is
//! switched off. Where a question cannot be settled from files alone, it is left to
//! `check --prove`, which explores stories with the planner.
//!
//! Start at [`look_at_rules`] and [`look_at_mails`]. Nothing here reads a file, a clock or a database.

mod closed;
mod consent;
mod countries;
mod hours;
mod limits;
mod meeting;
mod moments;
mod possible;
mod reach;
mod reviews;
mod selling;
mod source;
#[cfg(test)]
mod tests;
mod twice;
mod unused;
mod wording;

use crate::model::diagnostic::Diagnostic;
use crate::render::Templates;
use crate::sequence::catalog::{Catalog, Sequence, Step};
use source::Source;

/// Most diagnostics of one code; the rest is counted in the last one. A fault in a
/// layout is one mistake, whatever number of mails are poured into it.
pub const MAX_OF_ONE_CODE: usize = 50;

/// Everything that a lint may look at.
struct Shop<'s> {
    catalog: &'s Catalog,
    source: Source<'s>,
}

impl<'s> Shop<'s> {
    /// All steps with their sequences.
    fn steps(&self) -> impl Iterator<Item = (&'s Sequence, &'s Step)> {
        self.catalog
            .sequences
            .iter()
            .flat_map(|sequence| sequence.steps.iter().map(move |step| (sequence, step)))
    }

    /// As [`Shop::steps`], and once more in every form that an arm of an experiment gives
    /// them: with another mail, or at another time.
    fn forms(&self) -> impl Iterator<Item = (&'s Sequence, &'s Step)> {
        self.catalog.sequences.iter().flat_map(|sequence| {
            let mut forms: Vec<&Step> = Vec::new();
            for form in sequence.all_forms() {
                let like = |had: &&Step| {
                    had.id == form.id
                        && had.mail == form.mail
                        && (had.at, had.slot.as_ref().map(|slot| &slot.text))
                            == (form.at, form.slot.as_ref().map(|slot| &slot.text))
                        && (&had.anchor, had.length) == (&form.anchor, form.length)
                };
                if !forms.iter().any(like) {
                    forms.push(form);
                }
            }
            forms.into_iter().map(move |step| (sequence, step))
        })
    }
}

/// Looks over the rules of a shop whose files are valid one by one: all that its
/// `config/` says by itself. `files` are the texts they were read from, for pointing into
/// them.
pub fn look_at_rules(files: &[(String, String)], catalog: &Catalog) -> Vec<Diagnostic> {
    let shop = Shop {
        catalog,
        source: Source::new(files),
    };
    let mut found = Vec::new();
    reach::look(&shop, &mut found);
    hours::look(&shop, &mut found);
    limits::look(&shop, &mut found);
    twice::look(&shop, &mut found);
    meeting::look(&shop, &mut found);
    consent::look(&shop, &mut found);
    bounded(found)
}

/// Looks over the mails of such a shop, each with the rules under which it goes.
pub fn look_at_mails(
    files: &[(String, String)],
    catalog: &Catalog,
    templates: &Templates,
) -> Vec<Diagnostic> {
    let shop = Shop {
        catalog,
        source: Source::new(files),
    };
    let surveys = templates.surveys();
    let mut found = Vec::new();
    closed::look(&shop, &surveys, &mut found);
    unused::look(&shop, templates, &mut found);
    countries::look(&shop, &surveys, &mut found);
    selling::look(&shop, &surveys, &mut found);
    reviews::look(&shop, &surveys, &mut found);
    bounded(found)
}

/// At most [`MAX_OF_ONE_CODE`] of each code.
fn bounded(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut counts: std::collections::BTreeMap<&'static str, usize> =
        std::collections::BTreeMap::new();
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(found.len());
    for one in found {
        let count = counts.entry(one.code).or_default();
        *count += 1;
        if *count <= MAX_OF_ONE_CODE {
            kept.push(one);
        }
    }
    for (code, count) in counts {
        if let Some(last) = kept
            .iter_mut()
            .rfind(|one| one.code == code && count > MAX_OF_ONE_CODE)
        {
            last.help
                .push(format!("and {} more like this", count - MAX_OF_ONE_CODE));
        }
    }
    kept
}
