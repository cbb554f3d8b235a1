//! The keys of the feed's rows: a file that machines write, in JSON.

use super::{Shape, Table, may, must};

/// Largest number that a row may hold.
const MOST: i64 = 1_000_000_000_000;

pub static FEED: Table = Table {
    title: "one row of the feed",
    about: "A JSON list of the shop's products, one row for each variant; `feed` in catalog.toml names the file.",
    keys: &[
        must(
            "product_id",
            Shape::Text,
            "The shop's id of the product; variants share it.",
            "\"P-100\"",
        ),
        may(
            "sku",
            Shape::Text,
            "The SKU of the variant; each once.",
            "none",
            "\"CAM-1\"",
        ),
        may(
            "variant_id",
            Shape::Text,
            "The shop's id of the variant.",
            "none",
            "\"V-1\"",
        ),
        may(
            "variant_title",
            Shape::Text,
            "Which variant, in words.",
            "none",
            "\"Black\"",
        ),
        may(
            "title",
            Shape::Text,
            "The name, where there is one for all languages.",
            "the first of `titles`",
            "\"Camera\"",
        ),
        may(
            "titles",
            Shape::Table(&TITLES),
            "The name by language.",
            "`title` for all",
            "{ \"en\": \"Camera\", \"de\": \"Kamera\" }",
        ),
        may(
            "kind",
            Shape::OneOf(&["physical", "digital", "service", "gift_card", "unknown"]),
            "What it is.",
            "as the order says",
            "\"physical\"",
        ),
        may(
            "tags",
            Shape::Texts,
            "Tags; families match by them.",
            "none",
            "[\"dslr\"]",
        ),
        may(
            "categories",
            Shape::Texts,
            "Categories; families match by them.",
            "none",
            "[\"cameras\"]",
        ),
        may(
            "vendor",
            Shape::Text,
            "Who makes it.",
            "none",
            "\"Nordlicht\"",
        ),
        may(
            "prices",
            Shape::Table(&PRICES),
            "Prices by currency, in its smallest unit.",
            "none",
            "{ \"EUR\": 94900 }",
        ),
        may(
            "image_url",
            Shape::Text,
            "A picture.",
            "none",
            "\"https://shop.example.com/cam.jpg\"",
        ),
        may(
            "product_url",
            Shape::Text,
            "Its page in the shop.",
            "none",
            "\"https://shop.example.com/cam\"",
        ),
        may(
            "related",
            Shape::Texts,
            "Ids of products that go with it.",
            "none",
            "[\"P-200\"]",
        ),
        may(
            "components",
            Shape::Tables(&COMPONENT),
            "What a kit is made of.",
            "no kit",
            "[{ \"sku\": \"BODY\", \"quantity\": 1 }]",
        ),
        may(
            "bundle",
            Shape::Any,
            "How the source sends a kit; what it is made of is in `components`.",
            "none",
            "\"single_line\"",
        ),
        may(
            "status",
            Shape::Text,
            "`active`, `draft`, `archived`, `out_of_stock` and others.",
            "`active`",
            "\"active\"",
        ),
        may(
            "replenish_days",
            Shape::Number(1, 36_500),
            "After how many days one unit is used up.",
            "never",
            "30",
        ),
        may(
            "inventory_quantity",
            Shape::Number(-1_000_000_000, 1_000_000_000),
            "How many there are.",
            "not known",
            "12",
        ),
        may(
            "available",
            Shape::Flag,
            "Whether it can be bought now.",
            "by the number",
            "true",
        ),
    ],
    others: None,
};
pub static TITLES: Table = Table {
    title: "titles",
    about: "By language.",
    keys: &[],
    others: Some(&Shape::Text),
};
pub static PRICES: Table = Table {
    title: "prices",
    about: "By currency (ISO 4217), in its smallest unit.",
    keys: &[],
    others: Some(&Shape::Number(0, MOST)),
};
pub static COMPONENT: Table = Table {
    title: "components",
    about: "What a kit is made of.",
    keys: &[
        must("sku", Shape::Text, "The SKU of the part.", "\"BODY\""),
        may(
            "quantity",
            Shape::Number(1, 1_000_000),
            "How many of it.",
            "1",
            "2",
        ),
    ],
    others: None,
};
