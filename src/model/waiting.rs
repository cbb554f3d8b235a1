//! Facts about items whose product the catalogue does not know yet: what starts by a
//! family waits for it, for so long and no longer.

use super::event::FactKind;
use super::ids::CustomerId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One fact about one line of an order that waits for the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub kind: FactKind,
    /// The order's key.
    pub order: String,
    /// The line of that order.
    pub line: String,
    /// The parcel, where the fact is about one.
    #[serde(default)]
    pub shipment: Option<String>,
    /// What the order calls the product: its SKU, else its product id.
    pub product: String,
    /// When it began to wait, by the engine's clock.
    pub since: Timestamp,
    /// From then on the default family stands in, where the shop has one.
    pub until: Timestamp,
    /// Whose it was when it began; people may have been merged since.
    pub customer: CustomerId,
}

impl Waiting {
    /// Whether two are about the same fact and line.
    pub fn is_same(&self, other: &Waiting) -> bool {
        (self.kind, &self.order, &self.line, &self.shipment)
            == (other.kind, &other.order, &other.line, &other.shipment)
    }

    /// What tells it from others of the same person: kind, order, line and parcel.
    pub fn id(&self) -> String {
        format!(
            "{} {}/{} {}",
            self.kind,
            self.order,
            self.line,
            self.shipment.as_deref().unwrap_or_default()
        )
    }
}
