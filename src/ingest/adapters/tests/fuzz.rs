//! Deliveries that nobody sends, in great numbers: values and bytes of recorded ones are
//! disturbed, with a generator that is the same everywhere. Nothing panics, and no small
//! body comes to much.

use super::super::*;
use super::golden::{Recording, beside, recordings, source, when};
use serde_json::{Map, json};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mutations of each recorded delivery in an ordinary run; `AFTERCARE_TEST_MUTATIONS`
/// sets another number for each platform.
const MUTATIONS: u64 = 40;
/// Of how many outcomes one is weighed.
const WEIGHED: usize = 8;
/// How many times its body the facts of a delivery may weigh: an order with its buyer
/// stands in what was placed, paid and called off, and each fact names itself.
const MOST_TIMES: usize = 24;
/// What the facts of a small body may weigh, in bytes.
const MOST_OF_LITTLE: usize = 64 * 1024;

fn take(one: &Recording, headers: &Headers, body: &[u8]) -> Taken {
    hear(
        &source_of(one.platform),
        headers,
        body,
        &beside_of(one.platform),
        when(one),
    )
}

/// As the recordings have it, read once.
fn source_of(platform: Platform) -> Source {
    thread_local! {
        static SOURCES: std::cell::RefCell<BTreeMap<Platform, Source>> = const { std::cell::RefCell::new(BTreeMap::new()) };
    }
    SOURCES.with_borrow_mut(|all| {
        all.entry(platform)
            .or_insert_with(|| source(platform))
            .clone()
    })
}

fn beside_of(platform: Platform) -> Beside {
    thread_local! {
        static BESIDE: std::cell::RefCell<BTreeMap<Platform, Beside>> = const { std::cell::RefCell::new(BTreeMap::new()) };
    }
    BESIDE.with_borrow_mut(|all| {
        all.entry(platform)
            .or_insert_with(|| beside(platform))
            .clone()
    })
}

/// A generator of numbers that is the same everywhere (SplitMix64).
pub(in super::super) struct Dice(pub(in super::super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(in super::super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

/// Values that platforms should not send, and do.
pub(in super::super) fn odd(dice: &mut Dice) -> Value {
    let deep = (0..40).fold(Value::Null, |inner, _| json!([inner]));
    let mut all = vec![
        Value::Null,
        json!(""),
        json!("   "),
        json!(0),
        json!(-1),
        json!("0"),
        json!("-1"),
        json!(true),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!("1e9"),
        json!("NaN"),
        json!("2026-02-30"),
        json!("0000-00-00 00:00:00"),
        json!("9999-12-31T23:59:59Z"),
        json!("-009999-01-02T00:00:00Z"),
        json!(253_402_300_799_i64),
        json!("a\u{0}b\r\nBcc: x@example.com"),
        json!("é".repeat(2_000)),
        json!([]),
        json!({}),
        json!([null, 1, "x", {"id": null}]),
        json!({"id": {"id": {}}}),
        deep,
        json!("99999999999999999999999999999999999999"),
        json!("gid://"),
        json!("#"),
        json!("delivered"),
        json!("cancelled"),
        json!("refunded"),
        json!("JPY"),
        json!("XXX"),
        json!("\u{feff}\u{202e}\u{0}"),
        json!("a".repeat(600)),
        json!("1".repeat(600)),
        json!({"0": {"id": 1}, "7": null}),
        json!({"amount": "1e30", "currency": "usd"}),
        json!("[[[[[[[[{\"id\":1}]]]]]]]]"),
        json!(1_772_464_448),
        json!("Mon, 02 Mar 2026 15:14:08 +0000"),
    ];
    let at = dice.below(all.len());
    all.swap_remove(at)
}

/// A part of a delivery, anywhere.
fn part<'v>(value: &'v Value, dice: &mut Dice) -> &'v Value {
    if dice.below(5) == 0 {
        return value;
    }
    match value {
        Value::Object(map) if !map.is_empty() => {
            part(map.values().nth(dice.below(map.len())).unwrap(), dice)
        }
        Value::Array(list) if !list.is_empty() => part(&list[dice.below(list.len())], dice),
        other => other,
    }
}

/// Puts a part of one delivery somewhere into another, or many copies of a member.
fn graft(value: &mut Value, from: &Value, dice: &mut Dice) {
    match value {
        Value::Object(map) if !map.is_empty() && dice.below(5) > 0 => {
            let at = dice.below(map.len());
            graft(map.values_mut().nth(at).unwrap(), from, dice);
        }
        Value::Array(list) if !list.is_empty() && dice.below(3) > 0 => {
            let at = dice.below(list.len());
            if dice.below(4) == 0 {
                let copy = list[at].clone();
                list.extend(std::iter::repeat_n(copy, 1 + dice.below(60)));
            } else {
                graft(&mut list[at], from, dice);
            }
        }
        other => *other = part(from, dice).clone(),
    }
}

/// Changes a value somewhere inside.
fn disturb(value: &mut Value, dice: &mut Dice) {
    let here = dice.below(6) == 0;
    match value {
        Value::Object(map) if !map.is_empty() && !here => {
            let at = dice.below(map.len());
            match dice.below(12) {
                0 => {
                    let name = map.keys().nth(at).cloned().unwrap();
                    map.shift_remove(&name);
                }
                1 => {
                    let name = map.keys().nth(at).cloned().unwrap();
                    let moved = map.shift_remove(&name).unwrap();
                    let other = map.keys().next().cloned().unwrap_or(name);
                    map.insert(other, moved);
                }
                _ => disturb(map.values_mut().nth(at).unwrap(), dice),
            }
        }
        Value::Array(list) if !list.is_empty() && !here => {
            let at = dice.below(list.len());
            match dice.below(8) {
                0 => {
                    list.swap_remove(at);
                }
                1 => {
                    let copy = list[at].clone();
                    list.push(copy);
                }
                _ => disturb(&mut list[at], dice),
            }
        }
        Value::Number(number) if dice.below(2) == 0 => *value = json!(number.to_string()),
        Value::String(text) if dice.below(3) == 0 => {
            *value = text.parse::<f64>().map_or_else(|_| odd(dice), |f| json!(f));
        }
        other => *other = odd(dice),
    }
}

/// What an outcome must be like, whatever came in.
fn hold(one: &Recording, headers: &Headers, body: &[u8], weigh: bool) {
    let taken = take(one, headers, body);
    match taken.outcome {
        Outcome::Understood => assert!(taken.poison.is_none()),
        Outcome::Unused => assert!(taken.events.is_empty() && taken.poison.is_none()),
        Outcome::Poison | Outcome::ToFetch => {
            let poison = taken.poison.as_ref().unwrap();
            assert!(!poison.because.is_empty() && !poison.because.contains("Bcc:"));
            assert!(Recorded::read(&poison.body).is_some());
        }
    }
    assert!(taken.topic.chars().count() <= MAX_TOPIC);
    assert!(taken.key.as_ref().is_none_or(|key| key.len() <= MAX_KEY));
    for event in &taken.events {
        for name in [&event.id, &event.source, &event.subject] {
            assert!(!name.is_empty() && !name.chars().any(char::is_control));
        }
    }
    if weigh {
        let facts = canonical(
            &source_of(one.platform),
            headers,
            body,
            &beside_of(one.platform),
            when(one),
        );
        if let Ok(Said::Facts(facts)) = facts {
            let weight: usize = facts.iter().map(|fact| fact.to_string().len()).sum();
            let most = MOST_OF_LITTLE + body.len() * MOST_TIMES;
            assert!(
                weight <= most,
                "{}: {} bytes came to {weight}",
                one.name,
                body.len()
            );
        }
    }
}

/// Headers with one of them gone, odd, or there twice.
fn disturbed(headers: &Headers, dice: &mut Dice) -> Headers {
    let mut all: Vec<(String, String)> = headers
        .every()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if all.is_empty() {
        return headers.clone();
    }
    let at = dice.below(all.len());
    match dice.below(3) {
        0 => {
            all.swap_remove(at);
        }
        1 => all[at].1 = odd(dice).to_string(),
        _ => {
            let copy = all[at].clone();
            all.push(copy);
        }
    }
    Headers::new(all)
}

/// Disturbs every recorded delivery so many times, in values and in bytes.
/// `scripts/fuzz-adapters` runs it a million times for each platform.
#[test]
fn nothing_that_a_stranger_sends_makes_it_panic() {
    let asked = std::env::var("AFTERCARE_TEST_MUTATIONS").ok();
    let each: Option<u64> = asked.and_then(|text| text.parse().ok());
    let all = recordings();
    let bodies: Vec<Value> = all
        .iter()
        .map(|one| serde_json::from_slice(&one.body).unwrap())
        .collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|threads| {
        for _ in 0..workers {
            threads.spawn(|| {
                while let Some(platform) = Platform::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    disturb_all(*platform, &all, &bodies, each);
                    if each.is_some() {
                        eprintln!("{platform}: done");
                    }
                }
            });
        }
    });
}

/// Disturbs the deliveries of one platform.
fn disturb_all(platform: Platform, all: &[Recording], bodies: &[Value], each: Option<u64>) {
    let of: Vec<usize> = (0..all.len())
        .filter(|place| all[*place].platform == platform)
        .collect();
    assert!(!of.is_empty(), "{platform}: nothing is recorded");
    let rounds = each.map_or(MUTATIONS, |each| each / of.len() as u64 + 1);
    for place in &of {
        let one = &all[*place];
        let mut dice = Dice(*place as u64 * 1_000_003 + platform as u64);
        let good = &bodies[*place];
        for _ in 0..rounds.div_ceil(2) {
            let mut body = good.clone();
            for _ in 0..=dice.below(4) {
                match dice.below(6) {
                    0 => graft(&mut body, good, &mut dice),
                    1 => {
                        let other = dice.below(bodies.len());
                        graft(&mut body, &bodies[other], &mut dice);
                    }
                    _ => disturb(&mut body, &mut dice),
                }
            }
            let headers = match dice.below(10) {
                0 => &disturbed(&one.headers, &mut dice),
                _ => &one.headers,
            };
            let weigh = dice.below(WEIGHED) == 0;
            hold(one, headers, body.to_string().as_bytes(), weigh);
            let mut bytes = one.body.clone();
            for _ in 0..=dice.below(3) {
                let at = dice.below(bytes.len());
                match dice.below(5) {
                    0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.splice(at..at, *b"\\ud800").for_each(drop),
                    3 => bytes.splice(at..at, *b"\xEF\xBB\xBF").for_each(drop),
                    _ => {
                        let from = dice.below(at + 1);
                        let copy = bytes[from..at].to_vec();
                        bytes.extend_from_slice(&copy);
                    }
                }
            }
            hold(one, &one.headers, &bytes, false);
        }
    }
}

/// Every value of every delivery, one after the other, as nothing and as its opposite.
#[test]
fn every_single_field_may_be_missing_or_odd() {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    places(inner, &format!("{at}/{}", name.replace('/', "~1")), found);
                }
            }
            Value::Array(list) => {
                for (place, inner) in list.iter().enumerate().take(1) {
                    places(inner, &format!("{at}/{place}"), found);
                }
            }
            _ => {}
        }
    }
    let odds = [Value::Null, json!("x"), json!(7.5), json!({}), json!([])];
    for one in recordings() {
        // The topics of an order share their shape: one stands for all of them.
        if one.name.starts_with("orders_") && !one.name.starts_with("orders_fulfilled") {
            continue;
        }
        let good: Value = serde_json::from_slice(&one.body).unwrap();
        let mut all = Vec::new();
        places(&good, "", &mut all);
        for (nth, place) in all.iter().enumerate() {
            let mut body = good.clone();
            *body.pointer_mut(place).unwrap() = odds[nth % odds.len()].clone();
            hold(&one, &one.headers, body.to_string().as_bytes(), true);
        }
    }
    let empty = Value::Object(Map::new());
    for one in recordings() {
        hold(&one, &one.headers, empty.to_string().as_bytes(), true);
    }
}
