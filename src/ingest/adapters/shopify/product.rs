//! `products/create` and `/update`: what order lines do not say of a product.

use super::super::super::shape::Misfit;
use super::super::facts::Facts;
use super::super::loose::{gid, list, minor, money, needed, tags, text};
use super::super::moment::{gmt, stamp};
use super::Of;
use crate::model::event::EventKind;
use serde_json::{Value, json};

pub(super) fn updated(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let notes = &of.told.source.notes;
    let id = needed(gid(&body["id"]), "the product's id")?;
    let title = needed(text(&body["title"]), "the product's title")?;
    let at = gmt(&body["updated_at"]).unwrap_or_else(|| of.happened());
    let about = format!("product/{id}");
    // The payload names neither currency nor where the shop's pages are.
    let storefront = notes
        .storefront
        .clone()
        .or_else(|| of.shop.map(|shop| format!("https://{shop}")));
    let url = text(&body["handle"])
        .zip(storefront)
        .map(|(handle, shop)| format!("{shop}/products/{handle}"));
    let categories: Vec<&str> = text(&body["category"]["full_name"]).into_iter().collect();
    let variants: Vec<Value> = list(&body["variants"])
        .iter()
        .map(|one| {
            let mut variant = json!({
                "variant_id": gid(&one["id"]), "sku": text(&one["sku"]),
                "title": text(&one["title"]),
            });
            if let Some(code) = &notes.currency
                && let Some(amount) = minor(&one["price"], code)
            {
                variant["price"] = money(amount, code);
            }
            variant
        })
        .collect();
    let image = text(&body["image"]["src"]).or_else(|| text(&body["images"][0]["src"]));
    facts.tell(
        EventKind::ProductUpdated,
        format!("product/{id}@{}", stamp(at)),
        &about,
        &about,
        Some(at),
        json!({ "product": {
            "product_id": id,
            "title": title,
            "vendor": text(&body["vendor"]),
            "product_type": text(&body["product_type"]),
            "tags": tags(&body["tags"]),
            "categories": categories,
            "image_url": image,
            "product_url": url,
            "status": text(&body["status"]),
            "variants": variants,
        }}),
    );
    Ok(())
}
