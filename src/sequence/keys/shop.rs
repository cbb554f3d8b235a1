//! Keys of the shop: policy, people, catalogue.

use super::{ALLOW, RULES, Shape, Table, may, must};
use crate::sequence::shelves::MAX_PARTS;

/// `config/store.toml`.
pub static STORE: Table = Table {
    title: "config/store.toml",
    about: "The shop's policy: what holds for every sequence.",
    keys: &[
        must(
            "id",
            Shape::Form("^[a-z0-9-]{1,40}$"),
            "The shop's name for machines; never change it: links in mails are signed with it.",
            "\"harbor-pine\"",
        ),
        must(
            "name",
            Shape::Text,
            "The shop's name for people.",
            "\"Harbor & Pine\"",
        ),
        must(
            "url",
            Shape::Form("^https?://"),
            "The shop's address on the web.",
            "\"https://shop.example.com\"",
        ),
        must(
            "address",
            Shape::Text,
            "The postal address in the footer of mails.",
            "\"12 Quay Street, 20457 Hamburg\"",
        ),
        must(
            "zone",
            Shape::Text,
            "The zone of customers whose own nobody knows.",
            "\"Europe/Berlin\"",
        ),
        must(
            "locales",
            Shape::Texts,
            "Languages; the first serves those not listed.",
            "[\"en\", \"de\"]",
        ),
        may(
            "fallback",
            Shape::Text,
            "The language that stands in for missing translations.",
            "none: missing ones are errors",
            "\"en\"",
        ),
        may(
            "brand",
            Shape::Text,
            "The brand of mails that name none: a folder of templates/brands.",
            "none",
            "\"lantern\"",
        ),
        may(
            "live_since",
            Shape::Instant,
            "Facts from before are history only.",
            "none are",
            "2026-01-17T00:00:00Z",
        ),
        may(
            "enrol_max_age",
            Shape::Table(&AGES),
            "Older facts let nobody in.",
            "{ fulfilment = \"7d\", others = \"30d\" }",
            "{ fulfilment = \"7d\", others = \"30d\" }",
        ),
        may(
            "test_recipients",
            Shape::Texts,
            "The only addresses that get mail about test orders.",
            "[]",
            "[\"me@example.com\"]",
        ),
        may(
            "ticket_cool_down",
            Shape::Length,
            "How long a closed ticket, or a declined return, still holds asks.",
            "\"3d\"",
            "\"3d\"",
        ),
        ALLOW,
        may(
            "campaign",
            Shape::Table(&CAMPAIGN),
            "What links in mails say to the shop's statistics.",
            "utm_source, utm_medium, utm_campaign and utm_content",
            "[campaign]",
        ),
        may(
            "hours",
            Shape::Table(&HOURS),
            "When mail may go, in the customer's zone.",
            "always",
            "[hours]",
        ),
        may(
            "holidays",
            Shape::Table(&HOLIDAYS),
            "Days on which nobody works, for `bd`.",
            "none",
            "[holidays]",
        ),
        may(
            "limits",
            Shape::Table(&LIMITS),
            "How much one person gets, fulfilment apart.",
            "none",
            "[limits]",
        ),
        may(
            "earn",
            Shape::Table(&EARN),
            "What an ask costs in education mails.",
            "nothing",
            "[earn]",
        ),
        may(
            "delivery",
            Shape::Table(&DELIVERY),
            "When silence counts as delivered.",
            "never",
            "[[delivery.assume]]",
        ),
        may(
            "consent",
            Shape::Table(&CONSENT),
            "What each kind needs, by country.",
            "a careful reading for the EU",
            "[consent]",
        ),
    ],
    others: None,
};
pub static CAMPAIGN: Table = Table {
    title: "[campaign]",
    about: "The parameters that links in mails carry; `{sequence}`, `{step}` and `{locale}` are filled in, and an empty text leaves one out.",
    keys: &[
        may(
            "source",
            Shape::Text,
            "utm_source.",
            "\"aftercare\"",
            "\"newsletter\"",
        ),
        may(
            "medium",
            Shape::Text,
            "utm_medium.",
            "\"email\"",
            "\"email\"",
        ),
        may(
            "campaign",
            Shape::Text,
            "utm_campaign.",
            "\"{sequence}\"",
            "\"care-{sequence}\"",
        ),
        may(
            "content",
            Shape::Text,
            "utm_content.",
            "\"{step}\"",
            "\"{step}\"",
        ),
        may("term", Shape::Text, "utm_term.", "\"\"", "\"{locale}\""),
        may(
            "hosts",
            Shape::OneOf(&["all", "shop"]),
            "Whether links to other hosts than the shop's carry them too.",
            "\"all\"",
            "\"shop\"",
        ),
    ],
    others: None,
};
pub static AGES: Table = Table {
    title: "enrol_max_age",
    about: "How old a fact may be that lets somebody in.",
    keys: &[
        may(
            "fulfilment",
            Shape::Length,
            "For fulfilment.",
            "\"7d\"",
            "\"7d\"",
        ),
        may(
            "others",
            Shape::Length,
            "For all else.",
            "\"30d\"",
            "\"30d\"",
        ),
    ],
    others: None,
};
pub static HOURS: Table = Table {
    title: "[hours]",
    about: "When mail may go, in the customer's zone.",
    keys: &[
        must("open", Shape::Time, "From.", "\"08:00\""),
        must("close", Shape::Time, "To.", "\"20:00\""),
        may(
            "days",
            Shape::Text,
            "On these days.",
            "every day",
            "\"Mon-Sat\"",
        ),
        may(
            "except",
            Shape::Texts,
            "Kinds that go at any hour.",
            "[]",
            "[\"fulfilment\"]",
        ),
    ],
    others: None,
};
pub static HOLIDAYS: Table = Table {
    title: "[holidays]",
    about: "Days on which nobody works.",
    keys: &[
        may(
            "country",
            Shape::Text,
            "Whose public holidays, for customers whose country has none here.",
            "the customer's",
            "\"DE\"",
        ),
        may(
            "closed",
            Shape::Days,
            "Days on which this shop is closed besides.",
            "[]",
            "[2026-12-24]",
        ),
    ],
    others: None,
};
pub static LIMITS: Table = Table {
    title: "[limits]",
    about: "How much one person gets from all sequences together, fulfilment apart.",
    keys: &[
        may(
            "per_day",
            Shape::Number(1, 1000),
            "Mails a calendar day.",
            "no limit",
            "1",
        ),
        may(
            "per_week",
            Shape::Number(1, 1000),
            "Mails in seven days.",
            "no limit",
            "3",
        ),
        may(
            "asks",
            Shape::Table(&ASKS),
            "Surveys and reviews together.",
            "no limit",
            "{ at_most = 2, within = \"30d\" }",
        ),
        may(
            "when_over",
            Shape::Length,
            "Put off at most so long, then skipped.",
            "by `late`",
            "\"5d\"",
        ),
    ],
    others: None,
};
pub static ASKS: Table = Table {
    title: "asks",
    about: "How many asks one person gets.",
    keys: &[
        must("at_most", Shape::Number(0, 1000), "So many.", "2"),
        must("within", Shape::Length, "In so many days.", "\"30d\""),
    ],
    others: None,
};
pub static EARN: Table = Table {
    title: "[earn]",
    about: "How many education mails must have reached somebody before an ask.",
    keys: &[
        may(
            "survey",
            Shape::Number(0, 1000),
            "Before a survey.",
            "0",
            "1",
        ),
        may(
            "review",
            Shape::Number(0, 1000),
            "Before a review.",
            "0",
            "2",
        ),
    ],
    others: None,
};
pub static DELIVERY: Table = Table {
    title: "[delivery]",
    about: "When silence counts as delivered.",
    keys: &[
        may(
            "learn",
            Shape::Flag,
            "Whether silent parcels take as long as the shop's own took on the same way before. Ways of which too little is known go by the rows.",
            "false",
            "true",
        ),
        may(
            "assume",
            Shape::Tables(&ASSUME),
            "The first row that matches counts.",
            "none",
            "[[delivery.assume]]",
        ),
    ],
    others: None,
};
pub static ASSUME: Table = Table {
    title: "[[delivery.assume]]",
    about: "Dispatched, and no more heard.",
    keys: &[
        must(
            "to",
            Shape::Form("^([A-Z]{2}|\\*)$"),
            "The country, or `*` for any.",
            "\"DE\"",
        ),
        must(
            "after",
            Shape::Length,
            "Delivered after so long.",
            "\"4bd\"",
        ),
    ],
    others: None,
};
pub static CONSENT: Table = Table {
    title: "[consent]",
    about: "What each kind needs, by the customer's country, then `default`.",
    keys: &[],
    others: Some(&Shape::Table(&CONSENT_ROW)),
};
pub static CONSENT_ROW: Table = Table {
    title: "a row of [consent]",
    about: "What each kind needs.",
    keys: &[
        may(
            "fulfilment",
            Shape::OneOf(&["none"]),
            "Always none.",
            "\"none\"",
            "\"none\"",
        ),
        may(
            "education",
            RULES,
            "Help with what was bought.",
            "\"opt_out\"",
            "\"opt_out\"",
        ),
        may(
            "survey",
            RULES,
            "Questions.",
            "\"soft_opt_in\"",
            "\"opt_in\"",
        ),
        may(
            "review",
            RULES,
            "Requests for a public review.",
            "\"soft_opt_in\"",
            "\"opt_in\"",
        ),
        may(
            "offer",
            RULES,
            "Something else to buy.",
            "\"soft_opt_in\"",
            "\"opt_in\"",
        ),
    ],
    others: None,
};

/// `config/people.toml`.
pub static PEOPLE: Table = Table {
    title: "config/people.toml",
    about: "Who signs mails and who answers.",
    keys: &[ALLOW],
    others: Some(&Shape::Table(&PERSON)),
};
pub static PERSON: Table = Table {
    title: "[aya]",
    about: "Somebody who signs mails; the name of the table is what `from` says.",
    keys: &[
        must(
            "name",
            Shape::Text,
            "As customers read it.",
            "\"Aya Tanaka\"",
        ),
        must(
            "email",
            Shape::Form("@"),
            "The From.",
            "\"aya@shop.example.com\"",
        ),
        may(
            "reply_to",
            Shape::Form("@"),
            "Where answers go.",
            "the same",
            "\"help@shop.example.com\"",
        ),
        may(
            "away",
            Shape::Tables(&AWAY),
            "When somebody else signs.",
            "never",
            "[[aya.away]]",
        ),
    ],
    others: None,
};
pub static AWAY: Table = Table {
    title: "[[aya.away]]",
    about: "Days on which somebody else signs.",
    keys: &[
        must("from", Shape::Day, "The first day.", "2026-12-20"),
        must("to", Shape::Day, "The last day.", "2027-01-06"),
        may("stand_in", Shape::Text, "Who signs then.", "", "\"ben\""),
    ],
    others: None,
};

/// `config/catalog.toml`.
pub static CATALOG: Table = Table {
    title: "config/catalog.toml",
    about: "Product families, and where products come from.",
    keys: &[
        may(
            "feed",
            Shape::Text,
            "A file of products in config/.",
            "none: products come as events",
            "\"catalog.json\"",
        ),
        may(
            "default",
            Shape::Text,
            "The family of what matches none; that family needs no `match`.",
            "none",
            "\"general\"",
        ),
        may(
            "unresolved",
            Shape::Table(&UNRESOLVED),
            "What becomes of a product that nobody knows.",
            "waited for, three days at most",
            "{ wait = \"3d\" }",
        ),
        ALLOW,
        may(
            "family",
            Shape::Table(&FAMILIES),
            "Groups of products.",
            "none",
            "[family.dslr]",
        ),
        may(
            "kit",
            Shape::Table(&KITS),
            "Several things under one SKU.",
            "none",
            "[kit.starter]",
        ),
    ],
    others: None,
};
pub static UNRESOLVED: Table = Table {
    title: "unresolved",
    about: "What becomes of a product that nobody knows.",
    keys: &[must(
        "wait",
        Shape::Length,
        "How long its mails wait for the catalogue; then the default family counts.",
        "\"3d\"",
    )],
    others: None,
};
pub static KITS: Table = Table {
    title: "[kit]",
    about: "Kits by name.",
    keys: &[],
    others: Some(&Shape::Table(&KIT)),
};
pub static KIT: Table = Table {
    title: "[kit.starter]",
    about: "Several things under one SKU.",
    keys: &[
        must(
            "match",
            Shape::Table(&KIT_MATCH),
            "Which products it is.",
            "{ skus = [\"KIT-1\"] }",
        ),
        may(
            "track",
            Shape::OneOf(&["parts", "kit"]),
            "Whether its buyer is helped with each part, or with the kit as one thing.",
            "\"parts\"",
            "\"kit\"",
        ),
        may(
            "components",
            Shape::Table(&COMPONENTS),
            "What is in it.",
            "what the product says",
            "{ DRP-01 = 1, FLT-02 = 2 }",
        ),
        may(
            "complements",
            Shape::Texts,
            "Families, SKUs or products that go well with it, best first.",
            "[]",
            "[\"grinder\"]",
        ),
    ],
    others: None,
};
pub static KIT_MATCH: Table = Table {
    title: "match of a kit",
    about: "A product is the kit where either of these holds.",
    keys: &[
        may("skus", Shape::Texts, "SKUs.", "[]", "[\"KIT-1\"]"),
        may(
            "products",
            Shape::Texts,
            "Product ids.",
            "[]",
            "[\"P-KIT\"]",
        ),
    ],
    others: None,
};
pub static COMPONENTS: Table = Table {
    title: "components",
    about: "SKUs, and how many of each.",
    keys: &[],
    others: Some(&Shape::Number(1, MAX_PARTS)),
};
pub static FAMILIES: Table = Table {
    title: "[family]",
    about: "Families by name; the first that matches wins.",
    keys: &[],
    others: Some(&Shape::Table(&FAMILY)),
};
pub static FAMILY: Table = Table {
    title: "[family.dslr]",
    about: "A group of products that need the same help.",
    keys: &[
        may(
            "match",
            Shape::Table(&MATCH),
            "Which products belong to it.",
            "an error, except in the `default` family",
            "{ tags = [\"dslr\"] }",
        ),
        may(
            "complements",
            Shape::Texts,
            "Families, SKUs or products that go well with it, best first.",
            "[]",
            "[\"tripod\"]",
        ),
    ],
    others: None,
};
pub static MATCH: Table = Table {
    title: "match",
    about: "A product belongs where any of these holds: SKU before product, tag, category, vendor.",
    keys: &[
        may("skus", Shape::Texts, "SKUs.", "[]", "[\"AUR-D80-BODY\"]"),
        may(
            "products",
            Shape::Texts,
            "Product ids.",
            "[]",
            "[\"P-AUR-D80\"]",
        ),
        may("tags", Shape::Texts, "Tags.", "[]", "[\"dslr\"]"),
        may(
            "categories",
            Shape::Texts,
            "Categories.",
            "[]",
            "[\"Cameras\"]",
        ),
        may(
            "vendors",
            Shape::Texts,
            "Vendors.",
            "[]",
            "[\"Aurora Optics\"]",
        ),
    ],
    others: None,
};
