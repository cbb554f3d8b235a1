//! Values as platforms write them: numbers as text and text as numbers, null, empty or
//! absent for nothing, tags in a list or with commas. What does not matter is taken as it
//! can be; what matters is asked for by [`needed`], and its absence said in words.

use super::super::json::Json;
use super::super::shape::{MAX_AMOUNT, MAX_QUANTITY, Misfit};
use crate::model::places;
use serde_json::{Value, json};

/// Most tags, properties or references that are taken over from one list.
const MAX_LISTED: usize = 250;
/// Digits of the largest amount that is read.
const MAX_DIGITS: usize = 30;

/// A text that is not blank.
pub(super) fn text<'j>(value: &'j Json<'_>) -> Option<&'j str> {
    value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// An address: a text with an `@` and no control characters. What is none is no reason
/// to lose an order.
pub(super) fn address<'j>(value: &'j Json<'_>) -> Option<&'j str> {
    text(value).filter(|text| text.contains('@') && !text.chars().any(char::is_control))
}

/// A text, or a number as text.
pub(super) fn word(value: &Json) -> Option<String> {
    match value {
        Json::Number(number) => Some(number.to_string()),
        other => text(other).map(str::to_owned),
    }
}

/// An id: a text or a whole number that is not 0, without control characters. A number
/// that is too large for 64 bits has lost its last digits on the way and is none.
pub(super) fn id(value: &Json) -> Option<String> {
    match value {
        Json::Number(number) if number.is_f64() => {
            // Some languages write every number as a fraction: 17.0 is 17.
            let text = number.to_string();
            let whole = text.strip_suffix(".0")?;
            let exact = whole.len() <= 15 && whole.bytes().all(|byte| byte.is_ascii_digit());
            (exact && whole != "0").then(|| whole.to_owned())
        }
        Json::Number(number) => Some(number.to_string()).filter(|id| id != "0"),
        other => text(other)
            .filter(|id| *id != "0" && !id.chars().any(char::is_control))
            .map(str::to_owned),
    }
}

/// The number at the end of a global id such as `gid://shopify/Customer/17`, or the text.
pub(super) fn gid(value: &Json) -> Option<String> {
    let whole = id(value)?;
    match whole.rsplit_once('/') {
        Some((_, last)) if whole.starts_with("gid://") => {
            let last = last.split('?').next().unwrap_or_default();
            (!last.is_empty()).then(|| last.to_owned())
        }
        _ => Some(whole),
    }
}

/// What must be there, or words for its absence.
pub(super) fn needed<T>(found: Option<T>, what: &str) -> Result<T, Misfit> {
    found.ok_or_else(|| Misfit::new("missing", format!("{what} is missing, or nothing of use")))
}

/// True or false, however it is written.
pub(super) fn flag(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(flag) => Some(*flag),
        Json::Number(number) => number.as_i64().map(|number| number != 0),
        Json::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number, also as text or written as a fraction.
pub(super) fn whole(value: &Json) -> Option<i64> {
    let text = match value {
        Json::Number(number) => match number.as_i64() {
            Some(number) => return Some(number),
            None => number.to_string(),
        },
        other => text(other)?.to_owned(),
    };
    let whole = match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text.as_str(),
    };
    whole.parse().ok()
}

/// A number of units: a fraction of one (goods by weight) counts as one.
pub(super) fn quantity(value: &Json) -> Option<i64> {
    let units = match whole(value) {
        Some(units) => units,
        None => {
            let fraction: f64 = word(value)?.parse().ok()?;
            if !(0.0..=1e6).contains(&fraction) {
                return None;
            }
            // At most a million: it fits.
            fraction.ceil() as i64
        }
    };
    (0..=MAX_QUANTITY).contains(&units).then_some(units)
}

/// The members of a list; of anything else none.
pub(super) fn list<'j, 'b>(value: &'j Json<'b>) -> &'j [Json<'b>] {
    value.as_array().unwrap_or_default()
}

/// What stands in a list, nulls apart. Where a list has gaps, PHP writes it as an object
/// whose names are the places.
pub(super) fn members<'j>(value: &'j Json<'j>) -> impl Iterator<Item = &'j Json<'j>> {
    let named = value.members();
    let placed = |(name, _): &(std::borrow::Cow<'_, str>, Json)| {
        name.bytes().all(|byte| byte.is_ascii_digit())
    };
    let gappy = if named.iter().all(placed) { named } else { &[] };
    list(value)
        .iter()
        .chain(gappy.iter().map(|(_, member)| member))
        .filter(|member| !member.is_null())
}

/// Tags: a list of texts, or one text with commas.
pub(super) fn tags(value: &Json) -> Vec<String> {
    let all: Vec<String> = match value {
        Json::String(text) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        Json::Array(all) => all
            .iter()
            .filter_map(|tag| word(tag).or_else(|| word(&tag["name"])))
            .collect(),
        _ => Vec::new(),
    };
    all.into_iter()
        .filter(|tag| !tag.is_empty())
        .take(MAX_LISTED)
        .collect()
}

/// A country as two capital letters.
pub(super) fn country(value: &Json) -> Option<String> {
    text(value).and_then(places::country)
}

/// A currency as three capital letters.
pub(super) fn currency(value: &Json) -> Option<String> {
    let code = text(value)?.to_ascii_uppercase();
    let plain = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    plain.then_some(code)
}

/// How many digits a currency has behind the point (ISO 4217); two where it is not known.
pub(super) fn digits(currency: &str) -> u32 {
    use iso_currency::Currency;
    match Currency::from_code(currency) {
        Some(known) => u32::from(known.exponent().unwrap_or(2)),
        None => 2,
    }
}

/// An amount as decimal text or number, in minor units, halves away from zero. Never by
/// way of a fraction in binary.
pub(super) fn minor(value: &Json, currency: &str) -> Option<i64> {
    let text = match value {
        Json::Number(number) => number.to_string(),
        other => text(other)?.to_owned(),
    };
    let scaled = scaled(&text, digits(currency))?;
    i64::try_from(scaled)
        .ok()
        .filter(|amount| (-MAX_AMOUNT..=MAX_AMOUNT).contains(amount))
}

/// A decimal number times ten to the power of `digits`, rounded.
fn scaled(text: &str, digits: u32) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (text, power) = match text.split_once(['e', 'E']) {
        Some((text, power)) => (text, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (before, behind) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.len() + behind.len() == 0
        || before.len() + behind.len() > MAX_DIGITS
        || !plain(before)
        || !plain(behind)
        || !(-30..=30).contains(&power)
    {
        return None;
    }
    let number: i128 = format!("{before}{behind}").parse().ok()?;
    let shift = i32::try_from(digits).ok()? + power - i32::try_from(behind.len()).ok()?;
    let amount = if shift >= 0 {
        number.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)?
    } else {
        match 10i128.checked_pow(u32::try_from(-shift).ok()?) {
            Some(by) => (number + by / 2) / by,
            None => 0,
        }
    };
    Some(if negative { -amount } else { amount })
}

/// `{amount, currency}`.
pub(super) fn money(amount: i64, currency: &str) -> Value {
    json!({ "amount": amount, "currency": currency })
}

/// An amount as decimal text or number, as money; null where it is none.
pub(super) fn price(value: &Json, currency: &str) -> Value {
    minor(value, currency).map_or(Value::Null, |amount| money(amount, currency))
}

/// A sum that stays within bounds.
pub(super) fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

/// A part of a total, each of so many: halves away from zero.
pub(super) fn each(total: i64, of: i64) -> i64 {
    if of <= 1 {
        return total;
    }
    let half = i128::from(of) / 2 * i128::from(total.signum());
    i64::try_from((i128::from(total) + half) / i128::from(of)).unwrap_or(total)
}

/// The first and last name as one.
pub(super) fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = [first, last].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A carrier's name as a short one: `DHL Express` is `dhl-express`.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for character in text.trim().chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}

/// A tracking number as it is compared: capitals, no spaces and dashes.
pub(super) fn tracking_number(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_rounded_by_the_currency() {
        for (value, currency, expected) in [
            (json!("899.00"), "USD", Some(89_900)),
            (json!(24.9), "EUR", Some(2_490)),
            (json!(4200), "JPY", Some(4_200)),
            (json!("4200.00"), "JPY", Some(4_200)),
            (json!("1.2345"), "KWD", Some(1_235)),
            (json!("-59.00"), "EUR", Some(-5_900)),
            (json!("0.125"), "USD", Some(13)),
            (json!("-0.125"), "USD", Some(-13)),
            (json!(".5"), "USD", Some(50)),
            (json!("5."), "USD", Some(500)),
            (json!("1e2"), "USD", Some(10_000)),
            (json!("1e-40"), "USD", None),
            (json!(""), "USD", None),
            (json!("."), "USD", None),
            (json!("1,234.50"), "USD", None),
            (json!("99999999999999999999999999999999"), "USD", None),
            (json!("99999999999999999999"), "USD", None),
            (json!(null), "USD", None),
            (json!("NaN"), "USD", None),
            (json!(i64::MIN), "JPY", None),
        ] {
            assert_eq!(
                minor(&Json::from(&value), currency),
                expected,
                "{value} {currency}"
            );
        }
        assert_eq!(each(100, 3), 33);
        assert_eq!(each(200, 3), 67);
        assert_eq!(each(5, 0), 5);
        assert_eq!(each(-200, 3), -67);
    }

    #[test]
    fn ids_keep_every_digit_or_are_none() {
        for (value, expected) in [
            (
                json!(901_234_567_890_123_457_u64),
                Some("901234567890123457"),
            ),
            (json!(u64::MAX), Some("18446744073709551615")),
            (json!("  17 "), Some("17")),
            (json!(17.0), Some("17")),
            (json!(17.5), None),
            (json!(1e30), None),
            (json!(0), None),
            (json!("0"), None),
            (json!("a\nb"), None),
            (json!(true), None),
            (json!(null), None),
        ] {
            assert_eq!(id(&Json::from(&value)).as_deref(), expected, "{value}");
        }
        assert_eq!(
            gid(&json!("gid://shopify/Customer/17?x=1").into()).as_deref(),
            Some("17")
        );
        assert_eq!(gid(&json!("gid://shopify/Customer/").into()), None);
        assert_eq!(gid(&json!(17).into()).as_deref(), Some("17"));
    }

    #[test]
    fn numbers_flags_and_lists_are_taken_as_they_come() {
        assert_eq!(whole(&json!("2").into()), Some(2));
        assert_eq!(whole(&json!(2.0).into()), Some(2));
        assert_eq!(whole(&json!("2.50").into()), None);
        assert_eq!(quantity(&json!("0.75").into()), Some(1));
        assert_eq!(quantity(&json!(-1).into()), None);
        assert_eq!(quantity(&json!(1e30).into()), None);
        assert_eq!(flag(&json!("TRUE").into()), Some(true));
        assert_eq!(flag(&json!(0).into()), Some(false));
        assert_eq!(flag(&json!([]).into()), None);
        assert_eq!(tags(&json!("a, b,,").into()), ["a", "b"]);
        assert_eq!(
            tags(&json!([{"name": "x"}, "y", 7, null]).into()),
            ["x", "y", "7"]
        );
        assert_eq!(currency(&json!("eur").into()).as_deref(), Some("EUR"));
        assert_eq!(currency(&json!("€").into()), None);
        assert_eq!(slug("DHL Express (DE)"), "dhl-express-de");
        assert_eq!(tracking_number("1z 99-9a"), "1Z999A");
    }
}
