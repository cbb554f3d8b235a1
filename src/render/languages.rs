//! Money, dates, numbers and plurals as people of a language write them; the only
//! place that knows ICU.
//!
//! A [`Language`] holds its formatters ready, so that a rendering loads no data. It
//! never fails on a strange locale: what ICU does not know falls back to its root.

use crate::model::money::Money;
use crate::model::time::TimeZone;
use fixed_decimal::Decimal;
use icu_datetime::DateTimeFormatter;
use icu_datetime::fieldsets::{T, YMD, YMDE};
use icu_datetime::input::{Date, Time};
use icu_decimal::DecimalFormatter;
use icu_experimental::dimension::currency::CurrencyType;
use icu_experimental::dimension::currency::formatter::CurrencyFormatter;
use icu_experimental::relativetime::options::Numeric;
use icu_experimental::relativetime::{RelativeTimeFormatter, RelativeTimeFormatterOptions};
use icu_list::ListFormatter;
use icu_list::options::ListFormatterOptions;
use icu_locale::LocaleDirectionality;
use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use iso_currency::Currency;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most languages kept ready at a time; customers' tags come from outside, so the
/// number must not follow them.
pub const MAX_READY: usize = 256;

/// Days from now within which a date is printed by its distance.
const NEAR_DAYS: i32 = 6;

/// How much of a date to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateStyle {
    /// 6 March 2026
    Long,
    /// 6 Mar 2026
    Medium,
    /// 06/03/2026
    Short,
    /// Friday 6 March 2026
    Weekday,
    /// 14:30
    Time,
    /// today, tomorrow, 3 days ago; further off, as `Long`. Counted from the day on which
    /// the mail is made: it is read on that day or a later one.
    Near,
}

impl DateStyle {
    /// The words a template may use.
    pub const NAMES: [&'static str; 6] = ["long", "medium", "short", "weekday", "time", "near"];

    /// Reads the word of a template.
    pub fn parse(word: &str) -> Option<DateStyle> {
        Some(match word {
            "long" => DateStyle::Long,
            "medium" => DateStyle::Medium,
            "short" => DateStyle::Short,
            "weekday" => DateStyle::Weekday,
            "time" => DateStyle::Time,
            "near" => DateStyle::Near,
            _ => return None,
        })
    }
}

/// What a date helper was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An instant, printed in the reader's zone.
    Instant(Timestamp),
    /// A calendar day, the same in every zone.
    Day(jiff::civil::Date),
}

/// Why something could not be written out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWritable {
    /// The code is no ISO 4217 currency with a minor unit.
    #[error("\"{0}\" is no ISO 4217 currency")]
    Currency(String),
    /// ICU lacks the data.
    #[error("no {0} format for the language \"{1}\"")]
    Data(&'static str, String),
    /// A day has no time of day.
    #[error("a day without a time cannot be printed as a time")]
    NoTime,
    /// The year is out of what ICU's calendars take.
    #[error("the date is out of range")]
    Range,
}

/// One language with its formatters.
#[derive(Debug)]
pub struct Language {
    tag: String,
    locale: Locale,
    long: Option<DateTimeFormatter<YMD>>,
    medium: Option<DateTimeFormatter<YMD>>,
    short: Option<DateTimeFormatter<YMD>>,
    weekday: Option<DateTimeFormatter<YMDE>>,
    time: Option<icu_datetime::NoCalendarFormatter<T>>,
    decimal: Option<DecimalFormatter>,
    plural: Option<PluralRules>,
    ordinal: Option<PluralRules>,
    and: Option<ListFormatter>,
    or: Option<ListFormatter>,
    unit: Option<ListFormatter>,
    days: Option<RelativeTimeFormatter>,
    rtl: bool,
    /// By ISO code; at most as many as there are currencies.
    money: RwLock<HashMap<String, Option<Arc<Purse>>>>,
}

/// How the parts of a list are joined (CLDR list patterns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// "a, b and c"
    And,
    /// "a, b or c"
    Or,
    /// "1 kg, 200 g"
    Unit,
}

impl Joined {
    /// All, in the order of the documentation.
    pub const ALL: [Joined; 3] = [Joined::And, Joined::Or, Joined::Unit];

    /// The word for it in mails.
    pub fn as_str(self) -> &'static str {
        match self {
            Joined::And => "and",
            Joined::Or => "or",
            Joined::Unit => "unit",
        }
    }

    /// The one of this name.
    pub fn named(word: &str) -> Option<Joined> {
        Joined::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// One currency in one language.
#[derive(Debug)]
struct Purse {
    format: CurrencyFormatter<DecimalFormatter>,
    exponent: i16,
}

impl Language {
    /// Loads the formatters of a language tag such as `de` or `ja-JP`.
    pub fn new(tag: &str) -> Language {
        let locale = locale_of(tag);
        let of = &locale;
        Language {
            tag: tag.to_owned(),
            long: DateTimeFormatter::try_new(of.into(), YMD::long()).ok(),
            medium: DateTimeFormatter::try_new(of.into(), YMD::medium()).ok(),
            short: DateTimeFormatter::try_new(of.into(), YMD::short()).ok(),
            weekday: DateTimeFormatter::try_new(of.into(), YMDE::long()).ok(),
            time: icu_datetime::NoCalendarFormatter::try_new(of.into(), T::hm()).ok(),
            decimal: DecimalFormatter::try_new(of.into(), Default::default()).ok(),
            plural: PluralRules::try_new(of.into(), Default::default()).ok(),
            ordinal: PluralRules::try_new_ordinal(of.into()).ok(),
            and: ListFormatter::try_new_and(of.into(), ListFormatterOptions::default()).ok(),
            or: ListFormatter::try_new_or(of.into(), ListFormatterOptions::default()).ok(),
            unit: ListFormatter::try_new_unit(of.into(), ListFormatterOptions::default()).ok(),
            days: RelativeTimeFormatter::try_new_long_day(
                of.into(),
                RelativeTimeFormatterOptions::default().with_numeric(Numeric::Auto),
            )
            .ok(),
            rtl: is_rtl(tag),
            money: RwLock::new(HashMap::new()),
            locale,
        }
    }

    /// The tag it was made for.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// An amount with its currency, in as many decimals as ISO 4217 gives it.
    ///
    /// # Errors
    /// If the currency is not one.
    pub fn money(&self, money: &Money) -> Result<String, NotWritable> {
        let purse = self.purse(&money.currency)?;
        let mut amount = Decimal::from(money.amount);
        amount.multiply_pow10(-purse.exponent);
        amount.absolute.pad_end(-purse.exponent);
        Ok(purse.format.format_fixed_decimal(&amount).to_string())
    }

    fn purse(&self, code: &str) -> Result<Arc<Purse>, NotWritable> {
        let unknown = || NotWritable::Currency(code.chars().take(8).collect());
        {
            let ready = self.money.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(purse) = ready.get(code) {
                return purse.clone().ok_or_else(unknown);
            }
        }
        let currency = Currency::from_code(code).ok_or_else(unknown)?;
        let purse = currency.exponent().and_then(|exponent| {
            let iso = CurrencyType::try_from_str(code).ok()?;
            let format =
                CurrencyFormatter::try_new_symbol((&self.locale).into(), iso, Default::default())
                    .ok()?;
            Some(Arc::new(Purse {
                format,
                exponent: i16::try_from(exponent).ok()?,
            }))
        });
        self.money
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(code.to_owned(), purse.clone());
        purse.ok_or_else(unknown)
    }

    /// A whole number with the language's grouping.
    pub fn number(&self, number: i64) -> String {
        match &self.decimal {
            Some(format) => format.format(&Decimal::from(number)).to_string(),
            None => number.to_string(),
        }
    }

    /// The plural category of a count: `zero`, `one`, `two`, `few`, `many` or `other`.
    pub fn plural(&self, count: i64) -> &'static str {
        self.plural
            .as_ref()
            .map_or("other", |rules| category_name(rules.category_for(count)))
    }

    /// The category of a place in a row (1st, 2nd, 3rd), by the same names.
    pub fn ordinal(&self, place: i64) -> &'static str {
        self.ordinal
            .as_ref()
            .map_or("other", |rules| category_name(rules.category_for(place)))
    }

    /// The categories that whole numbers have in this language.
    pub fn forms(&self, ordinal: bool) -> Vec<&'static str> {
        let rules = if ordinal { &self.ordinal } else { &self.plural };
        let Some(rules) = rules else {
            return vec!["other"];
        };
        // Some categories are for fractions or for millions written short (French
        // "many"); what no count up to a few thousand falls into is not asked of authors.
        let mut seen = [false; 6];
        for count in (0..=200_i64).chain([1000]) {
            seen[rules.category_for(count) as usize] = true;
        }
        let mut forms: Vec<&'static str> = rules
            .categories()
            .filter(|category| seen[*category as usize])
            .map(category_name)
            .collect();
        if !forms.contains(&"other") {
            forms.push("other");
        }
        forms
    }

    /// Whether it is written from right to left.
    pub fn is_rtl(&self) -> bool {
        self.rtl
    }

    /// Parts in one sentence.
    pub fn list(&self, parts: &[&str], joined: Joined) -> String {
        let format = match joined {
            Joined::And => &self.and,
            Joined::Or => &self.or,
            Joined::Unit => &self.unit,
        };
        match format {
            Some(format) => format.format(parts.iter()).to_string(),
            None => parts.join(", "),
        }
    }

    /// How far a day is from another, in words, if it is near.
    fn near(&self, days: i32) -> Option<String> {
        if days.abs() > NEAR_DAYS {
            return None;
        }
        let format = self.days.as_ref()?;
        Some(format.format(Decimal::from(days)).to_string())
    }

    /// A date in the reader's zone; `now` is what near dates are counted from.
    ///
    /// # Errors
    /// If a time of day is asked of a mere day, or the year is out of range.
    pub fn date(
        &self,
        moment: Moment,
        zone: &TimeZone,
        style: DateStyle,
        now: Option<Timestamp>,
    ) -> Result<String, NotWritable> {
        let missing = || NotWritable::Data("date", self.tag.clone());
        let (day, time) = match moment {
            Moment::Day(day) => (day, None),
            Moment::Instant(instant) => {
                let local = zone.to_datetime(instant);
                (local.date(), Some(local.time()))
            }
        };
        if style == DateStyle::Time {
            let time = time.ok_or(NotWritable::NoTime)?;
            let part = |n: i8| u8::try_from(n).map_err(|_| NotWritable::Range);
            let time = Time::try_new(part(time.hour())?, part(time.minute())?, 0, 0)
                .map_err(|_| NotWritable::Range)?;
            let format = self.time.as_ref().ok_or_else(missing)?;
            return Ok(format.format(&time).to_string());
        }
        if style == DateStyle::Near
            && let Some(now) = now
            && let Ok(span) = day.since(zone.to_datetime(now).date())
            && let Some(words) = self.near(span.get_days())
        {
            return Ok(words);
        }
        let part = |n: i8| u8::try_from(n).map_err(|_| NotWritable::Range);
        let date = Date::try_new_iso(day.year().into(), part(day.month())?, part(day.day())?)
            .map_err(|_| NotWritable::Range)?;
        Ok(match style {
            DateStyle::Medium => self
                .medium
                .as_ref()
                .ok_or_else(missing)?
                .format(&date)
                .to_string(),
            DateStyle::Short => self
                .short
                .as_ref()
                .ok_or_else(missing)?
                .format(&date)
                .to_string(),
            DateStyle::Weekday => self
                .weekday
                .as_ref()
                .ok_or_else(missing)?
                .format(&date)
                .to_string(),
            DateStyle::Long | DateStyle::Time | DateStyle::Near => self
                .long
                .as_ref()
                .ok_or_else(missing)?
                .format(&date)
                .to_string(),
        })
    }
}

fn locale_of(tag: &str) -> Locale {
    tag.replace('_', "-").parse().unwrap_or(Locale::UNKNOWN)
}

fn category_name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

/// Whether a language is written from right to left, by its script.
pub fn is_rtl(tag: &str) -> bool {
    LocaleDirectionality::new_extended().is_right_to_left(&locale_of(tag).id)
}

/// Letters of scripts that run from right to left: the blocks that Unicode keeps for them
/// (UAX #9, table 4 and its block defaults).
fn is_rtl_letter(c: char) -> bool {
    matches!(
        c,
        '\u{590}'..='\u{8ff}'
            | '\u{fb1d}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
    )
}

/// Whether a value would disturb, or be disturbed by, the direction of the sentence it is
/// put into: "#1042" turns into "1042#" between Arabic words.
pub fn is_foreign(text: &str, rtl: bool) -> bool {
    if rtl {
        text.chars()
            .any(|c| !is_rtl_letter(c) && !c.is_whitespace())
    } else {
        text.chars().any(is_rtl_letter)
    }
}

/// Opens a stretch that has a direction of its own (UAX #9).
pub const ISOLATE: char = '\u{2068}';
/// Closes it.
pub const ISOLATE_END: char = '\u{2069}';

/// Appends a text in a direction of its own. Marks inside it are dropped, so that it
/// cannot end its isolation.
pub fn isolate_into(out: &mut String, text: &str) {
    out.push(ISOLATE);
    out.extend(text.chars().filter(|c| !super::html::is_stray(*c)));
    out.push(ISOLATE_END);
}

/// The English name of a language, for messages to authors; the tag in quotes where it is
/// not among the usual ones.
pub fn language_name(tag: &str) -> String {
    let name = match crate::model::locale::language(tag).as_str() {
        "ar" => "Arabic",
        "cs" => "Czech",
        "da" => "Danish",
        "de" => "German",
        "en" => "English",
        "es" => "Spanish",
        "fi" => "Finnish",
        "fr" => "French",
        "he" => "Hebrew",
        "hi" => "Hindi",
        "it" => "Italian",
        "ja" => "Japanese",
        "ko" => "Korean",
        "nb" | "no" => "Norwegian",
        "nl" => "Dutch",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "sv" => "Swedish",
        "tr" => "Turkish",
        "uk" => "Ukrainian",
        "zh" => "Chinese",
        _ => return format!("\"{tag}\""),
    };
    if tag.contains(['-', '_']) {
        format!("{name} ({tag})")
    } else {
        name.to_owned()
    }
}

/// The languages in use, each loaded once.
#[derive(Debug, Default)]
pub struct Languages {
    ready: RwLock<HashMap<String, Arc<Language>>>,
}

impl Languages {
    /// The language of a tag, from the shelf or loaded.
    pub fn get(&self, tag: &str) -> Arc<Language> {
        {
            let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(language) = ready.get(tag) {
                return language.clone();
            }
        }
        let language = Arc::new(Language::new(tag));
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() < MAX_READY {
            ready.insert(tag.to_owned(), language.clone());
        }
        language
    }
}

#[cfg(test)]
mod tests;
