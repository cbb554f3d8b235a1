//! What opens an enrolment: the fact, the key, and the names that follow from them.

use super::{AGAIN, Reader};
use crate::model::event::{DerivedKind, FactKind};
use crate::model::names::{ITEM, Known, Type, field};
use crate::model::nearest::nearest;
use crate::model::time::Length;
use crate::sequence::catalog::{Per, Start, Timed};
use crate::sequence::keys;
use crate::sequence::syntax::{Section, Spanned};

impl<'s> Reader<'s> {
    pub(super) fn start(&self, section: &Section<'s, '_>, own: Option<&str>) -> Option<Start> {
        section.only(&keys::START, &[]);
        if section.has("on").is_none() && !section.all_known(&keys::START, "on") {
            return None;
        }
        let on = section.need("on", "\"order.placed\"")?;
        let on = match on.value.parse::<FactKind>() {
            Ok(on) if on.is_of_time() => on,
            _ => self.fact_to_start_on(&on)?,
        };
        let timed = self.timed(section, on);
        let of = if on.is_of_time() {
            None
        } else {
            self.of(section, on, own)
        };
        let Some(per) = self.per(section, on, of.as_deref()) else {
            self.condition(section, "where", &everything());
            return None;
        };
        let mut start = Start {
            on,
            of,
            timed,
            since: None,
            where_: None,
            again: None,
            per,
            place: self.sheet.place(section.span.start),
        };
        let once = start
            .per
            .iter()
            .any(|part| matches!(part, Per::Order | Per::Shipment | Per::Item));
        match section.length("again") {
            Some(again) if once => self.sheet.report(
                self.sheet
                    .problem("E123", again.span, "`again` means nothing here: this key never comes twice")
                    .help("an order, a parcel or a line of an order is enrolled once; leave `again` out")
                    .help("to enrol a person once for each family, write per = \"customer, item.family\""),
            ),
            Some(again) => start.again = Some(again.value),
            None if once => {}
            // Each day of a schedule and each purchase that is used up stands for itself.
            None if matches!(start.timed, Some(Timed::Schedule(_) | Timed::Replenish)) => {
                start.again = Some(Length::NONE);
            }
            None => start.again = Some(AGAIN),
        }
        if on.is_of_time() && start.timed.is_none() {
            self.condition(section, "where", &self.known(&start));
            return None;
        }
        start.where_ = self.condition(section, "where", &self.known(&start));
        if section.has("where").is_some() && start.where_.is_none() {
            return None;
        }
        Some(start)
    }

    /// The step that a start on `step.sent` waits for.
    pub(super) fn of(
        &self,
        section: &Section<'s, '_>,
        on: FactKind,
        own: Option<&str>,
    ) -> Option<String> {
        let sent = on == FactKind::Derived(DerivedKind::StepSent);
        let Some(of) = section.text("of") else {
            if sent && section.has("of").is_none() {
                section.missing("of", "\"sequence/step\", the step that was sent");
            }
            return None;
        };
        if !sent {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E123",
                        of.span,
                        format!("`of` goes with on = \"step.sent\", not with \"{on}\""),
                    )
                    .help("leave it out"),
            );
            return None;
        }
        let names_itself = of
            .value
            .split_once('/')
            .is_some_and(|(sequence, _)| Some(sequence) == own);
        if names_itself {
            self.sheet.report(
                self.sheet
                    .problem("E121", of.span, "this sequence would start itself")
                    .help("name a step of another sequence"),
            );
            return None;
        }
        self.is_step(&of.value, of.span).then_some(of.value)
    }

    pub(super) fn per(
        &self,
        section: &Section<'s, '_>,
        on: FactKind,
        of: Option<&str>,
    ) -> Option<Vec<Per>> {
        let text = match section.text("per") {
            Some(text) => text,
            None if section.has("per").is_some() => return None,
            None => Spanned::new(
                match default_per(Some(on)).first() {
                    Some(Per::Customer) => "customer",
                    Some(Per::Item) => "item",
                    _ => "order",
                }
                .to_owned(),
                section.has("on")?,
            ),
        };
        let mut found: Vec<Per> = Vec::new();
        let mut whole = true;
        for part in text.value.split(',').map(str::trim) {
            match per_part(part) {
                Ok(per) if found.contains(&per) => {}
                Ok(per) => found.push(per),
                Err(help) => {
                    whole = false;
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E122",
                                text.span.clone(),
                                format!("\"{}\" is no part of a key", part.escape_debug()),
                            )
                            .help(help),
                    );
                }
            }
        }
        let gives = self.gives(on, of, 0);
        for per in &found {
            let needs = match per {
                Per::Customer => continue,
                Per::Order => "order",
                Per::Shipment => "shipment",
                Per::Item | Per::ItemField(_) => "item",
            };
            if !gives.contains(&needs) {
                whole = false;
                let problem = self.sheet.problem(
                    "E122",
                    text.span.clone(),
                    format!(
                        "the key names {}, and \"{on}\" is about none",
                        if needs == "shipment" {
                            "a shipment"
                        } else if needs == "item" {
                            "an item"
                        } else {
                            "an order"
                        }
                    ),
                );
                self.sheet.report(match needs {
                    "shipment" => problem
                        .help("start on a fact of a shipment, such as \"shipment.dispatched\""),
                    _ if on.is_of_time() => {
                        problem.help("it is about the customer alone: leave `per` out")
                    }
                    _ => problem.help("write per = \"customer\", or start on a fact of an order"),
                });
                break;
            }
        }
        whole.then_some(found)
    }

    /// What a fact can be looked at for: the parts that a key may name.
    pub(super) fn gives(&self, on: FactKind, of: Option<&str>, depth: usize) -> Vec<&'static str> {
        match on {
            FactKind::Derived(DerivedKind::StepSent) => {
                let head = of
                    .and_then(|of| of.split_once('/'))
                    .and_then(|(sequence, _)| self.heads.get(sequence));
                let Some(head) = head else {
                    return vec!["order", "item", "shipment"];
                };
                let mut gives = Vec::new();
                for per in &head.per {
                    match per {
                        Per::Customer => {}
                        Per::Order => gives.push("order"),
                        Per::Shipment => gives.extend(["order", "shipment"]),
                        Per::Item | Per::ItemField(_) => gives.extend(["order", "item"]),
                    }
                }
                // Lines of the order that the other enrolment is about can be told apart.
                if gives.contains(&"order") {
                    gives.push("item");
                }
                if let (Some(start), true) = (head.start, depth < self.heads.len()) {
                    let before = self.gives(start, head.of.as_deref(), depth + 1);
                    gives.retain(|part| before.contains(part));
                }
                gives
            }
            _ => on.is_about().to_vec(),
        }
    }

    /// The names that the whole of an enrolment has.
    pub(super) fn known(&self, start: &Start) -> Known {
        let mut known = known_of(&start.per).with_payload(start.on);
        if start.on.is_of_shipment() {
            known = known.with("order").with("shipment");
        } else if self
            .gives(start.on, start.of.as_deref(), 0)
            .contains(&"order")
            && (start.on.as_str().starts_with("order.") || start.on.is_of_item())
        {
            known = known.with("order");
        }
        if let Some((sequence, _)) = start.of.as_deref().and_then(|of| of.split_once('/'))
            && let Some(head) = self.heads.get(sequence)
        {
            let theirs = known_of(&head.per);
            for name in ["order", "item", "product", "shipment"] {
                if theirs.has(name) {
                    known = known.with(name);
                }
            }
        }
        known
    }
}

/// The key of a sequence that names none.
pub(super) fn default_per(on: Option<FactKind>) -> Vec<Per> {
    vec![match on {
        Some(FactKind::Derived(DerivedKind::Absence | DerivedKind::Schedule)) => Per::Customer,
        Some(FactKind::Derived(DerivedKind::Replenish)) => Per::Item,
        _ => Per::Order,
    }]
}

/// A part of `per`, or what to say of it.
pub(super) fn per_part(part: &str) -> Result<Per, String> {
    let texts = || {
        ITEM.iter()
            .filter(|field| field.of == Type::Text)
            .map(|field| field.name)
    };
    match part {
        "customer" => Ok(Per::Customer),
        "order" => Ok(Per::Order),
        "shipment" => Ok(Per::Shipment),
        "item" => Ok(Per::Item),
        _ => match part.strip_prefix("item.") {
            Some(name) if field(ITEM, name).is_some_and(|field| field.of == Type::Text) => {
                Ok(Per::ItemField(name.to_owned()))
            }
            Some(name) => Err(match nearest(name, texts()) {
                Some(near) => format!("did you mean item.{near}?"),
                None => "a name of an item that is a text: item.family, item.product_id, item.sku".to_owned(),
            }),
            None => Err(match nearest(part, ["customer", "order", "shipment", "item"]) {
                Some(near) => format!("did you mean {near}?"),
                None => "there are customer, order, shipment, item and names of an item such as item.family".to_owned(),
            }),
        },
    }
}

pub(super) fn known_of(per: &[Per]) -> Known {
    per.iter()
        .fold(Known::customer(), |known, part| match part {
            Per::Customer => known,
            Per::Order => known.with("order"),
            Per::Shipment => known.with("order").with("shipment"),
            Per::Item | Per::ItemField(_) => known.with("order").with("item").with("product"),
        })
}

/// Where the start could not be read, names are given the benefit of the doubt: one
/// mistake should not look like many.
pub(super) fn everything() -> Known {
    crate::model::names::SHARED
        .iter()
        .fold(Known::customer(), |known, field| known.with(field.name))
}

pub(super) trait WithPayload {
    fn with_payload(self, fact: FactKind) -> Self;

    fn without_payload(self) -> Self;
}

/// What events carry of their own, by the names that conditions and mails have for it.
const PAYLOADS: [&str; 8] = [
    "refund", "cancel", "return", "dispute", "review", "ticket", "failure", "pickup",
];

impl WithPayload for Known {
    /// Without what the fact of the start carries.
    fn without_payload(self) -> Known {
        PAYLOADS
            .iter()
            .fold(self, |known, name| known.without(name))
    }

    /// With what a fact carries.
    fn with_payload(self, fact: FactKind) -> Known {
        match fact.brings() {
            Some(name) => self.with(name),
            None => self,
        }
    }
}
