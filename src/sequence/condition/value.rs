//! The values that a condition sees: a person's names, borrowed and turned into CEL
//! values one by one as they are asked for, and the functions as tables to look into.

use crate::model::names::{Field, Names, Type, field};
use crate::model::time::{Timestamp, day};
use cel::ExecutionError;
use cel::common::traits::Indexer;
use cel::common::types::{
    self, CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelTimestamp,
};
use cel::common::value::{CowVal, Val};
use std::fmt;

/// Fields of money.
pub(super) const MONEY: &[Field] = &[
    Field {
        name: "amount",
        of: Type::Int,
        optional: false,
        says: "Minor units: cents of the euro.",
    },
    Field {
        name: "currency",
        of: Type::Text,
        optional: false,
        says: "Three letters of ISO 4217, such as `EUR`.",
    },
];

/// A JSON value as the CEL value of its type.
pub(super) fn value<'v>(
    json: &'v serde_json::Value,
    of: Type,
) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    use serde_json::Value;
    Ok(match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelDouble::from(number)),
            (None, None) => return Err(wrong("a number")),
        },
        Value::String(text) if of == Type::Instant => {
            let instant: Timestamp = text.parse().map_err(|_| wrong("an instant"))?;
            Box::new(timestamp(instant)?)
        }
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(values) => {
            let of = match of {
                Type::List(of) => *of,
                _ => Type::Any,
            };
            let values: Result<Vec<Box<dyn Val + 'v>>, ExecutionError> =
                values.iter().map(|one| value(one, of)).collect();
            Box::new(CelList::from(values?))
        }
        Value::Object(values) => Box::new(Object {
            values,
            fields: match of {
                Type::Object(fields) => Some(fields),
                Type::Money => Some(MONEY),
                _ => None,
            },
        }),
    })
}

/// An instant as CEL has it.
pub(super) fn timestamp(instant: Timestamp) -> Result<CelTimestamp, ExecutionError> {
    const SECOND: i128 = 1_000_000_000;
    let all = instant.as_nanosecond();
    let seconds = i64::try_from(all.div_euclid(SECOND)).map_err(|_| wrong("an instant"))?;
    let rest = u32::try_from(all.rem_euclid(SECOND)).map_err(|_| wrong("an instant"))?;
    chrono::DateTime::from_timestamp(seconds, rest)
        .map(|time| CelTimestamp::from(time.fixed_offset()))
        .ok_or_else(|| wrong("an instant"))
}

fn wrong(wanted: &str) -> ExecutionError {
    ExecutionError::function_error("value", format!("expected {wanted}"))
}

/// An object of which only the fields that are asked for are ever converted.
#[derive(Clone, Copy)]
pub(super) struct Object<'v> {
    values: &'v serde_json::Map<String, serde_json::Value>,
    fields: Option<&'static [Field]>,
}

/// Never shows what is inside: errors of the evaluation may end up in logs.
impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object(***)")
    }
}

impl Val for Object<'_> {
    fn get_type(&self) -> &types::Type {
        &types::MAP_TYPE
    }
    fn cel_type() -> &'static types::Type {
        &types::MAP_TYPE
    }
    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(*self)
    }
}

impl Indexer for Object<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let name = key
            .downcast_ref::<CelString<'_>>()
            .ok_or_else(|| wrong("a field's name"))?
            .inner();
        let known = self.fields.map(|fields| field(fields, name));
        match (self.values.get(name), known) {
            (Some(json), Some(Some(field))) => Ok(CowVal::Owned(value(json, field.of)?)),
            (Some(json), _) => Ok(CowVal::Owned(value(json, Type::Any)?)),
            // What may be null may also be left out, and of an object whose fields
            // nobody declared, anything may.
            (None, None) => Ok(CowVal::owned(CelNull)),
            (None, Some(Some(field))) if field.optional => Ok(CowVal::owned(CelNull)),
            (None, Some(_)) => Err(ExecutionError::no_such_key(name)),
        }
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

/// The functions over a person's history. Each is one question about one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Owns,
    Bought,
    InStock,
    Sent,
    DaysSince,
}

impl Function {
    pub(super) const ALL: [Function; 5] = [
        Function::Owns,
        Function::Bought,
        Function::InStock,
        Function::Sent,
        Function::DaysSince,
    ];

    /// The name in conditions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Owns => "owns",
            Function::Bought => "bought",
            Function::InStock => "in_stock",
            Function::Sent => "sent",
            Function::DaysSince => "days_since",
        }
    }

    /// The variable that its calls become: `owns(x)` is evaluated as `@owns[x]`, so
    /// that a call borrows the person's history and copies nothing.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Function::Owns => "@owns",
            Function::Bought => "@bought",
            Function::InStock => "@in_stock",
            Function::Sent => "@sent",
            Function::DaysSince => "@days_since",
        }
    }
}

/// A function as a table to look into.
#[derive(Clone, Copy)]
pub(super) struct Answers<'v> {
    pub(super) function: Function,
    pub(super) names: &'v Names,
}

impl fmt::Debug for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answers({})", self.function.name())
    }
}

impl Val for Answers<'_> {
    fn get_type(&self) -> &types::Type {
        &types::MAP_TYPE
    }
    fn cel_type() -> &'static types::Type {
        &types::MAP_TYPE
    }
    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(*self)
    }
}

impl Indexer for Answers<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let missing =
            || ExecutionError::function_error(self.function.name(), "its value is missing");
        let text = || {
            key.downcast_ref::<CelString<'_>>()
                .map(|text| text.inner())
                .ok_or_else(missing)
        };
        let names = self.names;
        let answer = match self.function {
            Function::Owns => names.owned.contains(text()?),
            Function::Bought => names.bought.contains(text()?),
            Function::InStock => !names.out_of_stock.contains(text()?),
            Function::Sent => names.sent.contains(text()?),
            Function::DaysSince => {
                let time = key.downcast_ref::<CelTimestamp>().ok_or_else(missing)?;
                let time = time.inner();
                let since = Timestamp::new(
                    time.timestamp(),
                    i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(0),
                )
                .map_err(|_| missing())?;
                let days = day(since, &names.zone)
                    .until(day(names.now, &names.zone))
                    .map_err(|_| missing())?
                    .get_days();
                return Ok(CowVal::owned(CelInt::from(i64::from(days))));
            }
        };
        Ok(CowVal::owned(CelBool::from(answer)))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}
