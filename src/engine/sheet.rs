//! The contact sheet: every mail, in every language, for every sample customer, made by
//! the function that makes mails to be sent.

use super::preview::{Made, Press, make};
use super::reload::Live;
use super::sample::{Cast, Form, NoSample, Sampler, forms};
use crate::config::Config;
use crate::links::Links;
use crate::model::locale;
use crate::plan::explain;

/// The key of samples: their links lead nowhere.
const SAMPLE_KEY: [u8; 32] = [0; 32];
/// Above so many bytes of HTML, Gmail cuts a mail off and hides the rest, the unsubscribe
/// link included.
pub const CLIP: usize = 102 * 1024;

/// What to put on the sheet; an empty list is everything.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Mails (`group/name`) or groups.
    pub mails: Vec<String>,
    pub locales: Vec<String>,
    /// Empty: the plain one.
    pub casts: Vec<Cast>,
}

/// One mail, in one language, for one sample customer.
#[derive(Debug)]
pub struct Card {
    pub mail: String,
    pub locale: String,
    pub cast: Cast,
    /// The steps that send it, as `sequence/step`.
    pub steps: Vec<String>,
    pub outcome: Outcome,
}

/// What became of a card.
#[derive(Debug)]
pub enum Outcome {
    Made(Box<Made>),
    /// It would be held; why.
    Held(String),
    /// This customer never gets it; why.
    NotForThem(String),
}

/// The links of samples.
pub fn sample_links(live: &Live, config: &Config) -> Links {
    Links::new(
        &SAMPLE_KEY,
        &live.catalog.policy.id,
        &config.http.public_url,
    )
}

/// The cards of a sheet, by mail, language and customer.
pub fn cards(live: &Live, config: &Config, wanted: &Wanted) -> Vec<Card> {
    let catalog = &live.catalog;
    let links = sample_links(live, config);
    let press = Press::new(&links, config);
    let mut sampler = Sampler::new(catalog);
    let plain = [Cast::Plain];
    let casts = if wanted.casts.is_empty() {
        &plain[..]
    } else {
        &wanted.casts
    };
    let locales = if wanted.locales.is_empty() {
        &catalog.policy.locales
    } else {
        &wanted.locales
    };
    let mut found = Vec::new();
    for mail in live.templates.mails().filter(|mail| is_meant(wanted, mail)) {
        let steps = forms(catalog, |_, step| step.mail == mail);
        let mut names: Vec<String> = steps.iter().map(Form::name).collect();
        names.dedup();
        for locale in locales {
            for cast in casts {
                let outcome = if steps.is_empty() {
                    Outcome::NotForThem("no step sends it".to_owned())
                } else {
                    card(live, &press, &mut sampler, &steps, (locale, *cast))
                };
                found.push(Card {
                    mail: mail.to_owned(),
                    locale: locale.clone(),
                    cast: *cast,
                    steps: names.clone(),
                    outcome,
                });
            }
        }
    }
    found
}

/// Whether a mail is among those wanted.
fn is_meant(wanted: &Wanted, mail: &str) -> bool {
    wanted.mails.is_empty()
        || wanted
            .mails
            .iter()
            .any(|one| mail == one || mail.split('/').next() == Some(one))
}

fn card(
    live: &Live,
    press: &Press<'_>,
    sampler: &mut Sampler<'_>,
    steps: &[Form],
    (locale, cast): (&str, Cast),
) -> Outcome {
    let sample = match sampler.find(steps, locale, cast) {
        Ok(sample) => sample,
        Err(error @ (NoSample::NotForThem { .. } | NoSample::Unreached { .. })) => {
            return Outcome::NotForThem(error.to_string());
        }
        Err(NoSample::Broken(why)) => return Outcome::Held(why),
    };
    let drafted = explain::draft(&live.catalog, &sample.history, &sample.send, sample.at);
    let made = drafted.and_then(|mut ready| {
        let fallback = live.catalog.policy.fallback.as_deref();
        ready.locales = locale::chain(locale, fallback);
        make(press, live, &sample.send, ready, sample.at)
    });
    match made {
        Ok(made) => Outcome::Made(Box::new(made)),
        Err(reason) => Outcome::Held(reason.sentence()),
    }
}

/// Where the links of a page lead, each once, in their order.
pub fn links_of(html: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for rest in html.split("href=\"").skip(1) {
        let Some((link, _)) = rest.split_once('"') else {
            continue;
        };
        let link = link.replace("&amp;", "&");
        if (link.starts_with("http") || link.starts_with("mailto:")) && !all.contains(&link) {
            all.push(link);
        }
    }
    all
}

/// A page as a reader with dark or with light colours sees it, whatever this machine
/// prefers.
pub fn in_colours(html: &str, dark: bool) -> String {
    let mut out = String::with_capacity(html.len() + 128);
    let mut rest = html;
    while let Some(at) = rest.find("prefers-color-scheme") {
        let (before, after) = rest.split_at(at);
        let words = &after["prefers-color-scheme".len()..];
        let end = words.find(')');
        let value = end.map(|end| words[..end].trim_start_matches(':').trim());
        match (end, value) {
            (Some(end), Some(value @ ("dark" | "light"))) => {
                out.push_str(before);
                out.push_str(if (value == "dark") == dark {
                    "min-width:0"
                } else {
                    "min-width:1000000px"
                });
                rest = &words[end..];
            }
            _ => {
                out.push_str(before);
                out.push_str("prefers-color-scheme");
                rest = words;
            }
        }
    }
    out.push_str(rest);
    let scheme = if dark { "dark" } else { "light" };
    let style = format!("<style>:root{{color-scheme:only {scheme} !important}}</style>");
    match out.find("</head>") {
        Some(at) => out.insert_str(at, &style),
        None => out.insert_str(0, &style),
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_once_and_unescaped() {
        let html = r##"<a href="https://x.example/?a=1&amp;b=2">x</a><a href="https://x.example/?a=1&amp;b=2"></a><a href="#top">"##;
        assert_eq!(links_of(html), ["https://x.example/?a=1&b=2"]);
    }

    #[test]
    fn colours_do_not_depend_on_this_machine() {
        let html =
            "<head><style>@media screen and (prefers-color-scheme: dark) { p {} }</style></head>";
        let dark = in_colours(html, true);
        let light = in_colours(html, false);
        assert!(dark.contains("@media screen and (min-width:0) {"));
        assert!(light.contains("@media screen and (min-width:1000000px) {"));
        assert!(dark.contains("only dark") && light.contains("only light"));
        assert!(!dark.contains("prefers-color-scheme"));
    }

    #[test]
    fn every_mail_of_the_shop_has_a_card_in_every_language() {
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let live = crate::engine::reload::read(shop).live.unwrap();
        let (config, _) = crate::config::read(shop, None, [], |_| Err("none".into()));
        let config = config.unwrap();
        let cards = cards(&live, &config, &Wanted::default());
        let mails = live.templates.mails().count();
        assert_eq!(cards.len(), mails * live.catalog.policy.locales.len());
        for card in &cards {
            let Outcome::Made(made) = &card.outcome else {
                panic!("{} {}: {:?}", card.mail, card.locale, card.outcome);
            };
            assert_eq!(made.prepared.locale, card.locale, "{}", card.mail);
            assert!(made.html.len() < CLIP);
        }
    }
}
