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
#[expect(clippy::unwrap_used, reason = "tests")]
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
                    None,
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
        assert_eq!(de.list(&["a", "b", "c"], Joined::And), "a, b und c");
        assert_eq!(de.list(&["1 kg", "200 g"], Joined::Unit), "1 kg, 200 g");
        assert_eq!(Language::new("no tag at all!").number(5), "5");
    }

    /// Compared with another implementation of the same data (ICU4C 78, CLDR 48); they
    /// differ in Hindi's comma, Hebrew's hyphen and the Swiss name of the euro (EUR there).
    #[test]
    fn languages_of_all_sorts() {
        let instant: Timestamp = "2026-03-06T22:30:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let euro = Money {
            amount: 123_450,
            currency: "EUR".into(),
        };
        type Wanted<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, [&'a str; 4]);
        let wanted: [Wanted<'_>; 11] = [
            (
                "ar",
                "6 مارس 2026",
                "1,234,567",
                "\u{200f}1,234.50\u{a0}€",
                "zero one two few few many many other",
                ["A وB وC", "A أو B أو C", "غدًا", "قبل 3 أيام"],
            ),
            (
                "ar-EG",
                "٦ مارس ٢٠٢٦",
                "١٬٢٣٤٬٥٦٧",
                "\u{200f}١٬٢٣٤٫٥٠\u{a0}€",
                "zero one two few few many many other",
                ["A وB وC", "A أو B أو C", "غدًا", "قبل ٣ أيام"],
            ),
            (
                "he",
                "6 במרץ 2026",
                "1,234,567",
                "\u{200f}1,234.50\u{a0}\u{200f}€",
                "other one two other other other other other",
                ["A, B ו‑C", "A, B או C", "מחר", "לפני 3 ימים"],
            ),
            (
                "pl",
                "6 marca 2026",
                "1\u{a0}234\u{a0}567",
                "1234,50\u{a0}€",
                "many one few few many many many many",
                ["A, B i C", "A, B lub C", "jutro", "3 dni temu"],
            ),
            (
                "pt-BR",
                "6 de março de 2026",
                "1.234.567",
                "€\u{a0}1.234,50",
                "one one other other other other other other",
                ["A, B e C", "A, B ou C", "amanhã", "há 3 dias"],
            ),
            (
                "zh-Hant",
                "2026年3月6日",
                "1,234,567",
                "€1,234.50",
                "other other other other other other other other",
                ["A、B和C", "A、B或C", "明天", "3 天前"],
            ),
            (
                "hi",
                "6 मार्च, 2026",
                "12,34,567",
                "€1,234.50",
                "one one other other other other other other",
                ["A, B और C", "A, B या C", "कल", "3 दिन पहले"],
            ),
            (
                "sv",
                "6 mars 2026",
                "1\u{a0}234\u{a0}567",
                "1\u{a0}234,50\u{a0}€",
                "other one other other other other other other",
                [
                    "A, B och C",
                    "A, B eller C",
                    "i morgon",
                    "för 3 dagar sedan",
                ],
            ),
            (
                "fr-CA",
                "6 mars 2026",
                "1\u{a0}234\u{a0}567",
                "1\u{a0}234,50\u{a0}€",
                "one one other other other other other other",
                ["A, B et C", "A, B ou C", "demain", "il y a 3 jours"],
            ),
            (
                "de-CH",
                "6. März 2026",
                "1'234'567",
                "€\u{a0}1'234.50",
                "other one other other other other other other",
                ["A, B und C", "A, B oder C", "morgen", "vor 3 Tagen"],
            ),
            (
                "en-IN",
                "6 March 2026",
                "12,34,567",
                "€1,234.50",
                "other one other other other other other other",
                ["A, B and C", "A, B or C", "tomorrow", "3 days ago"],
            ),
        ];
        let mut wrong = Vec::new();
        for (tag, date, number, money, plurals, [and, or, tomorrow, ago]) in wanted {
            let language = Language::new(tag);
            let near = |days: i64| {
                let day = zone.to_datetime(instant).date();
                let moment = Moment::Day(day.saturating_add(jiff::Span::new().days(days)));
                language
                    .date(moment, &zone, DateStyle::Near, Some(instant))
                    .unwrap()
            };
            let long = language
                .date(Moment::Instant(instant), &zone, DateStyle::Long, None)
                .unwrap();
            let forms: Vec<&str> = [0, 1, 2, 3, 5, 11, 21, 100]
                .map(|n| language.plural(n))
                .to_vec();
            for (got, wanted) in [
                (long.as_str(), date),
                (&language.number(1_234_567), number),
                (&language.money(&euro).unwrap(), money),
                (&forms.join(" "), plurals),
                (&language.list(&["A", "B", "C"], Joined::And), and),
                (&language.list(&["A", "B", "C"], Joined::Or), or),
                (&near(1), tomorrow),
                (&near(-3), ago),
            ] {
                if got != wanted {
                    wrong.push(format!("{tag}: {got:?}, wanted {wanted:?}"));
                }
            }
            assert_eq!(language.is_rtl(), tag.starts_with("ar") || tag == "he");
            let far = Moment::Day("2026-04-20".parse().unwrap());
            let full = language.date(far, &zone, DateStyle::Near, Some(instant));
            assert_eq!(
                full,
                language.date(far, &zone, DateStyle::Long, None),
                "{tag}"
            );
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(
            Language::new("pl").forms(false),
            ["one", "few", "many", "other"]
        );
        assert_eq!(Language::new("en").ordinal(22), "two");
        assert!(is_rtl("ur") && is_rtl("az-Arab") && !is_rtl("az") && !is_rtl("no tag!"));
    }

    #[test]
    fn what_runs_the_other_way_is_known_by_its_letters() {
        assert!(is_foreign("#1042", true) && is_foreign("Nikon", true));
        assert!(!is_foreign("מצלמה", true) && !is_foreign("#1042", false));
        assert!(is_foreign("Nikon מצלמה", false));
        let mut out = String::new();
        isolate_into(&mut out, "a\u{2069}b\u{202e}");
        assert_eq!(out, "\u{2068}ab\u{2069}");
    }
}
