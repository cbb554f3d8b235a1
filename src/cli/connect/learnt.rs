//! What a source's deliveries hold and what they lack, told from the events that came of
//! them; and what of the files' needs was not heard yet.

use super::Connection;
use crate::cli::{Exit, Out};
use crate::engine::traces::Trace;
use crate::ingest::switches;
use crate::model::event::{ConsentState, Event, EventKind, Precision};
use crate::sequence::needed::{For, needed};
use crate::store::{Store, TailFilter};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How many of a source's newest events are looked at.
const LOOKED_AT: usize = 500;

/// What events say of what they are about, counted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Learnt {
    pub events: usize,
    /// How many were tests.
    pub tests: usize,
    /// By kind.
    pub kinds: BTreeMap<EventKind, usize>,
    /// Whole orders, and of how many something is known.
    pub orders: usize,
    pub with_products: usize,
    pub with_country: usize,
    /// Customers, and of how many something is known.
    pub customers: usize,
    pub with_email: usize,
    pub with_locale: usize,
    pub with_zone: usize,
    pub with_consent: usize,
    /// Arrivals, and how many are not known to the second.
    pub arrivals: usize,
    pub vague: usize,
}

impl Learnt {
    /// Of these events.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Learnt {
        let mut learnt = Learnt::default();
        for event in events {
            learnt.note(event);
        }
        learnt
    }

    fn note(&mut self, event: &Event) {
        let body = &event.body;
        self.events += 1;
        self.tests += usize::from(body.test);
        *self.kinds.entry(event.kind).or_default() += 1;
        if let Some(order) = &body.order {
            self.orders += 1;
            let is_named = |line: &crate::model::event::LineItem| {
                line.product_id.is_some() || line.sku.is_some()
            };
            self.with_products += usize::from(order.line_items.iter().any(is_named));
            let country = order.ship_to.as_ref().and_then(|to| to.country.as_ref());
            self.with_country += usize::from(country.is_some());
        }
        if let Some(customer) = &body.customer {
            self.customers += 1;
            self.with_email += usize::from(customer.email.is_some());
            self.with_locale += usize::from(customer.locale.is_some());
            self.with_zone += usize::from(customer.time_zone.is_some());
            let consent = customer.marketing_consent.as_ref();
            let is_known = consent.is_some_and(|consent| consent.state != ConsentState::Unknown);
            self.with_consent += usize::from(is_known);
        }
        if let Some(delivery) = &body.delivery {
            self.arrivals += 1;
            self.vague += usize::from(delivery.precision != Precision::Second);
        }
    }

    /// What is missing, and what that means for customers.
    fn missing(&self, locale: Option<&str>) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lacks = |of: usize, has: usize, words: String| {
            if of > 0 && has == 0 {
                missing.push(words);
            }
        };
        lacks(
            self.customers,
            self.with_email,
            "no address: nobody can be mailed; does the platform let us see customers' data?"
                .to_owned(),
        );
        lacks(
            self.customers,
            self.with_locale,
            format!(
                "no language: customers are mailed in {} until something else says theirs",
                locale.unwrap_or("the shop's first")
            ),
        );
        lacks(
            self.customers,
            self.with_consent,
            "no consent: whoever must be asked first gets no reviews, surveys and offers until another source says so (a marketing tool, an import, POST /events)".to_owned(),
        );
        lacks(
            self.customers,
            self.with_zone,
            "no time zone: it is taken from the country, else it is the shop's".to_owned(),
        );
        lacks(
            self.orders,
            self.with_country,
            "no country: zone, holidays and the rules of consent are the shop's".to_owned(),
        );
        lacks(
            self.orders,
            self.with_products,
            "no product id and no SKU on any line: nothing can be taught about what was bought"
                .to_owned(),
        );
        if self.vague > 0 {
            missing.push(format!(
                "{} of {} arrivals without an exact time: a day, or a zone that was assumed",
                self.vague, self.arrivals
            ));
        }
        if self.tests > 0 {
            let all = if self.tests == self.events {
                "all"
            } else {
                "some"
            };
            missing.push(format!(
                "{all} of it is a test: mail about it goes to test_recipients of config/store.toml alone"
            ));
        }
        missing
    }
}

/// Tells what a source that delivers has told so far.
///
/// # Errors
/// The database is out of reach.
pub async fn tell(
    connection: &Connection<'_>,
    store: &Store,
    trace: &Trace,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let mut events: Vec<Event> = Vec::new();
    for origin in &trace.origins {
        let filter = TailFilter {
            source: Some(origin.clone()),
            kind: None,
        };
        let told = store.newest_events(&filter, LOOKED_AT).await?;
        events.extend(told.into_iter().filter_map(|(_, event)| event.ok()));
    }
    let learnt = Learnt::of(&events);
    let policy = connection.live.as_ref().map(|live| &live.catalog.policy);
    let locale = policy
        .and_then(|policy| policy.locales.first())
        .map(String::as_str);
    let missing = learnt.missing(locale);
    let unused: Vec<(&str, &str)> = trace
        .topics
        .iter()
        .filter_map(|(topic, seen)| Some((topic.as_str(), seen.because.as_deref()?)))
        .collect();
    let lacking = lacking(connection, &learnt);
    if out.is_json() {
        out.object(&json!({
            "seen": "delivery",
            "message": format!("{} delivers, and its signature holds", connection.platform.called()),
            "deliveries": trace.count,
            "last": trace.last,
            "version": trace.version,
            "sources": trace.origins,
            "topics": trace.topics,
            "learnt": learnt,
            "missing": missing,
            "lacking": lacking.iter().map(|(kind, words)| json!({"kind": kind, "message": words})).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Fine);
    }
    out.line(format_args!(
        "{} delivers, and its signature holds: {} so far, the last {}.",
        connection.platform.called(),
        many(trace.count, "delivery", "deliveries"),
        trace
            .last
            .map_or_else(|| "just now".to_owned(), |last| format!("at {last:.0}")),
    ))?;
    let topics: Vec<String> = trace
        .topics
        .iter()
        .map(|(topic, seen)| match seen.outcome.as_str() {
            "understood" => topic.clone(),
            "unused" => format!("{topic} (we have no use for it)"),
            "to_fetch" => format!("{topic} (says only where to look)"),
            _ => format!("{topic} (in quarantine)"),
        })
        .collect();
    out.line(format_args!("  topics    {}", topics.join(", ")))?;
    if let Some(version) = &trace.version {
        out.line(format_args!("  version   {version}"))?;
    }
    if !trace.origins.is_empty() {
        out.line(format_args!("  source    {}", trace.origins.join(", ")))?;
    }
    let kinds: Vec<String> = learnt
        .kinds
        .iter()
        .map(|(kind, count)| format!("{} {count}", kind.as_str()))
        .collect();
    if !kinds.is_empty() {
        out.line(format_args!("  events    {}", kinds.join(", ")))?;
    }
    if learnt.customers > 0 {
        let known = [
            ("address", learnt.with_email),
            ("language", learnt.with_locale),
            ("time zone", learnt.with_zone),
            ("consent", learnt.with_consent),
        ];
        let known: Vec<String> = known
            .iter()
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        out.line(format_args!(
            "  customers {}, with {}",
            learnt.customers,
            known.join(", ")
        ))?;
    }
    if learnt.orders > 0 {
        out.line(format_args!(
            "  orders    {}, with country {}, with products {}",
            learnt.orders, learnt.with_country, learnt.with_products
        ))?;
    }
    for (topic, because) in unused {
        out.line(format_args!(
            "{topic}: {because} (`aftercare quarantine list`)"
        ))?;
    }
    section(out, "Not in it:", &missing)?;
    let words: Vec<String> = lacking
        .iter()
        .map(|(kind, words)| format!("{}: {words}", kind.as_str()))
        .collect();
    section(
        out,
        "Your files live on these too, and they were not heard yet:",
        &words,
    )?;
    section(out, "Worth knowing:", &connection.setup.learn)?;
    out.line(format_args!(
        "Next: `aftercare events tail --follow` shows what comes in, `aftercare upcoming` what it brings about, `aftercare doctor events` what falls silent."
    ))?;
    Ok(Exit::Fine)
}

fn many(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

fn section(out: &mut Out, title: &str, lines: &[String]) -> anyhow::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    out.line(title)?;
    for line in lines {
        out.line(format_args!("  - {line}"))?;
    }
    Ok(())
}

/// What the files need and this source has not told yet: what it can tell, with where to
/// switch it on; what none of the configured platforms can tell, with who could.
fn lacking(connection: &Connection<'_>, learnt: &Learnt) -> Vec<(EventKind, String)> {
    let Some(live) = &connection.live else {
        return Vec::new();
    };
    let platform = connection.platform.as_str();
    let own: BTreeSet<EventKind> = connection.setup.kinds();
    let sources = &connection.shop.config.sources;
    let others: Vec<&str> = sources
        .iter()
        .map(|source| source.platform.as_str())
        .filter(|other| *other != platform)
        .collect();
    let mut lacking = Vec::new();
    for (kind, needs) in needed(&live.catalog) {
        if learnt.kinds.contains_key(&kind) {
            continue;
        }
        let words = |platforms: &[&str]| {
            let found = switches::where_to(kind, platforms);
            found
                .into_iter()
                .filter(|(platform, _)| platforms.contains(platform))
                .map(|(platform, words)| format!("{platform}: {words}"))
                .collect::<Vec<_>>()
        };
        let starts = needs.iter().any(|(what, _)| *what == For::Starting);
        if own.contains(&kind) {
            lacking.push((
                kind,
                format!("comes with {}", words(&[platform]).join("; ")),
            ));
        } else if starts && words(&others).is_empty() {
            // Nobody who is configured can say it, and something waits for it for ever.
            let who: Vec<&str> = switches::where_to(kind, &[])
                .into_iter()
                .map(|(platform, _)| platform)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            let who = match who.is_empty() {
                true => "send it to POST /events".to_owned(),
                false => format!(
                    "connect one of {}, or send it to POST /events",
                    who.join(", ")
                ),
            };
            lacking.push((kind, format!("this platform never says it: {who}")));
        }
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_only_where_something_came() {
        assert!(Learnt::default().missing(Some("de")).is_empty());
        let poor = Learnt {
            events: 2,
            tests: 2,
            orders: 1,
            customers: 1,
            with_email: 1,
            arrivals: 1,
            vague: 1,
            ..Learnt::default()
        };
        let told = poor.missing(Some("de")).join("\n");
        for word in [
            "no language",
            "in de",
            "no consent",
            "no time zone",
            "no country",
            "no product id",
            "1 of 1 arrivals",
            "all of it is a test",
        ] {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!told.contains("no address"));
        let rich = Learnt {
            with_locale: 1,
            with_zone: 1,
            with_consent: 1,
            with_country: 1,
            with_products: 1,
            tests: 0,
            vague: 0,
            ..poor
        };
        assert!(rich.missing(None).is_empty());
    }
}
