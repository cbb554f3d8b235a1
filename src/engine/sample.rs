//! Sample customers for previews without a database: real events about a small order,
//! taken in by the same reader and planned by the same planner as anybody's. Each has
//! something that mails tend to break on.

mod cast;
mod shop;
mod story;

pub use cast::Cast;

use crate::model::event::Event;
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::product::Product;
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::Ready;
use crate::plan::simulate::live_through;
use crate::plan::walk::{self, Make};
use crate::sequence::catalog::Catalog;
use jiff::SignedDuration;
use std::collections::BTreeSet;
use story::{Story, Tale, events};

/// How long the sample lives on, in days: longer than any sequence of a year's course.
const LIVES_DAYS: i64 = 400;

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
