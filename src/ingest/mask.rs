//! Bodies as they may be shown to whoever mends a mapping: every field is there, and what
//! names a person is covered. What is covered keeps its sort (an address still looks like
//! one), so that one sees what stood there without seeing whose it was.
//!
//! Nothing that is shown by default goes past this. It covers too much rather than too
//! little: any address and any phone number, wherever it stands, and the fields in which
//! platforms put names, streets and what people wrote.

use super::adapters::{Headers, Recorded};
use super::message::Kept;
use serde_json::Value;

/// Fields that are about a person wherever they stand, without `_` and `-`, lower-case.
const PERSONAL: &[&str] = &[
    "firstname",
    "lastname",
    "fullname",
    "middlename",
    "surname",
    "givenname",
    "familyname",
    "displayname",
    "username",
    "nickname",
    "salutation",
    "birthday",
    "dateofbirth",
    "street",
    "street1",
    "street2",
    "streetlines",
    "streetaddress1",
    "streetaddress2",
    "address1",
    "address2",
    "addressline1",
    "addressline2",
    "company",
    "companyname",
    "organization",
    "city",
    "town",
    "citylocality",
    "zip",
    "zipcode",
    "postcode",
    "postalcode",
    "latitude",
    "longitude",
    "ip",
    "ipaddress",
    "browserip",
    "clientip",
    "customeripaddress",
    "useragent",
    "customeruseragent",
    "note",
    "notes",
    "customernote",
    "giftmessage",
    "signedby",
    "signature",
    "vatnumber",
    "taxid",
    "cardholdername",
];
/// Fields whose text people wrote.
const WRITTEN: &[&str] = &["body", "content", "comment", "comments", "message", "text"];
/// Parts of names of fields that hold a person, in which a `name` is somebody's.
const ABOUT_PEOPLE: &[&str] = &[
    "customer",
    "billing",
    "shipping",
    "address",
    "shipto",
    "shipfrom",
    "user",
    "requester",
    "submitter",
    "assignee",
    "reviewer",
    "recipient",
    "destination",
    "buyer",
    "contact",
    "person",
    "sender",
    "owner",
];
/// Digits from which on a text that is written like a phone number counts as one.
const PHONE_DIGITS: usize = 7;
/// Deepest nesting that is looked into; deeper values are covered whole.
const DEEP: usize = 128;
/// What stands for what is covered.
const COVER: &str = "***";

/// A body of the quarantine as it may be shown: JSON as JSON, indented; a recorded
/// delivery with its body read; anything else as text.
pub fn body(text: &str) -> String {
    let shown = if let Some(delivery) = Recorded::read(text) {
        let body = unread(&delivery.body);
        envelope("source", delivery.source, &delivery.headers, body)
    } else if let Some(Kept { broker, message }) = Kept::read(text) {
        let body = match std::str::from_utf8(&message.body) {
            Ok(text) => unread(text),
            Err(_) => format!("{} bytes that are no text", message.body.len()).into(),
        };
        envelope("broker", broker, &message.headers, body)
    } else {
        match serde_json::from_str::<Value>(text) {
            Ok(whole) => value(whole),
            Err(_) => return free(text),
        }
    };
    serde_json::to_string_pretty(&shown).unwrap_or_default()
}

/// A body within, covered.
fn unread(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(inner) => value(inner),
        Err(_) => Value::String(free(text)),
    }
}

/// A body with what came around it.
fn envelope(from: &str, name: String, headers: &Headers, body: Value) -> Value {
    let headers = headers
        .every()
        .map(|(name, value)| (name.to_owned(), free(value).into()))
        .collect();
    let mut whole = serde_json::Map::new();
    whole.insert(from.to_owned(), name.into());
    whole.insert("headers".to_owned(), Value::Object(headers));
    whole.insert("body".to_owned(), body);
    Value::Object(whole)
}

/// A value with everything that names a person covered.
pub fn value(whole: Value) -> Value {
    covered(whole, false, 0)
}

fn covered(value: Value, about_a_person: bool, depth: usize) -> Value {
    if depth > DEEP {
        return COVER.into();
    }
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(name, inner)| {
                    let plain = plain(&name);
                    let shown = field(&plain, inner, about_a_person, depth);
                    (free(&name), shown)
                })
                .collect(),
        ),
        Value::Array(all) => Value::Array(
            all.into_iter()
                .map(|one| covered(one, about_a_person, depth + 1))
                .collect(),
        ),
        Value::String(text) => Value::String(free(&text)),
        other => other,
    }
}

fn field(name: &str, inner: Value, about_a_person: bool, depth: usize) -> Value {
    let personal = PERSONAL.contains(&name)
        || name.contains("email")
        || name.contains("phone")
        || name.contains("mobile")
        || name.ends_with("firstname")
        || name.ends_with("lastname")
        || (name == "name" && about_a_person)
        || (WRITTEN.contains(&name) && inner.is_string());
    match inner {
        Value::String(text) if personal => Value::String(hidden(&text)),
        Value::Number(_) if personal => COVER.into(),
        Value::Array(all) if personal => Value::Array(
            all.into_iter()
                .map(|one| match one {
                    Value::String(text) => Value::String(hidden(&text)),
                    other => covered(other, true, depth + 1),
                })
                .collect(),
        ),
        other => {
            let about = about_a_person || ABOUT_PEOPLE.iter().any(|part| name.contains(part));
            covered(other, about, depth + 1)
        }
    }
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A text that is personal as a whole: its sort stays.
fn hidden(text: &str) -> String {
    if text.trim().is_empty() {
        text.to_owned()
    } else if text.contains('@') {
        free(text)
    } else {
        COVER.to_owned()
    }
}

/// A text in which addresses and phone numbers are covered.
pub fn free(text: &str) -> String {
    phones(&addresses(text))
}

/// `ann@example.com` is `***@***.com`: one sees that it is an address, and a slip at its end.
fn addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let ends = |c: char| c.is_whitespace() || "\"'<>()[]{},;:=&?/\\|".contains(c);
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(ends) {
        let end = word.chars().next_back().filter(|c| ends(*c));
        let bare = end.map_or(word, |end| &word[..word.len() - end.len_utf8()]);
        match bare.rsplit_once('@') {
            Some((_, domain)) => {
                let last = domain.rsplit_once('.').map_or("", |(_, last)| last);
                // A long end is no domain's, and may be somebody's name.
                let last: String = last.chars().take(3).collect();
                let dot = if last.is_empty() { "" } else { "." };
                shown.push_str(&format!("{COVER}@{COVER}{dot}{last}"));
            }
            None => shown.push_str(bare),
        }
        shown.extend(end);
    }
    shown
}

/// Covers what is written like a phone number: a `+` or a `(` or a leading zero, and then
/// digits with spaces, dots, dashes and brackets between them. Bare digits are ids.
fn phones(text: &str) -> String {
    let within = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(first) = rest.chars().next() {
        let begins = matches!(first, '+' | '(')
            || (first == '0' && before.is_none_or(|c| !c.is_alphanumeric() && !"-./:".contains(c)));
        if begins {
            let tail = &rest[first.len_utf8()..];
            let length = tail.find(|c| !within(c)).unwrap_or(tail.len());
            let run = &rest[..first.len_utf8() + length];
            let digits = run.bytes().filter(u8::is_ascii_digit).count();
            if digits >= PHONE_DIGITS {
                let kept = run.trim_end_matches([' ', '.', '-', '/', '(', ')']).len();
                shown.push_str(COVER);
                before = run[..kept].chars().next_back();
                rest = &rest[kept..];
                continue;
            }
        }
        shown.push(first);
        before = Some(first);
        rest = &rest[first.len_utf8()..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whoever_it_is_about_is_covered_and_everything_else_stays() {
        let told = json!({
            "id": 5_550_001_112_223_u64, "name": "#1042", "email": "ann@example.com",
            "created_at": "2026-03-02T10:14:08-05:00",
            "customer": {"id": 7, "name": "Ann Lee", "phone": "+49 170 1234567", "tags": "vip"},
            "billing_address": {"name": "Ann Lee", "zip": "10115", "country_code": "DE"},
            "line_items": [{"name": "Camera", "sku": "CAM-1", "properties": [
                {"name": "Engraving", "value": "for ann@example.com, 030 / 1234 5678"}
            ]}],
            "note": "ring at Lee", "browser_ip": "192.0.2.1",
            "emails": ["a@b.example", ""], "zip": 10115, "accepts_marketing": true,
        });
        assert_eq!(
            value(told),
            json!({
                "id": 5_550_001_112_223_u64, "name": "#1042", "email": "***@***.com",
                "created_at": "2026-03-02T10:14:08-05:00",
                "customer": {"id": 7, "name": "***", "phone": "***", "tags": "vip"},
                "billing_address": {"name": "***", "zip": "***", "country_code": "DE"},
                "line_items": [{"name": "Camera", "sku": "CAM-1", "properties": [
                    {"name": "Engraving", "value": "for ***@***.com, ***"}
                ]}],
                "note": "***", "browser_ip": "***",
                "emails": ["***@***.exa", ""], "zip": "***", "accepts_marketing": true,
            })
        );
    }

    #[test]
    fn a_recorded_delivery_is_shown_with_its_body_read() {
        let kept = json!({
            "aftercare_delivery": 1, "source": "shop", "headers": {"x-shopify-topic": "orders/create"},
            "body": "{\"email\":\"ann@example.com\",\"total\":\"9.00\"}",
        });
        let shown: Value = serde_json::from_str(&body(&kept.to_string())).unwrap_or_default();
        assert_eq!(
            shown,
            json!({
                "source": "shop", "headers": {"x-shopify-topic": "orders/create"},
                "body": {"email": "***@***.com", "total": "9.00"},
            })
        );
    }

    #[test]
    fn what_is_no_json_is_covered_as_text() {
        for (text, expected) in [
            ("nonsense", "nonsense"),
            (
                "{\"email\": \"ann@example.com\"",
                "{\"email\": \"***@***.com\"",
            ),
            ("call +1 (555) 010-9999.", "call ***."),
            (
                "order 6210444044437 of 2026-03-02T10:14:08Z",
                "order 6210444044437 of 2026-03-02T10:14:08Z",
            ),
            ("2026-03-02 05:04:08", "2026-03-02 05:04:08"),
            ("a@b@c", "***@***"),
            ("mail=ann@example.com&x=1", "mail=***@***.com&x=1"),
            ("", ""),
        ] {
            assert_eq!(body(text), expected);
        }
    }
}
