//! The shop of sample orders as its storefront would tell of it: who buys, what stands in
//! the order, what it costs.

use super::cast::{Cast, person};
use crate::model::locale;
use crate::model::product::{Product, Variant};
use crate::model::time::Timestamp;
use crate::sequence::catalog::Catalog;
use serde_json::{Value, json};

/// Who says so.
const SOURCE: &str = "/sample";
/// Lines of the order of [`Cast::Full`].
const FULL_LINES: usize = 9;
pub(super) const ORDER: &str = "sample-1042";
const NUMBER: &str = "#1042";

/// What the events of one sample share.
pub(super) struct Shop<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) product: &'a Product,
    pub(super) locale: &'a str,
    pub(super) cast: Cast,
    pub(super) placed: Timestamp,
}

impl Shop<'_> {
    pub(super) fn number(&self) -> Option<&'static str> {
        (self.cast != Cast::Minimal).then_some(NUMBER)
    }

    /// A price in the currency that the sample's readers pay in, else in any.
    fn price(&self, variant: &Variant) -> (i64, String) {
        let wanted = person(self.locale).4;
        let money = [wanted, "EUR", "USD"]
            .into_iter()
            .chain(variant.prices.keys().map(String::as_str))
            .find_map(|currency| variant.price_in(currency));
        match money.or(variant.price.clone()) {
            Some(money) => (money.amount, money.currency),
            None => (4900, "EUR".to_owned()),
        }
    }

    fn country(&self) -> String {
        let region = self
            .locale
            .split(['-', '_'])
            .skip(1)
            .find(|part| part.len() == 2)
            .map(str::to_ascii_uppercase);
        region.unwrap_or_else(|| person(self.locale).3.to_owned())
    }

    pub(super) fn customer(&self) -> Value {
        let (first, last, mailbox, ..) = person(self.locale);
        let mailbox = format!("{mailbox}@example.com");
        let (first, last, mailbox) = match self.cast {
            Cast::Long => (
                "Maximiliane-Wilhelmina Theodora",
                "von Hohenlohe-Waldenburg-Schillingsfürst",
                "maximiliane-wilhelmina.von-hohenlohe-waldenburg@customers.example.com".to_owned(),
            ),
            Cast::Rtl => ("שירה", "בן־דוד", mailbox),
            _ => (first, last, mailbox),
        };
        let named = self.cast != Cast::Minimal;
        let family_first = matches!(locale::language(self.locale).as_str(), "ja" | "zh");
        let name = match family_first {
            true => format!("{last} {first}"),
            false => format!("{first} {last}"),
        };
        json!({
            "customer_id": "sample-7",
            "account": "registered",
            "email": mailbox,
            "first_name": named.then_some(first),
            "last_name": named.then_some(last),
            "name": named.then_some(name),
            "phone": null,
            "locale": self.locale,
            "time_zone": null,
            "country": self.country(),
            "region": null,
            "tags": [],
            "marketing_consent": {
                "channel": "email",
                "state": "subscribed",
                "opt_in_level": "single_opt_in",
                "basis": "explicit",
                "source": "checkout",
                "updated_at": self.placed,
            },
        })
    }

    /// The lines of the order: the product itself, and in [`Cast::Full`] others too.
    pub(super) fn lines(&self) -> Vec<Value> {
        let others = self
            .catalog
            .products
            .iter()
            .filter(|other| {
                other.product_id != self.product.product_id && !other.variants.is_empty()
            })
            .take(if self.cast == Cast::Full {
                FULL_LINES - 1
            } else {
                0
            });
        let currency = self
            .price(self.product.variants.first().unwrap_or(&Variant::default()))
            .1;
        std::iter::once(self.product)
            .chain(others)
            .zip(1_i64..)
            .map(|(product, number)| self.line(product, number, &currency))
            .collect()
    }

    fn line(&self, product: &Product, number: i64, currency: &str) -> Value {
        let variant = product.variants.first().cloned().unwrap_or_default();
        let (price, own) = self.price(&variant);
        // One order has one currency; what a product costs in another is as good a number.
        let price = if own == currency {
            price
        } else {
            price.max(100)
        };
        let quantity = match (self.cast, number) {
            (Cast::Full, 2) => 1200,
            (Cast::Full, number) if number > 2 => number,
            _ => 1,
        };
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let locales = locale::chain(self.locale, None);
        let title = product.title_in(&locales);
        let title = match self.cast {
            Cast::Long => format!(
                "{title} Professional Anniversary Edition with Extended Warranty, Weather-Sealed Travel Case and Donaudampfschifffahrtsgesellschaftskapitänsmützenhalterung"
            ),
            Cast::Rtl => format!("{title} מהדורת נמל (2026)"),
            _ => title.to_owned(),
        };
        let bare = self.cast == Cast::Minimal;
        let kind = variant.kind.as_deref().unwrap_or("physical");
        json!({
            "line_id": number.to_string(),
            "product_id": product.product_id,
            "variant_id": variant.variant_id,
            "sku": variant.sku,
            "title": title,
            "variant_title": variant.title.filter(|_| !bare),
            "quantity": quantity,
            "current_quantity": quantity,
            "unit_price": money(price),
            "discount": money(0),
            "total": money(price * quantity),
            "vendor": product.vendor.as_ref().filter(|_| !bare),
            "kind": kind,
            "requires_shipping": kind == "physical",
            "tags": product.tags,
            "categories": product.categories,
            "image_url": product.image_url.as_ref().filter(|_| !bare),
            "product_url": product.product_url.as_ref().filter(|_| !bare),
            "catalog_resolved": true,
        })
    }

    pub(super) fn total(&self, lines: &[Value]) -> Value {
        let amount: i64 = lines
            .iter()
            .filter_map(|line| line["total"]["amount"].as_i64())
            .sum();
        let currency = lines
            .first()
            .map_or(Value::Null, |line| line["total"]["currency"].clone());
        json!({"amount": amount, "currency": currency})
    }

    pub(super) fn order(&self, payment: &str, version: Timestamp) -> Value {
        let lines = self.lines();
        let total = self.total(&lines);
        let currency = total["currency"].clone();
        let nothing = json!({"amount": 0, "currency": currency});
        let bare = self.cast == Cast::Minimal;
        let mut order = json!({
            "order_id": ORDER,
            "order_number": self.number(),
            "version": version,
            "placed_at": self.placed,
            "channel": "web",
            "currency": currency,
            "subtotal": total,
            "discount": nothing,
            "shipping": nothing,
            "tax": nothing,
            "total": total,
            "shop_total": null,
            "payment_status": payment,
            "fulfilment_status": "unfulfilled",
            "status_url": (!bare).then(|| format!("{}/orders/{ORDER}", self.catalog.policy.url.trim_end_matches('/'))),
            "tags": [],
            "discount_codes": [],
            "shipping_method": (!bare).then_some("Standard"),
            "ship_to": {"country": self.country(), "region": null, "postal_code": null, "city": null},
            "line_items": lines,
        });
        if self.cast == Cast::Gift {
            order["gift"] = Value::Bool(true);
        }
        order
    }

    pub(super) fn event(&self, kind: &str, id: &str, at: Timestamp, mut data: Value) -> Value {
        data["test"] = Value::Bool(false);
        json!({
            "specversion": "1.0",
            "id": format!("sample/{id}"),
            "source": SOURCE,
            "type": kind,
            "subject": format!("order/{ORDER}"),
            "time": at,
            "recordedtime": at,
            "datacontenttype": "application/json",
            "partitionkey": format!("order/{ORDER}"),
            "data": data,
        })
    }
}
