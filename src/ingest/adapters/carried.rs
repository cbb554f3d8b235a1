//! What tracking services say of a parcel, told in one way: their names and times differ,
//! the facts do not.

use super::facts::{Facts, Way};
use super::loose::{slug, tracking_number};
use super::moment::stamp;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

/// One parcel and what became of it.
pub(super) struct Carried<'c> {
    /// What the service calls its carrier.
    pub(super) carrier: Option<&'c str>,
    pub(super) number: String,
    pub(super) url: Option<&'c str>,
    /// It goes back to the shop.
    pub(super) back: bool,
    pub(super) order_ref: Value,
    /// The day on which it should arrive.
    pub(super) expected: Option<&'c str>,
    pub(super) reported_by: &'static str,
}

/// When something happened to it.
pub(super) struct When {
    pub(super) at: Timestamp,
    /// `second`, `date` or `approximate`.
    pub(super) precision: &'static str,
    /// Which try it was, where tries are told apart.
    pub(super) nth: Option<String>,
}

impl Carried<'_> {
    /// Tells that the parcel came so far.
    pub(super) fn tell(&self, way: Way, when: &When, facts: &mut Facts) {
        let carrier = self.carrier.map_or_else(|| "unknown".to_owned(), slug);
        let parcel = format!("tracking:{carrier}:{}", self.number);
        let about = format!("shipment/{parcel}");
        let line = format!("tracking/{}", tracking_number(&self.number));
        let mut data = json!({
            "order_ref": self.order_ref,
            "shipment": {
                "shipment_id": parcel,
                "direction": if self.back { "return" } else { "outbound" },
                "items": [],
                "tracking": [{
                    "carrier": carrier, "carrier_name": self.carrier, "number": self.number,
                    "url": self.url,
                }],
            },
        });
        if let Some(date) = self.expected {
            data["shipment"]["estimated_delivery"] = json!({ "date": date });
        }
        if way == Way::Delivered {
            data["delivery"] = json!({
                "delivered_at": stamp(when.at), "precision": when.precision, "basis": "carrier",
                "reported_by": self.reported_by,
            });
        }
        let mut name = format!("{about}/{}", way.verb());
        if let (Way::Failed, Some(nth)) = (way, &when.nth) {
            // Each try is a fact.
            name = format!("{name}/{nth}");
        }
        facts.tell(way.kind(), name, &about, &line, Some(when.at), data);
    }
}
