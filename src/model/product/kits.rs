//! Kits, and which families an item belongs to: the *tracks* that education runs along.
//! A kit is one track or teaches its parts, never both (`docs/events.md`, rule 16).

use super::{Component, Product, Products};
use crate::model::event::LineItem;

/// A kit of the shop's own, as `[kit.…]` in `catalog.toml` has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kit {
    pub id: String,
    pub skus: Vec<String>,
    pub products: Vec<String>,
    /// Its parts, where the file names them; else those of the feed.
    pub components: Vec<Component>,
    pub track: KitTrack,
    /// Families, kits or products that go well with it, best first.
    pub complements: Vec<String>,
}

/// What somebody who bought a kit is taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KitTrack {
    /// Each of its parts, by the part's family.
    #[default]
    Parts,
    /// The kit as one thing: its id is the family.
    Kit,
}

/// A family that an item belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub family: String,
    /// The product of the part of a kit that brings it; `None`: the item itself.
    pub part: Option<String>,
    /// No earlier order of this person brought something of it.
    pub first: bool,
}

impl Track {
    fn new(family: &str, part: Option<&str>) -> Track {
        Track {
            family: family.to_owned(),
            part: part.map(str::to_owned),
            first: false,
        }
    }
}

impl Products {
    /// The families of an item: one, or those of a kit's parts. Empty where nothing
    /// matches; the default family is not given here.
    pub fn tracks(&self, item: &LineItem) -> Vec<Track> {
        let own = || {
            let family = self.family_of(
                item.product_id.as_deref(),
                item.sku.as_deref(),
                &item.tags,
                &item.categories,
                item.vendor.as_deref(),
            );
            family.map(|family| Track::new(family, None))
        };
        if let Some(bundle) = &item.bundle {
            // One line of a kit that came as several: the kit's track, or the part's own.
            let kit = self.kit_track(bundle.product_id.as_deref(), bundle.sku.as_deref());
            return kit
                .map(|kit| Track::new(kit, None))
                .or_else(own)
                .into_iter()
                .collect();
        }
        let (product, sku) = (item.product_id.as_deref(), item.sku.as_deref());
        let parts = self.components_of(product, sku);
        if parts.is_empty() {
            let kit = self.kit(product, sku).and(self.kit_track(product, sku));
            let track = kit.map(|kit| Track::new(kit, None)).or_else(own);
            return track.into_iter().collect();
        }
        if let Some(kit) = self.kit_track(product, sku) {
            return vec![Track::new(kit, None)];
        }
        let mut tracks: Vec<Track> = Vec::new();
        for part in parts {
            let Some((product, _)) = self.variant(&part.sku) else {
                continue;
            };
            if let Some(family) = self.family_of_part(product, &part.sku)
                && tracks.iter().all(|had| had.family != family)
            {
                tracks.push(Track::new(family, Some(&product.product_id)));
            }
        }
        if tracks.is_empty() {
            tracks.extend(own());
        }
        tracks
    }

    /// The family of a kit's part.
    pub fn family_of_part(&self, product: &Product, sku: &str) -> Option<&str> {
        self.family_of(
            Some(&product.product_id),
            Some(sku),
            &product.tags,
            &product.categories,
            product.vendor.as_deref(),
        )
    }

    /// The `[kit.…]` that a product or SKU is.
    pub fn kit(&self, product: Option<&str>, sku: Option<&str>) -> Option<&Kit> {
        let has = |list: &[String], value: Option<&str>| {
            value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        self.kits
            .iter()
            .find(|kit| has(&kit.skus, sku))
            .or_else(|| self.kits.iter().find(|kit| has(&kit.products, product)))
    }

    /// The kits of `catalog.toml`, in file order.
    pub fn kits(&self) -> &[Kit] {
        &self.kits
    }

    /// The parts of a kit; empty for what is none.
    pub fn components_of(&self, product: Option<&str>, sku: Option<&str>) -> &[Component] {
        if let Some(kit) = self.kit(product, sku)
            && !kit.components.is_empty()
        {
            return &kit.components;
        }
        sku.and_then(|sku| self.variant(sku))
            .map_or(&[], |(_, variant)| &variant.components)
    }

    /// The one track of a kit that is taught as one thing: by its `[kit.…]`; where it has
    /// none, by a family that names the kit's own SKU or product. Tags and categories say
    /// what is inside, so they do not count.
    fn kit_track(&self, product: Option<&str>, sku: Option<&str>) -> Option<&str> {
        if let Some(kit) = self.kit(product, sku) {
            return match kit.track {
                KitTrack::Kit => Some(&kit.id),
                KitTrack::Parts => None,
            };
        }
        let product = product.or_else(|| {
            let (product, _) = self.variant(sku?)?;
            Some(product.product_id.as_str())
        });
        let names = |list: &[String], value: Option<&str>| {
            value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        let by_sku = self.families.iter().find(|one| names(&one.skus, sku));
        by_sku
            .or_else(|| {
                let mut families = self.families.iter();
                families.find(|one| names(&one.products, product))
            })
            .map(|family| family.id.as_str())
    }

    /// Whether the catalogue knows the product of an item, or its source said that it did.
    pub fn knows(&self, item: &LineItem) -> bool {
        let by_id = item
            .product_id
            .as_deref()
            .is_some_and(|id| self.product(id).is_some());
        item.catalog_resolved
            || by_id
            || item
                .sku
                .as_deref()
                .is_some_and(|sku| self.variant(sku).is_some())
            || self
                .kit(item.product_id.as_deref(), item.sku.as_deref())
                .is_some()
    }

    /// Whether something is called so: a family, a kit, a SKU or a product id.
    pub fn has(&self, name: &str) -> bool {
        self.family(name).is_some()
            || self.kits.iter().any(|kit| kit.id == name)
            || self.product(name).is_some()
            || self.variant(name).is_some()
    }

    /// What goes well with an item, best first: what `catalog.toml` says of its kit and its
    /// families, then what the feed says of its product. Families, kits and product ids.
    pub fn complements(&self, item: &LineItem, tracks: &[Track]) -> Vec<String> {
        let (product, sku) = (item.product_id.as_deref(), item.sku.as_deref());
        let of_kit = self
            .kit(product, sku)
            .into_iter()
            .flat_map(|kit| &kit.complements);
        let of_families = tracks
            .iter()
            .filter_map(|track| self.family(&track.family))
            .flat_map(|family| &family.complements);
        let known = product.and_then(|id| self.product(id)).or_else(|| {
            let (product, _) = self.variant(sku?)?;
            Some(product)
        });
        let related = known.into_iter().flat_map(|product| &product.related);
        let mut found: Vec<String> = Vec::new();
        for name in of_kit.chain(of_families).chain(related) {
            if !found.contains(name) {
                found.push(name.clone());
            }
        }
        found
    }

    /// Whether a kit can be sold: some variant of it, where the catalogue has one; and none
    /// of its parts is known to be out of stock.
    pub(super) fn kit_in_stock(&self, kit: &Kit) -> bool {
        let own: Vec<&str> = kit
            .skus
            .iter()
            .chain(&kit.products)
            .map(String::as_str)
            .collect();
        let known = |name: &&str| self.product(name).is_some() || self.variant(name).is_some();
        let mut known = own.iter().copied().filter(known).peekable();
        let sellable = known.peek().is_none() || known.any(|name| self.in_stock(name));
        sellable && self.parts_in_stock(&kit.components)
    }

    /// Whether no part is known to be out of stock by itself; kits in kits are not opened.
    pub(super) fn parts_in_stock(&self, parts: &[Component]) -> bool {
        parts.iter().all(|part| {
            self.variant(&part.sku)
                .is_none_or(|(product, variant)| product.sellable() && variant.sellable())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Family, Variant};
    use super::*;
    use serde_json::json;

    fn item(sku: &str, product: &str, bundle: Option<&str>) -> LineItem {
        let money = json!({"amount": 100, "currency": "EUR"});
        let mut value = json!({
            "line_id": "1", "product_id": product, "sku": sku, "title": sku, "quantity": 1,
            "current_quantity": 1, "unit_price": money, "total": money, "kind": "physical",
        });
        if let Some(bundle) = bundle {
            value["bundle"] = json!({"sku": bundle});
        }
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
    }

    fn product(id: &str, sku: &str, tag: &str, parts: &[&str]) -> Product {
        let components: Vec<_> = parts.iter().map(|part| json!({"sku": part})).collect();
        let whole = json!({
            "product_id": id, "title": id, "tags": [tag], "related": ["P-BAG"],
            "variants": [{"sku": sku, "components": components}],
        });
        serde_json::from_value(whole).unwrap_or_else(|error| panic!("{error}"))
    }

    fn shop(kits: Vec<Kit>, families: &[(&str, &[&str])]) -> Products {
        let mut all = vec![
            Family {
                id: "dslr".into(),
                tags: vec!["dslr".into()],
                complements: vec!["tripod".into()],
                ..Family::default()
            },
            Family {
                id: "lens".into(),
                tags: vec!["lens".into()],
                ..Family::default()
            },
        ];
        all.extend(families.iter().map(|(id, products)| Family {
            id: (*id).to_owned(),
            products: products.iter().map(|one| (*one).to_owned()).collect(),
            ..Family::default()
        }));
        let products = vec![
            product("P-CAM", "CAM", "dslr", &[]),
            product("P-LENS", "LENS", "lens", &[]),
            product("P-KIT", "KIT", "dslr", &["CAM", "LENS", "UNKNOWN"]),
        ];
        Products::new(products, all).with_kits(kits)
    }

    fn families(shop: &Products, item: &LineItem) -> Vec<String> {
        shop.tracks(item)
            .into_iter()
            .map(|track| track.family)
            .collect()
    }

    fn starter(track: KitTrack) -> Kit {
        Kit {
            id: "starter".into(),
            skus: vec!["KIT".into()],
            track,
            complements: vec!["course".into()],
            ..Kit::default()
        }
    }

    #[test]
    fn a_kit_teaches_its_parts_or_itself_and_never_both() {
        let one_line = item("KIT", "P-KIT", None);
        let exploded = item("LENS", "P-LENS", Some("KIT"));
        let plain = shop(vec![], &[]);
        assert_eq!(
            families(&plain, &one_line),
            ["dslr", "lens"],
            "a tag names what is inside"
        );
        assert_eq!(families(&plain, &exploded), ["lens"]);
        assert_eq!(plain.tracks(&one_line)[1].part.as_deref(), Some("P-LENS"));
        let named = shop(vec![], &[("kits", &["P-KIT"])]);
        assert_eq!(families(&named, &one_line), ["kits"]);
        assert_eq!(
            families(&named, &exploded),
            ["kits"],
            "also where it comes line by line"
        );
        let whole = shop(vec![starter(KitTrack::Kit)], &[("kits", &["P-KIT"])]);
        assert_eq!(families(&whole, &one_line), ["starter"]);
        assert_eq!(families(&whole, &exploded), ["starter"]);
        let parts = shop(vec![starter(KitTrack::Parts)], &[("kits", &["P-KIT"])]);
        assert_eq!(families(&parts, &one_line), ["dslr", "lens"]);
        assert_eq!(families(&parts, &exploded), ["lens"]);
        assert_eq!(families(&parts, &item("CAM", "P-CAM", None)), ["dslr"]);
    }

    #[test]
    fn a_kit_is_in_stock_with_all_its_parts() {
        let mut shop = shop(vec![starter(KitTrack::Kit)], &[]);
        assert!(shop.in_stock("starter") && shop.in_stock("KIT") && shop.has("starter"));
        shop.update(&super::super::ProductUpdate {
            product_id: "P-LENS".into(),
            variants: Some(vec![Variant {
                sku: Some("LENS".into()),
                inventory_quantity: Some(0),
                ..Variant::default()
            }]),
            ..super::super::ProductUpdate::default()
        });
        assert!(!shop.in_stock("starter") && !shop.in_stock("KIT") && shop.in_stock("CAM"));
        let out = shop.out_of_stock();
        assert!(out.contains("starter") && out.contains("KIT") && out.contains("LENS"));
    }

    #[test]
    fn complements_come_from_the_kit_the_families_and_the_feed() {
        let shop = shop(vec![starter(KitTrack::Parts)], &[]);
        let kit = item("KIT", "P-KIT", None);
        assert_eq!(
            shop.complements(&kit, &shop.tracks(&kit)),
            ["course", "tripod", "P-BAG"]
        );
        let lens = item("LENS", "P-LENS", None);
        assert_eq!(shop.complements(&lens, &shop.tracks(&lens)), ["P-BAG"]);
    }
}
