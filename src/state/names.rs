//! The values of the names for one subject: what conditions read and templates print.
//! Every name of [`crate::model::names`] that the subject knows is there; what is not
//! known of it is null.

use super::{Line, Order, Shipment, State, Subject};
use crate::model::event::{
    Body, ConsentBasis, ConsentState, Direction, Event, LineItem, LineKind, RefundScope,
};
use crate::model::history::History;
use crate::model::locale;
use crate::model::money::Money;
use crate::model::names::Names;
use crate::model::policy::Policy;
use crate::model::product::{Product, Products};
use crate::model::send::SendState;
use crate::model::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

fn text(value: Option<&str>) -> Value {
    value.map_or(Value::Null, |text| Value::String(text.to_owned()))
}

/// A text that may be null, also where the source sent an empty one.
fn filled(value: Option<&String>) -> Value {
    text(
        value
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty()),
    )
}

fn instant(value: Option<Timestamp>) -> Value {
    value.map_or(Value::Null, |at| Value::String(at.to_string()))
}

fn money(value: Option<&Money>) -> Value {
    value.map_or(
        Value::Null,
        |money| json!({"amount": money.amount, "currency": money.currency}),
    )
}

fn texts(values: &[String]) -> Value {
    Value::Array(
        values
            .iter()
            .map(|text| Value::String(text.clone()))
            .collect(),
    )
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn consent_state(state: ConsentState) -> &'static str {
    match state {
        ConsentState::Subscribed => "subscribed",
        ConsentState::Pending => "pending",
        ConsentState::NotSubscribed => "not_subscribed",
        ConsentState::Unsubscribed => "unsubscribed",
        ConsentState::Unknown => "unknown",
    }
}

fn consent_basis(basis: ConsentBasis) -> &'static str {
    match basis {
        ConsentBasis::Explicit => "explicit",
        ConsentBasis::SoftOptIn => "soft_opt_in",
        ConsentBasis::None => "none",
    }
}

fn line_kind(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Physical => "physical",
        LineKind::Digital => "digital",
        LineKind::Service => "service",
        LineKind::GiftCard => "gift_card",
        LineKind::Unknown => "unknown",
    }
}

impl State {
    /// The values of the names for one subject. `history` gives what was sent and the
    /// payload of the subject's event.
    pub fn names(
        &self,
        policy: &Policy,
        products: &Products,
        history: &History,
        subject: &Subject,
        now: Timestamp,
    ) -> Names {
        let locales = locale::chain(&self.person.locale, policy.fallback.as_deref());
        let show = Show {
            products,
            locales: &locales,
        };
        let mut values = Map::new();
        values.insert("customer".to_owned(), self.customer_values());
        let order = subject.order.as_deref().and_then(|key| self.order(key));
        if let Some(order) = order {
            values.insert("order".to_owned(), show.order(order));
            let line = subject
                .line
                .as_deref()
                .and_then(|line| order.lines.iter().find(|had| had.item.line_id == line));
            if let Some(line) = line {
                let family = subject.family.as_deref();
                values.insert("item".to_owned(), show.item_in(line, None, family));
                values.insert("product".to_owned(), show.product_in(order, line, family));
            }
            let shipment = subject.shipment.as_deref().and_then(|id| {
                order
                    .shipments
                    .iter()
                    .find(|s| s.ids.iter().any(|had| had == id))
            });
            if let Some(shipment) = shipment {
                values.insert("shipment".to_owned(), show.shipment(order, shipment));
            }
        }
        if let Some(event) = subject.event.and_then(|seq| super::event(history, seq)) {
            parts(&show, order, event, &mut values);
        }
        if let Some(variant) = &subject.variant {
            values.insert("variant".to_owned(), text(Some(variant)));
        }
        let items: Vec<Value> = subject
            .items
            .iter()
            .filter_map(|(order, line)| self.line(order, line))
            .map(|line| show.item(line, None))
            .collect();
        values.insert("enrolment".to_owned(), json!({ "items": items }));
        let (owned, bought) = self.possessions(products);
        Names {
            values,
            owned,
            bought,
            out_of_stock: products.out_of_stock(),
            sent: history
                .sends
                .iter()
                .filter(|send| matches!(send.state, SendState::Accepted { .. }))
                .map(|send| send.name())
                .collect(),
            now,
            zone: self.person.zone.clone(),
        }
    }

    fn customer_values(&self) -> Value {
        let person = &self.person;
        let kept: Vec<&Order> = self
            .orders
            .iter()
            .filter(|order| order.paid_at.is_some() && order.lines.iter().any(Line::kept))
            .collect();
        let placed = |order: &&Order| order.snapshot.placed_at;
        object([
            (
                "customer_id",
                text(person.customer_ids.first().map(String::as_str)),
            ),
            ("account", text(Some(&person.account))),
            (
                "email",
                text(Some(
                    person.email.as_ref().map_or("", |email| email.as_typed()),
                )),
            ),
            ("first_name", filled(person.first_name.as_ref())),
            ("last_name", filled(person.last_name.as_ref())),
            ("name", filled(person.name.as_ref())),
            ("locale", text(Some(&person.locale))),
            ("time_zone", text(Some(&person.zone_name))),
            ("country", text(person.country.as_deref())),
            ("region", text(person.region.as_deref())),
            ("tags", texts(&person.tags)),
            (
                "marketing_consent",
                object([
                    ("state", text(Some(consent_state(person.consent.state)))),
                    ("basis", text(Some(consent_basis(person.consent.basis)))),
                ]),
            ),
            ("language", text(Some(&locale::language(&person.locale)))),
            ("orders", Value::from(kept.len())),
            (
                "first_order_at",
                instant(kept.iter().filter_map(placed).min()),
            ),
            (
                "last_order_at",
                instant(kept.iter().filter_map(placed).max()),
            ),
            ("open_ticket", Value::Bool(person.open_ticket)),
            ("open_dispute", Value::Bool(person.open_dispute)),
        ])
    }

    /// Families, SKUs and product ids that the person keeps, and ever bought; a kit
    /// counts as its parts too.
    fn possessions(&self, products: &Products) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut owned = BTreeSet::new();
        let mut bought = BTreeSet::new();
        for order in &self.orders {
            // What never was paid, or was called off, nobody bought.
            if order.paid_at.is_none() || order.cancelled_at.is_some() {
                continue;
            }
            for line in &order.lines {
                let mut names = BTreeSet::new();
                let item = &line.item;
                names.extend(line.tracks.iter().map(|track| track.family.clone()));
                names.extend(item.sku.clone());
                names.extend(item.product_id.clone());
                let (product, sku) = (item.product_id.as_deref(), item.sku.as_deref());
                let kit = match &item.bundle {
                    Some(bundle) => {
                        names.extend(bundle.sku.clone());
                        names.extend(bundle.product_id.clone());
                        products.kit(bundle.product_id.as_deref(), bundle.sku.as_deref())
                    }
                    None => products.kit(product, sku),
                };
                names.extend(kit.map(|kit| kit.id.clone()));
                // A part of a kit keeps its own family, whatever the kit teaches.
                let own = products.family_of(
                    product,
                    sku,
                    &item.tags,
                    &item.categories,
                    item.vendor.as_deref(),
                );
                names.extend(own.map(str::to_owned));
                for part in products.components_of(product, sku) {
                    names.insert(part.sku.clone());
                    let Some((product, _)) = products.variant(&part.sku) else {
                        continue;
                    };
                    names.insert(product.product_id.clone());
                    let family = products.family_of_part(product, &part.sku);
                    names.extend(family.map(str::to_owned));
                }
                if line.kept() {
                    owned.extend(names.iter().cloned());
                }
                bought.extend(names);
            }
        }
        (owned, bought)
    }
}

/// Shows things to one reader.
struct Show<'a> {
    products: &'a Products,
    locales: &'a [String],
}

impl Show<'_> {
    /// The title in the reader's language where the catalogue has one, else as bought.
    fn title<'t>(&'t self, item: &'t LineItem) -> &'t str {
        let product = item
            .product_id
            .as_deref()
            .and_then(|id| self.products.product(id))
            .or_else(|| {
                let (product, _) = self.products.variant(item.sku.as_deref()?)?;
                Some(product)
            });
        product
            .and_then(|product| {
                let mut titles = self.locales.iter().map(|l| product.titles.get(l));
                titles.find_map(|title| title)
            })
            .map_or(item.title.as_str(), String::as_str)
    }

    /// A line, with the parcel's quantity where it is shown inside one.
    fn item(&self, line: &Line, quantity: Option<i64>) -> Value {
        self.item_in(line, quantity, None)
    }

    /// The catalogue entry of the part of a kit that a family stands for, else of the
    /// item itself.
    fn product_in(&self, order: &Order, line: &Line, family: Option<&str>) -> Value {
        let part = family
            .and_then(|family| line.track(Some(family)))
            .and_then(|track| track.part.clone());
        match part {
            None => self.product(order, &line.item),
            Some(part) => {
                let item = LineItem {
                    product_id: Some(part),
                    sku: None,
                    ..line.item.clone()
                };
                self.product(order, &item)
            }
        }
    }

    /// A line as one of its families looks at it.
    fn item_in(&self, line: &Line, quantity: Option<i64>, family: Option<&str>) -> Value {
        let item = &line.item;
        let track = line.track(family);
        let catalogue = item
            .product_id
            .as_deref()
            .and_then(|id| self.products.product(id))
            .or_else(|| {
                let (product, _) = self.products.variant(item.sku.as_deref()?)?;
                Some(product)
            });
        let image = item
            .image_url
            .as_ref()
            .or(catalogue.and_then(|p| p.image_url.as_ref()));
        let url = item
            .product_url
            .as_ref()
            .or(catalogue.and_then(|p| p.product_url.as_ref()));
        let bundle = item.bundle.as_ref().map_or(Value::Null, |bundle| {
            object([
                ("sku", text(bundle.sku.as_deref())),
                ("product_id", text(bundle.product_id.as_deref())),
                ("title", text(bundle.title.as_deref())),
            ])
        });
        let tags = catalogue
            .filter(|p| item.tags.is_empty() && !p.tags.is_empty())
            .map_or(&item.tags, |p| &p.tags);
        let categories = catalogue
            .filter(|p| item.categories.is_empty() && !p.categories.is_empty())
            .map_or(&item.categories, |p| &p.categories);
        object([
            ("line_id", text(Some(&item.line_id))),
            ("product_id", text(item.product_id.as_deref())),
            ("variant_id", text(item.variant_id.as_deref())),
            ("sku", text(item.sku.as_deref())),
            ("title", text(Some(self.title(item)))),
            ("variant_title", filled(item.variant_title.as_ref())),
            ("quantity", Value::from(quantity.unwrap_or(item.quantity))),
            ("current_quantity", Value::from(item.current_quantity)),
            ("unit_price", money(Some(&item.unit_price))),
            ("discount", money(item.discount.as_ref())),
            ("total", money(Some(&item.total))),
            ("vendor", filled(item.vendor.as_ref())),
            ("kind", text(Some(line_kind(item.kind)))),
            (
                "requires_shipping",
                item.requires_shipping.map_or(Value::Null, Value::Bool),
            ),
            ("tags", texts(tags)),
            ("categories", texts(categories)),
            ("image_url", filled(image)),
            ("product_url", filled(url)),
            (
                "catalog_resolved",
                Value::Bool(item.catalog_resolved || catalogue.is_some()),
            ),
            ("bundle", bundle),
            ("family", text(track.map(|track| track.family.as_str()))),
            (
                "families",
                Value::Array(
                    line.tracks
                        .iter()
                        .map(|track| text(Some(&track.family)))
                        .collect(),
                ),
            ),
            (
                "complements",
                texts(&self.products.complements(item, &line.tracks)),
            ),
            ("kept", Value::Bool(line.kept())),
            ("kept_quantity", Value::from(line.kept_quantity)),
            ("dispatched_at", instant(line.dispatched_at)),
            ("delivered", Value::Bool(line.delivered_at.is_some())),
            ("delivered_at", instant(line.delivered_at)),
            (
                "delivery_basis",
                text(line.delivery_basis.map(|basis| basis.as_str())),
            ),
            ("refunded", Value::Bool(line.refunded)),
            ("returned", Value::Bool(line.returned)),
            ("return_open", Value::Bool(line.return_open)),
            ("reviewed", Value::Bool(line.reviewed)),
            (
                "first_in_family",
                Value::Bool(track.is_some_and(|track| track.first)),
            ),
        ])
    }

    fn shipment(&self, order: &Order, shipment: &Shipment) -> Value {
        let items: Vec<Value> = shipment
            .items
            .iter()
            .filter_map(|(id, units)| {
                let line = order.lines.iter().find(|line| line.item.line_id == *id)?;
                Some(self.item(line, Some(*units)))
            })
            .collect();
        let tracking = shipment.tracking.first();
        let direction = if shipment.outbound {
            Direction::Outbound
        } else {
            Direction::Return
        };
        object([
            ("shipment_id", text(Some(&shipment.id))),
            (
                "direction",
                text(Some(match direction {
                    Direction::Outbound => "outbound",
                    Direction::Return => "return",
                })),
            ),
            ("items", Value::Array(items)),
            ("shipped_at", instant(shipment.shipped_at)),
            (
                "estimated_delivery",
                shipment.estimated_delivery.clone().unwrap_or(Value::Null),
            ),
            ("carrier", filled(tracking.and_then(|t| t.carrier.as_ref()))),
            (
                "carrier_name",
                filled(tracking.and_then(|t| t.carrier_name.as_ref())),
            ),
            ("tracking_number", filled(tracking.map(|t| &t.number))),
            (
                "tracking_url",
                filled(tracking.and_then(|t| t.url.as_ref())),
            ),
            ("status", text(Some(shipment.status))),
            ("delivered", Value::Bool(shipment.delivered_at.is_some())),
            ("delivered_at", instant(shipment.delivered_at)),
        ])
    }

    fn order(&self, order: &Order) -> Value {
        let snapshot = &order.snapshot;
        // Lines that an edit took out of the order altogether are no longer part of it.
        let named = |line: &&Line| {
            let id = &line.item.line_id;
            snapshot.line_items.iter().any(|item| item.line_id == *id)
        };
        let items = order.lines.iter().filter(named);
        let to_come = order.lines.iter().filter_map(|line| {
            let units = line.owed_quantity - line.dispatched_quantity;
            (units > 0).then(|| self.item(line, Some(units)))
        });
        let ship_to = snapshot.ship_to.as_ref().map_or(Value::Null, |to| {
            object([
                ("name", filled(to.name.as_ref())),
                ("country", filled(to.country.as_ref())),
                ("region", filled(to.region.as_ref())),
                ("postal_code", filled(to.postal_code.as_ref())),
                ("city", filled(to.city.as_ref())),
            ])
        });
        let subscription = snapshot.subscription.as_ref().map_or(Value::Null, |s| {
            object([
                ("id", text(s.id.as_deref())),
                ("sequence", s.sequence.map_or(Value::Null, Value::from)),
            ])
        });
        let placed_at = snapshot.placed_at;
        object([
            ("order_id", text(Some(&snapshot.order_id))),
            ("order_number", filled(snapshot.order_number.as_ref())),
            ("version", instant(Some(snapshot.version))),
            ("placed_at", instant(placed_at)),
            ("channel", filled(snapshot.channel.as_ref())),
            ("currency", text(Some(&snapshot.currency))),
            ("subtotal", money(snapshot.subtotal.as_ref())),
            ("discount", money(snapshot.discount.as_ref())),
            ("shipping", money(snapshot.shipping.as_ref())),
            ("tax", money(snapshot.tax.as_ref())),
            ("total", money(Some(&snapshot.total))),
            ("shop_total", money(snapshot.shop_total.as_ref())),
            ("payment_status", text(Some(&snapshot.payment_status))),
            (
                "fulfilment_status",
                filled(snapshot.fulfilment_status.as_ref()),
            ),
            ("status_url", filled(snapshot.status_url.as_ref())),
            ("tags", texts(&snapshot.tags)),
            (
                "discount_codes",
                Value::Array(snapshot.discount_codes.clone()),
            ),
            ("shipping_method", filled(snapshot.shipping_method.as_ref())),
            ("ship_to", ship_to),
            ("aliases", texts(&snapshot.aliases)),
            ("subscription", subscription),
            ("replaces", filled(snapshot.replaces.as_ref())),
            ("items", items.map(|line| self.item(line, None)).collect()),
            ("items_to_come", to_come.collect()),
            (
                "shipments",
                order
                    .shipments
                    .iter()
                    .filter(|shipment| shipment.outbound)
                    .map(|shipment| self.shipment(order, shipment))
                    .collect(),
            ),
            ("paid", Value::Bool(order.paid_at.is_some())),
            ("cancelled", Value::Bool(order.cancelled_at.is_some())),
            ("refunded", Value::Bool(order.refunded_at.is_some())),
            ("dispatched", Value::Bool(order.dispatched_at.is_some())),
            ("delivered", Value::Bool(order.delivered_at.is_some())),
            ("paid_at", instant(order.paid_at)),
            ("cancelled_at", instant(order.cancelled_at)),
            ("dispatched_at", instant(order.dispatched_at)),
            ("delivered_at", instant(order.delivered_at)),
            ("gift", Value::Bool(order.gift)),
        ])
    }

    /// The catalogue's entry, or what the line itself says where there is none.
    fn product(&self, order: &Order, item: &LineItem) -> Value {
        let by_sku = item
            .sku
            .as_deref()
            .and_then(|sku| self.products.variant(sku));
        let known: Option<&Product> = item
            .product_id
            .as_deref()
            .and_then(|id| self.products.product(id))
            .or(by_sku.map(|(product, _)| product));
        let price = by_sku.and_then(|(_, variant)| variant.price_in(&order.snapshot.currency));
        let price = price.or_else(|| {
            let variants = known?.variants.iter();
            variants
                .filter_map(|variant| variant.price_in(&order.snapshot.currency))
                .min_by_key(|price| price.amount)
        });
        let id = known.map(|p| &p.product_id).or(item.product_id.as_ref());
        let field = |of: fn(&Product) -> Option<&String>, own: Option<&String>| {
            filled(known.and_then(of).or(own))
        };
        object([
            ("product_id", text(Some(id.map_or("", String::as_str)))),
            ("title", text(Some(self.title(item)))),
            ("vendor", field(|p| p.vendor.as_ref(), item.vendor.as_ref())),
            ("tags", texts(known.map_or(&item.tags, |p| &p.tags))),
            (
                "categories",
                texts(known.map_or(&item.categories, |p| &p.categories)),
            ),
            (
                "image_url",
                field(|p| p.image_url.as_ref(), item.image_url.as_ref()),
            ),
            (
                "product_url",
                field(|p| p.product_url.as_ref(), item.product_url.as_ref()),
            ),
            (
                "status",
                text(Some(match known {
                    Some(product) => product.status.as_deref().unwrap_or("active"),
                    None => "unknown",
                })),
            ),
            ("related", texts(known.map_or(&[], |p| &p.related))),
            (
                "replenish_days",
                self.products
                    .lasts(item.product_id.as_deref(), item.sku.as_deref())
                    .map_or(Value::Null, |(_, days)| Value::from(days)),
            ),
            ("price", money(price.as_ref())),
        ])
    }
}

/// The parts that an event itself carries.
fn parts(show: &Show<'_>, order: Option<&Order>, event: &Event, values: &mut Map<String, Value>) {
    let body: &Body = &event.body;
    // Events name lines; readers know what they bought by its title.
    let item = |id: Option<&str>, sku: Option<&str>, quantity: i64| {
        let lines = &order?.lines;
        let line = lines
            .iter()
            .find(|line| Some(line.item.line_id.as_str()) == id)
            .or_else(|| {
                lines
                    .iter()
                    .find(|line| sku.is_some() && line.item.sku.as_deref() == sku)
            })?;
        Some(show.item(line, Some(quantity)))
    };
    let mut put = |name: &str, value: Value| {
        values.insert(name.to_owned(), value);
    };
    if let Some(refund) = &body.refund {
        let items: Vec<Value> = (refund.items.iter())
            .filter_map(|had| item(Some(&had.line_id), had.sku.as_deref(), had.quantity))
            .collect();
        put(
            "refund",
            object([
                ("refund_id", text(Some(&refund.refund_id))),
                ("amount", money(Some(&refund.amount))),
                ("refunded_total", money(refund.refunded_total.as_ref())),
                (
                    "scope",
                    text(Some(match refund.scope {
                        RefundScope::Partial => "partial",
                        RefundScope::Full => "full",
                        RefundScope::Unknown => "unknown",
                    })),
                ),
                ("reason", filled(refund.reason.as_ref())),
                ("items", Value::Array(items)),
                ("return_id", filled(refund.return_id.as_ref())),
            ]),
        );
    }
    if let Some(cancel) = &body.cancel {
        put(
            "cancel",
            object([
                (
                    "reason",
                    text(Some(cancel.reason.as_deref().unwrap_or("other"))),
                ),
                ("cancelled_at", instant(Some(cancel.cancelled_at))),
            ]),
        );
    }
    if let Some(return_) = &body.return_ {
        put(
            "return",
            object([
                ("return_id", text(Some(&return_.return_id))),
                ("name", filled(return_.name.as_ref())),
                ("status", text(Some(&return_.status))),
                ("reason", filled(return_.reason.as_ref())),
                (
                    "items",
                    (return_.items.iter())
                        .filter_map(|had| {
                            item(had.line_id.as_deref(), had.sku.as_deref(), had.quantity)
                        })
                        .collect(),
                ),
            ]),
        );
    }
    if let Some(dispute) = &body.dispute {
        put(
            "dispute",
            object([
                ("dispute_id", text(Some(&dispute.dispute_id))),
                ("reason", filled(dispute.reason.as_ref())),
                ("amount", money(dispute.amount.as_ref())),
                ("outcome", filled(dispute.outcome.as_ref())),
            ]),
        );
    }
    if let Some(review) = &body.review {
        put(
            "review",
            object([
                ("review_id", text(Some(&review.review_id))),
                ("platform", text(Some(&review.platform))),
                ("rating", review.rating.map_or(Value::Null, Value::from)),
                ("product_id", filled(review.product_id.as_ref())),
                ("kind", filled(review.kind.as_ref())),
            ]),
        );
    }
    if let Some(ticket) = &body.ticket {
        put(
            "ticket",
            object([
                ("ticket_id", text(Some(&ticket.ticket_id))),
                ("status", text(Some(&ticket.status))),
                ("channel", filled(ticket.channel.as_ref())),
                ("tags", texts(&ticket.tags)),
            ]),
        );
    }
    let inside = |part: Option<&Value>, name: &str| {
        part.and_then(|part| part.get(name))
            .cloned()
            .unwrap_or(Value::Null)
    };
    if body.shipment.is_some() {
        let failure = body.failure.as_ref();
        put(
            "failure",
            object([
                ("attempt", inside(failure, "attempt")),
                ("reason", inside(failure, "reason")),
            ]),
        );
        // It stands beside the shipment, or in it.
        let pickup = body
            .pickup
            .as_ref()
            .or(body.shipment.as_ref().and_then(|s| s.pickup.as_ref()));
        put(
            "pickup",
            object([
                ("name", inside(pickup, "name")),
                ("until", inside(pickup, "until")),
            ]),
        );
    }
}
