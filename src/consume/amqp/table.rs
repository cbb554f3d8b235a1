//! The headers of a message: typed values there, texts with us.

use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable};

/// Every header that is a text, a number, a moment or yes or no. Lists and tables (the
/// broker's own notes of how a message travelled) say nothing about orders.
pub(super) fn texts(table: &FieldTable) -> impl Iterator<Item = (String, String)> {
    table
        .inner()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), text(value)?)))
}

fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into_owned(),
        AMQPValue::Timestamp(seconds) => {
            let seconds = i64::try_from(*seconds).ok()?;
            Timestamp::from_second(seconds).ok()?.to_string()
        }
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::Void => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_type_are_texts() {
        let check = |value: AMQPValue, expected: Option<&str>| {
            assert_eq!(text(&value).as_deref(), expected, "{value:?}");
        };
        check(
            AMQPValue::LongString("order.placed".into()),
            Some("order.placed"),
        );
        check(AMQPValue::ShortString("a".into()), Some("a"));
        check(AMQPValue::LongLongInt(-7), Some("-7"));
        check(AMQPValue::Boolean(true), Some("true"));
        check(
            AMQPValue::Timestamp(1_772_359_200),
            Some("2026-03-01T10:00:00Z"),
        );
        check(AMQPValue::Timestamp(u64::MAX), None);
        check(AMQPValue::FieldTable(FieldTable::default()), None);
        check(AMQPValue::Void, None);
    }
}
