//! Whose event is it? Every event names keys: keys of people (an address, a customer id
//! of its source) and keys of things that lead to people (orders, parcels, tickets).
//!
//! Keys of people that stand together in one event are one person; so is everybody whom
//! the snapshots of one order name. Everything else only leads to somebody. An event
//! that leads to nobody waits under its keys until one becomes known. Which events end
//! up with the same person does not depend on the order in which they came.
//!
//! Pure: a [`Directory`] holds what is known, in memory; whoever keeps it for good loads
//! the rows of [`Keys::all`] before, and stores [`Placed`] after.

use crate::model::event::Event;
use crate::model::ids::{CustomerId, EventSeq};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use super::keys::{Key, Keys, keys};

/// Where an event belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// To this person.
    Customer(CustomerId),
    /// To somebody not known yet: it waits under these keys.
    Parked(Vec<Key>),
    /// To the shop as a whole.
    ShopWide,
}

/// What placing one event did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// People who turned out to be one, in order: the first is now the second. They come
    /// before the placements.
    pub merges: Vec<(CustomerId, CustomerId)>,
    /// The event itself, then those that waited and are now placed, by number.
    pub placements: Vec<(EventSeq, Placement)>,
    /// People first seen now; some may already be merged into others.
    pub created: Vec<CustomerId>,
    /// Keys under which somebody is known from now on.
    pub learnt: Vec<(Key, CustomerId)>,
}

/// Who is known under which key, and which events wait.
#[derive(Debug, Clone)]
pub struct Directory {
    known: HashMap<Key, BTreeSet<CustomerId>>,
    /// People who were merged, and into whom.
    merged: BTreeMap<CustomerId, CustomerId>,
    waiting: BTreeMap<EventSeq, Keys>,
    under: HashMap<Key, BTreeSet<EventSeq>>,
    /// The number of the next person.
    next: i64,
}

impl Default for Directory {
    fn default() -> Self {
        Directory::starting_at(CustomerId(1))
    }
}

impl Directory {
    /// An empty directory that gives numbers from `next` on.
    pub fn starting_at(next: CustomerId) -> Self {
        Directory {
            known: HashMap::new(),
            merged: BTreeMap::new(),
            waiting: BTreeMap::new(),
            under: HashMap::new(),
            next: next.0,
        }
    }

    /// The number that the next new person gets.
    pub fn next(&self) -> CustomerId {
        CustomerId(self.next)
    }

    /// Loads that `customer` is known under `key`.
    pub fn know(&mut self, key: Key, customer: CustomerId) {
        self.known.entry(key).or_default().insert(customer);
    }

    /// Loads an event that waits.
    pub fn wait(&mut self, seq: EventSeq, keys: Keys) {
        for key in keys.all() {
            self.under.entry(key.clone()).or_default().insert(seq);
        }
        self.waiting.insert(seq, keys);
    }

    /// Events that wait, by number.
    pub fn waiting(&self) -> impl Iterator<Item = EventSeq> + '_ {
        self.waiting.keys().copied()
    }

    /// Who somebody is after all merges.
    pub fn current(&self, customer: CustomerId) -> CustomerId {
        let mut at = customer;
        while let Some(into) = self.merged.get(&at) {
            at = *into;
        }
        at
    }

    /// Who is known under a key: the one person, or nobody where there are several. Of
    /// people who had the same tracking number the newest is meant.
    pub fn find(&self, key: &Key) -> Option<CustomerId> {
        let people: BTreeSet<CustomerId> = self
            .known
            .get(key)?
            .iter()
            .map(|customer| self.current(*customer))
            .collect();
        if people.len() > 1 && !key.is_tracking() {
            return None;
        }
        people.into_iter().next_back()
    }

    /// Places an event by its number, and with it those that waited for what it tells.
    pub fn place(&mut self, event: &Event) -> Placed {
        self.place_keys(event.seq, &keys(event))
    }

    /// As [`Directory::place`], for keys that are known already.
    pub fn place_keys(&mut self, seq: EventSeq, keys: &Keys) -> Placed {
        let mut placed = Placed::default();
        if keys.shop_wide {
            placed.placements.push((seq, Placement::ShopWide));
            return placed;
        }
        match self.assign(keys, &mut placed) {
            Some(customer) => {
                // It may have waited, and is tried again.
                self.unwait(seq, keys);
                let placement = Placement::Customer(customer);
                placed.placements.push((seq, placement));
            }
            None => {
                let under = keys.all().cloned().collect();
                placed.placements.push((seq, Placement::Parked(under)));
                self.wait(seq, keys.clone());
            }
        }
        self.release(&mut placed);
        // Merges may have come after a placement.
        for (_, placement) in &mut placed.placements {
            if let Placement::Customer(customer) = placement {
                *customer = self.current(*customer);
            }
        }
        for (_, customer) in &mut placed.learnt {
            *customer = self.current(*customer);
        }
        placed
    }

    /// Places waiting events for as long as any of them finds somebody: each may tell
    /// what others wait for.
    fn release(&mut self, placed: &mut Placed) {
        let mut heard = 0;
        let mut merges = 0;
        let mut again: VecDeque<EventSeq> = VecDeque::new();
        loop {
            for (key, _) in &placed.learnt[heard..] {
                again.extend(self.under.get(key).into_iter().flatten());
            }
            heard = placed.learnt.len();
            if placed.merges.len() > merges {
                // Keys that led to two people may now lead to one.
                merges = placed.merges.len();
                again.extend(self.waiting.keys());
            }
            let Some(seq) = again.pop_front() else {
                return;
            };
            let Some(keys) = self.waiting.get(&seq).cloned() else {
                continue;
            };
            if let Some(customer) = self.assign(&keys, placed) {
                self.unwait(seq, &keys);
                placed.placements.push((seq, Placement::Customer(customer)));
            }
        }
    }

    fn unwait(&mut self, seq: EventSeq, keys: &Keys) {
        self.waiting.remove(&seq);
        for key in keys.all() {
            if let Some(list) = self.under.get_mut(key) {
                list.remove(&seq);
                if list.is_empty() {
                    self.under.remove(key);
                }
            }
        }
    }

    /// Finds (or makes) the person of an event, merges whom it joins, and learns what it
    /// tells.
    fn assign(&mut self, keys: &Keys, placed: &mut Placed) -> Option<CustomerId> {
        let joined = self.unite(&keys.joining, placed);
        let led = || keys.leading.iter().find_map(|key| self.find(key));
        let found = if keys.of_person {
            joined.or_else(led)
        } else {
            led().or(joined)
        };
        let customer = match found {
            Some(customer) => customer,
            None if keys.opens => {
                let customer = CustomerId(self.next);
                self.next += 1;
                placed.created.push(customer);
                customer
            }
            None => return None,
        };
        // An event that only refers to somebody through a thing says nothing of whose
        // its address is.
        let theirs = match joined {
            Some(person) => Some(person),
            None if keys.of_person => Some(customer),
            None => None,
        };
        if let Some(person) = theirs {
            for key in &keys.joining {
                self.learn(key, person, placed);
            }
        }
        for key in &keys.teaching {
            self.learn(key, customer, placed);
        }
        Some(customer)
    }

    /// Makes everybody known under these keys one person: the smallest number stays.
    fn unite(&mut self, joining: &[Key], placed: &mut Placed) -> Option<CustomerId> {
        let people: BTreeSet<CustomerId> =
            joining.iter().filter_map(|key| self.find(key)).collect();
        let mut people = people.into_iter();
        let into = people.next()?;
        for from in people {
            self.merged.insert(from, into);
            placed.merges.push((from, into));
        }
        Some(into)
    }

    fn learn(&mut self, key: &Key, customer: CustomerId, placed: &mut Placed) {
        if !key.is_shared() && self.find(key).is_some() {
            // A key of one person stays theirs.
            return;
        }
        let had = self.known.get(key);
        if had.is_some_and(|had| had.iter().any(|had| self.current(*had) == customer)) {
            return;
        }
        self.known.entry(key.clone()).or_default().insert(customer);
        placed.learnt.push((key.clone(), customer));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ingest::canonical::{Learnt, Limits, parse_line};
    use crate::ingest::fixtures;
    use crate::model::time::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Event {
        let told = Learnt::AsTold(Timestamp::UNIX_EPOCH);
        let parsed = parse_line(value.to_string().as_bytes(), told, Limits::default()).unwrap();
        assert_eq!(parsed.poison, []);
        parsed.events.into_iter().next().unwrap()
    }

    fn history() -> Vec<Event> {
        let lines = fixtures::HISTORY.lines();
        lines
            .map(|line| read(&serde_json::from_str(line).unwrap()))
            .collect()
    }

    /// Who has which facts, and which wait: independent of numbers.
    fn partition(events: &[Event]) -> (BTreeSet<BTreeSet<String>>, BTreeSet<String>) {
        let mut directory = Directory::default();
        let mut of: BTreeMap<EventSeq, CustomerId> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            let seq = EventSeq(i64::try_from(place).unwrap() + 1);
            for (seq, placement) in directory.place_keys(seq, &keys(event)).placements {
                if let Placement::Customer(customer) = placement {
                    of.insert(seq, customer);
                }
            }
        }
        let name = |seq: &EventSeq| {
            let event = &events[usize::try_from(seq.0).unwrap() - 1];
            format!("{} {}", event.source, event.id)
        };
        let mut people: BTreeMap<CustomerId, BTreeSet<String>> = BTreeMap::new();
        for (seq, customer) in &of {
            let person = people.entry(directory.current(*customer)).or_default();
            person.insert(name(seq));
        }
        let waiting = directory.waiting().map(|seq| name(&seq)).collect();
        (people.into_values().collect(), waiting)
    }

    #[test]
    fn the_log_has_its_people() {
        let (people, waiting) = partition(&history());
        // 60 people with orders, two of whom become one; the ticket of an address that
        // never ordered waits.
        assert_eq!(people.len(), 59);
        let lost = "/zendesk/example ticket/T-9004/opened@2026-03-01T09:00:00Z";
        assert_eq!(waiting.into_iter().collect::<Vec<_>>(), [lost]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_order_and_any_repetition_gives_the_same_people(
            shuffled in Just(history()).prop_shuffle(),
            again in prop::collection::vec(0usize..308, 0..60),
        ) {
            let mut events = shuffled;
            for place in again {
                let copy = events[place].clone();
                events.push(copy);
            }
            prop_assert_eq!(partition(&events), partition(&history()));
        }
    }

    fn event(kind: &str, source: &str, id: &str, data: &Value) -> Event {
        read(&json!({
            "specversion": "1.0", "id": id, "source": source, "type": kind,
            "subject": "thing/1", "time": "2026-03-01T00:00:00Z", "data": data,
        }))
    }

    fn order(id: &str, customer: Option<&str>, email: Option<&str>) -> Event {
        let mut value: Value =
            serde_json::from_slice(fixtures::delivery("order.placed").body).unwrap();
        value["id"] = json!(format!("order/{id}/placed"));
        value["data"]["order"]["order_id"] = json!(id);
        value["data"]["order"]["order_number"] = json!(format!("#{id}"));
        value["data"]["customer"]["customer_id"] = json!(customer);
        value["data"]["customer"]["email"] = json!(email);
        read(&value)
    }

    const SHOP: &str = "/shop/example";

    /// Places events in order and gives where each ended.
    fn place(events: &[Event]) -> Vec<Option<i64>> {
        let mut directory = Directory::default();
        let mut ended: Vec<Option<CustomerId>> = vec![None; events.len()];
        for (at, event) in events.iter().enumerate() {
            let seq = EventSeq(i64::try_from(at).unwrap());
            for (seq, placement) in directory.place_keys(seq, &keys(event)).placements {
                if let Placement::Customer(customer) = placement {
                    ended[usize::try_from(seq.0).unwrap()] = Some(customer);
                }
            }
        }
        let number = |c: CustomerId| directory.current(c).0;
        ended.into_iter().map(|c| c.map(number)).collect()
    }

    /// What it shows, the events, and the number of the person that each ends with.
    type Case = (&'static str, Vec<Event>, Vec<Option<i64>>);

    #[test]
    fn people_are_who_the_keys_say() {
        let (a, b) = ("a@x.example", "b@x.example");
        let ticket = |data: Value| event("ticket.opened", "/desk", "ticket/1/opened", &data);
        let merged = event(
            "customer.merged",
            SHOP,
            "merged",
            &json!({"survivor": {"customer_id": "C-1", "email": null},
                    "absorbed": [{"customer_id": "C-2", "email": null}]}),
        );
        let parcel = |source: &str, id: &str, order: Value, number: &str| {
            let data = json!({"order_ref": order, "shipment": {"shipment_id": id,
                "direction": "outbound", "tracking": [{"number": number}], "items": []}});
            event(
                "shipment.in_transit",
                source,
                &format!("shipment/{id}/in_transit"),
                &data,
            )
        };
        let cases: Vec<Case> = vec![
            (
                "letter case and spaces do not make two people",
                vec![
                    order("1", None, Some(a)),
                    order("2", None, Some(" A@X.example")),
                ],
                vec![Some(1), Some(1)],
            ),
            (
                "an id joins what addresses kept apart",
                vec![
                    order("1", None, Some(a)),
                    order("2", Some("C-1"), Some(b)),
                    order("3", Some("C-1"), Some(a)),
                ],
                vec![Some(1), Some(1), Some(1)],
            ),
            (
                "nobody's address makes nobody one",
                vec![
                    order("1", Some("C-1"), Some("n/a")),
                    order("2", Some("C-2"), Some("n/a")),
                ],
                vec![Some(1), Some(2)],
            ),
            (
                "guests have the id 0",
                vec![
                    order("1", Some("0"), Some(a)),
                    order("2", Some("0"), Some(b)),
                ],
                vec![Some(1), Some(2)],
            ),
            (
                "a corrected address stays with its order",
                vec![order("1", None, Some(a)), order("1", None, Some(b))],
                vec![Some(1), Some(1)],
            ),
            (
                "a merge joins, and comes early",
                vec![
                    merged,
                    order("1", Some("C-2"), Some(a)),
                    order("2", Some("C-1"), Some(b)),
                ],
                vec![Some(1), Some(1), Some(1)],
            ),
            (
                "a ticket finds its order's buyer by number, from another source",
                vec![
                    ticket(json!({"ticket": {"ticket_id": "T", "status": "open"},
                        "customer_ref": {"customer_id": null, "email": null},
                        "order_ref": {"order_id": null, "order_number": "#1"}})),
                    order("1", None, Some(a)),
                ],
                vec![Some(1), Some(1)],
            ),
            (
                "a ticket from another address does not join the two",
                vec![
                    order("1", None, Some(a)),
                    ticket(json!({"ticket": {"ticket_id": "T", "status": "open"},
                        "customer_ref": {"customer_id": null, "email": b},
                        "order_ref": {"order_id": "1", "order_number": null}})),
                    order("2", None, Some(b)),
                ],
                vec![Some(1), Some(1), Some(2)],
            ),
            (
                "a tracking number leads from parcel to parcel to order",
                vec![
                    parcel("/track", "t1", Value::Null, "aa-11 22"),
                    parcel("/track", "t2", Value::Null, "AA1122"),
                    parcel(SHOP, "s1", json!({"order_id": "1"}), "AA1122"),
                    order("1", None, Some(a)),
                ],
                vec![Some(1); 4],
            ),
            (
                "what names nobody waits",
                vec![ticket(
                    json!({"ticket": {"ticket_id": "T", "status": "open"},
                    "customer_ref": {"customer_id": null, "email": a}, "order_ref": null}),
                )],
                vec![None],
            ),
            (
                "an opt-out waits for nobody",
                vec![
                    event(
                        "consent.changed",
                        "/aftercare",
                        "c",
                        &json!({
                        "customer_ref": {"customer_id": null, "email": a},
                        "consent": {"channel": "email", "state": "unsubscribed",
                            "basis": "none", "source": "x", "updated_at": null}}),
                    ),
                    order("1", None, Some(a)),
                ],
                vec![Some(1), Some(1)],
            ),
            (
                "an erased person is known for good, by whatever the request names",
                vec![
                    read(&json!({"specversion": "1.0", "id": "e", "source": SHOP,
                        "type": "privacy.erasure_requested", "subject": "customer/C-9",
                        "data": {"erasure": {"scope": "customer", "orders": [], "due_at": null}}})),
                    order("1", Some("C-9"), Some(a)),
                ],
                vec![Some(1), Some(1)],
            ),
        ];
        for (name, events, expected) in cases {
            assert_eq!(place(&events), expected, "{name}");
        }
    }

    #[test]
    fn what_concerns_the_whole_shop_concerns_nobody() {
        let mut directory = Directory::default();
        for event in [
            read(&serde_json::from_slice(fixtures::delivery("product.updated").body).unwrap()),
            event(
                "privacy.erasure_requested",
                SHOP,
                "e",
                &json!({"erasure": {"scope": "shop"}}),
            ),
        ] {
            let placed = directory.place(&event);
            assert_eq!(placed.placements, [(EventSeq(0), Placement::ShopWide)]);
        }
    }

    #[test]
    fn a_directory_reports_what_must_be_kept_and_can_be_loaded_from_it() {
        let (a, b) = ("a@x.example", "b@x.example");
        let mut directory = Directory::default();
        let mut rows: Vec<(Key, CustomerId)> = Vec::new();
        for (at, event) in [order("1", None, Some(a)), order("2", Some("C-1"), Some(b))]
            .iter()
            .enumerate()
        {
            let seq = EventSeq(i64::try_from(at).unwrap());
            rows.extend(directory.place_keys(seq, &keys(event)).learnt);
        }
        let joining = order("3", Some("C-1"), Some(a));
        let expected = directory.clone().place(&joining);
        assert_eq!(expected.merges, [(CustomerId(2), CustomerId(1))]);
        // Only the rows of the event's own keys are needed.
        let mut loaded = Directory::starting_at(directory.next());
        let needed = keys(&joining);
        for (key, customer) in rows {
            if needed.all().any(|need| *need == key) {
                loaded.know(key, customer);
            }
        }
        assert_eq!(loaded.place(&joining), expected);
    }

    #[test]
    fn what_waited_and_is_tried_again_waits_no_longer() {
        let number = json!({"ticket": {"ticket_id": "T", "status": "open"},
            "order_ref": {"order_id": "1", "order_number": null}});
        let ticket = event("ticket.opened", "/desk", "t", &number);
        let mut directory = Directory::default();
        directory.place_keys(EventSeq(1), &keys(&ticket));
        assert_eq!(directory.waiting().collect::<Vec<_>>(), [EventSeq(1)]);
        for key in keys(&order("1", None, Some("a@x.example"))).all() {
            directory.know(key.clone(), CustomerId(7));
        }
        let placed = directory.place_keys(EventSeq(1), &keys(&ticket));
        let found = Placement::Customer(CustomerId(7));
        assert_eq!(placed.placements, [(EventSeq(1), found)]);
        assert_eq!(directory.waiting().count(), 0);
    }

    #[test]
    fn keys_never_show_an_address() {
        let key = Key::email("ann@example.com").unwrap();
        assert!(!format!("{key:?}").contains("ann"));
    }
}
