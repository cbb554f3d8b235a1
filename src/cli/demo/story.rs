//! What the shop of the demo lives through in a hundred days: a dozen people in four
//! languages, told as the canonical events that a storefront, a carrier and a help desk
//! would send. Nothing here knows what mails follow from it.

use crate::model::product::Products;
use crate::model::time::{self, Date, Time, TimeZone, Timestamp};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The first day of the story, a Monday.
pub const FIRST_DAY: Date = Date::constant(2026, 3, 2);
/// How many days the story runs; long enough for the last series to end.
pub const DAYS: i64 = 100;
/// The shop's own zone, for what concerns everybody.
pub const SHOP_ZONE: &str = "Europe/Berlin";
/// Who tells about orders, refunds and tickets.
const SHOP: &str = "/shop/harbor-pine";
/// Who tells about parcels on their way.
const CARRIER: &str = "/carrier/tracking";

/// One thing that happens at a moment.
#[derive(Debug, Clone)]
pub struct Scene {
    /// When the shop's systems tell aftercare about it.
    pub at: Timestamp,
    /// Whom it concerns: an index into [`Story::people`].
    pub who: Option<usize>,
    /// In words.
    pub note: String,
    /// What happens.
    pub what: What,
}

/// What happens in a scene.
#[derive(Debug, Clone)]
pub enum What {
    /// Events are delivered, in one request.
    Deliver(Vec<Value>),
    /// Everything delivered so far for these ids comes once more.
    Again(Vec<String>),
    /// These events are delivered, and while their mails go out the service is killed.
    KillAmid(Vec<Value>),
}

/// What somebody does about a mail that reached them.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// Who: an index into [`Story::people`].
    pub who: usize,
    /// To which mail, as `sequence/step`: opts out by its List-Unsubscribe link.
    pub to: &'static str,
    /// How much later.
    pub after: SignedDuration,
    /// In words.
    pub note: &'static str,
}

/// A customer of the demo.
#[derive(Debug, Clone)]
pub struct Person {
    /// As in the shop's address book.
    pub name: &'static str,
    /// Where mail goes.
    pub email: &'static str,
    first: &'static str,
    last: &'static str,
    id: &'static str,
    locale: &'static str,
    /// IANA name of the zone.
    pub zone: &'static str,
    country: &'static str,
    region: &'static str,
    city: &'static str,
    postal_code: &'static str,
    currency: &'static str,
    consent: Consent,
}

#[derive(Debug, Clone, Copy)]
enum Consent {
    Subscribed,
    SoftOptIn,
    None,
}

/// The whole story, in order.
#[derive(Debug, Clone)]
pub struct Story {
    pub people: Vec<Person>,
    pub scenes: Vec<Scene>,
    pub reactions: Vec<Reaction>,
}

/// The shop's catalogue does not have what the story sells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the demo tells of a camera-and-coffee shop, and the catalogue here has no {sku}\n\
     hint: run it in the folder of the aftercare repository, or name one with --shop"
)]
pub struct NotThisShop {
    sku: String,
}

/// When the story begins and ends.
pub fn period() -> (Timestamp, Timestamp) {
    let zone = zone(SHOP_ZONE);
    let start = time::at(FIRST_DAY, Time::constant(6, 0, 0, 0), &zone);
    let end = time::at(time::add_days(FIRST_DAY, DAYS), Time::midnight(), &zone);
    (start, end)
}

impl Story {
    /// The person with this address.
    pub fn person(&self, email: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.email == email)
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

const LEA: usize = 0;
const MARCUS: usize = 1;
const YUI: usize = 2;
const CAMILLE: usize = 3;
const TOM: usize = 4;
const CLARA: usize = 5;
const KEN: usize = 6;
const PRIYA: usize = 7;
const NOOR: usize = 8;
const AMELIE: usize = 9;

fn people() -> Vec<Person> {
    let person = |id, first, last, name, email, place: [&'static str; 7], consent| {
        let [locale, zone, country, region, postal_code, city, currency] = place;
        Person {
            name,
            email,
            first,
            last,
            id,
            locale,
            zone,
            country,
            region,
            city,
            postal_code,
            currency,
            consent,
        }
    };
    let berlin = [
        "de-DE",
        "Europe/Berlin",
        "DE",
        "BE",
        "10115",
        "Berlin",
        "EUR",
    ];
    let oakland = [
        "en-US",
        "America/Los_Angeles",
        "US",
        "CA",
        "94607",
        "Oakland",
        "USD",
    ];
    let tokyo = [
        "ja-JP",
        "Asia/Tokyo",
        "JP",
        "JP-13",
        "150-0001",
        "渋谷区",
        "JPY",
    ];
    let lyon = ["fr-FR", "Europe/Paris", "FR", "ARA", "69001", "Lyon", "EUR"];
    let leeds = [
        "en-GB",
        "Europe/London",
        "GB",
        "ENG",
        "LS1 4AP",
        "Leeds",
        "GBP",
    ];
    let wien = ["de-AT", "Europe/Vienna", "AT", "9", "1070", "Wien", "EUR"];
    let osaka = [
        "ja-JP",
        "Asia/Tokyo",
        "JP",
        "JP-27",
        "530-0001",
        "大阪市",
        "JPY",
    ];
    let york = [
        "en-US",
        "America/New_York",
        "US",
        "NY",
        "11201",
        "Brooklyn",
        "USD",
    ];
    let utrecht = [
        "nl-NL",
        "Europe/Amsterdam",
        "NL",
        "UT",
        "3511",
        "Utrecht",
        "EUR",
    ];
    let nantes = [
        "fr-FR",
        "Europe/Paris",
        "FR",
        "PDL",
        "44000",
        "Nantes",
        "EUR",
    ];
    use Consent::{None, SoftOptIn, Subscribed};
    vec![
        person(
            "C-01",
            "Lea",
            "Fischer",
            "Lea Fischer",
            "lea.fischer@example.org",
            berlin,
            Subscribed,
        ),
        person(
            "C-02",
            "Marcus",
            "Boyd",
            "Marcus Boyd",
            "marcus.boyd@example.com",
            oakland,
            None,
        ),
        person(
            "C-03",
            "結衣",
            "田中",
            "田中 結衣",
            "yui.tanaka@example.net",
            tokyo,
            Subscribed,
        ),
        person(
            "C-04",
            "Camille",
            "Laurent",
            "Camille Laurent",
            "camille.laurent@example.org",
            lyon,
            SoftOptIn,
        ),
        person(
            "C-05",
            "Tom",
            "Hughes",
            "Tom Hughes",
            "tom.hughes@example.com",
            leeds,
            SoftOptIn,
        ),
        person(
            "C-06",
            "Clara",
            "Jansen",
            "Clara Jansen",
            "clara.jansen@example.org",
            wien,
            SoftOptIn,
        ),
        person(
            "C-07",
            "健",
            "佐藤",
            "佐藤 健",
            "ken.sato@example.net",
            osaka,
            None,
        ),
        person(
            "C-08",
            "Priya",
            "Nair",
            "Priya Nair",
            "priya.nair@example.com",
            york,
            None,
        ),
        person(
            "C-09",
            "Noor",
            "de Vries",
            "Noor de Vries",
            "noor.devries@example.org",
            utrecht,
            None,
        ),
        person(
            "C-10",
            "Amélie",
            "Martin",
            "Amélie Martin",
            "amelie.martin@example.org",
            nantes,
            Subscribed,
        ),
        person(
            "C-11",
            "Jonas",
            "Weber",
            "Jonas Weber",
            "jonas.weber@example.org",
            berlin,
            SoftOptIn,
        ),
        person(
            "C-12",
            "Ada",
            "Okafor",
            "Ada Okafor",
            "ada.okafor@example.com",
            leeds,
            SoftOptIn,
        ),
        person(
            "C-13",
            "Hugo",
            "Petit",
            "Hugo Petit",
            "hugo.petit@example.org",
            lyon,
            SoftOptIn,
        ),
        person(
            "C-14",
            "美咲",
            "伊藤",
            "伊藤 美咲",
            "misaki.ito@example.net",
            osaka,
            Subscribed,
        ),
        person(
            "C-15",
            "Eva",
            "Gruber",
            "Eva Gruber",
            "eva.gruber@example.org",
            wien,
            SoftOptIn,
        ),
        person(
            "C-16",
            "Sam",
            "Rivera",
            "Sam Rivera",
            "sam.rivera@example.com",
            york,
            None,
        ),
    ]
}

/// Those who all order in the one minute of the kill.
const CROWD: std::ops::Range<usize> = 10..16;

/// Tells the story with what the shop sells.
///
/// # Errors
/// One customer's part of the story.
type Episode = fn(&mut Teller<'_>) -> Result<(), NotThisShop>;

/// The catalogue is another shop's.
pub fn story(products: &Products) -> Result<Story, NotThisShop> {
    let people = people();
    let mut teller = Teller {
        people: &people,
        products,
        scenes: Vec::new(),
    };
    let episodes: [Episode; 11] = [
        two_parcels,
        late_scan,
        bank_transfer,
        opt_out,
        sent_back,
        gift,
        cancelled,
        open_ticket,
        returning_buyer,
        no_consent,
        crowd,
    ];
    for tell in episodes {
        tell(&mut teller)?;
    }
    let mut scenes = teller.scenes;
    scenes.sort_by_key(|scene| scene.at);
    let reactions = vec![Reaction {
        who: CAMILLE,
        to: "education-pour-over/first-cup",
        after: SignedDuration::from_hours(9),
        note: "opts out by the link in that mail",
    }];
    Ok(Story {
        people,
        scenes,
        reactions,
    })
}

/// A camera and a tripod, in two parcels. She owns a tripod, so the offer of one that
/// ends the series is not for her.
fn two_parcels(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(
        LEA,
        "1001",
        (0, 18, 20),
        &[("AUR-D80-KIT", 1), ("TRP-TRAIL-CF", 1)],
    )?;
    t.place(&order, "orders a camera and a tripod");
    t.parcel(
        &order,
        "1001-A",
        &["1"],
        [(1, 15, 0), (3, 12, 31), (3, 12, 40)],
    );
    t.parcel(
        &order,
        "1001-B",
        &["2"],
        [(2, 16, 10), (4, 10, 5), (4, 10, 9)],
    );
    t.again(
        (5, 9, 0),
        LEA,
        &["order/1001/placed", "shipment/1001-A/dispatched"],
    );
    Ok(())
}

/// Nobody scans his parcel for two weeks; then it is learnt a day late that it arrived.
fn late_scan(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(MARCUS, "1002", (1, 9, 45), &[("AUR-D80-BODY", 1)])?;
    t.place(&order, "orders a camera");
    t.parcel(
        &order,
        "1002-A",
        &["1"],
        [(2, 11, 0), (14, 13, 10), (15, 18, 0)],
    );
    Ok(())
}

/// Pays three days after she ordered.
fn bank_transfer(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let mut order = t.order(
        YUI,
        "1003",
        (1, 21, 15),
        &[("DRP-HAND-01", 1), ("COF-FJORD-250", 1)],
    )?;
    order.paid = false;
    t.place(
        &order,
        "orders a dripper and coffee, to be paid by bank transfer",
    );
    t.paid(&order, (4, 11, 30));
    t.parcel(
        &order,
        "1003-A",
        &["1", "2"],
        [(5, 14, 0), (8, 11, 20), (8, 11, 25)],
    );
    Ok(())
}

/// Takes herself off the list by the link in the first mail of her series.
fn opt_out(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(CAMILLE, "1004", (3, 20, 5), &[("KIT-POUR", 1)])?;
    t.place(&order, "orders a pour-over starter kit");
    t.parcel(
        &order,
        "1004-A",
        &["1"],
        [(4, 16, 30), (7, 12, 45), (7, 12, 50)],
    );
    Ok(())
}

/// Sends the camera back: what was still to come about it ends.
fn sent_back(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(TOM, "1005", (5, 13, 0), &[("AUR-D80-KIT", 1)])?;
    t.place(&order, "orders a camera");
    t.parcel(
        &order,
        "1005-A",
        &["1"],
        [(6, 15, 0), (9, 10, 30), (9, 10, 31)],
    );
    t.refund(&order, (20, 16, 0));
    Ok(())
}

/// She cannot use tips for a camera that she gave away.
fn gift(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let mut order = t.order(CLARA, "1006", (8, 19, 30), &[("KIT-CAMERA", 1)])?;
    order.gift = true;
    t.place(&order, "orders a camera kit as a gift");
    t.parcel(
        &order,
        "1006-A",
        &["1"],
        [(9, 15, 0), (12, 9, 15), (12, 9, 20)],
    );
    Ok(())
}

/// Thinks better of it.
fn cancelled(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(NOOR, "1009", (14, 22, 40), &[("GRN-HAND-01", 1)])?;
    t.place(&order, "orders a grinder");
    t.cancel(&order, (15, 8, 5));
    Ok(())
}

/// In trouble for four days: nobody in trouble is taught or sold to.
fn open_ticket(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(
        PRIYA,
        "1008",
        (12, 8, 50),
        &[("AUR-D80-KIT", 1), ("CRD-128", 1)],
    )?;
    t.place(&order, "orders a camera and a memory card");
    t.parcel(
        &order,
        "1008-A",
        &["1", "2"],
        [(13, 14, 0), (17, 17, 5), (17, 17, 10)],
    );
    t.ticket(&order, "T-71", (25, 9, 15), (29, 16, 0));
    Ok(())
}

/// Learns to brew, then comes back for beans, twice; nobody teaches her again.
fn returning_buyer(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(
        AMELIE,
        "1010",
        (16, 10, 20),
        &[("DRP-HAND-01", 1), ("GRN-HAND-01", 1)],
    )?;
    t.place(&order, "orders a dripper and a grinder");
    t.parcel(
        &order,
        "1010-A",
        &["1", "2"],
        [(17, 15, 0), (20, 11, 0), (20, 11, 3)],
    );
    for (number, day) in [("1018", 56), ("1019", 90)] {
        let order = t.order(AMELIE, number, (day, 9, 10), &[("COF-FJORD-250", 2)])?;
        t.place(&order, "comes back for coffee");
        let parcel = format!("{number}-A");
        t.parcel(
            &order,
            &parcel,
            &["1"],
            [(day + 1, 15, 0), (day + 3, 12, 0), (day + 3, 12, 4)],
        );
    }
    Ok(())
}

/// Never agreed to advertising, and in Japan that settles it.
fn no_consent(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    let order = t.order(KEN, "1007", (40, 12, 10), &[("AUR-D80-BODY", 1)])?;
    t.place(&order, "orders a camera");
    t.parcel(
        &order,
        "1007-A",
        &["1"],
        [(41, 10, 0), (43, 15, 40), (43, 15, 42)],
    );
    Ok(())
}

/// Six people order in one minute, and the process dies while it writes to them.
fn crowd(t: &mut Teller<'_>) -> Result<(), NotThisShop> {
    const NUMBERS: [&str; 6] = ["1011", "1012", "1013", "1014", "1015", "1016"];
    let at = t.at(LEA, (47, 20, 15));
    let mut events = Vec::new();
    for (who, number) in CROWD.zip(NUMBERS) {
        let basket = if who % 2 == 0 {
            ("KIT-POUR", 1)
        } else {
            ("COF-NORD-250", 2)
        };
        let mut order = t.order(who, number, (47, 20, 15), &[basket])?;
        order.at = at;
        events.push(t.placed(&order));
        let parcel = format!("{number}-A");
        t.parcel(
            &order,
            &parcel,
            &["1"],
            [(49, 15, 0), (52, 12, 0), (52, 12, 2)],
        );
    }
    let note = format!("takes {} orders in one minute", events.len());
    t.scenes.push(Scene {
        at,
        who: None,
        note,
        what: What::KillAmid(events),
    });
    Ok(())
}

/// An order as the shop has it.
struct Placed {
    who: usize,
    number: &'static str,
    at: Timestamp,
    lines: Vec<Value>,
    total: i64,
    paid: bool,
    gift: bool,
}

/// Day of the story, hour and minute, on the clock of the one concerned.
type Moment = (i64, i8, i8);

struct Teller<'a> {
    people: &'a [Person],
    products: &'a Products,
    scenes: Vec<Scene>,
}

impl Teller<'_> {
    fn at(&self, who: usize, (day, hour, minute): Moment) -> Timestamp {
        let zone = zone(self.people[who].zone);
        time::at(
            time::add_days(FIRST_DAY, day),
            Time::constant(hour, minute, 0, 0),
            &zone,
        )
    }

    fn order(
        &self,
        who: usize,
        number: &'static str,
        at: Moment,
        items: &[(&str, i64)],
    ) -> Result<Placed, NotThisShop> {
        let person = &self.people[who];
        let mut lines = Vec::with_capacity(items.len());
        let mut total = 0;
        for (place, (sku, quantity)) in items.iter().enumerate() {
            let missing = || NotThisShop {
                sku: (*sku).to_owned(),
            };
            let (product, variant) = self.products.variant(sku).ok_or_else(missing)?;
            let price = *variant.prices.get(person.currency).ok_or_else(missing)?;
            let language = person.locale.get(..2).unwrap_or("en").to_owned();
            let money = |amount: i64| json!({"amount": amount, "currency": person.currency});
            total += price * quantity;
            lines.push(json!({
                "line_id": (place + 1).to_string(),
                "product_id": product.product_id,
                "variant_id": variant.variant_id,
                "sku": sku,
                "title": product.title_in(&[language]),
                "variant_title": variant.title,
                "quantity": quantity,
                "current_quantity": quantity,
                "unit_price": money(price),
                "discount": money(0),
                "total": money(price * quantity),
                "vendor": product.vendor,
                "kind": "physical",
                "requires_shipping": true,
                "tags": product.tags,
                "categories": product.categories,
                "image_url": product.image_url,
                "product_url": product.product_url,
                "catalog_resolved": true,
                "properties": {},
            }));
        }
        Ok(Placed {
            who,
            number,
            at: self.at(who, at),
            lines,
            total,
            paid: true,
            gift: false,
        })
    }

    /// The order's snapshot of a moment, with its buyer.
    fn snapshot(&self, order: &Placed, version: Timestamp, paid: bool) -> Value {
        let person = &self.people[order.who];
        let money = |amount: i64| json!({"amount": amount, "currency": person.currency});
        let (state, basis) = match person.consent {
            Consent::Subscribed => ("subscribed", "explicit"),
            Consent::SoftOptIn => ("not_subscribed", "soft_opt_in"),
            Consent::None => ("not_subscribed", "none"),
        };
        json!({
            "order": {
                "order_id": order.number,
                "order_number": format!("#{}", order.number),
                "version": version.to_string(),
                "placed_at": order.at.to_string(),
                "channel": "web",
                "currency": person.currency,
                "subtotal": money(order.total),
                "discount": money(0),
                "shipping": money(0),
                "tax": money(0),
                "total": money(order.total),
                "shop_total": null,
                "payment_status": if paid { "paid" } else { "pending" },
                "fulfilment_status": "unfulfilled",
                "status_url": format!("https://shop.example.com/orders/{}", order.number),
                "tags": [],
                "discount_codes": [],
                "shipping_method": "Standard",
                "gift": order.gift,
                "ship_to": {
                    "country": person.country,
                    "region": person.region,
                    "postal_code": person.postal_code,
                    "city": person.city,
                },
                "line_items": order.lines,
            },
            "customer": {
                "customer_id": person.id,
                "account": "registered",
                "email": person.email,
                "first_name": person.first,
                "last_name": person.last,
                "name": person.name,
                "phone": null,
                "locale": person.locale,
                "time_zone": person.zone,
                "country": person.country,
                "region": person.region,
                "tags": [],
                "marketing_consent": {
                    "channel": "email",
                    "state": state,
                    "opt_in_level": "unknown",
                    "basis": basis,
                    "source": "checkout",
                    "updated_at": order.at.to_string(),
                },
            },
            "test": false,
        })
    }

    fn deliver(&mut self, at: Timestamp, who: usize, note: String, events: Vec<Value>) {
        self.scenes.push(Scene {
            at,
            who: Some(who),
            note,
            what: What::Deliver(events),
        });
    }

    fn placed(&self, order: &Placed) -> Value {
        let data = self.snapshot(order, order.at, order.paid);
        event(
            SHOP,
            "order.placed",
            format!("order/{}/placed", order.number),
            order.number,
            order.at,
            data,
        )
    }

    fn place(&mut self, order: &Placed, note: &str) {
        let event = self.placed(order);
        self.deliver(
            order.at,
            order.who,
            format!("{note} (#{})", order.number),
            vec![event],
        );
    }

    fn paid(&mut self, order: &Placed, at: Moment) {
        let at = self.at(order.who, at);
        let data = self.snapshot(order, at, true);
        let id = format!("order/{}/paid", order.number);
        let event = event(SHOP, "order.paid", id, order.number, at, data);
        self.deliver(
            at,
            order.who,
            format!("the money for #{} has arrived", order.number),
            vec![event],
        );
    }

    /// One parcel: when it was dispatched, when it arrived, and when the carrier told us so.
    fn parcel(&mut self, order: &Placed, id: &str, lines: &[&str], moments: [Moment; 3]) {
        let [dispatched, delivered, told] = moments.map(|moment| self.at(order.who, moment));
        let items: Vec<Value> = order
            .lines
            .iter()
            .filter(|line| lines.iter().any(|id| line["line_id"] == *id))
            .map(|line| json!({"line_id": line["line_id"], "sku": line["sku"], "quantity": line["quantity"]}))
            .collect();
        let shipment = json!({
            "shipment_id": id,
            "direction": "outbound",
            "tracking": [{
                "carrier": "dhl",
                "carrier_name": "DHL",
                "number": format!("HP{}EX", id.replace('-', "")),
                "url": format!("https://track.example.com/{id}"),
            }],
            "items": items,
            "shipped_at": dispatched.to_string(),
        });
        let order_ref =
            json!({"order_id": order.number, "order_number": format!("#{}", order.number)});
        let data = json!({"order_ref": order_ref, "shipment": shipment, "test": false});
        let out = event(
            SHOP,
            "shipment.dispatched",
            format!("shipment/{id}/dispatched"),
            order.number,
            dispatched,
            data,
        );
        self.deliver(
            dispatched,
            order.who,
            format!("a parcel leaves ({id})"),
            vec![out],
        );
        // The carrier knows the parcel by its tracking number alone.
        let mut scanned = shipment;
        scanned["shipment_id"] = json!(format!("tracking:{id}"));
        scanned["items"] = json!([]);
        let data = json!({
            "shipment": scanned,
            "delivery": {
                "delivered_at": delivered.to_string(),
                "precision": "second",
                "basis": "carrier",
                "reported_by": "dhl",
            },
            "test": false,
        });
        let arrived = event(
            CARRIER,
            "shipment.delivered",
            format!("shipment/{id}/delivered"),
            order.number,
            delivered,
            data,
        );
        let late = told.duration_since(delivered) > SignedDuration::from_hours(12);
        let note = format!(
            "the parcel has arrived ({id}){}",
            if late {
                ", the carrier says a day late"
            } else {
                ""
            }
        );
        self.deliver(told, order.who, note, vec![arrived]);
    }

    fn refund(&mut self, order: &Placed, at: Moment) {
        let at = self.at(order.who, at);
        let currency = self.people[order.who].currency;
        let money = json!({"amount": order.total, "currency": currency});
        let items: Vec<Value> = order
            .lines
            .iter()
            .map(|line| {
                json!({"line_id": line["line_id"], "sku": line["sku"], "quantity": line["quantity"],
                       "amount": line["total"], "restock": "return"})
            })
            .collect();
        let id = format!("RF-{}", order.number);
        let data = json!({
            "order_ref": {"order_id": order.number, "order_number": format!("#{}", order.number)},
            "refund": {"refund_id": id, "amount": money, "refunded_total": money, "scope": "full",
                       "reason": "return", "items": items, "return_id": null},
            "test": false,
        });
        let event = event(
            SHOP,
            "refund.issued",
            format!("refund/{id}"),
            order.number,
            at,
            data,
        );
        self.deliver(
            at,
            order.who,
            format!("sent it back, and is refunded (#{})", order.number),
            vec![event],
        );
    }

    fn cancel(&mut self, order: &Placed, at: Moment) {
        let at = self.at(order.who, at);
        let data = json!({
            "order_ref": {"order_id": order.number, "order_number": format!("#{}", order.number)},
            "customer": self.snapshot(order, at, true)["customer"],
            "cancel": {"reason": "customer", "cancelled_at": at.to_string()},
            "test": false,
        });
        let id = format!("order/{}/cancelled", order.number);
        let event = event(SHOP, "order.cancelled", id, order.number, at, data);
        self.deliver(
            at,
            order.who,
            format!("cancels #{}", order.number),
            vec![event],
        );
    }

    fn ticket(&mut self, order: &Placed, id: &str, opened: Moment, closed: Moment) {
        let email = self.people[order.who].email;
        let customer = self.people[order.who].id;
        for (kind, status, at, note) in [
            (
                "opened",
                "open",
                opened,
                "has a problem: a ticket is open, mails about the camera wait",
            ),
            (
                "closed",
                "solved",
                closed,
                "has been helped: the ticket is closed",
            ),
        ] {
            let at = self.at(order.who, at);
            let data = json!({
                "ticket": {"ticket_id": id, "status": status, "channel": "email", "tags": [], "requester_id": null},
                "customer_ref": {"customer_id": customer, "email": email},
                "order_ref": {"order_id": order.number, "order_number": format!("#{}", order.number)},
                "test": false,
            });
            let name = format!("ticket/{id}/{kind}@{at}");
            let event = event(
                SHOP,
                &format!("ticket.{kind}"),
                name,
                order.number,
                at,
                data,
            );
            self.deliver(at, order.who, note.to_owned(), vec![event]);
        }
    }

    fn again(&mut self, at: Moment, who: usize, ids: &[&str]) {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let note = "delivers old news a second time".to_owned();
        self.scenes.push(Scene {
            at: self.at(who, at),
            who: None,
            note,
            what: What::Again(ids),
        });
    }
}

/// A canonical event in CloudEvents' JSON.
fn event(source: &str, kind: &str, id: String, order: &str, at: Timestamp, data: Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": kind,
        "subject": format!("order/{order}"),
        "time": at.to_string(),
        "datacontenttype": "application/json",
        "partitionkey": format!("order/{order}"),
        "ingestmode": "live",
        "data": data,
    })
}
