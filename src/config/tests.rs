#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::diagnostic::Diagnostic;
use std::path::Path;

const FILE: &str = "config/aftercare.toml";

fn load(text: &str, environment: &[(&str, &str)]) -> (Option<Config>, Vec<Diagnostic>) {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let open = |path: &Path| match path.to_str() {
        Some("/shop/password") => Ok("hush\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    read(Path::new("/shop"), Some((FILE, text)), environment, open)
}

#[track_caller]
fn fine(text: &str, environment: &[(&str, &str)]) -> Config {
    let (config, problems) = load(text, environment);
    assert_eq!(problems, []);
    config.unwrap()
}

#[track_caller]
fn refused(text: &str, environment: &[(&str, &str)], code: &str, message: &str, help: &str) {
    let (config, problems) = load(text, environment);
    assert!(config.is_none());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (problems[0].code, problems[0].message.as_str()),
        (code, message)
    );
    let helped = problems[0].help.join("\n");
    assert!(helped.contains(help), "{helped}");
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = fine("", &[]);
    assert_eq!(config.database.url, "sqlite:/shop/data/aftercare.db");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8025");
    assert_eq!(config.http.public_url, "http://127.0.0.1:8025");
    assert!(config.smtp.is_capture());
    assert_eq!(config.smtp.connections, 16);
    assert_eq!(config.arming_key_file, Path::new("/shop/data/arming.key"));
    assert_eq!((config.intake, config.clock), (None, None));
    assert_eq!(config.log.format, LogFormat::Text);
    let here = read(Path::new("."), None, [], |_| Err(String::new()));
    assert_eq!(here, (Some(Config::default()), Vec::new()));
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = fine(
        "[http]\nlisten = \"127.0.0.1:1\"\n[smtp]\nconnections = 3\ntimeouts = { dot = \"90s\" }\n",
        &[
            ("AFTERCARE_HTTP__LISTEN", "127.0.0.1:2"),
            (
                "AFTERCARE_DATABASE__URL",
                "postgres://ann:pass@localhost/shop",
            ),
            ("AFTERCARE_SMTP__URL", "smtps://bob:word@mail.example.com"),
            ("AFTERCARE_SMTP__TIMEOUTS__QUIT", "500ms"),
            ("AFTERCARE_DATA_DIR", "/var/lib/aftercare"),
            ("AFTERCARE_LOG", "debug"),
            ("OTHER", "x"),
        ],
    );
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.smtp.connections, 3);
    assert_eq!(config.smtp.timeouts.dot, Some(Duration::from_secs(90)));
    assert_eq!(config.smtp.timeouts.quit, Some(Duration::from_millis(500)));
    assert_eq!(config.data_dir, Path::new("/var/lib/aftercare"));
    assert_eq!(
        config.arming_key_file,
        Path::new("/var/lib/aftercare/arming.key")
    );
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("pass") && !shown.contains("word"),
        "{shown}"
    );
}

#[test]
fn unknown_keys_and_variables_are_errors() {
    refused(
        "[smtp]\nurll = \"capture\"\n",
        &[],
        "E104",
        "unknown key \"smtp.urll\"",
        "did you mean smtp.url?",
    );
    refused(
        "",
        &[("AFTERCARE_SMTP__URLL", "capture")],
        "E181",
        "the variable AFTERCARE_SMTP__URLL sets no key we know",
        "did you mean AFTERCARE_SMTP__URL?",
    );
    refused("smtp = 3\n", &[], "E103", "`smtp` wants a table", "");
    refused(
        "x = \n",
        &[],
        "E100",
        "this is no TOML: string values must be quoted, expected literal string",
        "",
    );
}

#[test]
fn values_are_checked() {
    refused(
        "[http]\nlisten = \"8025\"\n",
        &[],
        "E186",
        "`http.listen` wants an address and a port: \"127.0.0.1:8025\"",
        "",
    );
    refused(
        "[database]\nurl = \"mysql://x\"\n",
        &[],
        "E186",
        "`database.url` names no database we know",
        "sqlite:PATH",
    );
    refused(
        "",
        &[("AFTERCARE_SMTP__URL", "mail.example.com")],
        "E186",
        "`smtp.url` names no relay",
        "AFTERCARE_SMTP__URL",
    );
    refused(
        "[smtp.timeouts]\ndot = \"soon\"\n",
        &[],
        "E186",
        "`smtp.timeouts.dot` wants a time such as \"30s\", \"5min\" or \"1h\", a day at most",
        "",
    );
    refused(
        "[mailer]\nkeep_bodies = \"perhaps\"\n",
        &[],
        "E186",
        "`mailer.keep_bodies` wants true or false",
        "",
    );
}

#[test]
fn secrets_come_by_environment_or_file() {
    refused(
        "[intake.events]\nsecrets = [\"whsec_x\"]\n",
        &[],
        "E180",
        "`intake.events.secrets` is a secret, and this file may be in git",
        "AFTERCARE_INTAKE__EVENTS__SECRETS",
    );
    refused(
        "[smtp]\nurl = \"smtps://a:b@mail.example.com\"\n",
        &[],
        "E180",
        "`smtp.url` holds a password, and this file may be in git",
        "AFTERCARE_SMTP__URL",
    );
    let config = fine(
        "[smtp]\nuser = \"ann\"\npassword_file = \"password\"\n",
        &[("AFTERCARE_INTAKE__EVENTS__SECRETS", "whsec_a, whsec_b")],
    );
    assert_eq!(
        config.smtp.credentials.as_ref().unwrap().password.reveal(),
        "hush"
    );
    assert_eq!(config.intake.as_ref().unwrap().secrets.len(), 2);
    assert!(!format!("{config:?}").contains("hush") && !format!("{config:?}").contains("whsec"));
    refused(
        "[intake.events]\nsecrets_file = \"gone\"\n",
        &[],
        "E183",
        "`intake.events.secrets_file`: /shop/gone cannot be read: no such file",
        "",
    );
    // One mistake, told once: the user lacks nothing that the file would not bring.
    refused(
        "[smtp]\nuser = \"ann\"\npassword_file = \"gone\"\n",
        &[],
        "E183",
        "`smtp.password_file`: /shop/gone cannot be read: no such file",
        "",
    );
    refused(
        "[smtp]\nuser = \"ann\"\n",
        &[],
        "E102",
        "`smtp.user` is there without `smtp.password`",
        "AFTERCARE_SMTP__PASSWORD",
    );
}

#[test]
fn unsigned_events_are_for_loopback() {
    let unsigned = [("AFTERCARE_INTAKE__EVENTS__UNSIGNED", "true")];
    let config = fine("", &unsigned);
    assert!(config.intake.as_ref().unwrap().unsigned);
    assert_eq!(config.ready_to_serve(), Ok(()));
    refused(
        "[http]\nlisten = \"0.0.0.0:8025\"\npublic_url = \"https://m.example.com/\"\n",
        &unsigned,
        "E184",
        "unsigned events are taken on a loopback address alone",
        "AFTERCARE_INTAKE__EVENTS__UNSIGNED",
    );
    assert_eq!(
        fine("[intake.events]\n", &[]).ready_to_serve(),
        Err(Unready::NoSecrets)
    );
    assert_eq!(fine("", &[]).ready_to_serve(), Ok(()));
}

#[test]
fn a_rehearsal_sends_no_real_mail() {
    let clock = "[clock]\nstart = 2026-03-01T00:00:00Z\nspeed = 43200\n";
    assert_eq!(fine(clock, &[]).clock.unwrap().speed, 43200.0);
    for url in [
        "smtp://127.0.0.1:2525",
        "smtp://localhost:25",
        "smtp://[::1]:25",
    ] {
        fine(clock, &[("AFTERCARE_SMTP__URL", url)]);
    }
    for url in [
        "smtp://10.0.0.1:25",
        "smtps://mail.example.com",
        "smtp://localhost.example.com",
    ] {
        refused(
            clock,
            &[("AFTERCARE_SMTP__URL", url)],
            "E185",
            "a rehearsal clock sends no real mail",
            "capture",
        );
    }
    refused(
        "",
        &[("AFTERCARE_CLOCK__SPEED", "10")],
        "E102",
        "a rehearsal clock has a speed and no start",
        "clock.start",
    );
    refused(
        "[clock]\nstart = \"soon\"\n",
        &[],
        "E186",
        "`clock.start` wants an instant: 2026-03-01T00:00:00Z",
        "",
    );
}

#[test]
fn links_that_nobody_can_follow_are_warned_of() {
    let (config, problems) = load("[http]\nlisten = \"0.0.0.0:80\"\n", &[]);
    assert!(config.is_some());
    assert_eq!(problems[0].code, "W182");
}

#[test]
fn sources_are_told_by_file_and_their_secrets_by_environment() {
    let config = fine(
        "[intake.sources.shop_de]\nplatform = \"woocommerce\"\nsource = \"/woocommerce/shop.example\"\n\
         dispatched_statuses = \"completed, shipped\"\ntime_zone = \"Europe/Berlin\"\n\
         [intake.sources.stripe]\nsecrets_file = \"/shop/password\"\nsignature_window = \"1min\"\n",
        &[
            (
                "AFTERCARE_INTAKE__SOURCES__SHOP_DE__SECRETS",
                "new-secret, old-secret",
            ),
            ("AFTERCARE_INTAKE__SOURCES__JUDGEME__SECRETS", "a-secret"),
        ],
    );
    let said: Vec<(&str, Platform, usize)> = config
        .sources
        .iter()
        .map(|one| (one.name.as_str(), one.platform, one.secrets.len()))
        .collect();
    let expected = [
        ("judgeme", Platform::JudgeMe, 1),
        ("shop_de", Platform::WooCommerce, 2),
        ("stripe", Platform::Stripe, 1),
    ];
    assert_eq!(said, expected);
    let shop = &config.sources[1];
    assert_eq!(shop.origin.as_deref(), Some("/woocommerce/shop.example"));
    assert_eq!(shop.dispatched, ["completed", "shipped"]);
    assert_eq!(shop.secrets[1].reveal(), "old-secret");
    assert_eq!(
        config.sources[2].signature_window,
        Some(Duration::from_secs(60))
    );
    assert_eq!(config.ready_to_serve(), Ok(()));
    let bare = fine("[intake.sources.shopify]\n", &[]);
    let missing = bare.ready_to_serve().unwrap_err().to_string();
    assert!(
        missing.contains("AFTERCARE_INTAKE__SOURCES__SHOPIFY__SECRETS"),
        "{missing}"
    );
}

#[test]
fn how_to_ask_a_platform_is_told_with_its_token() {
    let token = |name: &'static str| {
        let variable: &'static str = match name {
            "shop" => "AFTERCARE_INTAKE__SOURCES__SHOP__API_TOKEN",
            _ => "AFTERCARE_INTAKE__SOURCES__STRIPE__API_TOKEN",
        };
        (variable, "token-of-the-shop")
    };
    let config = fine(
        "[intake.sources.shop]\nplatform = \"woocommerce\"\nstorefront = \"https://shop.example\"\n\
         api_user = \"ck_1\"\npoll = \"off\"\npoll_back = \"30d\"\n[intake.sources.stripe]\n",
        &[token("shop"), token("stripe")],
    );
    let shop = config.sources[0].api.as_ref().unwrap();
    assert_eq!(shop.url.as_deref(), Some("https://shop.example"));
    assert_eq!(shop.poll, None);
    assert_eq!(shop.poll_back, Duration::from_secs(30 * 86_400));
    let stripe = config.sources[1].api.as_ref().unwrap();
    assert_eq!(stripe.url.as_deref(), Some("https://api.stripe.com"));
    assert_eq!((stripe.poll, stripe.poll_back), (Some(POLL), POLL_BACK));
    assert!(!format!("{config:?}").contains("token-of-the-shop"));
    // Without a token nobody is asked, and nothing is wrong.
    let bare = fine(
        "[intake.sources.shopify]\napi_url = \"https://a.myshopify.com\"\n",
        &[],
    );
    assert_eq!(bare.sources[0].api, None);
}

#[test]
fn asking_that_cannot_be_is_told_where_it_stands() {
    let shopify = "[intake.sources.shop]\nplatform = \"shopify\"\n";
    let woo =
        "[intake.sources.shop]\nplatform = \"woocommerce\"\napi_url = \"https://a.example\"\n";
    for (before, line, code, message, help) in [
        (
            shopify,
            "",
            "E102",
            "has an api_token and no api_url",
            "https://SHOP.myshopify.com",
        ),
        (
            woo,
            "",
            "E102",
            "has an api_token and no api_user",
            "consumer key",
        ),
        (
            shopify,
            "api_url = \"http://shop.example\"",
            "E186",
            "`intake.sources.shop.api_url` wants",
            "",
        ),
        (
            shopify,
            "api_url = \"https://me:word@shop.example\"",
            "E186",
            "api_url` wants",
            "",
        ),
        (
            woo,
            "api_user = \"ck\"\npoll = \"5s\"",
            "E186",
            "poll` wants \"off\", or a time from",
            "",
        ),
        (
            woo,
            "api_user = \"ck\"\npoll_back = \"90d\"",
            "E186",
            "60 days at most",
            "",
        ),
        (
            shopify,
            "api_url = \"https://a.example\"\napi_version = \"../x\"",
            "E186",
            "api_version` wants",
            "",
        ),
        (
            shopify,
            "api_url = \"https://a.example\"\napi_token = \"shpat_1\"",
            "E180",
            "is a secret",
            "API_TOKEN",
        ),
    ] {
        let text = format!("{before}{line}\n");
        let token = (
            "AFTERCARE_INTAKE__SOURCES__SHOP__API_TOKEN",
            "token-of-the-shop",
        );
        let (_, problems) = load(&text, &[token]);
        let found: Vec<_> = problems.iter().filter(|one| one.code != "W182").collect();
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        assert_eq!(found[0].code, code, "{text}");
        assert!(found[0].message.contains(message), "{}", found[0].message);
        assert!(
            found[0].help.iter().any(|one| one.contains(help)) || help.is_empty(),
            "{:?}",
            found[0].help
        );
    }
}

#[test]
fn a_source_that_is_none_is_told_where_it_stands() {
    for (text, code, message, help) in [
        (
            "[intake.sources.shop]\n",
            "E105",
            "`intake.sources.shop` does not say which platform it is",
            "platform is one of shopify",
        ),
        (
            "[intake.sources.shop]\nplatform = \"shopfy\"\n",
            "E105",
            "no platform is called \"shopfy\"",
            "did you mean platform = \"shopify\"?",
        ),
        (
            "[intake.sources.Shop-1]\nplatform = \"shopify\"\n",
            "E111",
            "`intake.sources.Shop-1` is no name of a source",
            "lower-case letters",
        ),
        (
            "[intake.sources.shopify]\nsecret_file = \"a\"\n",
            "E104",
            "unknown key \"intake.sources.shopify.secret_file\"",
            "did you mean secrets_file?",
        ),
        (
            "[intake.sources.shopify]\nsecrets = \"abc\"\n",
            "E180",
            "`intake.sources.shopify.secrets` is a secret, and this file may be in git",
            "set AFTERCARE_INTAKE__SOURCES__SHOPIFY__SECRETS instead",
        ),
        (
            "[intake.sources.shopify]\ntime_zone = \"Mars/Base\"\n",
            "E186",
            "`intake.sources.shopify.time_zone` wants a zone: \"Europe/Berlin\"",
            "",
        ),
        (
            "[intake]\nsources = 1\n",
            "E103",
            "`intake.sources` wants a table",
            "[intake.sources.shopify]",
        ),
        (
            "[http]\nlisten = \"192.0.2.1:80\"\npublic_url = \"https://x.example\"\n\
             [intake.sources.shopify]\nunsigned = true\n",
            "E184",
            "unsigned deliveries are taken on a loopback address alone",
            "could make mails go out",
        ),
    ] {
        refused(text, &[], code, message, help);
    }
}

#[test]
fn a_broker_is_what_its_address_says() {
    let check = |url: &str, key: &str, kind: BrokerKind, servers: &[&str]| {
        let text = format!("[intake.brokers.shop]\nurl = \"{url}\"\n{key} = \"orders\"\n");
        let config = fine(&text, &[]);
        let [broker] = config.brokers.as_slice() else {
            panic!("{:?}", config.brokers)
        };
        assert_eq!((broker.kind, broker.reads.as_str()), (kind, "orders"));
        assert_eq!(broker.servers, servers);
        assert_eq!((broker.group.as_str(), broker.batch), (GROUP, BATCH));
        assert_eq!(broker.source, None);
    };
    check(
        "nats://a:4222, b:4222,nats://c",
        "stream",
        BrokerKind::Nats,
        &["nats://a:4222", "nats://b:4222", "nats://c"],
    );
    check("tls://a", "stream", BrokerKind::Nats, &["tls://a"]);
    check(
        "rediss://a:6379/2",
        "stream",
        BrokerKind::Redis,
        &["rediss://a:6379/2"],
    );
    check(
        "amqp://a/vhost",
        "queue",
        BrokerKind::Amqp,
        &["amqp://a/vhost"],
    );
    check(
        "kafka://a:9092,b:9092",
        "topic",
        BrokerKind::Kafka,
        &["kafka://a:9092", "kafka://b:9092"],
    );
}

#[test]
fn a_broker_of_the_environment_holds_its_secrets_and_shows_none() {
    let config = fine(
        "[intake.sources.shopify]\n[intake.brokers.shop]\nstream = \"orders\"\nsource = \"shopify\"\n",
        &[
            (
                "AFTERCARE_INTAKE__BROKERS__SHOP__URL",
                "redis://u:hush@a:6379",
            ),
            ("AFTERCARE_INTAKE__BROKERS__SHOP__PASSWORD", "hushed"),
        ],
    );
    let broker = &config.brokers[0];
    assert_eq!(broker.password.as_ref().map(Secret::reveal), Some("hushed"));
    assert_eq!(broker.shown(), "redis://u:***@a:6379");
    assert!(!format!("{broker:?}").contains("hush"));
    // A source that only a broker brings needs no secret.
    assert_eq!(config.ready_to_serve(), Ok(()));
    assert!(config.comes_by_broker("shopify"));
    let file = fine(
        "[intake.brokers.shop]\nurl = \"nats://a\"\nstream = \"o\"\npassword_file = \"password\"\n",
        &[],
    );
    let password = file.brokers[0].password.as_ref();
    assert_eq!(password.map(Secret::reveal), Some("hush"));
}

#[test]
fn what_is_wrong_with_a_broker_is_told_once() {
    let check = |keys: &str, code: &str, message: &str, help: &str| {
        let text = format!("[intake.brokers.shop]\n{keys}\n");
        refused(&text, &[], code, message, help);
    };
    check(
        "stream = \"orders\"",
        "E102",
        "`intake.brokers.shop` does not say where the broker is",
        "nats://",
    );
    check(
        "url = \"nats://a\"",
        "E102",
        "`intake.brokers.shop` does not say which stream to read",
        "set stream",
    );
    check(
        "url = \"nat://a\"\nstream = \"o\"",
        "E186",
        "`intake.brokers.shop.url` names no broker",
        "did you mean nats://?",
    );
    check(
        "url = \"nats://a,redis://b\"\nstream = \"o\"",
        "E186",
        "`intake.brokers.shop.url` names no broker",
        "SCHEME://HOST:PORT",
    );
    check(
        "url = \"kafka://a\"\nqueue = \"o\"",
        "E104",
        "`intake.brokers.shop.queue` means nothing to Kafka",
        "did you mean topic?",
    );
    check(
        "url = \"redis://a\"\nstream = \"o\"\nsubject = \"o.>\"",
        "E104",
        "`intake.brokers.shop.subject` means nothing to Redis Streams",
        "",
    );
    check(
        "url = \"redis://:hush@a\"\nstream = \"o\"",
        "E180",
        "`intake.brokers.shop.url` holds a password, and this file may be in git",
        "AFTERCARE_INTAKE__BROKERS__SHOP__PASSWORD",
    );
    check(
        "url = \"redis://a\"\nstream = \"o\"\npassword = \"hush\"",
        "E180",
        "`intake.brokers.shop.password` is a secret, and this file may be in git",
        "password_file",
    );
    check(
        "url = \"redis://a\"\nstream = \"o\"\nredeliver_after = \"10ms\"",
        "E186",
        "`intake.brokers.shop.redeliver_after` wants a time such as \"30s\" or \"5min\", a second at least",
        "",
    );
    check(
        "url = \"redis://a\"\nstream = \"o\"\nsource = \"shopfy\"\n[intake.sources.shopify]",
        "E188",
        "`intake.brokers.shop.source`: no source is called \"shopfy\"",
        "did you mean \"shopify\"?",
    );
    check(
        "url = \"redis://a\"\nstream = \"o\"\nstreem = \"o\"",
        "E104",
        "unknown key \"intake.brokers.shop.streem\"",
        "did you mean stream?",
    );
}
