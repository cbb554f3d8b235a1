//! Keys of sequence files.

use super::{ALLOW, FORMAT, ID, KINDS, Shape, Table, may, must};
use crate::sequence::compile::MAX_HOLDOUT;

/// `config/sequences/*.toml`.
pub static SEQUENCE: Table = Table {
    title: "a sequence file",
    about: "One series of mails: who enters it, what goes out when, and what ends it.",
    keys: &[
        FORMAT,
        must(
            "id",
            ID,
            "The name of the sequence, which no other has: small letters, digits, `-` and `_`.",
            "\"education-camera\"",
        ),
        may(
            "was",
            Shape::TextOrTexts,
            "Ids that it had before: who is in it stays in it.",
            "none",
            "\"education-dslr\"",
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
            "Its mails, and when they go; 100 at most.",
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

pub static START: Table = Table {
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

pub static STEP: Table = Table {
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

pub static INCENTIVE: Table = Table {
    title: "incentive",
    about: "A reward for an ask.",
    keys: &[
        must(
            "unconditional",
            Shape::Flag,
            "Everybody gets it, whatever they say.",
            "true",
        ),
        must(
            "disclosed",
            Shape::Flag,
            "The mail says that there is one.",
            "true",
        ),
    ],
    others: None,
};

pub static BY_ARM: Table = Table {
    title: "by arm",
    about: "A value for each arm of the experiment.",
    keys: &[],
    others: Some(&Shape::Text),
};

pub static PAUSE: Table = Table {
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

pub static STOP: Table = Table {
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

pub static EXPERIMENT: Table = Table {
    title: "[experiment]",
    about: "Different people get different cadences; who gets which is drawn once and kept.",
    keys: &[
        must(
            "id",
            ID,
            "Its name; a new name draws anew.",
            "\"cadence-2026\"",
        ),
        must(
            "split",
            Shape::Table(&SHARES),
            "The arms and what per cent of the customers each gets: 100 in all.",
            "{ weekly = 50, fortnightly = 50 }",
        ),
        may(
            "holdout",
            Shape::Number(0, MAX_HOLDOUT),
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
            Shape::Words(&[
                "opted out",
                "complained",
                "refunded",
                "returned",
                "opened a ticket",
            ]),
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
pub static SHARES: Table = Table {
    title: "split",
    about: "Arms, and what per cent of the customers each gets: 100 in all.",
    keys: &[],
    others: Some(&Shape::Number(1, 99)),
};
pub static DECIDE: Table = Table {
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
