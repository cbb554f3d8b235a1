#![expect(clippy::unwrap_used, reason = "tests")]

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
