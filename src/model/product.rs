//! The catalogue: what the shop sells, from its feed and from `product.updated`
//! events, which win over the feed.

mod kits;

pub use kits::{Kit, KitTrack, Track};

use super::money::Money;
use super::time::Length;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One variant of a product as the feed or an event gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    pub product_id: String,
    pub title: String,
    /// Titles by locale; `title` stands in.
    #[serde(default)]
    pub titles: BTreeMap<String, String>,
    #[serde(default)]
    pub vendor: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub image_url: Option<String>,
    #[serde(default)]
    pub product_url: Option<String>,
    /// `active`, `draft`, `archived`, `out_of_stock` …: an open set.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub related: Vec<String>,
    #[serde(default)]
    pub replenish_days: Option<i64>,
    #[serde(default)]
    pub variants: Vec<Variant>,
}

/// What can be put into a basket.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Variant {
    pub variant_id: Option<String>,
    pub sku: Option<String>,
    pub title: Option<String>,
    /// Minor units by ISO 4217 code.
    pub prices: BTreeMap<String, i64>,
    pub price: Option<Money>,
    /// Units at hand, where the source says.
    pub inventory_quantity: Option<i64>,
    pub available: Option<bool>,
    /// `physical`, `digital`, `gift_card`, …
    pub kind: Option<String>,
    /// SKUs of a kit's parts, with quantities.
    pub components: Vec<Component>,
    /// After how many days one unit is used up, where it is another number than the
    /// product's.
    pub replenish_days: Option<i64>,
}

/// A part of a kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    pub sku: String,
    #[serde(default = "one")]
    pub quantity: i64,
}

fn one() -> i64 {
    1
}

/// A product as an event brings it; the same shape, nulls allowed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProductUpdate {
    pub product_id: String,
    pub title: Option<String>,
    pub titles: Option<BTreeMap<String, String>>,
    pub vendor: Option<String>,
    pub tags: Option<Vec<String>>,
    pub categories: Option<Vec<String>>,
    pub image_url: Option<String>,
    pub product_url: Option<String>,
    pub status: Option<String>,
    pub related: Option<Vec<String>>,
    pub replenish_days: Option<i64>,
    pub variants: Option<Vec<Variant>>,
}

/// A named group of products, the *track* that education runs along.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Family {
    pub id: String,
    pub skus: Vec<String>,
    pub products: Vec<String>,
    pub tags: Vec<String>,
    pub categories: Vec<String>,
    pub vendors: Vec<String>,
    /// Families or products that go well with it, best first.
    pub complements: Vec<String>,
}

/// All products and families, indexed. Family order is file order: the first that
/// matches at the strongest level wins.
#[derive(Debug, Clone, Default)]
pub struct Products {
    by_id: BTreeMap<String, Product>,
    sku_to_id: BTreeMap<String, String>,
    families: Vec<Family>,
    kits: Vec<Kit>,
    /// The family of what matches none.
    default: Option<String>,
    /// How long what starts by family waits for an unknown product.
    wait: Option<Length>,
    /// Families, kits, SKUs and product ids known to be out of stock; kept, because every
    /// condition may ask.
    out_of_stock: Arc<BTreeSet<String>>,
}

impl Products {
    /// After how many days one unit is used up, of every product (without a SKU) and
    /// variant of which that is known.
    pub fn used_up(&self) -> BTreeMap<(&str, Option<&str>), i64> {
        let of_products = self.iter().filter_map(|product| {
            Some(((product.product_id.as_str(), None), product.replenish_days?))
        });
        let of_variants = self.iter().flat_map(|product| {
            product.variants.iter().filter_map(|variant| {
                let sku = variant.sku.as_deref()?;
                let days = variant.replenish_days?;
                Some(((product.product_id.as_str(), Some(sku)), days))
            })
        });
        of_products.chain(of_variants).collect()
    }

    /// The product that a line of an order is of, and after how many days one unit of it
    /// is used up, where that is known: a variant's own number goes before its product's.
    pub fn lasts(&self, product: Option<&str>, sku: Option<&str>) -> Option<(&Product, i64)> {
        let by_sku = sku.and_then(|sku| self.variant(sku));
        let known = product
            .and_then(|id| self.product(id))
            .or(by_sku.map(|(product, _)| product))?;
        let own = by_sku
            .filter(|(product, _)| product.product_id == known.product_id)
            .and_then(|(_, variant)| variant.replenish_days);
        Some((known, own.or(known.replenish_days)?))
    }

    /// Builds the catalogue from a feed and the shop's families.
    pub fn new(products: Vec<Product>, families: Vec<Family>) -> Self {
        let mut all = Products {
            families,
            ..Products::default()
        };
        for product in products {
            all.put(product);
        }
        all.take_stock();
        all
    }

    /// With the kits of `catalog.toml`.
    #[must_use]
    pub fn with_kits(mut self, kits: Vec<Kit>) -> Self {
        self.kits = kits;
        self.take_stock();
        self
    }

    /// With the family of what matches none, and how long an unknown product is waited
    /// for before it counts as such.
    #[must_use]
    pub fn with_default(mut self, default: Option<String>, wait: Length) -> Self {
        self.default = default;
        self.wait = Some(wait);
        self
    }

    /// The family of what matches none.
    pub fn default_family(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// How long what starts by family waits for an unknown product; `None` where the shop
    /// has no families to wait for.
    pub fn wait(&self) -> Option<Length> {
        self.wait
            .filter(|_| !self.families.is_empty() || !self.kits.is_empty())
    }

    fn take_stock(&mut self) {
        let mut out = BTreeSet::new();
        for product in self.by_id.values() {
            let skus = product
                .variants
                .iter()
                .filter_map(|variant| variant.sku.as_deref());
            out.extend(skus.filter(|sku| !self.in_stock(sku)).map(str::to_owned));
            if !self.in_stock(&product.product_id) {
                out.insert(product.product_id.clone());
            }
        }
        let families = self
            .families
            .iter()
            .filter(|family| !self.in_stock(&family.id));
        out.extend(families.map(|family| family.id.clone()));
        let kits = self.kits.iter().filter(|kit| !self.kit_in_stock(kit));
        out.extend(kits.map(|kit| kit.id.clone()));
        self.out_of_stock = Arc::new(out);
    }

    /// Families, kits, SKUs and product ids that are known to be out of stock.
    pub fn out_of_stock(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.out_of_stock)
    }

    fn put(&mut self, product: Product) {
        for sku in product.variants.iter().filter_map(|v| v.sku.as_ref()) {
            self.sku_to_id
                .insert(sku.clone(), product.product_id.clone());
        }
        self.by_id.insert(product.product_id.clone(), product);
    }

    /// Lays what an event says over what is known; parts it does not name stay.
    pub fn update(&mut self, update: &ProductUpdate) {
        let mut product = self
            .by_id
            .get(&update.product_id)
            .cloned()
            .unwrap_or_else(|| Product {
                product_id: update.product_id.clone(),
                title: update.title.clone().unwrap_or_default(),
                titles: BTreeMap::new(),
                vendor: None,
                tags: Vec::new(),
                categories: Vec::new(),
                image_url: None,
                product_url: None,
                status: None,
                related: Vec::new(),
                replenish_days: None,
                variants: Vec::new(),
            });
        fn set<T: Clone>(to: &mut T, from: &Option<T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        set(&mut product.title, &update.title);
        if let Some(titles) = &update.titles {
            product.titles.extend(titles.clone());
        }
        set(&mut product.tags, &update.tags);
        set(&mut product.categories, &update.categories);
        set(&mut product.related, &update.related);
        for (to, from) in [
            (&mut product.vendor, &update.vendor),
            (&mut product.image_url, &update.image_url),
            (&mut product.product_url, &update.product_url),
            (&mut product.status, &update.status),
        ] {
            if from.is_some() {
                to.clone_from(from);
            }
        }
        if update.replenish_days.is_some() {
            product.replenish_days = update.replenish_days;
            for variant in &mut product.variants {
                variant.replenish_days = None;
            }
        }
        for variant in update.variants.iter().flatten() {
            let known = product
                .variants
                .iter_mut()
                .find(|had| had.sku.is_some() && had.sku == variant.sku);
            match known {
                Some(had) => {
                    let prices = std::mem::take(&mut had.prices);
                    let components = std::mem::take(&mut had.components);
                    let kind = had.kind.take();
                    let lasts = had.replenish_days;
                    *had = variant.clone();
                    had.replenish_days = had.replenish_days.or(lasts);
                    for (currency, amount) in prices {
                        had.prices.entry(currency).or_insert(amount);
                    }
                    if had.components.is_empty() {
                        had.components = components;
                    }
                    had.kind = had.kind.take().or(kind);
                }
                None => product.variants.push(variant.clone()),
            }
        }
        self.put(product);
        self.take_stock();
    }

    /// A product by its id.
    pub fn product(&self, id: &str) -> Option<&Product> {
        self.by_id.get(id)
    }

    /// The product that has a variant of this SKU, and the variant.
    pub fn variant(&self, sku: &str) -> Option<(&Product, &Variant)> {
        let product = self.by_id.get(self.sku_to_id.get(sku)?)?;
        let variant = product
            .variants
            .iter()
            .find(|v| v.sku.as_deref() == Some(sku))?;
        Some((product, variant))
    }

    /// All products, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Product> {
        self.by_id.values()
    }

    /// The families, in file order.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The family with this id.
    pub fn family(&self, id: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.id == id)
    }

    /// The one family of an item. The strongest match wins, in this order: SKU, product
    /// id, tag, category, vendor; among equals, the first in the file. What the
    /// catalogue says of the product counts before what the line itself carries.
    pub fn family_of(
        &self,
        product_id: Option<&str>,
        sku: Option<&str>,
        tags: &[String],
        categories: &[String],
        vendor: Option<&str>,
    ) -> Option<&str> {
        let known = product_id.and_then(|id| self.by_id.get(id)).or_else(|| {
            sku.and_then(|sku| self.variant(sku))
                .map(|(product, _)| product)
        });
        let product_id = product_id.or(known.map(|p| p.product_id.as_str()));
        let tags = known.map_or(tags, |p| if p.tags.is_empty() { tags } else { &p.tags });
        let categories = known.map_or(categories, |p| {
            if p.categories.is_empty() {
                categories
            } else {
                &p.categories
            }
        });
        let vendor = known.and_then(|p| p.vendor.as_deref()).or(vendor);
        let has = |list: &[String], value: Option<&str>| {
            value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        let meets = |list: &[String], values: &[String]| values.iter().any(|v| list.contains(v));
        let levels: [&dyn Fn(&Family) -> bool; 5] = [
            &|f| has(&f.skus, sku),
            &|f| has(&f.products, product_id),
            &|f| meets(&f.tags, tags),
            &|f| meets(&f.categories, categories),
            &|f| has(&f.vendors, vendor),
        ];
        levels
            .iter()
            .find_map(|matches| self.families.iter().find(|family| matches(family)))
            .map(|family| family.id.as_str())
    }

    /// Whether `x` (a family, a kit, a product id or a SKU) is not known to be out of stock.
    pub fn in_stock(&self, x: &str) -> bool {
        if let Some((product, variant)) = self.variant(x) {
            let parts = self.components_of(Some(&product.product_id), Some(x));
            return product.sellable() && variant.sellable() && self.parts_in_stock(parts);
        }
        if let Some(kit) = self.kits.iter().find(|kit| kit.id == x) {
            return self.kit_in_stock(kit);
        }
        if let Some(product) = self.product(x) {
            return product.sellable() && product.any_variant_sellable();
        }
        let mut members = self.members(x).peekable();
        members.peek().is_none() || members.any(|p| p.sellable() && p.any_variant_sellable())
    }

    /// The products of a family or kit by id; for a product id or a SKU, that product.
    pub fn members<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a Product> {
        let one = self.product(family).or_else(|| {
            let (product, _) = self.variant(family)?;
            Some(product)
        });
        self.by_id.values().filter(move |product| {
            if let Some(one) = one {
                return one.product_id == product.product_id;
            }
            let skus = product.variants.iter().map(|v| v.sku.as_deref());
            let mut kits = skus.map(|sku| self.kit(Some(&product.product_id), sku));
            if kits.any(|kit| kit.is_some_and(|kit| kit.id == family)) {
                return true;
            }
            let sku = product.variants.first().and_then(|v| v.sku.as_deref());
            self.family_of(
                Some(&product.product_id),
                sku,
                &product.tags,
                &product.categories,
                product.vendor.as_deref(),
            ) == Some(family)
        })
    }
}

impl Product {
    /// Whether the product as a whole may be offered.
    pub fn sellable(&self) -> bool {
        !matches!(
            self.status.as_deref(),
            Some("draft" | "archived" | "inactive" | "deleted" | "out_of_stock" | "unavailable")
        )
    }

    fn any_variant_sellable(&self) -> bool {
        self.variants.is_empty() || self.variants.iter().any(Variant::sellable)
    }

    /// The title in the first of `locales` that has one.
    pub fn title_in(&self, locales: &[String]) -> &str {
        locales
            .iter()
            .find_map(|locale| self.titles.get(locale))
            .unwrap_or(&self.title)
    }
}

impl Variant {
    /// Whether it is not known to be out of stock.
    pub fn sellable(&self) -> bool {
        self.available != Some(false) && self.inventory_quantity.is_none_or(|units| units > 0)
    }

    /// Its price in a currency.
    pub fn price_in(&self, currency: &str) -> Option<Money> {
        self.prices
            .get(currency)
            .map(|amount| Money {
                amount: *amount,
                currency: currency.to_owned(),
            })
            .or_else(|| {
                self.price
                    .clone()
                    .filter(|price| price.currency == currency)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Products {
        let product = |id: &str, sku: &str, tags: &[&str]| Product {
            product_id: id.into(),
            title: id.into(),
            titles: BTreeMap::new(),
            vendor: None,
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
            categories: vec![],
            image_url: None,
            product_url: None,
            status: None,
            related: vec![],
            replenish_days: None,
            variants: vec![Variant {
                sku: Some(sku.into()),
                ..Variant::default()
            }],
        };
        let family = |id: &str, tags: &[&str], skus: &[&str]| Family {
            id: id.into(),
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
            skus: skus.iter().map(|t| (*t).to_owned()).collect(),
            ..Family::default()
        };
        Products::new(
            vec![
                product("P1", "CAM", &["camera", "dslr"]),
                product("P2", "TRI", &["tripod"]),
            ],
            vec![
                family("dslr", &["dslr"], &[]),
                family("special", &[], &["CAM"]),
                family("tripod", &["tripod"], &[]),
            ],
        )
    }

    #[test]
    fn the_strongest_match_gives_the_family() {
        let shop = shop();
        assert_eq!(
            shop.family_of(Some("P1"), Some("CAM"), &[], &[], None),
            Some("special")
        );
        assert_eq!(
            shop.family_of(Some("P1"), None, &[], &[], None),
            Some("dslr")
        );
        assert_eq!(
            shop.family_of(None, None, &["tripod".into()], &[], None),
            Some("tripod")
        );
        assert_eq!(shop.family_of(None, None, &[], &[], None), None);
    }

    #[test]
    fn stock_is_assumed_until_a_source_denies_it() {
        let mut shop = shop();
        assert!(shop.in_stock("tripod") && shop.in_stock("TRI") && shop.in_stock("nonsense"));
        shop.update(&ProductUpdate {
            product_id: "P2".into(),
            variants: Some(vec![Variant {
                sku: Some("TRI".into()),
                inventory_quantity: Some(0),
                ..Variant::default()
            }]),
            ..ProductUpdate::default()
        });
        assert!(!shop.in_stock("tripod") && !shop.in_stock("TRI") && !shop.in_stock("P2"));
    }
}
