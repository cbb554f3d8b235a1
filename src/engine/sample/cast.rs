//! Who sample customers are: each has something that mails tend to break on, and a name
//! of the country whose language is read.

use crate::model::locale;

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
/// Who a reader of a language is: first name, last name, mailbox, country, currency.
pub(super) type Person = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// The sample customer of a language; Alex of the US for any that is not here.
pub(super) fn person(locale: &str) -> Person {
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
