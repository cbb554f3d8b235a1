//! Conditions in their place, and the rules that hold a whole enrolment: pauses and stops.

use super::Reader;
use super::start::WithPayload;
use crate::model::assignment::HOLDOUT;
use crate::model::event::{DerivedKind, FactKind};
use crate::model::names::Known;
use crate::model::nearest::nearest;
use crate::sequence::catalog::{Pause, Stop};
use crate::sequence::condition::{Condition, Problem};
use crate::sequence::keys;
use crate::sequence::syntax::Section;

impl<'s> Reader<'s> {
    pub(super) fn condition(
        &self,
        section: &Section<'s, '_>,
        key: &str,
        known: &Known,
    ) -> Option<Condition> {
        self.condition_of(section, key, known, false)
    }

    /// A condition of a step that asks for a review, or of any other.
    pub(super) fn condition_of(
        &self,
        section: &Section<'s, '_>,
        key: &str,
        known: &Known,
        asks: bool,
    ) -> Option<Condition> {
        let text = section.text(key)?;
        let report = |problem: &Problem| {
            let span = self.sheet.inside(&text.span, &text.value, &problem.at);
            let about = text.value.get(problem.at.clone()).unwrap_or_default();
            // Whoever asks for an answer's score here would not be helped by a name.
            if asks && problem.code == "E131" && about.starts_with("survey.") {
                self.sheet.report(
                    self.sheet
                        .problem("E305", span, "this asks only satisfied customers for a review")
                        .help("consumer-protection guidance in several countries forbids picking reviewers by mood (16 CFR 465.7, DMCC Act 2024, 景品表示法)")
                        .help("ask everyone, and use [[pause]] while a problem is open"),
                );
                return;
            }
            let mut found = self
                .sheet
                .problem(problem.code, span, problem.message.clone());
            found.help.clone_from(&problem.help);
            self.sheet.report(found);
        };
        let condition = match Condition::compile(&text.value, known) {
            Ok(condition) => condition,
            Err(problems) => {
                problems.iter().for_each(report);
                return None;
            }
        };
        condition.warnings().iter().for_each(report);
        for (step, at) in condition.sent_steps() {
            self.is_step(step, self.sheet.inside(&text.span, &text.value, at));
        }
        for (name, at) in condition.products() {
            self.is_product(name, self.sheet.inside(&text.span, &text.value, at));
        }
        for (arm, at) in condition.variants() {
            if arm != HOLDOUT {
                self.is_arm(arm, self.sheet.inside(&text.span, &text.value, at));
            }
        }
        Some(condition)
    }

    /// Warns of a family, SKU or product that the catalogue does not have: an event may
    /// still bring it.
    pub(super) fn is_product(&self, name: &str, span: std::ops::Range<usize>) {
        let Some(products) = self.around.products else {
            return;
        };
        if products.has(name) {
            return;
        }
        let families = products.families().iter().map(|family| family.id.as_str());
        let kits = products.kits().iter().map(|kit| kit.id.as_str());
        let ids = products.iter().map(|product| product.product_id.as_str());
        let mut problem = self
            .sheet
            .problem(
                "W135",
                span,
                format!("the catalogue has no \"{}\"", name.escape_debug()),
            )
            .help("nobody owns what is not there, and it counts as in stock");
        if let Some(near) = nearest(name, families.chain(kits).chain(ids)) {
            problem = problem.help(format!("did you mean \"{near}\"?"));
        }
        self.sheet.report(problem);
    }

    pub(super) fn pause(&self, section: &Section<'s, '_>, known: &Known) -> Option<Pause> {
        section.only(&keys::PAUSE, &[]);
        if section.has("while").is_none() {
            section.missing("while", "\"customer.open_ticket\"");
        }
        let at_most = section.length("at_most");
        Some(Pause {
            while_: self.condition(section, "while", known)?,
            at_most: at_most.map(|length| length.value),
            place: self.sheet.place(section.span.start),
        })
    }

    pub(super) fn stop(&self, section: &Section<'s, '_>, known: &Known) -> Option<Stop> {
        section.only(&keys::STOP, &[]);
        if section.has("on").is_none() {
            section.missing("on", "[\"order.cancelled\"]");
        }
        let mut on = Vec::new();
        let texts = section.texts("on", true);
        if let (Some([]), Some(span)) = (texts.as_deref(), section.has("on")) {
            self.sheet.report(
                self.sheet
                    .problem("E127", span, "this stop names no fact, so it stops nothing")
                    .help("customers would get the rest of the series whatever happens")
                    .help("write on = [\"order.cancelled\"], or take the [[stop]] out"),
            );
        }
        for text in texts.unwrap_or_default() {
            let Some(fact) = self.fact(&text) else {
                continue;
            };
            if fact == FactKind::Derived(DerivedKind::StepSent) {
                self.sheet.report(
                    self.sheet
                        .problem("E126", text.span, "a sequence does not stop because a mail was sent")
                        .help("write unless = 'sent(\"sequence/step\")' at the steps that should not follow"),
                );
            } else {
                on.push(fact);
            }
        }
        let mut known = known.clone();
        for fact in &on {
            known = known.with_payload(*fact);
        }
        let when = self.condition(section, "when", &known);
        if on.is_empty() || section.has("when").is_some() && when.is_none() {
            return None;
        }
        Some(Stop {
            on,
            when,
            place: self.sheet.place(section.span.start),
        })
    }
}
