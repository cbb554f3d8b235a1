//! What tables of orders come to, row by row.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::event::EventKind;
use crate::model::platform::Platform;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The facts of a table that holds one order.
fn facts(form: Form, platform: Platform, text: &str) -> Result<Vec<Event>, Unreadable> {
    let mut lines = text.lines().map(|line| {
        let cells = line.split(',');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let header = lines.next().unwrap();
    let mut source = Source::new("shop", platform);
    source.origin = Some("/test/shop".to_owned());
    let table = Table::new(form, &header, source).unwrap();
    let rows: Vec<Row> = lines
        .zip(2..)
        .map(|(cells, line)| Row { line, cells })
        .collect();
    let first = table.order_of(&rows[0]).unwrap().to_owned();
    assert!(rows.iter().all(|row| table.order_of(row) == Some(&first)));
    table.facts(&rows, |_| IngestMode::Backfill, at("2026-06-01T00:00:00Z"))
}

fn names(of: &[Event]) -> Vec<(&str, String)> {
    of.iter()
        .map(|event| (event.id.as_str(), event.time.to_string()))
        .collect()
}

const SHOPIFY: &str = "\u{feff}Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Taxes,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem requires shipping,Lineitem fulfillment status,Shipping Name,Shipping Zip,Shipping Country,Cancelled at,Vendor,Id,Lineitem discount
#1042,ann@example.com,paid,2026-03-02 10:14:08 -0500,fulfilled,2026-03-03 09:00:00 -0500,yes,USD,110.00,0.00,99.00,11.00,2026-03-02 10:14:07 -0500,1,Camera,90.00,CAM-1,true,fulfilled,Ann Lee,'01234,US,,Acme,5550001112223,11.00
#1042,ann@example.com,,,,,,,,,,,2026-03-02 10:14:07 -0500,2,Strap,10.00,STR-1,true,fulfilled,,,,,Acme,,0.00";

#[test]
fn shopify_rows_are_the_facts_that_its_webhooks_name() {
    let told = facts(Form::Shopify, Platform::Shopify, SHOPIFY).unwrap();
    assert_eq!(
        names(&told),
        [
            ("order/5550001112223/placed", "2026-03-02T15:14:07Z".into()),
            ("order/5550001112223/paid", "2026-03-02T15:14:07Z".into()),
            (
                "shipment/order:5550001112223/dispatched",
                "2026-03-03T14:00:00Z".into()
            ),
        ]
    );
    assert!(told.iter().all(|event| event.mode == IngestMode::Backfill));
    let order = told[0].body.order.as_ref().unwrap();
    assert_eq!(order.total.amount, 9900);
    let lines: Vec<_> = order
        .line_items
        .iter()
        .map(|line| (line.title.as_str(), line.quantity, line.total.amount))
        .collect();
    assert_eq!(lines, [("Camera", 1, 7900), ("Strap", 2, 2000)]);
    let who = told[0].body.customer.as_ref().unwrap();
    assert_eq!(who.first_name.as_deref(), Some("Ann"));
    assert_eq!(who.country.as_deref(), Some("US"));
    let to = order.ship_to.as_ref().unwrap();
    assert_eq!(to.postal_code.as_deref(), Some("01234"));
    let consent = who.marketing_consent.as_ref().unwrap();
    assert_eq!(consent.source, "shopify:orders.buyer_accepts_marketing");
}

#[test]
fn an_id_that_a_spreadsheet_rounded_is_refused() {
    let rounded = SHOPIFY.replace("5550001112223", "5.55E+12");
    let bad = facts(Form::Shopify, Platform::Shopify, &rounded).unwrap_err();
    assert!(bad.because.contains("spreadsheet"), "{bad:?}");
    // An order number may hold an E.
    assert_eq!(whole_id("17E", "Id").as_deref(), Ok("17E"));
    assert_eq!(whole_id("CODE+1", "Id").as_deref(), Ok("CODE+1"));
    assert!(whole_id("5E+12", "Id").is_err());
}

const WOO: &str = "order_id,order_number_formatted,date,status,order_total,order_currency,customer_id,billing_first_name,billing_email,billing_country,shipping_country,item_id,item_product_id,item_name,item_sku,item_quantity,item_subtotal,item_total
727,727,2026-02-10 19:22:44,completed,59.00,EUR,3,Ann,ann@example.com,DE,DE,31,93,Camera,CAM-1,1,50.00,50.00
727,727,2026-02-10 19:22:44,completed,59.00,EUR,3,Ann,ann@example.com,DE,DE,32,94,Strap,STR-1,1,9.00,9.00";

#[test]
fn woocommerce_rows_an_item_or_an_order_say_the_same() {
    let told = facts(Form::WooCommerce, Platform::WooCommerce, WOO).unwrap();
    assert_eq!(
        names(&told),
        [
            ("order/727/placed", "2026-02-10T19:22:44Z".into()),
            ("order/727/paid", "2026-02-10T19:22:44Z".into()),
        ]
    );
    let one = "order_id,order_number_formatted,date,status,order_total,order_currency,customer_id,billing_first_name,billing_email,billing_country,shipping_country,line_items
727,727,2026-02-10 19:22:44,completed,59.00,EUR,3,Ann,ann@example.com,DE,DE,id:31|name:Camera|product_id:93|sku:CAM-1|quantity:1|subtotal:50.00|total:50.00;id:32|name:Strap|product_id:94|sku:STR-1|quantity:1|subtotal:9.00|total:9.00";
    let whole = facts(Form::WooCommerce, Platform::WooCommerce, one).unwrap();
    assert_eq!(told, whole);
    let refunded = facts(
        Form::WooCommerce,
        Platform::WooCommerce,
        &WOO.replace("completed", "refunded"),
    );
    let refunded = refunded.unwrap();
    assert_eq!(
        refunded.last().map(|one| one.kind),
        Some(EventKind::RefundIssued)
    );
}

#[test]
fn columns_are_read_by_our_names_or_by_a_mapping() {
    let own = "order_id,placed_at,email,currency,sku,title,quantity,price,shipped_at,delivered_at
A1,2026-02-01T10:00:00Z,ann@example.com,EUR,CAM,Camera,2,24.90,2026-02-02T10:00:00Z,2026-02-04T10:00:00Z";
    let form = Form::of_header(
        &own.lines()
            .next()
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    );
    let told = facts(form.unwrap(), Platform::Shopify, own).unwrap();
    let mapping = Mapping::read(
        r#"
        time_zone = "Europe/Berlin"
        time_format = "%d.%m.%Y %H:%M"
        decimal_comma = true
        [columns]
        order_id = "Bestellung"
        placed_at = "Datum"
        email = "E-Mail"
        sku = "Artikel"
        title = "Name"
        quantity = "Menge"
        price = "Preis"
        shipped_at = "Versand"
        delivered_at = "Zustellung"
        [values]
        currency = "EUR"
        "#,
    );
    let theirs = "Bestellung,Datum,E-Mail,Artikel,Name,Menge,Preis,Versand,Zustellung
A1,01.02.2026 11:00,ann@example.com,CAM,Camera,2,24!90,02.02.2026 11:00,04.02.2026 11:00";
    let form = Form::Columns(Box::new(mapping.unwrap()));
    let mapped = facts(
        form.clone(),
        Platform::Shopify,
        &theirs.replace('!', "\u{2c}").replace("24,90", "2.490"),
    );
    // The splitter of this test knows no quotes: 2.490 is 2490 in this notation.
    let mapped = mapped.unwrap();
    assert_eq!(names(&mapped), names(&told));
    let total = |of: &[Event]| of[0].body.order.as_ref().unwrap().total.amount;
    assert_eq!((total(&told), total(&mapped)), (4980, 498_000));
    let late = theirs
        .replace('!', ".")
        .replace("01.02.2026 11:00", "2026-02-01");
    let bad = facts(form, Platform::Shopify, &late).unwrap_err();
    assert_eq!(bad.reason, "bad_time");
}

#[test]
fn a_mapping_that_is_wrong_says_what_was_meant() {
    let read = |text: &str| Mapping::read(text).unwrap_err();
    assert_eq!(
        read("[columns]\norder_idd = \"x\""),
        MappingError::Field {
            found: "order_idd".into(),
            near: Some("order_id".into())
        }
    );
    assert_eq!(
        read("[columns]\norder_id = \"x\"\nplaced_at = \"y\"\nemail = \"z\""),
        MappingError::Missing("currency".into())
    );
    assert!(matches!(read("colums = 1"), MappingError::Syntax(_)));
}

#[test]
fn headers_tell_the_form_and_what_is_missing() {
    let header = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        Form::of_header(&header(SHOPIFY.lines().next().unwrap())),
        Some(Form::Shopify)
    );
    assert_eq!(
        Form::of_header(&header(WOO.lines().next().unwrap())),
        Some(Form::WooCommerce)
    );
    assert_eq!(Form::of_header(&header("a,b,c")), None);
    let source = || Source::new("shop", Platform::Shopify);
    assert!(matches!(
        Table::new(Form::Shopify, &header("Name,Email"), source()),
        Err(HeaderError::Missing { column, .. }) if column == "created at"
    ));
    let twice = "order_id,placed_at,email,currency,email";
    assert!(matches!(
        Table::new(Form::Columns(Box::default()), &header(twice), source()),
        Err(HeaderError::Twice { column }) if column == "email"
    ));
}

const COLUMNS: &str = "order_id,placed_at,email,currency,sku,title,quantity,price,shipped_at,delivered_at,total,carrier,tracking_number,country,consent,tags,line_id,kind,test
A1,2026-02-01T10:00:00Z,ann@example.com,EUR,CAM,Camera,2,24.90,2026-02-02T10:00:00Z,2026-02-04T10:00:00Z,58.80,dhl,JJD1,DE,yes,a;b,1,physical,no
A1,2026-02-01T10:00:00Z,ann@example.com,EUR,STR,Strap,1,9.00,,,,,,,,,2,,";

/// Mutations of each form in an ordinary run; `AFTERCARE_TEST_MUTATIONS` sets another number for
/// each form.
const MUTATIONS: usize = 600;

/// Disturbs cells, rows and columns of tables of every form.
#[test]
fn no_table_that_somebody_exports_makes_it_panic() {
    use super::super::tests::fuzz::{Dice, odd};
    let asked = std::env::var("AFTERCARE_TEST_MUTATIONS").ok();
    let rounds = asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(MUTATIONS);
    for (nth, (form, platform, text)) in [
        (Form::Shopify, Platform::Shopify, SHOPIFY),
        (Form::WooCommerce, Platform::WooCommerce, WOO),
        (Form::Columns(Box::default()), Platform::Generic, COLUMNS),
    ]
    .into_iter()
    .enumerate()
    {
        let good: Vec<Vec<String>> = text
            .lines()
            .map(|line| line.split(',').map(|cell| cell.trim().to_owned()).collect())
            .collect();
        let mut dice = Dice(nth as u64);
        let mut read = 0;
        for _ in 0..rounds {
            let mut table = good.clone();
            for _ in 0..=dice.below(4) {
                let row = dice.below(table.len());
                let cells = table[row].len();
                if cells == 0 {
                    continue;
                }
                let cell = dice.below(cells);
                match dice.below(8) {
                    0 => {
                        table[row].remove(cell);
                    }
                    1 => {
                        let copy = table[row].clone();
                        table.push(copy);
                    }
                    2 => {
                        let other = dice.below(cells);
                        table[row].swap(cell, other);
                    }
                    3 => table[row].truncate(cell),
                    _ => {
                        let value = odd(&mut dice);
                        table[row][cell] = match value {
                            Value::String(text) => text,
                            other => other.to_string(),
                        };
                    }
                }
            }
            let mut source = Source::new("shop", platform);
            source.origin = Some("/test/shop".to_owned());
            let header = table.remove(0);
            let Ok(reader) = Table::new(form.clone(), &header, source) else {
                continue;
            };
            let rows: Vec<Row> = table
                .into_iter()
                .zip(2..)
                .map(|(cells, line)| Row { line, cells })
                .collect();
            let Some(first) = rows.first() else {
                continue;
            };
            let _ = reader.order_of(first);
            let told = reader.facts(&rows, |_| IngestMode::Backfill, at("2026-06-01T00:00:00Z"));
            match told {
                Ok(events) => {
                    read += 1;
                    assert!(events.len() <= 16 + rows.len() * 8);
                    assert!(
                        events
                            .iter()
                            .all(|event| event.mode == IngestMode::Backfill)
                    );
                }
                Err(bad) => assert!(!bad.because.is_empty()),
            }
        }
        assert!(read > 0, "nothing of {} was read", form.as_str());
    }
}
