//! Random timelines: what may happen to a few customers of a small shop, in any order,
//! late, twice. One seed, one timeline.

use crate::story::{CAMERA, COFFEE, KIT, LENS, Line, NEW, Story, TRIPOD};
use aftercare::model::event::Event;
use aftercare::model::time::Timestamp;
use jiff::SignedDuration;
use serde_json::json;

/// SplitMix64: a few lines that give the same numbers everywhere.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in `of` of a hundred cases.
    pub fn percent(&mut self, of: u64) -> bool {
        self.below(100) < of
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

const WHO: [&str; 3] = ["ann", "bob", "eve"];
/// How many different three there are.
const CROWDS: u64 = 16;
const BASKETS: [&[Line]; 10] = [
    &[CAMERA],
    &[CAMERA, TRIPOD],
    &[LENS],
    &[CAMERA, CAMERA],
    &[TRIPOD, LENS],
    &[KIT],
    &[NEW],
    &[KIT, NEW],
    &[COFFEE],
    &[CAMERA, COFFEE, COFFEE],
];
const SCOPES: [&str; 4] = ["all", "all_marketing", "education", "review"];
const STATES: [&str; 3] = ["subscribed", "unknown", "not_subscribed"];

fn at(start: Timestamp, minutes: u64) -> String {
    start
        .checked_add(SignedDuration::from_mins(minutes as i64))
        .expect("an instant in range")
        .to_string()
}

/// A timeline of events by instant of learning, from 1 March 2026 on.
pub fn timeline(seed: u64) -> Vec<Event> {
    let mut chance = Chance::new(seed);
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().expect("an instant");
    let mut story = Story::new();
    // Others for each of some seeds, so that experiments draw all arms.
    let names = WHO.map(|name| format!("{name}{}", seed % CROWDS));
    let [ann, bob, _] = &names;
    for order in 1..=1 + chance.below(4) {
        story = buy(story, &mut chance, start, &order.to_string(), &names);
    }
    for who in &names {
        if chance.percent(25) {
            let when = at(start, chance.below(60 * 1440));
            let scope = *chance.pick(&SCOPES);
            story = story.opts_out(who, scope, &when);
        }
        if chance.percent(25) {
            let opened = chance.below(50 * 1440);
            story = story.ticket(who, &format!("T{who}"), "open", &at(start, opened));
            if chance.percent(70) {
                let closed = opened + chance.below(20 * 1440);
                story = story.ticket(who, &format!("T{who}"), "solved", &at(start, closed));
            }
        }
        if chance.percent(5) {
            story = story.erased(who, &at(start, chance.below(60 * 1440)));
        }
    }
    if chance.percent(10) {
        let when = at(start, chance.below(50 * 1440));
        story = story.event(
            "customer.merged",
            "customer/merged",
            &when,
            &when,
            json!({"survivor": {"customer_id": null, "email": format!("{ann}@example.com")},
                   "absorbed": [{"customer_id": null, "email": format!("{bob}@example.com")}]}),
        );
    }
    // Sometimes the catalogue hears of what is new, and sometimes in time.
    if chance.percent(60) {
        let when = at(start, chance.below(45 * 1440));
        let tag = *chance.pick(&["dslr", "memory"]);
        story = story.product("P-NEW-1", "NEW-1", &when, &[tag]);
    }
    let mut events = story.events;
    // Some are learnt later than they happened, some twice.
    for event in &mut events {
        if chance.percent(20) {
            let late = SignedDuration::from_mins(chance.below(5 * 1440) as i64);
            event.recorded = event
                .recorded
                .checked_add(late)
                .expect("an instant in range");
        }
    }
    for event in events.clone() {
        if chance.percent(15) {
            let mut again = event;
            let later = SignedDuration::from_mins(1 + chance.below(1440) as i64);
            again.recorded = again
                .recorded
                .checked_add(later)
                .expect("an instant in range");
            events.push(again);
        }
    }
    events.sort_by_key(|event| event.recorded);
    events
}

fn buy(
    mut story: Story,
    chance: &mut Chance,
    start: Timestamp,
    id: &str,
    names: &[String],
) -> Story {
    let who = chance.pick(names).as_str();
    let lines = *chance.pick(&BASKETS);
    let placed = chance.below(30 * 1440);
    let state = *chance.pick(&STATES);
    let when = at(start, placed);
    let unpaid = chance.percent(15);
    story = story.order_with(
        id,
        who,
        &when,
        lines,
        json!({
            "gift": chance.percent(8),
            "payment_status": if unpaid { "pending" } else { "paid" },
        }),
        json!({
            "marketing_consent": {"channel": "email", "state": state, "basis": "none", "source": "t", "updated_at": when},
            "time_zone": *chance.pick(&["Europe/Berlin", "Asia/Tokyo", "America/New_York"]),
        }),
    );
    let all: Vec<i64> = (1..=lines.len() as i64).collect();
    let parcels: Vec<Vec<i64>> = if chance.percent(50) {
        vec![all.clone()]
    } else {
        all.iter().map(|line| vec![*line]).collect()
    };
    let mut latest = placed;
    for (number, inside) in parcels.iter().enumerate() {
        let parcel = format!("P{id}-{number}");
        let left = placed + chance.below(4 * 1440);
        if chance.percent(90) {
            story = story.dispatched(id, &parcel, &at(start, left), inside);
        }
        if chance.percent(85) {
            let arrived = left + chance.below(6 * 1440);
            latest = latest.max(arrived);
            story = story.delivered(id, &parcel, &at(start, arrived), inside);
        }
    }
    if chance.percent(10) {
        story = story.cancelled(id, &at(start, placed + chance.below(3 * 1440)));
    }
    if chance.percent(25) {
        let back = latest + chance.below(30 * 1440);
        let line = *chance.pick(&all);
        story = story.refunded(id, &at(start, back), &[line]);
    }
    story
}
