//! Events in few words: an order from SKUs of the shop's catalogue, its parcels, refunds
//! and what else customers do. Each is written out as the event that a shop would send;
//! nothing here knows what follows from it.

mod after;
mod book;
mod order;

pub(super) use book::Book;

use super::read::{Person, Told, lay_under};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::EventKind;
use crate::model::nearest::nearest;
use crate::model::time::Timestamp;
use crate::sequence::catalog::Catalog;
use crate::sequence::syntax::{Section, Spanned};
use book::Bought;
use serde_json::{Map, Value, json};

/// What happens, in one word: the key, the kind of event it becomes, and the keys that
/// may stand beside it.
const WORDS: [(&str, EventKind, &[&str]); 24] = [
    (
        "order",
        EventKind::OrderPlaced,
        &[
            "items",
            "unpaid",
            "gift",
            "ship_to",
            "currency",
            "tags",
            "subscription",
            "replaces",
            "test",
        ],
    ),
    ("paid", EventKind::OrderPaid, &[]),
    ("cancelled", EventKind::OrderCancelled, &[]),
    ("dispatched", EventKind::ShipmentDispatched, PARCEL),
    ("in_transit", EventKind::ShipmentInTransit, PARCEL),
    (
        "out_for_delivery",
        EventKind::ShipmentOutForDelivery,
        PARCEL,
    ),
    (
        "available_for_pickup",
        EventKind::ShipmentAvailableForPickup,
        PARCEL,
    ),
    ("delivery_failed", EventKind::ShipmentDeliveryFailed, PARCEL),
    ("delivered", EventKind::ShipmentDelivered, PARCEL),
    (
        "returned_to_sender",
        EventKind::ShipmentReturnedToSender,
        PARCEL,
    ),
    ("lost", EventKind::ShipmentLost, PARCEL),
    ("refunded", EventKind::RefundIssued, &["items", "amount"]),
    ("return_requested", EventKind::ReturnRequested, &["items"]),
    ("returned", EventKind::ReturnUpdated, &["items"]),
    ("return_declined", EventKind::ReturnUpdated, &["items"]),
    ("ticket", EventKind::TicketOpened, &["about"]),
    ("solved", EventKind::TicketClosed, &["about"]),
    ("dispute", EventKind::DisputeOpened, &["about"]),
    ("settled", EventKind::DisputeClosed, &["about"]),
    ("reviewed", EventKind::ReviewReceived, &["items", "rating"]),
    ("opted_out", EventKind::ConsentChanged, &[]),
    ("opted_in", EventKind::ConsentChanged, &[]),
    ("erased", EventKind::ErasureRequested, &[]),
    ("updated", EventKind::CustomerUpdated, &[]),
];
const PARCEL: &[&str] = &["items", "parcel"];
/// Keys that stand beside every word.
const BESIDE: [&str; 7] = ["at", "who", "learnt", "id", "source", "subject", "mode"];
/// Reads one `[[event]]` in short form.
pub(super) fn event(
    catalog: &Catalog,
    section: &Section<'_, '_>,
    person: Option<&Person>,
    at: Option<Timestamp>,
    book: &mut Book,
) -> Option<Told> {
    let words: Vec<_> = WORDS
        .iter()
        .filter(|(word, _, _)| section.has(word).is_some())
        .collect();
    let [(word, kind, beside)] = words.as_slice() else {
        unclear(
            section,
            &words.iter().map(|(word, _, _)| *word).collect::<Vec<_>>(),
        );
        return None;
    };
    let known: Vec<&str> = std::iter::once(*word)
        .chain(beside.iter().copied())
        .chain(BESIDE)
        .collect();
    section.only_of(&known, &[]);
    let shorthand = Shorthand {
        catalog,
        section,
        person,
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        word,
    };
    let mut data = shorthand.data(*kind, book)?;
    // Ids belong to their source: what happens to an order is told by whoever told of it.
    let order = ["about", word].iter().find_map(|key| {
        let name = section.peek(key)?;
        book.orders.get(name.value.trim_start_matches('#'))
    });
    let source = order.and_then(|order| order.source.clone());
    if let Some(person) = person {
        lay_under(&mut data, kind.as_str(), person);
    }
    Some(Told {
        kind: kind.as_str().to_owned(),
        subject: None,
        id: None,
        source,
        mode: None,
        data,
    })
}

/// An event that says nothing that happens, or two things.
fn unclear(section: &Section<'_, '_>, words: &[&str]) {
    let all = || WORDS.iter().map(|(word, _, _)| *word);
    let mut problem = if let [first, second, ..] = words {
        section
            .sheet
            .problem(
                "E411",
                section.has(second).unwrap_or_default(),
                format!("one event, and it says `{first}` and `{second}`"),
            )
            .help("write an [[event]] for each; they may have the same `at`")
    } else {
        section.sheet.problem(
            "E411",
            section.span.clone(),
            format!("{} does not say what happens", section.what),
        )
    };
    if words.is_empty() {
        let near = section
            .keys()
            .into_iter()
            .filter(|key| !BESIDE.contains(&key.value.as_str()))
            .find_map(|key| Some((nearest(&key.value, all())?, key)));
        problem = match near {
            Some((near, key)) => {
                problem.span = key.span;
                problem.help(format!("did you mean `{near}`?"))
            }
            None => problem.help(format!(
                "write one of {}, or type and data",
                all().collect::<Vec<_>>().join(", ")
            )),
        };
    }
    section.sheet.report(problem);
}

struct Shorthand<'a, 's, 'd> {
    catalog: &'a Catalog,
    section: &'a Section<'s, 'd>,
    person: Option<&'a Person>,
    at: Timestamp,
    word: &'a str,
}

impl Shorthand<'_, '_, '_> {
    fn data(&self, kind: EventKind, book: &mut Book) -> Option<Map<String, Value>> {
        let data = match self.word {
            "order" => self.order()?,
            "paid" => {
                let bought = self.bought(book)?;
                let mut order = bought.order.clone();
                order.insert("payment_status".to_owned(), json!("paid"));
                order.insert("version".to_owned(), json!(self.at));
                json!({"order": order, "customer": bought.customer})
            }
            "cancelled" => {
                let bought = self.bought(book)?;
                json!({
                    "order_ref": bought.order_ref(),
                    "cancel": {"reason": "customer", "cancelled_at": self.at},
                })
            }
            "refunded" => self.refund(book)?,
            "return_requested" | "returned" | "return_declined" => self.back(book)?,
            "ticket" | "solved" => {
                let ticket = self.named()?;
                let status = if self.word == "ticket" {
                    "open"
                } else {
                    "solved"
                };
                self.about(
                    book,
                    json!({"ticket": {"ticket_id": ticket.value, "status": status}}),
                )?
            }
            "dispute" | "settled" => {
                let dispute = self.named()?;
                self.about(book, json!({"dispute": {"dispute_id": dispute.value}}))?
            }
            "reviewed" => self.review(book)?,
            "opted_out" | "opted_in" => {
                let scope = self.named()?;
                let state = if self.word == "opted_out" {
                    "unsubscribed"
                } else {
                    "subscribed"
                };
                json!({"consent": {
                    "channel": "email",
                    "state": state,
                    "basis": if self.word == "opted_out" { "none" } else { "explicit" },
                    "source": "preferences",
                    "updated_at": self.at,
                    "scope": scope.value,
                }})
            }
            "erased" => {
                if self.section.flag(self.word) != Some(true) {
                    return None;
                }
                json!({"erasure": {"scope": "customer", "orders": [], "due_at": self.at}})
            }
            "updated" => json!({"customer": self.section.json(self.word)?.value}),
            _ => self.parcel(kind, book)?,
        };
        match data {
            Value::Object(data) => Some(data),
            _ => None,
        }
    }

    /// What the word names: an order, a ticket.
    fn named(&self) -> Option<Spanned<String>> {
        self.section.need(self.word, "\"1001\"")
    }

    fn slip(&self, code: &'static str, text: &Spanned<String>, message: String) -> Diagnostic {
        self.section.sheet.problem(code, text.span.clone(), message)
    }

    /// The order that a word names.
    fn bought<'b>(&self, book: &'b mut Book) -> Option<&'b mut Bought> {
        let name = self.named()?;
        self.order_called(&name, book)
    }

    fn order_called<'b>(
        &self,
        name: &Spanned<String>,
        book: &'b mut Book,
    ) -> Option<&'b mut Bought> {
        let bare = name.value.trim_start_matches('#');
        if !book.orders.contains_key(bare) {
            let mut problem = self.slip(
                "E414",
                name,
                format!(
                    "no order \"{}\" was placed before this",
                    name.value.escape_debug()
                ),
            );
            problem = match nearest(bare, book.orders.keys().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("an [[event]] before this one must say order = \"…\""),
            };
            self.section.sheet.report(problem);
        }
        book.orders.get_mut(bare)
    }

    fn about(&self, book: &mut Book, mut data: Value) -> Option<Value> {
        if let Some(order) = self.section.text("about") {
            data["order_ref"] = self.order_called(&order, book)?.order_ref();
            if let Some(email) = self.email() {
                data["customer_ref"] = json!({"email": email});
            }
        }
        Some(data)
    }

    fn record(&self, key: &str) -> Option<&str> {
        self.person?.record.get(key)?.as_str()
    }

    fn email(&self) -> Option<&str> {
        self.person?.who.email.as_deref()
    }
}

/// `2 x FLT-02`: how many of what.
fn counted(text: &str) -> (i64, &str) {
    text.split_once(" x ")
        .and_then(|(count, sku)| {
            let count: i64 = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some((count, sku.trim()))
        })
        .unwrap_or((1, text.trim()))
}

/// `consent = "subscribed"` of a customer as intake has it. `soft_opt_in` is the
/// exception for existing customers, offered at the checkout.
pub(super) fn standing(consent: &Value) -> Value {
    let word = consent.as_str().unwrap_or_default();
    let (state, basis) = match word {
        "soft_opt_in" => ("not_subscribed", "soft_opt_in"),
        "subscribed" => ("subscribed", "explicit"),
        other => (other, "none"),
    };
    json!({
        "channel": "email",
        "state": state,
        "basis": basis,
        "source": "checkout",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::scenario::read::GENERAL;
    use crate::sequence::keys;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_of_events_holds_every_word_and_no_other() {
        let words = WORDS
            .iter()
            .flat_map(|(word, _, beside)| std::iter::once(*word).chain(beside.iter().copied()));
        let read: BTreeSet<&str> = words.chain(BESIDE).chain(GENERAL).collect();
        let table: BTreeSet<&str> = keys::EVENT.names().collect();
        assert_eq!(read, table);
    }
}
