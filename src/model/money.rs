//! Money: whole minor units and an ISO 4217 code. No floating point anywhere.

use serde::{Deserialize, Serialize};

/// An amount in the currency's minor unit: 4200 JPY is 4200 yen, 4200 EUR is 42.00 euros.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative where money flows back.
    pub amount: i64,
    /// ISO 4217, upper case.
    pub currency: String,
}
