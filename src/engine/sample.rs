//! Sample customers for previews without a database: real events about a small order,
//! taken in by the same reader and planned by the same planner as anybody's. Each has
//! something that mails tend to break on.

use crate::ingest::canonical::{self, Limits};
use crate::model::event::Event;
use crate::model::history::History;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::locale;
use crate::model::product::{Product, Variant};
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::Ready;
use crate::plan::simulate::live_through;
use crate::plan::walk::{self, Make};
use crate::sequence::catalog::Catalog;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// When the sample order was placed: a Monday morning.
const PLACED: &str = "2026-03-02T09:12:00Z";
/// How long the sample lives on, in days: longer than any sequence of a year's course.
const LIVES_DAYS: i64 = 400;
/// Who says so.
const SOURCE: &str = "/sample";
/// Lines of the order of [`Cast::Full`].
const FULL_LINES: usize = 9;

/// Who the sample customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cast {
    /// Somebody with a name, who ordered one thing.
    Plain,
    /// Nothing is known that need not be: no name, no number, no links, no pictures.
    Minimal,
    /// Many things in many numbers.
    Full,
    /// Names and titles that are longer than anybody thought.
    Long,
    /// An order for somebody else.
    Gift,
    /// Names and titles in a script that runs the other way.
    Rtl,
}

impl Cast {
    /// All of them, the usual one first.
    pub const ALL: [Cast; 6] = [
        Cast::Plain,
        Cast::Minimal,
        Cast::Full,
        Cast::Long,
        Cast::Gift,
        Cast::Rtl,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Cast::Plain => "plain",
            Cast::Minimal => "minimal",
            Cast::Full => "full",
            Cast::Long => "long",
            Cast::Gift => "gift",
            Cast::Rtl => "rtl",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Cast> {
        Cast::ALL.into_iter().find(|cast| cast.as_str() == name)
    }
}

/// Why there is no sample of a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSample {
    /// No story about any product of the catalogue ends in it.
    #[error("no sample order leads to {0}")]
    Unreached(String),
    /// The usual customer gets it, this one does not.
    #[error("the sample customer \"{cast}\" never gets {steps}")]
    NotForThem {
        /// Who.
        cast: &'static str,
        /// Which steps.
        steps: String,
    },
    /// The sample itself is broken.
    #[error("the sample order is no order: {0}")]
    Broken(String),
}

/// What happens to the sample order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Paid, shipped, delivered.
    Delivered,
    /// Placed unpaid, paid two days later, then shipped and delivered.
    PaidLater,
    /// Shipped, and then nothing is heard.
    Slow,
    /// Cancelled before it left.
    Cancelled,
    /// Delivered, and then given back.
    Refunded,
}

impl Story {
    /// What snapshots call it.
    fn name(self) -> &'static str {
        match self {
            Story::Delivered => "delivered",
            Story::PaidLater => "paid-later",
            Story::Slow => "slow",
            Story::Cancelled => "cancelled",
            Story::Refunded => "refunded",
        }
    }

    const ALL: [Story; 5] = [
        Story::Delivered,
        Story::PaidLater,
        Story::Slow,
        Story::Cancelled,
        Story::Refunded,
    ];
}

/// A send of a step, and the history at its moment.
#[derive(Debug, Clone)]
pub struct Sample {
    pub history: History,
    pub send: Send,
    pub at: Timestamp,
}

/// Where a story about a product leads.
#[derive(Debug)]
struct Route {
    product: String,
    story: Story,
    sent: BTreeSet<(String, String)>,
    stopped: BTreeSet<(String, String)>,
}

/// Finds samples in one catalogue; what it learnt about the ways is kept.
#[derive(Debug)]
pub struct Sampler<'c> {
    catalog: &'c Catalog,
    routes: Vec<Route>,
    /// What is still to be tried.
    ahead: Vec<(String, Story)>,
}

impl<'c> Sampler<'c> {
    /// A sampler over a catalogue.
    pub fn new(catalog: &'c Catalog) -> Self {
        let mut ahead: Vec<(String, Story)> = catalog
            .products
            .iter()
            .filter(|product| !product.variants.is_empty())
            .flat_map(|product| Story::ALL.map(|story| (product.product_id.clone(), story)))
            .collect();
        ahead.reverse();
        Sampler {
            catalog,
            routes: Vec::new(),
            ahead,
        }
    }

    /// The first send of one of `steps` that any story about any product brings about: one
    /// that goes out before one that a rule stops.
    ///
    /// # Errors
    /// No story leads there, or not for this customer.
    pub fn find(
        &mut self,
        steps: &[(String, String)],
        locale: &str,
        cast: Cast,
    ) -> Result<Sample, NoSample> {
        let words = || {
            let names: Vec<String> = steps
                .iter()
                .map(|(sequence, step)| format!("{sequence}/{step}"))
                .collect();
            names.join(", ")
        };
        let Some((product, story)) = self.way(steps)? else {
            return Err(NoSample::Unreached(words()));
        };
        let Some(product) = self.catalog.products.product(&product) else {
            return Err(NoSample::Unreached(words()));
        };
        let tale = Tale {
            catalog: self.catalog,
            product,
            locale,
            cast,
        };
        live(&tale, story, steps)?.ok_or_else(|| NoSample::NotForThem {
            cast: cast.as_str(),
            steps: words(),
        })
    }

    /// The product and the story that lead to one of `steps`.
    fn way(&mut self, steps: &[(String, String)]) -> Result<Option<(String, Story)>, NoSample> {
        let leads = |all: &BTreeSet<(String, String)>| steps.iter().any(|step| all.contains(step));
        if let Some(route) = self.routes.iter().find(|route| leads(&route.sent)) {
            return Ok(Some((route.product.clone(), route.story)));
        }
        let first = self
            .catalog
            .policy
            .locales
            .first()
            .map_or("en", String::as_str);
        while let Some((id, story)) = self.ahead.pop() {
            let Some(product) = self.catalog.products.product(&id) else {
                continue;
            };
            let tale = Tale {
                catalog: self.catalog,
                product,
                locale: first,
                cast: Cast::Plain,
            };
            let history = lived(self.catalog, &events(&tale, story)?, None);
            let mut route = Route {
                product: id.clone(),
                story,
                sent: BTreeSet::new(),
                stopped: BTreeSet::new(),
            };
            for send in &history.sends {
                let step = (send.sequence.clone(), send.step.clone());
                if matches!(send.state, SendState::Accepted { .. }) {
                    route.sent.insert(step);
                } else {
                    route.stopped.insert(step);
                }
            }
            let found = leads(&route.sent);
            self.routes.push(route);
            if found {
                return Ok(Some((id, story)));
            }
        }
        Ok(self
            .routes
            .iter()
            .find(|route| leads(&route.stopped))
            .map(|route| (route.product.clone(), route.story)))
    }
}

fn live(
    tale: &Tale<'_>,
    story: Story,
    steps: &[(String, String)],
) -> Result<Option<Sample>, NoSample> {
    let events = events(tale, story)?;
    let history = lived(tale.catalog, &events, None);
    let is_meant = |send: &&Send| {
        steps
            .iter()
            .any(|(sequence, step)| send.sequence == *sequence && send.step == *step)
    };
    let mut meant: Vec<&Send> = history.sends.iter().filter(is_meant).collect();
    meant.sort_by_key(|send| (!matches!(send.state, SendState::Accepted { .. }), send.at));
    let Some(send) = meant.first().copied().cloned() else {
        return Ok(None);
    };
    let at = send.at;
    let history = lived(tale.catalog, &events, Some(at));
    Ok(Some(Sample { history, send, at }))
}

/// A mail of a sample order as it is made.
pub type Taken<'t> = dyn FnMut(&'static str, &Catalog, &Send, Box<Ready>, Timestamp) -> Result<Prepared, Reason>
    + 't;

/// Lets sample orders happen until every mail of the files has gone out in every
/// language, or no story is left; `take` makes each and is told the story's name. One
/// product of each family is enough: sequences are about families.
///
/// # Errors
/// A sample event is none, which is our mistake.
pub fn every(catalog: &Catalog, locales: &[String], take: &mut Taken<'_>) -> Result<(), NoSample> {
    let mut wanted: BTreeSet<&str> = catalog
        .sequences
        .iter()
        .flat_map(|sequence| &sequence.steps)
        .map(|step| step.mail.as_str())
        .collect();
    let mut chosen = Vec::new();
    let Some(first) = locales.first() else {
        return Ok(());
    };
    let mut families = BTreeSet::new();
    for product in catalog.products.iter() {
        let variant = product.variants.first();
        let family = catalog.products.family_of(
            Some(&product.product_id),
            variant.and_then(|variant| variant.sku.as_deref()),
            &product.tags,
            &product.categories,
            product.vendor.as_deref(),
        );
        if variant.is_none() || !families.insert(family) {
            continue;
        }
        for story in Story::ALL {
            if wanted.is_empty() {
                break;
            }
            let mut gave = false;
            lived_making(
                catalog,
                product,
                story,
                first,
                &mut |catalog, send, ready, now| {
                    gave |= wanted.remove(send.mail.as_str());
                    take(story.name(), catalog, send, ready, now)
                },
            )?;
            if gave {
                chosen.push((product, story));
            }
        }
    }
    for locale in &locales[1..] {
        for (product, story) in &chosen {
            lived_making(
                catalog,
                product,
                *story,
                locale,
                &mut |catalog, send, ready, now| take(story.name(), catalog, send, ready, now),
            )?;
        }
    }
    Ok(())
}

fn lived_making(
    catalog: &Catalog,
    product: &Product,
    story: Story,
    locale: &str,
    make: &mut Make<'_>,
) -> Result<(), NoSample> {
    let tale = Tale {
        catalog,
        product,
        locale,
        cast: Cast::Plain,
    };
    let events = events(&tale, story)?;
    let run_on = SignedDuration::from_hours(24 * LIVES_DAYS);
    let end = events
        .first()
        .map(|first| time::saturating_add(first.recorded, run_on));
    live_through(catalog, events, None, end, make);
    Ok(())
}

/// Lives the events through, up to an instant or to the sample's end.
fn lived(catalog: &Catalog, events: &[Event], until: Option<Timestamp>) -> History {
    let mut history = History::new(CustomerId(1));
    let Some(first) = events.first() else {
        return history;
    };
    let end = time::saturating_add(first.recorded, SignedDuration::from_hours(24 * LIVES_DAYS));
    let until = until.unwrap_or(end);
    let mut now = first.recorded;
    for event in events.iter().take_while(|event| event.recorded <= until) {
        let before = time::saturating_add(event.recorded, SignedDuration::from_millis(-1));
        if before > now && !history.events.is_empty() {
            walk::live(catalog, &mut history, now, before);
        }
        history.events.push(event.clone());
        history.version += 1;
        now = event.recorded;
    }
    walk::live(catalog, &mut history, now, until);
    history
}

/// What a story is told about, and to whom.
struct Tale<'a> {
    catalog: &'a Catalog,
    product: &'a Product,
    locale: &'a str,
    cast: Cast,
}

/// The story's events, as a storefront would tell them.
fn events(tale: &Tale<'_>, story: Story) -> Result<Vec<Event>, NoSample> {
    let placed: Timestamp = PLACED
        .parse()
        .map_err(|_| NoSample::Broken("its date is none".into()))?;
    let after = |hours: i64| time::saturating_add(placed, SignedDuration::from_hours(hours));
    let shop = Shop {
        catalog: tale.catalog,
        product: tale.product,
        locale: tale.locale,
        cast: tale.cast,
        placed,
    };
    let paid_at_once = story != Story::PaidLater;
    let mut told = vec![shop.event(
        "order.placed",
        "placed",
        placed,
        json!({
            "order": shop.order(if paid_at_once { "paid" } else { "pending" }, placed),
            "customer": shop.customer(),
        }),
    )];
    if !paid_at_once {
        told.push(shop.event(
            "order.paid",
            "paid",
            after(46),
            json!({"order": shop.order("paid", after(46)), "customer": shop.customer()}),
        ));
    }
    let order_ref = json!({"order_id": ORDER, "order_number": shop.number()});
    if story == Story::Cancelled {
        told.push(shop.event(
            "order.cancelled",
            "cancelled",
            after(5),
            json!({
                "order_ref": order_ref,
                "cancel": {"reason": "customer", "cancelled_at": after(5)},
            }),
        ));
    } else {
        let items: Vec<Value> = shop
            .lines()
            .iter()
            .map(|line| {
                json!({
                    "line_id": line["line_id"],
                    "sku": line["sku"],
                    "quantity": line["quantity"],
                })
            })
            .collect();
        let tracking = if shop.cast == Cast::Minimal {
            json!([])
        } else {
            json!([{
                "carrier": "dhl",
                "carrier_name": "DHL",
                "number": "00340434161094042557",
                "url": "https://track.example.com/00340434161094042557",
            }])
        };
        let shipment = json!({
            "shipment_id": "SAMPLE-1",
            "direction": "outbound",
            "tracking": tracking,
            "items": items,
            "shipped_at": after(54),
        });
        told.push(shop.event(
            "shipment.dispatched",
            "dispatched",
            after(54),
            json!({"order_ref": order_ref, "shipment": shipment}),
        ));
        if story != Story::Slow {
            told.push(shop.event(
                "shipment.delivered",
                "delivered",
                after(100),
                json!({
                    "order_ref": order_ref,
                    "shipment": shipment,
                    "delivery": {"delivered_at": after(100), "precision": "second", "basis": "carrier"},
                }),
            ));
        }
        if story == Story::Refunded {
            let lines = shop.lines();
            let items: Vec<Value> = lines
                .iter()
                .map(|line| {
                    json!({
                        "line_id": line["line_id"],
                        "sku": line["sku"],
                        "quantity": line["quantity"],
                        "amount": line["total"],
                        "restock": "return",
                    })
                })
                .collect();
            told.push(shop.event(
                "refund.issued",
                "refund",
                after(240),
                json!({
                    "order_ref": order_ref,
                    "refund": {
                        "refund_id": "SAMPLE-REFUND",
                        "amount": shop.total(&lines),
                        "refunded_total": shop.total(&lines),
                        "scope": "full",
                        "reason": "other",
                        "items": items,
                        "return_id": null,
                    },
                }),
            ));
        }
    }
    told.iter()
        .zip(1..)
        .map(|(told, seq)| read(told, seq))
        .collect()
}

const ORDER: &str = "sample-1042";
const NUMBER: &str = "#1042";

/// What the events of one sample share.
struct Shop<'a> {
    catalog: &'a Catalog,
    product: &'a Product,
    locale: &'a str,
    cast: Cast,
    placed: Timestamp,
}

/// Who a reader of a language is: first name, last name, mailbox, country, currency.
type Person = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// The sample customer of a language; Alex of the US for any that is not here.
fn person(locale: &str) -> Person {
    match locale::language(locale).as_str() {
        "ar" => ("ليلى", "حداد", "layla.haddad", "AE", "AED"),
        "de" => ("Anna", "Becker", "anna.becker", "DE", "EUR"),
        "es" => ("Lucía", "Romero", "lucia.romero", "ES", "EUR"),
        "fr" => ("Camille", "Durand", "camille.durand", "FR", "EUR"),
        "he" => ("נועה", "לוי", "noa.levi", "IL", "ILS"),
        "hi" => ("अनन्या", "शर्मा", "ananya.sharma", "IN", "INR"),
        "it" => ("Giulia", "Ferri", "giulia.ferri", "IT", "EUR"),
        "ja" => ("陽菜", "佐藤", "hina.sato", "JP", "JPY"),
        "nl" => ("Sanne", "de Vries", "sanne.devries", "NL", "EUR"),
        "pl" => ("Zofia", "Wójcik", "zofia.wojcik", "PL", "PLN"),
        "pt" => ("Beatriz", "Nogueira", "beatriz.nogueira", "BR", "BRL"),
        "sv" => ("Elsa", "Lindström", "elsa.lindstrom", "SE", "SEK"),
        "zh" => ("雅婷", "陳", "yating.chen", "TW", "TWD"),
        _ => ("Alex", "Morgan", "alex.morgan", "US", "USD"),
    }
}

impl Shop<'_> {
    fn number(&self) -> Option<&'static str> {
        (self.cast != Cast::Minimal).then_some(NUMBER)
    }

    /// A price in the currency that the sample's readers pay in, else in any.
    fn price(&self, variant: &Variant) -> (i64, String) {
        let wanted = person(self.locale).4;
        let money = [wanted, "EUR", "USD"]
            .into_iter()
            .chain(variant.prices.keys().map(String::as_str))
            .find_map(|currency| variant.price_in(currency));
        match money.or(variant.price.clone()) {
            Some(money) => (money.amount, money.currency),
            None => (4900, "EUR".to_owned()),
        }
    }

    fn country(&self) -> String {
        let region = self
            .locale
            .split(['-', '_'])
            .skip(1)
            .find(|part| part.len() == 2)
            .map(str::to_ascii_uppercase);
        region.unwrap_or_else(|| person(self.locale).3.to_owned())
    }

    fn customer(&self) -> Value {
        let (first, last, mailbox, ..) = person(self.locale);
        let mailbox = format!("{mailbox}@example.com");
        let (first, last, mailbox) = match self.cast {
            Cast::Long => (
                "Maximiliane-Wilhelmina Theodora",
                "von Hohenlohe-Waldenburg-Schillingsfürst",
                "maximiliane-wilhelmina.von-hohenlohe-waldenburg@customers.example.com".to_owned(),
            ),
            Cast::Rtl => ("שירה", "בן־דוד", mailbox),
            _ => (first, last, mailbox),
        };
        let named = self.cast != Cast::Minimal;
        let family_first = matches!(locale::language(self.locale).as_str(), "ja" | "zh");
        let name = match family_first {
            true => format!("{last} {first}"),
            false => format!("{first} {last}"),
        };
        json!({
            "customer_id": "sample-7",
            "account": "registered",
            "email": mailbox,
            "first_name": named.then_some(first),
            "last_name": named.then_some(last),
            "name": named.then_some(name),
            "phone": null,
            "locale": self.locale,
            "time_zone": null,
            "country": self.country(),
            "region": null,
            "tags": [],
            "marketing_consent": {
                "channel": "email",
                "state": "subscribed",
                "opt_in_level": "single_opt_in",
                "basis": "explicit",
                "source": "checkout",
                "updated_at": self.placed,
            },
        })
    }

    /// The lines of the order: the product itself, and in [`Cast::Full`] others too.
    fn lines(&self) -> Vec<Value> {
        let others = self
            .catalog
            .products
            .iter()
            .filter(|other| {
                other.product_id != self.product.product_id && !other.variants.is_empty()
            })
            .take(if self.cast == Cast::Full {
                FULL_LINES - 1
            } else {
                0
            });
        let currency = self
            .price(self.product.variants.first().unwrap_or(&Variant::default()))
            .1;
        std::iter::once(self.product)
            .chain(others)
            .zip(1_i64..)
            .map(|(product, number)| self.line(product, number, &currency))
            .collect()
    }

    fn line(&self, product: &Product, number: i64, currency: &str) -> Value {
        let variant = product.variants.first().cloned().unwrap_or_default();
        let (price, own) = self.price(&variant);
        // One order has one currency; what a product costs in another is as good a number.
        let price = if own == currency {
            price
        } else {
            price.max(100)
        };
        let quantity = match (self.cast, number) {
            (Cast::Full, 2) => 1200,
            (Cast::Full, number) if number > 2 => number,
            _ => 1,
        };
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let locales = locale::chain(self.locale, None);
        let title = product.title_in(&locales);
        let title = match self.cast {
            Cast::Long => format!(
                "{title} Professional Anniversary Edition with Extended Warranty, Weather-Sealed Travel Case and Donaudampfschifffahrtsgesellschaftskapitänsmützenhalterung"
            ),
            Cast::Rtl => format!("{title} מהדורת נמל (2026)"),
            _ => title.to_owned(),
        };
        let bare = self.cast == Cast::Minimal;
        let kind = variant.kind.as_deref().unwrap_or("physical");
        json!({
            "line_id": number.to_string(),
            "product_id": product.product_id,
            "variant_id": variant.variant_id,
            "sku": variant.sku,
            "title": title,
            "variant_title": variant.title.filter(|_| !bare),
            "quantity": quantity,
            "current_quantity": quantity,
            "unit_price": money(price),
            "discount": money(0),
            "total": money(price * quantity),
            "vendor": product.vendor.as_ref().filter(|_| !bare),
            "kind": kind,
            "requires_shipping": kind == "physical",
            "tags": product.tags,
            "categories": product.categories,
            "image_url": product.image_url.as_ref().filter(|_| !bare),
            "product_url": product.product_url.as_ref().filter(|_| !bare),
            "catalog_resolved": true,
        })
    }

    fn total(&self, lines: &[Value]) -> Value {
        let amount: i64 = lines
            .iter()
            .filter_map(|line| line["total"]["amount"].as_i64())
            .sum();
        let currency = lines
            .first()
            .map_or(Value::Null, |line| line["total"]["currency"].clone());
        json!({"amount": amount, "currency": currency})
    }

    fn order(&self, payment: &str, version: Timestamp) -> Value {
        let lines = self.lines();
        let total = self.total(&lines);
        let currency = total["currency"].clone();
        let nothing = json!({"amount": 0, "currency": currency});
        let bare = self.cast == Cast::Minimal;
        let mut order = json!({
            "order_id": ORDER,
            "order_number": self.number(),
            "version": version,
            "placed_at": self.placed,
            "channel": "web",
            "currency": currency,
            "subtotal": total,
            "discount": nothing,
            "shipping": nothing,
            "tax": nothing,
            "total": total,
            "shop_total": null,
            "payment_status": payment,
            "fulfilment_status": "unfulfilled",
            "status_url": (!bare).then(|| format!("{}/orders/{ORDER}", self.catalog.policy.url.trim_end_matches('/'))),
            "tags": [],
            "discount_codes": [],
            "shipping_method": (!bare).then_some("Standard"),
            "ship_to": {"country": self.country(), "region": null, "postal_code": null, "city": null},
            "line_items": lines,
        });
        if self.cast == Cast::Gift {
            order["gift"] = Value::Bool(true);
        }
        order
    }

    fn event(&self, kind: &str, id: &str, at: Timestamp, mut data: Value) -> Value {
        data["test"] = Value::Bool(false);
        json!({
            "specversion": "1.0",
            "id": format!("sample/{id}"),
            "source": SOURCE,
            "type": kind,
            "subject": format!("order/{ORDER}"),
            "time": at,
            "recordedtime": at,
            "datacontenttype": "application/json",
            "partitionkey": format!("order/{ORDER}"),
            "data": data,
        })
    }
}

fn read(told: &Value, seq: i64) -> Result<Event, NoSample> {
    let broken = |why: String| NoSample::Broken(why);
    let at: Timestamp = told["recordedtime"]
        .as_str()
        .unwrap_or(PLACED)
        .parse()
        .map_err(|_| broken("its date is none".into()))?;
    let parsed = canonical::parse_structured(told.to_string().as_bytes(), at, Limits::default())
        .map_err(|error| broken(error.to_string()))?;
    if let Some(poison) = parsed.poison.first() {
        return Err(broken(poison.because.to_string()));
    }
    let mut event = parsed
        .events
        .into_iter()
        .next()
        .ok_or_else(|| broken("it is empty".into()))?;
    event.seq = EventSeq(seq);
    Ok(event)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_sample_customer_is_a_customer() {
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = crate::engine::reload::read(shop);
        let live = read.live.unwrap();
        let mut sampler = Sampler::new(&live.catalog);
        let step = [("fulfilment".to_owned(), "placed".to_owned())];
        for cast in Cast::ALL {
            for locale in ["en", "de", "ja", "ar", "he", "pt-BR"] {
                let sample = sampler.find(&step, locale, cast).unwrap();
                let order = sample
                    .history
                    .events
                    .iter()
                    .find_map(|event| event.body.order.as_ref())
                    .unwrap();
                let lines = order.line_items.len();
                assert_eq!(lines > 1, cast == Cast::Full, "{cast:?}");
                assert_eq!(order.order_number.is_none(), cast == Cast::Minimal);
                assert_eq!(order.gift == Some(true), cast == Cast::Gift);
            }
            assert_eq!(Cast::parse(cast.as_str()), Some(cast));
        }
        let nowhere = [("fulfilment".to_owned(), "never".to_owned())];
        assert!(matches!(
            sampler.find(&nowhere, "en", Cast::Plain),
            Err(NoSample::Unreached(_))
        ));
    }
}
