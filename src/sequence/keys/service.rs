//! Keys of the service and of the heads of mails.

use super::{ALLOWED_HERE, Shape, Table, may, must};
use crate::model::platform::Platform;

/// How long something of the service may take, with a unit.
const TIME: Shape = Shape::Form("^\\s*[0-9]+\\s*(s|min|h)\\s*$");

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
pub static SERVICE_DATABASE: Table = Table {
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
pub static SERVICE_HTTP: Table = Table {
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
pub static SERVICE_SMTP: Table = Table {
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
            Shape::Number(1, 256),
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
            Shape::Table(&SERVICE_TIMEOUTS),
            "How long each step of the conversation may take.",
            "as in RFC 5321",
            "[smtp.timeouts]",
        ),
    ],
    others: None,
};
pub static SERVICE_TIMEOUTS: Table = Table {
    title: "[smtp.timeouts]",
    about: "How long each step of the conversation with the relay may take: `30s`, `5min`, `1h`.",
    keys: &[
        may(
            "connect",
            TIME,
            "Until the relay answers.",
            "\"30s\"",
            "\"30s\"",
        ),
        may("tls", TIME, "For the handshake.", "\"1min\"", "\"1min\""),
        may("banner", TIME, "For its greeting.", "\"5min\"", "\"5min\""),
        may(
            "ehlo",
            TIME,
            "For the answer to EHLO.",
            "\"5min\"",
            "\"5min\"",
        ),
        may(
            "starttls",
            TIME,
            "For the answer to STARTTLS.",
            "\"2min\"",
            "\"2min\"",
        ),
        may(
            "auth",
            TIME,
            "For each answer of the login.",
            "\"2min\"",
            "\"2min\"",
        ),
        may(
            "mail",
            TIME,
            "For the answer to MAIL.",
            "\"5min\"",
            "\"5min\"",
        ),
        may(
            "rcpt",
            TIME,
            "For the answer to RCPT.",
            "\"5min\"",
            "\"5min\"",
        ),
        may(
            "data",
            TIME,
            "For the answer to DATA.",
            "\"2min\"",
            "\"2min\"",
        ),
        may(
            "block",
            TIME,
            "For each block that is sent.",
            "\"3min\"",
            "\"3min\"",
        ),
        may(
            "body",
            TIME,
            "For the whole mail.",
            "\"10min\"",
            "\"10min\"",
        ),
        may(
            "dot",
            TIME,
            "For the answer to the end of the mail.",
            "\"10min\"",
            "\"10min\"",
        ),
        may(
            "reset",
            TIME,
            "For the answer to RSET.",
            "\"1min\"",
            "\"1min\"",
        ),
        may("quit", TIME, "For the answer to QUIT.", "\"5s\"", "\"5s\""),
    ],
    others: None,
};
pub static SERVICE_INTAKE: Table = Table {
    title: "[intake]",
    about: "How events come in.",
    keys: &[
        may(
            "events",
            Shape::Table(&SERVICE_EVENTS),
            "POST /events.",
            "not served",
            "[intake.events]",
        ),
        may(
            "sources",
            Shape::Table(&SERVICE_SOURCES),
            "POST /hooks/NAME.",
            "not served",
            "[intake.sources.shopify]",
        ),
    ],
    others: None,
};
pub static SERVICE_SOURCES: Table = Table {
    title: "[intake.sources]",
    about: "Platforms that deliver to POST /hooks/NAME, each under a name that you choose.",
    keys: &[],
    others: Some(&Shape::Table(&SERVICE_SOURCE)),
};
pub static SERVICE_SOURCE: Table = Table {
    title: "[intake.sources.NAME]",
    about: "One platform's deliveries: who proves how that they are its, and what they do not say.",
    keys: &[
        may(
            "platform",
            Shape::OneOf(Platform::NAMES),
            "Whose deliveries they are.",
            "the name of the table",
            "\"shopify\"",
        ),
        may(
            "source",
            Shape::Form("^/"),
            "The `source` of its events.",
            "what the platform says of itself",
            "\"/shopify/shop.example.com\"",
        ),
        may("secrets", Shape::Texts, "By environment only.", "none", ""),
        may(
            "secrets_file",
            Shape::Text,
            "A file with one secret a line.",
            "none",
            "\"/run/secrets/aftercare-shopify\"",
        ),
        may(
            "public_keys_file",
            Shape::Text,
            "A file of public keys (a JSON Web Key Set or PEM), where the platform signs with a private one.",
            "none",
            "\"config/saleor.jwks.json\"",
        ),
        may(
            "keys_url",
            Shape::Form("^https?://"),
            "Where the platform publishes its public keys (a JSON Web Key Set): fetched at the start, and when a delivery names an unknown one.",
            "none",
            "\"https://api.shipengine.com/jwks\"",
        ),
        may(
            "unsigned",
            Shape::Flag,
            "Take deliveries without proof, on a loopback address alone.",
            "false",
            "false",
        ),
        may(
            "max_body",
            Shape::Number(1, 67_108_864),
            "The largest body, in bytes.",
            "1048576",
            "1048576",
        ),
        may(
            "max_depth",
            Shape::Number(1, 120),
            "The deepest nesting.",
            "64",
            "64",
        ),
        may(
            "read_timeout",
            TIME,
            "How long a request may take to arrive.",
            "\"10s\"",
            "\"10s\"",
        ),
        may(
            "signature_window",
            TIME,
            "How far a signed time may lie from ours.",
            "\"5min\"",
            "\"5min\"",
        ),
        may(
            "storefront",
            Shape::Form("^https?://"),
            "Where the shop's pages are.",
            "what the platform says",
            "\"https://shop.example.com\"",
        ),
        may(
            "currency",
            Shape::Form("^[A-Z]{3}$"),
            "The currency of prices that name none.",
            "such prices are left out",
            "\"EUR\"",
        ),
        may(
            "time_zone",
            Shape::Text,
            "In which zone to read times that name none.",
            "the recipient's, else UTC",
            "\"Europe/Berlin\"",
        ),
        may(
            "dispatched_statuses",
            Shape::Text,
            "Statuses of orders that mean: handed to the carrier.",
            "none",
            "\"completed\"",
        ),
        may(
            "delivered_statuses",
            Shape::Text,
            "Statuses of orders that mean: arrived.",
            "none",
            "\"delivered\"",
        ),
        may(
            "mapping",
            Shape::Text,
            "What the deliveries of a shop of its own make mean (`platform = \"generic\"`).",
            "none",
            "\"config/sources/lantern.toml\"",
        ),
    ],
    others: None,
};
pub static SERVICE_EVENTS: Table = Table {
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
            Shape::Number(1, 67_108_864),
            "The largest body, in bytes.",
            "1048576",
            "1048576",
        ),
        may(
            "max_depth",
            Shape::Number(1, 120),
            "The deepest nesting.",
            "64",
            "64",
        ),
        may(
            "read_timeout",
            TIME,
            "How long a request may take to arrive.",
            "\"10s\"",
            "\"10s\"",
        ),
        may(
            "signature_window",
            TIME,
            "How far the time in a signature may lie from ours.",
            "\"5min\"",
            "\"5min\"",
        ),
    ],
    others: None,
};
pub static SERVICE_MAILER: Table = Table {
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
pub static SERVICE_LOG: Table = Table {
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
pub static SERVICE_CLOCK: Table = Table {
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
            "that of its group, else `default`",
            "\"default\"",
        ),
        may(
            "brand",
            Shape::Text,
            "A brand other than the shop's: a folder of templates/brands.",
            "the shop's",
            "\"lantern\"",
        ),
        may(
            "raw",
            Shape::Texts,
            "Names that may be printed without escaping.",
            "[]",
            "[\"page\"]",
        ),
        may(
            "allow",
            Shape::Table(&ALLOWED_HERE),
            "Problems that this mail turns off, by code, each with a reason.",
            "none",
            "{ W232 = \"one word says it all here\" }",
        ),
    ],
    others: None,
};
