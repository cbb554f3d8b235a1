//! Sample customers for previews without a database: real events about a small order,
//! taken in by the same reader and planned by the same planner as anybody's. Each has
//! something that mails tend to break on.

mod cast;
mod shop;
mod story;
mod suit;

pub use cast::Cast;

use crate::model::event::Event;
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::Ready;
use crate::plan::explain;
use crate::plan::simulate::live_through;
use crate::plan::walk::{self, Make};
use crate::sequence::catalog::{Catalog, Sequence, Step};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::sync::Arc;
use story::{Story, Tale, events};
use suit::Suit;

/// How long the sample lives on, in days: longer than any sequence of a year's course.
const LIVES_DAYS: i64 = 400;

/// Ways that are tried for one mail beyond the usual ones, at most.
const MAX_TRIES: usize = 240;
/// Samples that are asked why they get no mail, at most.
const MAX_ASKED: usize = 12;

/// A step in one of its forms: arms of an experiment may send other mails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Form {
    pub sequence: String,
    pub step: String,
    pub mail: String,
}

impl Form {
    /// As commands name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.sequence, self.step)
    }

    fn of(send: &Send) -> Form {
        Form {
            sequence: send.sequence.clone(),
            step: send.step.clone(),
            mail: send.mail.clone(),
        }
    }
}

/// The forms of steps that are meant, each once, in the order of the files.
pub fn forms(catalog: &Catalog, is_meant: impl Fn(&Sequence, &Step) -> bool) -> Vec<Form> {
    let mut found = Vec::new();
    for sequence in catalog.sequences.iter() {
        for step in sequence.all_forms().filter(|step| is_meant(sequence, step)) {
            let form = Form {
                sequence: sequence.id.clone(),
                step: step.id.clone(),
                mail: step.mail.clone(),
            };
            if !found.contains(&form) {
                found.push(form);
            }
        }
    }
    found
}

/// Why there is no sample of a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSample {
    /// No story about any product of the catalogue ends in it.
    #[error("no sample order leads to {steps}: {because}")]
    Unreached {
        /// Which steps.
        steps: String,
        /// What keeps the sample that comes nearest from it.
        because: String,
    },
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

/// What a sample order is about and who places it.
#[derive(Debug, Clone)]
struct Way {
    /// Into which arms of experiments the customer is drawn: the number of the arm.
    draw: usize,
    product: String,
    story: Story,
    suit: Suit,
}

/// Where a way leads.
#[derive(Debug)]
struct Route {
    way: Way,
    sent: BTreeSet<Form>,
    stopped: BTreeSet<Form>,
}

/// Finds samples in one catalogue; what it learnt about the ways is kept.
#[derive(Debug)]
pub struct Sampler<'c> {
    catalog: &'c Catalog,
    routes: Vec<Route>,
    /// What is still to be tried, the next last.
    ahead: Vec<Way>,
}

impl<'c> Sampler<'c> {
    /// A sampler over a catalogue.
    pub fn new(catalog: &'c Catalog) -> Self {
        let mut ahead = Vec::new();
        for draw in 0..draws(catalog) {
            for product in suit::kinds(&catalog.products) {
                ahead.extend(Story::ALL.map(|story| Way {
                    draw,
                    product: product.product_id.clone(),
                    story,
                    suit: Suit::default(),
                }));
            }
        }
        ahead.reverse();
        Sampler {
            catalog,
            routes: Vec::new(),
            ahead,
        }
    }

    /// The first send of one of `forms` that any story about any product brings about: one
    /// that goes out before one that a rule stops. Where conditions ask for another sort
    /// of customer or order, the sample is made to be that, as far as they are simple.
    ///
    /// # Errors
    /// No story leads there, or not for this customer.
    pub fn find(&mut self, forms: &[Form], locale: &str, cast: Cast) -> Result<Sample, NoSample> {
        let words = || {
            let mut names: Vec<String> = forms.iter().map(Form::name).collect();
            names.dedup();
            names.join(", ")
        };
        let Some(way) = self.way(forms)? else {
            return Err(NoSample::Unreached {
                steps: words(),
                because: self.obstacle(forms),
            });
        };
        let found = self.live(&way, forms, locale, cast)?;
        found.ok_or_else(|| NoSample::NotForThem {
            cast: cast.as_str(),
            steps: words(),
        })
    }

    /// The way that leads to one of `forms`.
    fn way(&mut self, forms: &[Form]) -> Result<Option<Way>, NoSample> {
        let leads = |all: &BTreeSet<Form>| forms.iter().any(|form| all.contains(form));
        if let Some(route) = self.routes.iter().find(|route| leads(&route.sent)) {
            return Ok(Some(route.way.clone()));
        }
        while let Some(way) = self.ahead.pop() {
            let route = self.walk(way)?;
            let found = leads(&route.sent).then(|| route.way.clone());
            self.routes.push(route);
            if found.is_some() {
                return Ok(found);
            }
        }
        for way in self.suited(forms) {
            // A value that is none for an event is the wrong one to try.
            let Ok(route) = self.walk(way) else { continue };
            let found = leads(&route.sent).then(|| route.way.clone());
            if found.is_some() || leads(&route.stopped) {
                self.routes.push(route);
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        let stopped = self.routes.iter().find(|route| leads(&route.stopped));
        Ok(stopped.map(|route| route.way.clone()))
    }

    /// Ways on which the conditions of forms could hold.
    fn suited(&self, forms: &[Form]) -> Vec<Way> {
        let mut ways = Vec::new();
        for form in forms {
            let Some((draw, sequence, step)) = self.step(form) else {
                continue;
            };
            for suit in suit::suits(self.catalog, sequence, step) {
                let products = &self.catalog.products;
                let fitting = (products.iter())
                    .filter(|product| !product.variants.is_empty())
                    .filter(|product| suit.takes(products, product));
                for product in suit::kinds(products)
                    .filter(|product| suit.takes(products, product))
                    .chain(fitting.take(1))
                {
                    ways.extend(Story::ALL.map(|story| Way {
                        draw,
                        product: product.product_id.clone(),
                        story,
                        suit: suit.clone(),
                    }));
                }
            }
        }
        ways.truncate(MAX_TRIES);
        ways
    }

    /// A form's sequence and step, and the draw by which somebody has it.
    fn step(&self, form: &Form) -> Option<(usize, &'c Sequence, &'c Step)> {
        let sequence = self.catalog.sequence(&form.sequence)?;
        let is_it = |step: &&Step| step.id == form.step && step.mail == form.mail;
        let arms = sequence.experiment.iter().flat_map(|one| &one.arms);
        let by_arm = arms
            .zip(0..)
            .find_map(|(arm, draw)| Some((draw, arm.steps.iter().find(is_it)?)));
        let (draw, step) = match by_arm {
            Some(found) => found,
            None => (0, sequence.steps.iter().find(is_it)?),
        };
        Some((draw, sequence, step))
    }

    fn walk(&self, way: Way) -> Result<Route, NoSample> {
        let history = self.history(&way)?;
        let mut route = Route {
            way,
            sent: BTreeSet::new(),
            stopped: BTreeSet::new(),
        };
        for send in &history.sends {
            if matches!(send.state, SendState::Accepted { .. }) {
                route.sent.insert(Form::of(send));
            } else {
                route.stopped.insert(Form::of(send));
            }
        }
        Ok(route)
    }

    /// What becomes of the usual customer on a way.
    fn history(&self, way: &Way) -> Result<History, NoSample> {
        let locales = &self.catalog.policy.locales;
        let first = locales.first().map_or("en", String::as_str);
        let catalog = drawn(self.catalog, way.draw);
        let told = told(&catalog, way, first, Cast::Plain)?;
        Ok(lived(&catalog, &told, None))
    }

    /// What keeps the samples from a mail: of the one that comes nearest.
    fn obstacle(&self, forms: &[Form]) -> String {
        let Some((_, sequence, step)) = forms.iter().find_map(|form| self.step(form)) else {
            return "no step sends it".to_owned();
        };
        let usual = (suit::kinds(&self.catalog.products)).map(|product| Way {
            draw: 0,
            product: product.product_id.clone(),
            story: Story::Delivered,
            suit: Suit::default(),
        });
        let mut nearest: Option<(usize, String)> = None;
        for way in self.suited(forms).into_iter().chain(usual).take(MAX_ASKED) {
            let Ok(history) = self.history(&way) else {
                continue;
            };
            let end = history.events.last().map_or(Timestamp::MIN, |last| {
                time::saturating_add(last.recorded, SignedDuration::from_hours(24 * LIVES_DAYS))
            });
            let absence = explain::absence(self.catalog, &history, sequence, step, None, end);
            // What began and ended is nearer than what never began, and that nearer than
            // what nothing was heard of.
            let near = match absence.code {
                "not_enrolled" => usize::from(!absence.evidence.is_empty()),
                _ => 2,
            };
            if nearest.as_ref().is_none_or(|(had, _)| near > *had) {
                nearest = Some((near, absence.because));
            }
        }
        nearest.map_or_else(
            || "the catalogue has no product that an order could be about".to_owned(),
            |(_, because)| because,
        )
    }

    fn live(
        &self,
        way: &Way,
        forms: &[Form],
        locale: &str,
        cast: Cast,
    ) -> Result<Option<Sample>, NoSample> {
        let catalog = drawn(self.catalog, way.draw);
        let events = told(&catalog, way, locale, cast)?;
        let history = lived(&catalog, &events, None);
        let is_meant = |send: &&Send| forms.contains(&Form::of(send));
        let mut meant: Vec<&Send> = history.sends.iter().filter(is_meant).collect();
        meant.sort_by_key(|send| (!matches!(send.state, SendState::Accepted { .. }), send.at));
        let Some(send) = meant.first().copied().cloned() else {
            return Ok(None);
        };
        let at = send.at;
        let history = lived(&catalog, &events, Some(at));
        Ok(Some(Sample { history, send, at }))
    }
}

/// How many draws show every arm of every experiment.
fn draws(catalog: &Catalog) -> usize {
    let experiments = catalog
        .sequences
        .iter()
        .filter_map(|one| one.experiment.as_ref());
    experiments
        .map(|one| one.arms.len())
        .max()
        .unwrap_or(1)
        .max(1)
}

/// The catalogue in which everybody is drawn into the arms with a number; into the last
/// where an experiment has fewer.
fn drawn(catalog: &Catalog, draw: usize) -> Catalog {
    let mut catalog = catalog.clone();
    if catalog.sequences.iter().all(|one| one.experiment.is_none()) {
        return catalog;
    }
    let mut sequences = (*catalog.sequences).clone();
    for experiment in sequences
        .iter_mut()
        .filter_map(|one| one.experiment.as_mut())
    {
        experiment.holdout = 0;
        let chosen = draw.min(experiment.arms.len().saturating_sub(1));
        for (number, arm) in experiment.arms.iter_mut().enumerate() {
            arm.share = if number == chosen { 100 } else { 0 };
        }
    }
    catalog.sequences = Arc::new(sequences);
    catalog
}

/// The events of a way.
fn told(catalog: &Catalog, way: &Way, locale: &str, cast: Cast) -> Result<Vec<Event>, NoSample> {
    let product = catalog.products.product(&way.product);
    let tale = Tale {
        catalog,
        product: product.ok_or_else(|| NoSample::Broken("its product is gone".into()))?,
        locale,
        cast,
        suit: &way.suit,
    };
    events(&tale, way.story)
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
        .flat_map(Sequence::all_forms)
        .map(|step| step.mail.as_str())
        .collect();
    let mut chosen = Vec::new();
    let Some(first) = locales.first() else {
        return Ok(());
    };
    let mut sampler = Sampler::new(catalog);
    while let Some(way) = sampler.ahead.pop() {
        if wanted.is_empty() {
            break;
        }
        let mut gave = false;
        lived_making(catalog, &way, first, &mut |catalog, send, ready, now| {
            gave |= wanted.remove(send.mail.as_str());
            take(way.story.name(), catalog, send, ready, now)
        })?;
        if gave {
            chosen.push(way);
        }
    }
    // Mails whose conditions ask for another sort of customer or order.
    for mail in wanted.clone() {
        if !wanted.contains(mail) {
            continue;
        }
        let Some(way) = sampler.way(&forms(catalog, |_, step| step.mail == mail))? else {
            continue;
        };
        lived_making(catalog, &way, first, &mut |catalog, send, ready, now| {
            wanted.remove(send.mail.as_str());
            take(way.story.name(), catalog, send, ready, now)
        })?;
        chosen.push(way);
    }
    for locale in &locales[1..] {
        for way in &chosen {
            lived_making(catalog, way, locale, &mut |catalog, send, ready, now| {
                take(way.story.name(), catalog, send, ready, now)
            })?;
        }
    }
    Ok(())
}

fn lived_making(
    catalog: &Catalog,
    way: &Way,
    locale: &str,
    make: &mut Make<'_>,
) -> Result<(), NoSample> {
    let catalog = drawn(catalog, way.draw);
    let events = told(&catalog, way, locale, Cast::Plain)?;
    let run_on = SignedDuration::from_hours(24 * LIVES_DAYS);
    let end = events
        .first()
        .map(|first| time::saturating_add(first.recorded, run_on));
    live_through(&catalog, events, None, end, make);
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
    use crate::engine::reload::{Live, Reader};

    #[test]
    fn every_sample_customer_is_a_customer() {
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = crate::engine::reload::read(shop);
        let live = read.live.unwrap();
        let mut sampler = Sampler::new(&live.catalog);
        let step = forms(&live.catalog, |sequence, step| {
            sequence.id == "fulfilment" && step.id == "placed"
        });
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
        let nowhere = [Form {
            sequence: "fulfilment".to_owned(),
            step: "never".to_owned(),
            mail: "orders/never".to_owned(),
        }];
        assert!(matches!(
            sampler.find(&nowhere, "en", Cast::Plain),
            Err(NoSample::Unreached { .. })
        ));
    }

    /// The shop with another sequence beside its own.
    fn with(reader: &mut Reader, sequence: &str) -> Live {
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut files, _) = crate::files::read(shop);
        files.push(("config/sequences/more.toml".to_owned(), sequence.to_owned()));
        let read = reader.check(files, Vec::new());
        read.live.unwrap_or_else(|| panic!("{:#?}", read.problems))
    }

    fn sequence(start: &str, step: &str) -> String {
        format!(
            "format = 1\nid = \"more\"\nkind = \"fulfilment\"\ntitle = \"More\"\nfrom = \"aya\"\n[start]\non = \"order.placed\"\n{start}\n[[step]]\nid = \"one\"\nmail = \"fulfilment/placed\"\n{step}\n"
        )
    }

    #[test]
    fn samples_are_made_to_meet_simple_conditions() {
        let mut reader = Reader::default();
        for (condition, wanted) in [
            ("customer.country == \"SE\"", true),
            ("customer.country in [\"NO\", \"SE\"] && !order.gift", true),
            ("customer.language == \"de\"", true),
            ("customer.orders >= 3", true),
            ("order.gift", true),
            ("\"vip\" in customer.tags", true),
            ("order.channel == \"pos\" || order.channel == \"app\"", true),
            ("order.total.amount > 12300000", true),
            ("item.family == \"grinder\"", true),
            ("!(customer.country == \"US\")", true),
            // No sample has a ticket.
            ("customer.open_ticket", false),
        ] {
            let per = if condition.contains("item.") {
                "\nper = \"item\""
            } else {
                ""
            };
            for (start, step) in [
                (format!("where = '{condition}'{per}"), String::new()),
                (per.to_owned(), format!("when = '{condition}'")),
            ] {
                let text = sequence(&start, &step);
                let live = with(&mut reader, &text);
                let mut sampler = Sampler::new(&live.catalog);
                let form = forms(&live.catalog, |sequence, _| sequence.id == "more");
                let found = sampler.find(&form, "en", Cast::Plain);
                match found {
                    Ok(sample) => {
                        let sent = matches!(sample.send.state, SendState::Accepted { .. });
                        assert_eq!(sent, wanted, "{condition}: {:?}", sample.send.state);
                    }
                    Err(NoSample::Unreached { because, .. }) if !wanted => {
                        assert!(because.contains(condition), "{because}");
                    }
                    Err(error) => panic!("{condition}: {error}"),
                }
            }
        }
    }

    #[test]
    fn mails_of_every_arm_have_samples() {
        let text = "format = 1\nid = \"more\"\nkind = \"education\"\ntitle = \"More\"\nfrom = \"aya\"\n[start]\non = \"item.delivered\"\nper = \"item\"\n[[step]]\nid = \"one\"\nafter = \"start + 1d\"\nmail = { plain = \"dslr/manual\", long = \"dslr/light\", short = \"dslr/basics\" }\n[experiment]\nid = \"length\"\nsplit = { plain = 1, long = 49, short = 50 }\nholdout = 5\ndecide = { on = 2027-01-15 }\n";
        let live = with(&mut Reader::default(), text);
        let mut sampler = Sampler::new(&live.catalog);
        let all = forms(&live.catalog, |sequence, _| sequence.id == "more");
        let mails: Vec<&str> = all.iter().map(|form| form.mail.as_str()).collect();
        assert_eq!(mails.len(), 3, "{mails:?}");
        for form in &all {
            let found = sampler.find(std::slice::from_ref(form), "en", Cast::Plain);
            let sample = found.unwrap_or_else(|error| panic!("{}: {error}", form.mail));
            assert_eq!(sample.send.mail, form.mail);
            let made = explain::draft(&live.catalog, &sample.history, &sample.send, sample.at);
            assert_eq!(made.unwrap().step, form.step);
        }
    }
}
