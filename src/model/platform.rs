//! The platforms whose deliveries we understand, by the names that stand in files.

use std::fmt;
use std::str::FromStr;

macro_rules! platforms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $called:literal;)*) => {
        /// Who sends.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Platform { $($(#[$doc])* $variant),* }

        impl Platform {
            /// All of them.
            pub const ALL: &'static [Platform] = &[$(Platform::$variant),*];
            /// Their names in files.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in files and in the `source` of events.
            pub fn as_str(self) -> &'static str {
                match self { $(Platform::$variant => $name),* }
            }

            /// What people call it.
            pub fn called(self) -> &'static str {
                match self { $(Platform::$variant => $called),* }
            }
        }

        impl FromStr for Platform {
            type Err = UnknownPlatform;
            fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
                match text { $($name => Ok(Platform::$variant),)* _ => Err(UnknownPlatform) }
            }
        }
    };
}

/// The text names no platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform")]
pub struct UnknownPlatform;

platforms! {
    /// A storefront that says most, delivery included where it tracks the carrier.
    Shopify = "shopify", "Shopify";
    /// A storefront that never repeats what got lost, and knows no delivery.
    WooCommerce = "woocommerce", "WooCommerce";
    /// Payments, and orders of Checkout.
    Stripe = "stripe", "Stripe";
    /// Tracking and returns.
    AfterShip = "aftership", "AfterShip";
    /// Tracking.
    EasyPost = "easypost", "EasyPost";
    /// A help desk.
    Zendesk = "zendesk", "Zendesk";
    /// A help desk whose deliveries are a template of ours.
    Gorgias = "gorgias", "Gorgias";
    /// Reviews.
    JudgeMe = "judgeme", "Judge.me";
    /// A storefront whose deliveries only say where to look.
    BigCommerce = "bigcommerce", "BigCommerce";
    /// Tracking.
    Shippo = "shippo", "Shippo";
    /// Tracking by ShipStation's newer interface.
    ShipEngine = "shipengine", "ShipStation (ShipEngine)";
    /// Tracking.
    SeventeenTrack = "17track", "17TRACK";
    /// A storefront whose deliveries are what the shop asks for.
    Saleor = "saleor", "Saleor";
    /// A storefront that says most, delivery included since version 6.
    Spree = "spree", "Spree";
    /// A storefront that a subscriber of the shop speaks for.
    Medusa = "medusa", "Medusa";
    /// A storefront that speaks in messages.
    Commercetools = "commercetools", "commercetools";
    /// A storefront, by way of I/O Events.
    AdobeCommerce = "adobe", "Adobe Commerce";
    /// Reviews.
    Yotpo = "yotpo", "Yotpo";
    /// What customers agreed to, as marketing tools keep it.
    Klaviyo = "klaviyo", "Klaviyo";
    /// A shop of its own make, by a mapping file.
    Generic = "generic", "a shop of its own make";
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(*platform));
        }
        assert_eq!("ebay".parse::<Platform>(), Err(UnknownPlatform));
    }
}
