//! Whether the value of an attribute is one of those that MJML takes there.

use super::either;

/// Whether a value is of a type of the reference implementation.
///
/// # Errors
/// It is not; what it should be.
pub(super) fn fits(value: &str, of: &str, colours: &[&str]) -> Result<(), String> {
    if of == "color" {
        return if is_colour(value, colours) {
            Ok(())
        } else {
            Err("a colour is #1f5244, #abc, rgb(1, 2, 3) or a name such as white".into())
        };
    }
    if of == "integer" {
        let fine = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        return fine
            .then_some(())
            .ok_or_else(|| "write a whole number".into());
    }
    if of == "boolean" {
        return matches!(value, "true" | "false")
            .then_some(())
            .ok_or_else(|| "write true or false".into());
    }
    if let Some(list) = of.strip_prefix("enum(") {
        let list = list.trim_end_matches(')');
        return list
            .split(',')
            .any(|one| one == value)
            .then_some(())
            .ok_or_else(|| {
                let list: Vec<&str> = list.split(',').filter(|one| !one.is_empty()).collect();
                format!("write {}", either(&list))
            });
    }
    let Some((kind, rest)) = of.split_once('(') else {
        return Ok(());
    };
    if !kind.starts_with("unit") {
        return Ok(());
    }
    let (units, counts) = rest.split_once(')').unwrap_or((rest, ""));
    let units: Vec<&str> = units.split(',').collect();
    let most = counts
        .trim_matches(['{', '}'])
        .split(',')
        .next_back()
        .and_then(|most| most.parse().ok())
        .unwrap_or(1);
    let negative = kind == "unitWithNegative";
    let words: Vec<&str> = value.split_whitespace().collect();
    let fine = !words.is_empty()
        && words.len() <= most
        && words.iter().all(|word| is_length(word, &units, negative));
    if fine {
        return Ok(());
    }
    let shown: Vec<&str> = units
        .iter()
        .map(|unit| {
            if unit.is_empty() {
                "a bare number"
            } else {
                unit
            }
        })
        .collect();
    Err(format!(
        "write {} in {}",
        if most > 1 {
            "one to four lengths"
        } else {
            "a length"
        },
        either(&shown)
    ))
}

fn is_length(word: &str, units: &[&str], negative: bool) -> bool {
    if word == "auto" {
        return units.contains(&"auto");
    }
    let number = word.strip_prefix('-').filter(|_| negative).unwrap_or(word);
    let digits = number
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(number.len());
    let (amount, unit) = number.split_at(digits);
    amount
        .parse::<f64>()
        .is_ok_and(|amount| amount == 0.0 && unit.is_empty() || units.contains(&unit))
}

fn is_colour(value: &str, colours: &[&str]) -> bool {
    if let Some(hex) = value.strip_prefix('#') {
        return matches!(hex.len(), 3 | 6) && hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let inside = value
        .strip_prefix("rgba(")
        .or_else(|| value.strip_prefix("rgb("))
        .and_then(|rest| rest.strip_suffix(')'));
    match inside {
        Some(inside) => {
            let numbers: Vec<&str> = inside.split(',').map(str::trim).collect();
            matches!(numbers.len(), 3 | 4) && numbers.iter().all(|one| one.parse::<f64>().is_ok())
        }
        None => colours.contains(&value) || matches!(value, "transparent" | "inherit" | "none"),
    }
}
