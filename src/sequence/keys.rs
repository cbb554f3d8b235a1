//! Every key of every file that people write, once: its type, what it means, what it is
//! where it is left out. JSON Schemas, the reference and the canonical order of keys are
//! made from these tables; a test holds the readers to them. Nothing here reads a file.

/// A table of a file.
#[derive(Debug)]
pub struct Table {
    /// What it is called in documentation: `[[step]]`.
    pub title: &'static str,
    pub about: &'static str,
    /// In canonical order.
    pub keys: &'static [Key],
    /// What names that the author chooses hold, where the table has such.
    pub others: Option<&'static Shape>,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub must: bool,
    pub about: &'static str,
    /// What holds where it is left out, as TOML or in words.
    pub default: &'static str,
    /// As TOML.
    pub example: &'static str,
}

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    Text,
    /// A text of a form (a regular expression).
    Form(&'static str),
    OneOf(&'static [&'static str]),
    /// `30min`, `48h`, `2d`, `3w`, `4bd`.
    Length,
    /// `10:00`.
    Time,
    Instant,
    /// An instant, or `+2d` after another.
    Moment,
    Day,
    Flag,
    Number(i64, i64),
    /// An expression over the names of a step.
    Condition,
    Texts,
    TextOrTexts,
    Table(&'static Table),
    Tables(&'static Table),
    /// Either of two.
    Either(&'static Shape, &'static Shape),
    /// Anything: it has a schema of its own.
    Any,
}

const fn must(name: &'static str, shape: Shape, about: &'static str, example: &'static str) -> Key {
    Key {
        name,
        shape,
        must: true,
        about,
        default: "",
        example,
    }
}

const fn may(
    name: &'static str,
    shape: Shape,
    about: &'static str,
    default: &'static str,
    example: &'static str,
) -> Key {
    Key {
        name,
        shape,
        must: false,
        about,
        default,
        example,
    }
}

const ID: Shape = Shape::Form("^[a-z0-9][a-z0-9_-]{0,63}$");
const KINDS: Shape = Shape::OneOf(&["fulfilment", "education", "survey", "review", "offer"]);
const RULES: Shape = Shape::OneOf(&["none", "opt_out", "soft_opt_in", "opt_in", "never"]);
const FORMAT: Key = must(
    "format",
    Shape::Number(1, 1),
    "The version of the language.",
    "1",
);
const ALLOW: Key = may(
    "allow",
    Shape::Tables(&ALLOWED),
    "Problems that this file turns off, each with a reason.",
    "none",
    "[[allow]]",
);
static ALLOWED: Table = Table {
    title: "[[allow]]",
    about: "A problem that is turned off in this file, by its code and with a reason.",
    keys: &[
        must(
            "code",
            Shape::Form("^[EW][0-9]{3}$"),
            "The code, as `check` prints it.",
            "\"W510\"",
        ),
        must(
            "reason",
            Shape::Text,
            "Why customers are fine with it.",
            "\"asked for by the shop's lawyers\"",
        ),
    ],
    others: None,
};

/// `config/sequences/*.toml`.
pub static SEQUENCE: Table = Table {
    title: "a sequence file",
    about: "One series of mails: who enters it, what goes out when, and what ends it.",
    keys: &[
        FORMAT,
        must(
            "id",
            ID,
            "The name of the sequence; who is in it is known by it.",
            "\"education-camera\"",
        ),
        must(
            "kind",
            KINDS,
            "What its mails are, unless a step says otherwise.",
            "\"education\"",
        ),
        must(
            "title",
            Shape::Text,
            "What customers call it, on the page of their choices.",
            "\"Getting to know your camera\"",
        ),
        must(
            "from",
            Shape::Text,
            "Who signs: somebody of config/people.toml.",
            "\"aya\"",
        ),
        ALLOW,
        must(
            "start",
            Shape::Table(&START),
            "What lets somebody in.",
            "[start]",
        ),
        must(
            "step",
            Shape::Tables(&STEP),
            "A mail, and when it goes.",
            "[[step]]",
        ),
        may(
            "pause",
            Shape::Tables(&PAUSE),
            "While something holds, nothing goes.",
            "none",
            "[[pause]]",
        ),
        may(
            "stop",
            Shape::Tables(&STOP),
            "What ends the series.",
            "none",
            "[[stop]]",
        ),
        may(
            "experiment",
            Shape::Table(&EXPERIMENT),
            "Different people get different cadences.",
            "none",
            "[experiment]",
        ),
    ],
    others: None,
};

static START: Table = Table {
    title: "[start]",
    about: "What lets somebody in.",
    keys: &[
        must(
            "on",
            Shape::Text,
            "A fact: an event, a derived fact, `absence`, `schedule` or `replenish`.",
            "\"item.delivered\"",
        ),
        may(
            "of",
            Shape::Text,
            "With `step.sent` the step, with `absence` the fact that has not come again.",
            "",
            "\"education-dslr/light\"",
        ),
        may(
            "for",
            Shape::Length,
            "With `absence`: how long it has not come.",
            "",
            "\"90d\"",
        ),
        may(
            "cron",
            Shape::Text,
            "With `schedule`: when, as cron with seconds.",
            "",
            "\"0 0 9 1 * *\"",
        ),
        may(
            "where",
            Shape::Condition,
            "Only where this holds.",
            "always",
            "'item.family == \"dslr\"'",
        ),
        may(
            "per",
            Shape::Text,
            "What there is one series for: `customer`, `order`, `shipment`, `item` or names of an item.",
            "\"order\"",
            "\"customer, item.family\"",
        ),
        may(
            "again",
            Shape::Length,
            "After how long the same key may start anew.",
            "\"365d\"",
            "\"365d\"",
        ),
    ],
    others: None,
};

static STEP: Table = Table {
    title: "[[step]]",
    about: "A mail, and when it goes.",
    keys: &[
        must(
            "id",
            ID,
            "The name of the step within its sequence.",
            "\"basics\"",
        ),
        may(
            "was",
            Shape::TextOrTexts,
            "Names that it had before: who got it then does not get it again.",
            "none",
            "\"first-steps\"",
        ),
        may(
            "kind",
            KINDS,
            "What this mail is.",
            "the sequence's",
            "\"offer\"",
        ),
        may(
            "variant",
            Shape::TextOrTexts,
            "Only in these arms of the experiment.",
            "all",
            "\"weekly\"",
        ),
        must(
            "after",
            Shape::Either(&Shape::Text, &Shape::Table(&BY_ARM)),
            "What it waits for, and how long: `start`, a fact or an earlier step, plus a length; or a table of these by arm.",
            "\"start + 2d\"",
        ),
        may(
            "at",
            Shape::Either(&Shape::Time, &Shape::Table(&BY_ARM)),
            "The time of day, in the customer's zone.",
            "that of the anchor",
            "\"10:00\"",
        ),
        may(
            "slot",
            Shape::Either(&Shape::Text, &Shape::Table(&BY_ARM)),
            "The first match of a cron expression (with seconds) at or after the moment.",
            "",
            "\"0 0 10 * * Tue-Thu\"",
        ),
        may(
            "each",
            Shape::OneOf(&["shipment", "item"]),
            "Once for every parcel or item.",
            "once",
            "\"shipment\"",
        ),
        may(
            "gather",
            Shape::Length,
            "One mail for those that come within so long.",
            "none",
            "\"30min\"",
        ),
        must(
            "mail",
            Shape::Either(&Shape::Form("^[^/]+/[^/]+$"), &Shape::Table(&BY_ARM)),
            "The mail: templates/mail/GROUP/NAME.",
            "\"dslr/basics\"",
        ),
        may(
            "when",
            Shape::Condition,
            "Goes only where this holds at its moment.",
            "always",
            "\"order.paid\"",
        ),
        may(
            "unless",
            Shape::Condition,
            "Goes only where this does not hold at its moment.",
            "never",
            "'owns(\"tripod\")'",
        ),
        may(
            "late",
            Shape::Text,
            "How late is too late.",
            "by kind",
            "\"10d, then skip\"",
        ),
        may(
            "incentive",
            Shape::Table(&INCENTIVE),
            "In an ask: that it offers a reward, and how fairly.",
            "no reward",
            "{ unconditional = true, disclosed = true }",
        ),
        may(
            "on_uncertain",
            Shape::OneOf(&["resend", "hold"]),
            "What to do when nobody can know whether it went.",
            "by kind",
            "\"hold\"",
        ),
    ],
    others: None,
};

static INCENTIVE: Table = Table {
    title: "incentive",
    about: "A reward for an ask.",
    keys: &[
        may(
            "unconditional",
            Shape::Flag,
            "Everybody gets it, whatever they say.",
            "false",
            "true",
        ),
        may(
            "disclosed",
            Shape::Flag,
            "The mail says that there is one.",
            "false",
            "true",
        ),
    ],
    others: None,
};

static BY_ARM: Table = Table {
    title: "by arm",
    about: "A value for each arm of the experiment.",
    keys: &[],
    others: Some(&Shape::Text),
};

static PAUSE: Table = Table {
    title: "[[pause]]",
    about: "While something holds, nothing of the series goes.",
    keys: &[
        must(
            "while",
            Shape::Condition,
            "What holds it.",
            "\"customer.open_ticket\"",
        ),
        may(
            "at_most",
            Shape::Length,
            "A mail that waited longer is skipped.",
            "\"14d\"",
            "\"14d\"",
        ),
    ],
    others: None,
};

static STOP: Table = Table {
    title: "[[stop]]",
    about: "What ends the series.",
    keys: &[
        must(
            "on",
            Shape::TextOrTexts,
            "Facts.",
            "[\"item.refunded\", \"order.cancelled\"]",
        ),
        may(
            "when",
            Shape::Condition,
            "Only where this holds.",
            "always",
            "\"order.refunded\"",
        ),
    ],
    others: None,
};

static EXPERIMENT: Table = Table {
    title: "[experiment]",
    about: "Different people get different cadences; who gets which is drawn once and kept.",
    keys: &[
        must(
            "id",
            ID,
            "Its name; a new name draws anew.",
            "\"cadence-2026\"",
        ),
        may(
            "split",
            Shape::Table(&SHARES),
            "The arms and their weights.",
            "",
            "{ weekly = 50, fortnightly = 50 }",
        ),
        may(
            "holdout",
            Shape::Number(0, 100),
            "Per cent who get fulfilment only.",
            "0",
            "5",
        ),
        may(
            "judge",
            Shape::Text,
            "By what the arms are compared.",
            "",
            "\"bought again within 180d\"",
        ),
        may(
            "watch",
            Shape::Texts,
            "What must not get worse.",
            "[]",
            "[\"opted out\", \"complained\"]",
        ),
        may(
            "decide",
            Shape::Table(&DECIDE),
            "When it is decided.",
            "",
            "{ on = 2027-01-15, at_least = 400 }",
        ),
    ],
    others: None,
};
static SHARES: Table = Table {
    title: "split",
    about: "Arms and their weights.",
    keys: &[],
    others: Some(&Shape::Number(0, 1_000_000)),
};
static DECIDE: Table = Table {
    title: "decide",
    about: "When an experiment is decided.",
    keys: &[
        must("on", Shape::Day, "The day.", "2027-01-15"),
        may(
            "at_least",
            Shape::Number(1, 4_294_967_295),
            "With so many people in each arm.",
            "1",
            "400",
        ),
    ],
    others: None,
};

/// `config/store.toml`.
pub static STORE: Table = Table {
    title: "config/store.toml",
    about: "The shop's policy: what holds for every sequence.",
    keys: &[
        must(
            "id",
            Shape::Form("^[a-z0-9-]{1,40}$"),
            "The shop's name for machines.",
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
            "How long a solved ticket still holds asks.",
            "\"3d\"",
            "\"3d\"",
        ),
        ALLOW,
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
static AGES: Table = Table {
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
static HOURS: Table = Table {
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
static HOLIDAYS: Table = Table {
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
            Shape::Any,
            "Days on which this shop is closed.",
            "[]",
            "[2026-12-24]",
        ),
    ],
    others: None,
};
static LIMITS: Table = Table {
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
static ASKS: Table = Table {
    title: "asks",
    about: "How many asks one person gets.",
    keys: &[
        must("at_most", Shape::Number(0, 1000), "So many.", "2"),
        must("within", Shape::Length, "In so many days.", "\"30d\""),
    ],
    others: None,
};
static EARN: Table = Table {
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
static DELIVERY: Table = Table {
    title: "[delivery]",
    about: "When silence counts as delivered.",
    keys: &[may(
        "assume",
        Shape::Tables(&ASSUME),
        "The first row that matches counts.",
        "none",
        "[[delivery.assume]]",
    )],
    others: None,
};
static ASSUME: Table = Table {
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
static CONSENT: Table = Table {
    title: "[consent]",
    about: "What each kind needs, by the customer's country, then `default`.",
    keys: &[],
    others: Some(&Shape::Table(&CONSENT_ROW)),
};
static CONSENT_ROW: Table = Table {
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
static PERSON: Table = Table {
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
static AWAY: Table = Table {
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
            "unresolved",
            Shape::Any,
            "What becomes of a product that nobody knows.",
            "",
            "",
        ),
        ALLOW,
        may(
            "family",
            Shape::Table(&FAMILIES),
            "Groups of products.",
            "none",
            "[family.dslr]",
        ),
        may("kit", Shape::Any, "Kits of the shop's own.", "none", ""),
    ],
    others: None,
};
static FAMILIES: Table = Table {
    title: "[family]",
    about: "Families by name; the first that matches wins.",
    keys: &[],
    others: Some(&Shape::Table(&FAMILY)),
};
static FAMILY: Table = Table {
    title: "[family.dslr]",
    about: "A group of products that need the same help.",
    keys: &[
        must(
            "match",
            Shape::Table(&MATCH),
            "Which products belong to it.",
            "{ tags = [\"dslr\"] }",
        ),
        may(
            "complements",
            Shape::Texts,
            "Families, SKUs or products that go well with it, best first.",
            "[]",
            "[\"tripod\"]",
        ),
        may("bundle", Shape::Any, "How kits of it are taken.", "", ""),
        may(
            "replenish_days",
            Shape::Any,
            "After how many days it is used up.",
            "",
            "",
        ),
    ],
    others: None,
};
static MATCH: Table = Table {
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

/// `config/scenarios/*.toml`.
pub static SCENARIO: Table = Table {
    title: "a scenario file",
    about: "A story, the mails that it must give and those that it must not.",
    keys: &[
        FORMAT,
        must(
            "title",
            Shape::Text,
            "What is promised, in a sentence.",
            "\"A camera: help first, then one question\"",
        ),
        may(
            "start",
            Shape::Moment,
            "What was decided before is not judged.",
            "the first event",
            "2026-03-02T09:00:00Z",
        ),
        may(
            "until",
            Shape::Moment,
            "The end.",
            "400 days after the last event",
            "2026-06-30T00:00:00Z",
        ),
        may(
            "only",
            Shape::Flag,
            "Whether mails that nothing names are failures.",
            "true",
            "false",
        ),
        may(
            "customer",
            Shape::Any,
            "The one customer, as events have them; `consent` in one word.",
            "",
            "[customer]",
        ),
        may(
            "customers",
            Shape::Any,
            "Several customers by name.",
            "",
            "[customers.ann]",
        ),
        must("event", Shape::Tables(&EVENT), "What happens.", "[[event]]"),
        may(
            "expect",
            Shape::Tables(&EXPECT),
            "A send that must happen.",
            "none",
            "[[expect]]",
        ),
        may(
            "never",
            Shape::Either(&Shape::Texts, &Shape::Tables(&NEVER)),
            "Sends that must not happen.",
            "none",
            "[[never]]",
        ),
    ],
    others: None,
};
static EVENT: Table = Table {
    title: "[[event]]",
    about: "What happens: one short word, or `type` and `data` as intake has them.",
    keys: &[
        may(
            "at",
            Shape::Moment,
            "When; `\"+2d\"` counts from the event before.",
            "with the event before",
            "2026-03-02T10:00:00",
        ),
        may(
            "who",
            Shape::Text,
            "Whose event it is, where there are several customers.",
            "the customer",
            "\"ann\"",
        ),
        may(
            "type",
            Shape::Text,
            "The kind of event.",
            "",
            "\"order.placed\"",
        ),
        may(
            "order",
            Shape::Text,
            "Somebody buys `items`, under this number.",
            "",
            "\"1001\"",
        ),
        may("paid", Shape::Text, "An order is paid.", "", "\"1001\""),
        may(
            "cancelled",
            Shape::Text,
            "An order is cancelled.",
            "",
            "\"1001\"",
        ),
        may(
            "dispatched",
            Shape::Text,
            "A parcel of an order leaves.",
            "",
            "\"1001\"",
        ),
        may(
            "in_transit",
            Shape::Text,
            "It is on its way.",
            "",
            "\"1001\"",
        ),
        may(
            "out_for_delivery",
            Shape::Text,
            "It is in the van.",
            "",
            "\"1001\"",
        ),
        may(
            "available_for_pickup",
            Shape::Text,
            "It waits to be fetched.",
            "",
            "\"1001\"",
        ),
        may(
            "delivery_failed",
            Shape::Text,
            "Nobody was at home.",
            "",
            "\"1001\"",
        ),
        may("delivered", Shape::Text, "It arrives.", "", "\"1001\""),
        may(
            "returned_to_sender",
            Shape::Text,
            "It comes back.",
            "",
            "\"1001\"",
        ),
        may("lost", Shape::Text, "It is lost.", "", "\"1001\""),
        may(
            "refunded",
            Shape::Text,
            "Money goes back: for all, for `items`, or an `amount` of goodwill.",
            "",
            "\"1001\"",
        ),
        may(
            "return_requested",
            Shape::Text,
            "Somebody wants to give goods back.",
            "",
            "\"1001\"",
        ),
        may("returned", Shape::Text, "They came back.", "", "\"1001\""),
        may(
            "return_declined",
            Shape::Text,
            "They are not taken back.",
            "",
            "\"1001\"",
        ),
        may(
            "ticket",
            Shape::Text,
            "A conversation with the help desk begins.",
            "",
            "\"T-1\"",
        ),
        may("solved", Shape::Text, "It ends.", "", "\"T-1\""),
        may(
            "dispute",
            Shape::Text,
            "A charge is contested.",
            "",
            "\"D-1\"",
        ),
        may("settled", Shape::Text, "The dispute ends.", "", "\"D-1\""),
        may(
            "reviewed",
            Shape::Text,
            "A review of an order is written.",
            "",
            "\"1001\"",
        ),
        may(
            "opted_out",
            Shape::Text,
            "The customer opts out of a scope.",
            "",
            "\"all\"",
        ),
        may(
            "opted_in",
            Shape::Text,
            "The customer opts in.",
            "",
            "\"all_marketing\"",
        ),
        may(
            "erased",
            Shape::Flag,
            "The customer wants to be forgotten.",
            "",
            "true",
        ),
        may(
            "updated",
            Shape::Any,
            "The customer's record changes.",
            "",
            "{ locale = \"de\" }",
        ),
        may(
            "items",
            Shape::TextOrTexts,
            "SKUs, `\"2 x SKU\"` for two.",
            "all of the order",
            "[\"AUR-D80-BODY\"]",
        ),
        may(
            "parcel",
            Shape::Text,
            "Which parcel.",
            "the newest that is on its way",
            "\"P1\"",
        ),
        may("unpaid", Shape::Flag, "Not paid yet.", "false", "true"),
        may(
            "gift",
            Shape::Flag,
            "For somebody else.",
            "as the addresses say",
            "true",
        ),
        may(
            "ship_to",
            Shape::Text,
            "The country that it goes to.",
            "the customer's",
            "\"FR\"",
        ),
        may(
            "currency",
            Shape::Text,
            "In which currency.",
            "that of the customer's country",
            "\"EUR\"",
        ),
        may(
            "tags",
            Shape::TextOrTexts,
            "Tags of the order.",
            "none",
            "\"wholesale\"",
        ),
        may(
            "subscription",
            Shape::Number(1, 10_000),
            "Which delivery of a subscription it is.",
            "none",
            "2",
        ),
        may(
            "replaces",
            Shape::Text,
            "The order that it replaces.",
            "none",
            "\"1000\"",
        ),
        may("test", Shape::Flag, "A test order.", "false", "true"),
        may(
            "amount",
            Shape::Number(0, 2_147_483_647),
            "Money given back, in the smallest unit.",
            "the worth of `items`",
            "500",
        ),
        may(
            "about",
            Shape::Text,
            "The order that a ticket or dispute is about.",
            "none",
            "\"1001\"",
        ),
        may("rating", Shape::Number(1, 5), "Stars.", "5", "4"),
        may(
            "learnt",
            Shape::Moment,
            "When we hear of it.",
            "at once",
            "\"+3d\"",
        ),
        may(
            "id",
            Shape::Text,
            "The name of the fact.",
            "by number",
            "\"evt-1\"",
        ),
        may(
            "source",
            Shape::Text,
            "Who says so.",
            "\"/scenario\"",
            "\"/shopify/shop.example.com\"",
        ),
        may(
            "subject",
            Shape::Text,
            "What it is about.",
            "by its data",
            "\"order/1001\"",
        ),
        may(
            "mode",
            Shape::OneOf(&["live", "backfill", "replay"]),
            "How it came to us.",
            "\"live\"",
            "\"backfill\"",
        ),
        may(
            "data",
            Shape::Any,
            "What it says, as intake has it.",
            "",
            "{ order_ref = { order_id = \"1001\" } }",
        ),
    ],
    others: None,
};
static EXPECT: Table = Table {
    title: "[[expect]]",
    about: "A send that must happen.",
    keys: &[
        must(
            "send",
            Shape::Form("^[^/]+/[^/]+$"),
            "sequence/step.",
            "\"education-dslr/basics\"",
        ),
        may("who", Shape::Text, "To whom.", "anybody", "\"ann\""),
        may(
            "order",
            Shape::Text,
            "About which order.",
            "any",
            "\"1001\"",
        ),
        may(
            "on",
            Shape::Day,
            "On which day of the customer's.",
            "any",
            "2026-03-09",
        ),
        may(
            "at",
            Shape::Moment,
            "In which minute.",
            "any",
            "2026-03-09T10:00:00",
        ),
        may(
            "state",
            Shape::OneOf(&["accepted", "skipped", "cancelled"]),
            "How it ends.",
            "\"accepted\"",
            "\"skipped\"",
        ),
        may(
            "reason",
            Shape::Text,
            "The code of the reason why it did not go.",
            "any",
            "\"late\"",
        ),
        may("locale", Shape::Text, "In which language.", "any", "\"de\""),
        may("count", Shape::Number(1, 1000), "How often.", "1", "2"),
    ],
    others: None,
};
static NEVER: Table = Table {
    title: "[[never]]",
    about: "Sends that must not happen.",
    keys: &[
        must(
            "send",
            Shape::Form("^[^/]+/[^/]+$"),
            "sequence/step; `*` stands for any part.",
            "\"review-*/*\"",
        ),
        may("who", Shape::Text, "To whom.", "anybody", "\"ann\""),
    ],
    others: None,
};

/// The head of a mail.
pub static MAIL: Table = Table {
    title: "the head of a mail",
    about: "What stands between the lines of +++.",
    keys: &[
        must(
            "subject",
            Shape::Text,
            "The subject, a template.",
            "\"{{item.title}}: three settings\"",
        ),
        may(
            "preheader",
            Shape::Text,
            "What mail programs show after the subject, a template.",
            "",
            "\"Ten minutes, no manual needed\"",
        ),
        may(
            "layout",
            Shape::Text,
            "The layout: templates/layouts/NAME.mjml.",
            "by kind",
            "\"default\"",
        ),
        may(
            "raw",
            Shape::Texts,
            "Names that may be printed without escaping.",
            "[]",
            "[\"page\"]",
        ),
        ALLOW,
    ],
    others: None,
};

/// `config/aftercare.toml`.
pub static SERVICE: Table = Table {
    title: "config/aftercare.toml",
    about: "The service itself. Every key can be set by environment too: AFTERCARE_DATABASE__URL.",
    keys: &[
        may(
            "data_dir",
            Shape::Text,
            "Where the service keeps what is its own.",
            "\"data\"",
            "\"data\"",
        ),
        may(
            "arming_key_file",
            Shape::Text,
            "The key that lets this install send.",
            "\"data/arming.key\"",
            "\"data/arming.key\"",
        ),
        may(
            "secret_file",
            Shape::Text,
            "The key that signs links and makes ids of mails.",
            "\"data/secret.key\"",
            "\"data/secret.key\"",
        ),
        may(
            "database",
            Shape::Table(&SERVICE_DATABASE),
            "Where everything is kept.",
            "SQLite in the data folder",
            "[database]",
        ),
        may(
            "http",
            Shape::Table(&SERVICE_HTTP),
            "Where the service listens.",
            "this machine alone",
            "[http]",
        ),
        may(
            "smtp",
            Shape::Table(&SERVICE_SMTP),
            "Where mail goes.",
            "nowhere: it is captured",
            "[smtp]",
        ),
        may(
            "intake",
            Shape::Table(&SERVICE_INTAKE),
            "How events come in.",
            "not over HTTP",
            "[intake.events]",
        ),
        may(
            "mailer",
            Shape::Table(&SERVICE_MAILER),
            "How mails are made.",
            "",
            "[mailer]",
        ),
        may(
            "log",
            Shape::Table(&SERVICE_LOG),
            "How it is logged.",
            "",
            "[log]",
        ),
        may(
            "clock",
            Shape::Table(&SERVICE_CLOCK),
            "The rehearsal clock.",
            "none: real time",
            "[clock]",
        ),
    ],
    others: None,
};
static SERVICE_DATABASE: Table = Table {
    title: "[database]",
    about: "Where everything is kept.",
    keys: &[may(
        "url",
        Shape::Form("^(sqlite:|postgres(ql)?://)"),
        "SQLite for one machine, PostgreSQL for several workers.",
        "\"sqlite:data/aftercare.db\"",
        "\"sqlite:data/aftercare.db\"",
    )],
    others: None,
};
static SERVICE_HTTP: Table = Table {
    title: "[http]",
    about: "Where the service listens.",
    keys: &[
        may(
            "listen",
            Shape::Text,
            "Address and port.",
            "\"127.0.0.1:8025\"",
            "\"127.0.0.1:8025\"",
        ),
        may(
            "public_url",
            Shape::Text,
            "Where links in mails point.",
            "that address",
            "\"https://mail.shop.example.com\"",
        ),
    ],
    others: None,
};
static SERVICE_SMTP: Table = Table {
    title: "[smtp]",
    about: "Where mail goes.",
    keys: &[
        may(
            "url",
            Shape::Form("^(capture$|smtps?://|smtp\\+starttls://)"),
            "`capture`, `smtp://`, `smtp+starttls://` or `smtps://`.",
            "\"capture\"",
            "\"capture\"",
        ),
        may(
            "connections",
            Shape::Number(1, 10_000),
            "Connections at once, at most.",
            "16",
            "16",
        ),
        may(
            "bounce_address",
            Shape::Form("@"),
            "The envelope sender.",
            "the From",
            "\"bounces@shop.example.com\"",
        ),
        may(
            "user",
            Shape::Text,
            "How to log in.",
            "nobody",
            "\"aftercare\"",
        ),
        may("password", Shape::Text, "By environment only.", "none", ""),
        may(
            "password_file",
            Shape::Text,
            "A file that holds the password.",
            "none",
            "\"/run/secrets/aftercare-smtp\"",
        ),
        may(
            "helo",
            Shape::Text,
            "What to call ourselves.",
            "our address",
            "\"mail.shop.example.com\"",
        ),
        may(
            "ca_file",
            Shape::Text,
            "Certificate authorities to trust beside the system's.",
            "none",
            "\"/etc/ssl/relay.pem\"",
        ),
        may(
            "timeouts",
            Shape::Any,
            "How long each step of the conversation may take.",
            "as in RFC 5321",
            "[smtp.timeouts]",
        ),
    ],
    others: None,
};
static SERVICE_INTAKE: Table = Table {
    title: "[intake]",
    about: "How events come in.",
    keys: &[may(
        "events",
        Shape::Table(&SERVICE_EVENTS),
        "POST /events.",
        "not served",
        "[intake.events]",
    )],
    others: None,
};
static SERVICE_EVENTS: Table = Table {
    title: "[intake.events]",
    about: "POST /events, the endpoint for canonical events.",
    keys: &[
        may("secrets", Shape::Texts, "By environment only.", "none", ""),
        may(
            "secrets_file",
            Shape::Text,
            "A file with one secret a line.",
            "none",
            "\"/run/secrets/aftercare-events\"",
        ),
        may(
            "unsigned",
            Shape::Flag,
            "Take events without a signature, on a loopback address alone.",
            "false",
            "false",
        ),
        may(
            "max_body",
            Shape::Number(1, 1_073_741_824),
            "The largest body, in bytes.",
            "1048576",
            "1048576",
        ),
        may(
            "max_depth",
            Shape::Number(1, 1024),
            "The deepest nesting.",
            "64",
            "64",
        ),
        may(
            "read_timeout",
            Shape::Text,
            "How long a request may take to arrive.",
            "\"10s\"",
            "\"10s\"",
        ),
        may(
            "signature_window",
            Shape::Text,
            "How far the time in a signature may lie from ours.",
            "\"5min\"",
            "\"5min\"",
        ),
    ],
    others: None,
};
static SERVICE_MAILER: Table = Table {
    title: "[mailer]",
    about: "How mails are made.",
    keys: &[
        may(
            "keep_bodies",
            Shape::Flag,
            "Keep the text of each mail with its send.",
            "false",
            "false",
        ),
        may(
            "message_id_domain",
            Shape::Text,
            "The host in Message-IDs.",
            "that of the sender's address",
            "\"shop.example.com\"",
        ),
    ],
    others: None,
};
static SERVICE_LOG: Table = Table {
    title: "[log]",
    about: "How it is logged.",
    keys: &[may(
        "format",
        Shape::OneOf(&["text", "json"]),
        "For people or for collectors.",
        "\"text\"",
        "\"text\"",
    )],
    others: None,
};
static SERVICE_CLOCK: Table = Table {
    title: "[clock]",
    about: "The real service on a faster clock; refused unless mail stays on this machine.",
    keys: &[
        may(
            "start",
            Shape::Instant,
            "Where it begins.",
            "",
            "2026-03-01T00:00:00Z",
        ),
        may(
            "speed",
            Shape::Any,
            "How many times as fast as real time.",
            "1",
            "43200",
        ),
    ],
    others: None,
};

/// Every kind of file, by the name that `schema` takes.
pub static KINDS_OF_FILE: [(&str, &Table); 7] = [
    ("sequence", &SEQUENCE),
    ("store", &STORE),
    ("people", &PEOPLE),
    ("catalog", &CATALOG),
    ("scenario", &SCENARIO),
    ("mail", &MAIL),
    ("aftercare", &SERVICE),
];

/// The kind of a file of a shop.
pub fn of_path(path: &str) -> Option<&'static Table> {
    let ends = |ending: &str| path.ends_with(ending);
    if path.starts_with("templates/mail/") {
        return Some(&MAIL);
    }
    if !ends(".toml") {
        return None;
    }
    match path {
        "config/store.toml" => Some(&STORE),
        "config/people.toml" => Some(&PEOPLE),
        "config/catalog.toml" => Some(&CATALOG),
        "config/aftercare.toml" => Some(&SERVICE),
        _ if path.starts_with("config/sequences/") => Some(&SEQUENCE),
        _ if path.starts_with("config/scenarios/") => Some(&SCENARIO),
        _ => None,
    }
}

impl Table {
    /// A key of this table.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The table under a key, where there is one.
    pub fn inside(&'static self, name: &str) -> Option<&'static Table> {
        fn of(shape: &'static Shape) -> Option<&'static Table> {
            match shape {
                Shape::Table(table) | Shape::Tables(table) => Some(table),
                Shape::Either(one, other) => of(one).or_else(|| of(other)),
                _ => None,
            }
        }
        match self.key(name) {
            Some(_) => of(&self.keys.iter().find(|key| key.name == name)?.shape),
            None => of(self.others?),
        }
    }

    /// Where a key stands in the canonical order; unknown ones after all others.
    pub fn place(&self, name: &str) -> usize {
        self.keys
            .iter()
            .position(|key| key.name == name)
            .unwrap_or(self.keys.len())
    }

    /// This table and all below it, each once.
    pub fn all(&'static self) -> Vec<&'static Table> {
        let mut found = vec![self];
        let mut at = 0;
        while let Some(table) = found.get(at).copied() {
            let below = table.keys.iter().filter_map(|key| table.inside(key.name));
            let below: Vec<_> = below.chain(table.inside("\u{0}")).collect();
            for one in below {
                if !found.iter().any(|had| std::ptr::eq(*had, one)) {
                    found.push(one);
                }
            }
            at += 1;
        }
        found
    }
}
