//! An order from SKUs of the shop's catalogue, as a shop would send it.

use super::{Shorthand, counted};
use crate::model::nearest::nearest;
use crate::model::product::{Product, Variant};
use crate::sequence::syntax::Spanned;
use serde_json::{Value, json};

/// Currencies of countries; elsewhere the euro is tried first.
const CURRENCIES: [(&str, &str); 8] = [
    ("US", "USD"),
    ("GB", "GBP"),
    ("JP", "JPY"),
    ("CA", "CAD"),
    ("AU", "AUD"),
    ("CH", "CHF"),
    ("SE", "SEK"),
    ("DK", "DKK"),
];

/// The price of what the feed gives no price for, in minor units: an order that costs
/// nothing would count as a replacement.
const PRICE: i64 = 4_900;

impl Shorthand<'_, '_, '_> {
    pub(super) fn order(&self) -> Option<Value> {
        let number = self.named()?;
        let id = number.value.trim_start_matches('#').to_owned();
        if self.section.has("items").is_none() {
            self.section
                .missing("items", "[\"AUR-D80-BODY\", \"2 x FLT-02\"]");
            return None;
        }
        let mut bought = Vec::new();
        for text in self.section.texts("items", true)? {
            let (quantity, sku) = counted(&text.value);
            match self.catalog.products.variant(sku) {
                Some((product, variant)) => bought.push((quantity, product, variant)),
                None => self.unknown_sku(&text, sku),
            }
        }
        let currency = match self.section.text("currency") {
            Some(currency) => currency.value,
            None => self.currency(&bought),
        };
        let ship_to = self.section.text("ship_to").map(|to| to.value);
        let country = self.record("country").map(str::to_owned);
        let mut total = 0_i64;
        let locale = self.record("locale").unwrap_or_default();
        let locales = crate::model::locale::chain(locale, None);
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let lines: Vec<Value> = bought
            .iter()
            .enumerate()
            .map(|(place, (quantity, product, variant))| {
                let each = price(variant, &currency);
                let sum = each.saturating_mul(*quantity);
                total = total.saturating_add(sum);
                let kind = variant.kind.as_deref().unwrap_or("physical");
                json!({
                    "line_id": (place + 1).to_string(),
                    "product_id": product.product_id,
                    "variant_id": variant.variant_id,
                    "sku": variant.sku,
                    "title": product.title_in(&locales),
                    "variant_title": variant.title,
                    "quantity": quantity,
                    "current_quantity": quantity,
                    "unit_price": money(each),
                    "discount": money(0),
                    "total": money(sum),
                    "vendor": product.vendor,
                    "kind": kind,
                    "requires_shipping": kind == "physical",
                    "tags": product.tags,
                    "categories": product.categories,
                    "image_url": product.image_url,
                    "product_url": product.product_url,
                    "catalog_resolved": true,
                })
            })
            .collect();
        let unpaid = self.section.flag("unpaid").unwrap_or(false);
        let tags: Vec<String> = self
            .section
            .texts("tags", true)
            .unwrap_or_default()
            .into_iter()
            .map(|tag| tag.value)
            .collect();
        let mut order = json!({
            "order_id": id,
            "order_number": format!("#{id}"),
            "version": self.at,
            "placed_at": self.at,
            "channel": "web",
            "currency": currency,
            "subtotal": money(total),
            "discount": money(0),
            "shipping": money(0),
            "tax": money(0),
            "total": money(total),
            "payment_status": if unpaid { "pending" } else { "paid" },
            "fulfilment_status": "unfulfilled",
            "status_url": format!("{}/orders/{id}", self.catalog.policy.url.trim_end_matches('/')),
            "tags": tags,
            "discount_codes": [],
            "shipping_method": "Standard",
            "ship_to": {"country": ship_to.or(country)},
            "line_items": lines,
        });
        if let Some(gift) = self.section.flag("gift") {
            order["gift"] = json!(gift);
        }
        if let Some(delivery) = self.section.number("subscription", 1, 10_000) {
            order["subscription"] = json!({"id": format!("sub-{id}"), "sequence": delivery});
        }
        if let Some(replaces) = self.section.text("replaces") {
            order["replaces"] = json!(replaces.value);
        }
        let test = self.section.flag("test").unwrap_or(false);
        Some(json!({"order": order, "test": test}))
    }

    fn unknown_sku(&self, text: &Spanned<String>, sku: &str) {
        let skus = self
            .catalog
            .products
            .iter()
            .flat_map(|product| &product.variants)
            .filter_map(|variant| variant.sku.as_deref());
        let mut problem = self.slip(
            "E413",
            text,
            format!("the catalogue has no SKU \"{}\"", sku.escape_debug()),
        );
        problem = match nearest(sku, skus) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help("SKUs stand in the feed that config/catalog.toml names"),
        };
        self.section.sheet.report(problem);
    }

    /// The currency of the customer's country, else one that everything has a price in.
    fn currency(&self, bought: &[(i64, &Product, &Variant)]) -> String {
        let country = self.record("country").unwrap_or_default();
        let wanted = CURRENCIES
            .iter()
            .find(|(of, _)| *of == country)
            .map_or("EUR", |(_, currency)| currency);
        let in_all = |currency: &str| {
            bought
                .iter()
                .all(|(_, _, variant)| variant.price_in(currency).is_some())
        };
        let others = bought
            .first()
            .into_iter()
            .flat_map(|(_, _, variant)| variant.prices.keys().map(String::as_str));
        std::iter::once(wanted)
            .chain(others)
            .find(|currency| in_all(currency))
            .unwrap_or(wanted)
            .to_owned()
    }
}

fn price(variant: &Variant, currency: &str) -> i64 {
    variant
        .price_in(currency)
        .or(variant.price.clone())
        .map_or(PRICE, |money| money.amount)
}
