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
use icu_list::ListFormatter;
use icu_list::options::ListFormatterOptions;
use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use iso_currency::Currency;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most languages kept ready at a time; customers' tags come from outside, so the
/// number must not follow them.
pub const MAX_READY: usize = 256;

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
}

impl DateStyle {
    /// The words a template may use.
    pub const NAMES: [&'static str; 5] = ["long", "medium", "short", "weekday", "time"];

    /// Reads the word of a template.
    pub fn parse(word: &str) -> Option<DateStyle> {
        Some(match word {
            "long" => DateStyle::Long,
            "medium" => DateStyle::Medium,
            "short" => DateStyle::Short,
            "weekday" => DateStyle::Weekday,
            "time" => DateStyle::Time,
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
    and: Option<ListFormatter>,
    /// By ISO code; at most as many as there are currencies.
    money: RwLock<HashMap<String, Option<Arc<Purse>>>>,
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
        let locale: Locale = tag.replace('_', "-").parse().unwrap_or(Locale::UNKNOWN);
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
            and: ListFormatter::try_new_and(of.into(), ListFormatterOptions::default()).ok(),
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
        let category = self
            .plural
            .as_ref()
            .map_or(PluralCategory::Other, |rules| rules.category_for(count));
        match category {
            PluralCategory::Zero => "zero",
            PluralCategory::One => "one",
            PluralCategory::Two => "two",
            PluralCategory::Few => "few",
            PluralCategory::Many => "many",
            PluralCategory::Other => "other",
        }
    }

    /// "a, b and c".
    pub fn list(&self, parts: &[&str]) -> String {
        match &self.and {
            Some(format) => format.format(parts.iter()).to_string(),
            None => parts.join(", "),
        }
    }

    /// A date in the reader's zone.
    ///
    /// # Errors
    /// If a time of day is asked of a mere day, or the year is out of range.
    pub fn date(
        &self,
        moment: Moment,
        zone: &TimeZone,
        style: DateStyle,
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
            DateStyle::Long | DateStyle::Time => self
                .long
                .as_ref()
                .ok_or_else(missing)?
                .format(&date)
                .to_string(),
        })
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn money_as_each_language_writes_it() {
        let show = |tag: &str, amount: i64, currency: &str| {
            Language::new(tag)
                .money(&Money {
                    amount,
                    currency: currency.to_owned(),
                })
                .unwrap()
        };
        for (tag, amount, currency, wanted) in [
            ("en", 4200, "EUR", "€42.00"),
            ("de", 4200, "EUR", "42,00\u{a0}€"),
            ("de", 123_456_789, "EUR", "1.234.567,89\u{a0}€"),
            ("fr", 123_456, "EUR", "1\u{202f}234,56\u{a0}€"),
            ("ja", 4200, "JPY", "￥4,200"),
            ("en", 4200, "JPY", "¥4,200"),
            ("de", -4205, "EUR", "-42,05\u{a0}€"),
            ("en", 5, "USD", "$0.05"),
            ("en", 1500, "KWD", "KWD\u{a0}1.500"),
        ] {
            assert_eq!(show(tag, amount, currency), wanted, "{tag} {currency}");
        }
        let odd = Money {
            amount: 1,
            currency: "EURO".into(),
        };
        assert!(matches!(
            Language::new("en").money(&odd),
            Err(NotWritable::Currency(_))
        ));
    }

    #[test]
    fn dates_in_the_readers_zone_and_language() {
        let instant: Timestamp = "2026-03-06T22:30:00Z".parse().unwrap();
        let show = |tag: &str, zone: &str, style: DateStyle| {
            Language::new(tag)
                .date(
                    Moment::Instant(instant),
                    &TimeZone::get(zone).unwrap(),
                    style,
                )
                .unwrap()
        };
        for (tag, zone, style, wanted) in [
            ("en", "Europe/Berlin", DateStyle::Long, "March 6, 2026"),
            ("en-GB", "Europe/Berlin", DateStyle::Long, "6 March 2026"),
            ("de", "Europe/Berlin", DateStyle::Long, "6. März 2026"),
            ("fr", "Europe/Paris", DateStyle::Long, "6 mars 2026"),
            ("ja", "Asia/Tokyo", DateStyle::Long, "2026年3月7日"),
            (
                "de",
                "Europe/Berlin",
                DateStyle::Weekday,
                "Freitag, 6. März 2026",
            ),
            ("de", "Europe/Berlin", DateStyle::Short, "06.03.26"),
            ("de", "Europe/Berlin", DateStyle::Time, "23:30"),
            ("ja", "Asia/Tokyo", DateStyle::Time, "7:30"),
        ] {
            assert_eq!(show(tag, zone, style), wanted, "{tag} {style:?}");
        }
    }

    #[test]
    fn numbers_plurals_lists_and_strange_tags() {
        let de = Language::new("de");
        assert_eq!(de.number(1_234_567), "1.234.567");
        assert_eq!(de.plural(1), "one");
        assert_eq!(de.plural(2), "other");
        assert_eq!(Language::new("fr").plural(0), "one");
        assert_eq!(de.list(&["a", "b", "c"]), "a, b und c");
        assert_eq!(Language::new("no tag at all!").number(5), "5");
    }
}
