//! What the values mean: types, defaults, and the rules between them.

use super::raw::{Given, Raw, variable_of};
use super::{
    Alerts, CAPTURE, CONNECTIONS, Config, Credentials, Database, Http, Intake, Journal, Log,
    LogFormat, Mailer, QUARANTINE, Rehearsal, Secret, Smtp, Timeouts,
};
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::email::Address;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{Host, Url};

/// Most connections to a relay.
const MAX_CONNECTIONS: usize = 256;
/// Largest body that intake may be told to take, in bytes.
pub(super) const MAX_BODY: usize = 64 << 20;
/// Deepest nesting that intake may be told to take: JSON is read by recursion.
pub(super) const MAX_DEPTH: usize = 120;
/// Fastest pace and largest burst that may be set, in deliveries.
pub(super) const MAX_PACE: usize = 1_000_000;
/// Largest journal that may be set, in bytes.
const MAX_JOURNAL: usize = 1 << 40;
/// Smallest journal that may be set: it must hold some of the largest deliveries.
const MIN_JOURNAL: usize = 16 << 20;
/// Most secrets that may be valid at once.
const MAX_SECRETS: usize = 2;
/// Longest time limit.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Reads the configuration of the shop in `folder`: the text of `config/aftercare.toml`
/// with its path, if there is one, and the environment over it. `open` reads a file named
/// by a `*_file` key. There is a configuration only where nothing is wrong.
pub fn read(
    folder: &Path,
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    open: impl FnMut(&Path) -> Result<String, String>,
) -> (Option<Config>, Vec<Diagnostic>) {
    let mut reader = Reader {
        folder,
        raw: Raw::read(file, environment),
        open,
    };
    let config = reader.config();
    let problems = reader.raw.problems;
    let clean = problems
        .iter()
        .all(|one| one.severity() == Severity::Warning);
    (config.filter(|_| clean), problems)
}

/// Whether an address leads to this machine.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) struct Reader<'a, O> {
    folder: &'a Path,
    pub(super) raw: Raw,
    pub(super) open: O,
}

impl<O: FnMut(&Path) -> Result<String, String>> Reader<'_, O> {
    fn config(&mut self) -> Option<Config> {
        let data_dir = self.path("data_dir").unwrap_or_else(|| self.inside("data"));
        let arming_key_file = self
            .path("arming_key_file")
            .unwrap_or_else(|| data_dir.join("arming.key"));
        let secret_file = self.path("secret_file");
        let database = self.database();
        let http = self.http();
        let smtp = self.smtp();
        let intake = self.intake(http.as_ref().map(|http| http.listen));
        let sources = self.sources(http.as_ref().map(|http| http.listen));
        let journal = Journal {
            max: self
                .number("intake.journal.max", MIN_JOURNAL, MAX_JOURNAL)
                .map(|max| max as u64),
        };
        let brokers = self.brokers(&sources);
        let mailer = Mailer {
            keep_bodies: self.flag("mailer.keep_bodies").unwrap_or(false),
            message_id_domain: self.parsed(
                "mailer.message_id_domain",
                "a host name: \"mail.shop.example.com\"",
                host_name,
            ),
        };
        let clock = self.clock(smtp.as_ref());
        let format = self.parsed("log.format", "\"text\" or \"json\"", |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let alerts = self.alerts();
        Some(Config {
            alerts,
            data_dir,
            arming_key_file,
            secret_file,
            database: database?,
            http: http?,
            smtp: smtp?,
            intake,
            sources,
            journal,
            brokers,
            mailer,
            clock,
            log: Log {
                format: format.unwrap_or_default(),
            },
        })
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.raw.problems.push(problem);
    }

    pub(super) fn inside(&self, path: impl AsRef<Path>) -> PathBuf {
        if self.folder == Path::new(".") || self.folder == Path::new("") {
            path.as_ref().to_owned()
        } else {
            self.folder.join(path)
        }
    }

    /// A value that `read` understands.
    fn parsed<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let given = self.raw.get(key)?.clone();
        let value = read(given.text.trim());
        if value.is_none() {
            let help = "the service does not start with it, and no mail goes out; without it, the default holds";
            self.report(
                given
                    .problem("E186", format!("`{key}` wants {wanted}"))
                    .help(help),
            );
        }
        value
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.parsed(key, "true or false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    fn number(&mut self, key: &'static str, least: usize, most: usize) -> Option<usize> {
        self.parsed(key, &format!("a number from {least} to {most}"), |text| {
            let number = text.parse().ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    fn count(&mut self, key: &'static str) -> Option<u32> {
        let count = self.number(key, 1, MAX_PACE)?;
        u32::try_from(count).ok()
    }

    fn wait(&mut self, key: &'static str) -> Option<Duration> {
        self.parsed(
            key,
            "a time such as \"30s\", \"5min\" or \"1h\", a day at most",
            wait,
        )
    }

    fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = self.parsed(key, "a path", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        })?;
        Some(self.inside(path))
    }

    fn database(&mut self) -> Option<Database> {
        let Some(given) = self.raw.get("database.url").cloned() else {
            let path = self.inside("data/aftercare.db");
            return Some(Database {
                url: format!("sqlite:{}", path.display()),
            });
        };
        let url = given.text.trim().to_owned();
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                self.report(
                    given
                        .problem("E186", "`database.url` names no file")
                        .help("write sqlite:data/aftercare.db"),
                );
                return None;
            }
            let in_memory = path.starts_with(":memory:");
            let path = if in_memory {
                PathBuf::from(path)
            } else {
                self.inside(path)
            };
            return Some(Database {
                url: format!("sqlite:{}", path.display()),
            });
        }
        match Url::parse(&url) {
            Ok(parsed) if matches!(parsed.scheme(), "postgres" | "postgresql") => {
                self.no_password(&given, "database.url", &parsed);
                Some(Database { url })
            }
            _ => {
                self.report(
                    given
                        .problem("E186", "`database.url` names no database we know")
                        .help("write sqlite:PATH or postgres://user@host/name"),
                );
                None
            }
        }
    }

    /// A password in a URL is a secret like any other.
    fn no_password(&mut self, given: &Given, key: &str, url: &Url) {
        if url.password().is_some() && !given.is_of_environment() {
            self.report(
                given
                    .problem(
                        "E180",
                        format!("`{key}` holds a password, and this file may be in git"),
                    )
                    .help(format!("set {} instead", variable_of(key))),
            );
        }
    }

    fn http(&mut self) -> Option<Http> {
        let listen = match self.raw.get("http.listen") {
            Some(_) => self.parsed(
                "http.listen",
                "an address and a port: \"127.0.0.1:8025\"",
                |text| text.parse::<SocketAddr>().ok(),
            )?,
            None => Config::default().http.listen,
        };
        let public_url = self.parsed(
            "http.public_url",
            "a web address: \"https://mail.shop.example.com\"",
            |text| {
                let url = Url::parse(text).ok()?;
                let plain = matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty();
                plain.then(|| text.trim_end_matches('/').to_owned())
            },
        );
        if self.raw.get("http.public_url").is_none() && listen.ip().is_unspecified() {
            self.report(
                Diagnostic::new(
                    "W182",
                    super::raw::ENVIRONMENT,
                    0..0,
                    format!(
                        "links in mails will point to http://{listen}, where nobody finds them"
                    ),
                )
                .help(format!(
                    "set http.public_url, or {}",
                    variable_of("http.public_url")
                )),
            );
        }
        Some(Http {
            listen,
            public_url: public_url.unwrap_or_else(|| format!("http://{listen}")),
        })
    }

    fn smtp(&mut self) -> Option<Smtp> {
        let url = match self.raw.get("smtp.url").cloned() {
            None => CAPTURE.to_owned(),
            Some(given) if given.text.trim() == CAPTURE => CAPTURE.to_owned(),
            Some(given) => {
                let parsed = Url::parse(given.text.trim()).ok().filter(|url| {
                    matches!(url.scheme(), "smtp" | "smtp+starttls" | "smtps") && url.has_host()
                });
                let Some(parsed) = parsed else {
                    self.report(
                        given
                            .problem("E186", "`smtp.url` names no relay")
                            .help("write capture, smtp://HOST:PORT, smtp+starttls://HOST:PORT or smtps://HOST:PORT"),
                    );
                    return None;
                };
                self.no_password(&given, "smtp.url", &parsed);
                given.text.trim().to_owned()
            }
        };
        let step = |reader: &mut Self, key| reader.wait(key);
        let timeouts = Timeouts {
            connect: step(self, "smtp.timeouts.connect"),
            tls: step(self, "smtp.timeouts.tls"),
            banner: step(self, "smtp.timeouts.banner"),
            ehlo: step(self, "smtp.timeouts.ehlo"),
            starttls: step(self, "smtp.timeouts.starttls"),
            auth: step(self, "smtp.timeouts.auth"),
            mail: step(self, "smtp.timeouts.mail"),
            rcpt: step(self, "smtp.timeouts.rcpt"),
            data: step(self, "smtp.timeouts.data"),
            block: step(self, "smtp.timeouts.block"),
            body: step(self, "smtp.timeouts.body"),
            dot: step(self, "smtp.timeouts.dot"),
            reset: step(self, "smtp.timeouts.reset"),
            quit: step(self, "smtp.timeouts.quit"),
        };
        Some(Smtp {
            credentials: self.credentials(),
            connections: self
                .number("smtp.connections", 1, MAX_CONNECTIONS)
                .unwrap_or(CONNECTIONS),
            bounce_address: self.parsed("smtp.bounce_address", "a mail address", |text| {
                Address::parse(text)
                    .ok()
                    .map(|address| address.as_typed().to_owned())
            }),
            helo: self.parsed(
                "smtp.helo",
                "a host name, or an address in brackets",
                |text| {
                    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
                    (!text.is_empty() && text.len() <= 255 && text.chars().all(plain))
                        .then(|| text.to_owned())
                },
            ),
            ca_file: self.path("smtp.ca_file"),
            url,
            timeouts,
        })
    }

    fn alerts(&mut self) -> Alerts {
        let mail = self.parsed("alerts.mail", "a mail address", |text| {
            let address = Address::parse(text).ok()?;
            Some(address.as_typed().to_owned())
        });
        let webhook = self.parsed(
            "alerts.webhook",
            "a web address: https, or http to this machine",
            |text| {
                let url = Url::parse(text).ok()?;
                let fits = url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && match url.scheme() {
                        "https" => true,
                        "http" => is_this_machine(&url),
                        _ => false,
                    };
                fits.then(|| text.to_owned())
            },
        );
        let given = self.raw.get("alerts.webhook_secret");
        let webhook_secret = match given.map(|given| given.text.trim().to_owned()) {
            Some(text) => Some(Secret(text)),
            None => self
                .opened("alerts.webhook_secret_file")
                .map(|text| Secret(text.trim().to_owned())),
        };
        let file = self.raw.get("alerts.webhook_secret_file").is_some();
        if let (Some(_), None, false) = (&webhook, &webhook_secret, file)
            && let Some(given) = self.raw.get("alerts.webhook")
        {
            let problem = given
                .problem(
                    "E102",
                    "`alerts.webhook` is there without `alerts.webhook_secret`",
                )
                .help(format!(
                    "set {} to whsec_ and base64, or name a file: alerts.webhook_secret_file",
                    variable_of("alerts.webhook_secret")
                ));
            self.report(problem);
        }
        let quarantine = self.number("alerts.quarantine", 1, 1_000_000);
        Alerts {
            mail,
            webhook,
            webhook_secret,
            quarantine: quarantine
                .and_then(|number| i64::try_from(number).ok())
                .unwrap_or(QUARANTINE),
        }
    }

    fn credentials(&mut self) -> Option<Credentials> {
        let user = self
            .raw
            .get("smtp.user")
            .map(|given| given.text.trim().to_owned());
        let password = match self.raw.get("smtp.password") {
            Some(given) => Some(Secret(given.text.clone())),
            None => self
                .opened("smtp.password_file")
                .map(|text| Secret(text.trim_end_matches(['\r', '\n']).to_owned())),
        };
        match (user, password) {
            (Some(user), Some(password)) => Some(Credentials { user, password }),
            (None, None) => None,
            // The file that holds it was named and cannot be read: that is told already.
            (Some(_), None) if self.raw.get("smtp.password_file").is_some() => None,
            (had, _) => {
                let (given, missing) = if had.is_some() {
                    ("smtp.user", "smtp.password")
                } else {
                    ("smtp.password", "smtp.user")
                };
                let at = self
                    .raw
                    .get(given)
                    .or_else(|| self.raw.get("smtp.password_file"));
                if let Some(problem) = at.map(|at| {
                    at.problem("E102", format!("`{given}` is there without `{missing}`"))
                        .help(format!("set {}", variable_of(missing)))
                }) {
                    self.report(problem);
                }
                None
            }
        }
    }

    /// The text of the file that a key names.
    fn opened(&mut self, key: &'static str) -> Option<String> {
        let path = self.path(key)?;
        match (self.open)(&path) {
            Ok(text) => Some(text),
            Err(why) => {
                if let Some(problem) = self.raw.get(key).map(|given| {
                    given.problem(
                        "E183",
                        format!("`{key}`: {} cannot be read: {why}", path.display()),
                    )
                }) {
                    self.report(problem);
                }
                None
            }
        }
    }

    fn intake(&mut self, listen: Option<SocketAddr>) -> Option<Intake> {
        if !self.raw.intake {
            return None;
        }
        let unsigned = self.flag("intake.events.unsigned").unwrap_or(false);
        let loopback = listen.is_none_or(|listen| listen.ip().to_canonical().is_loopback());
        if let (true, false, Some(given)) =
            (unsigned, loopback, self.raw.get("intake.events.unsigned"))
        {
            let problem = given
                .problem(
                    "E184",
                    "unsigned events are taken on a loopback address alone",
                )
                .help("anybody who reaches the port could make mails go out")
                .help("set http.listen = \"127.0.0.1:8025\", or give intake.events.secrets");
            self.report(problem);
        }
        let mut secrets: Vec<Secret> = Vec::new();
        let here = self
            .raw
            .get("intake.events.secrets")
            .map(|given| given.text.replace(',', "\n"));
        let file = self.opened("intake.events.secrets_file");
        for text in [here, file].into_iter().flatten() {
            let lines = text.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            secrets.extend(lines.map(|line| Secret(line.to_owned())));
        }
        if secrets.len() > MAX_SECRETS {
            self.report(Diagnostic::new(
                "E186",
                super::raw::ENVIRONMENT,
                0..0,
                format!("intake.events takes {MAX_SECRETS} secrets at most, two while one replaces the other"),
            ));
        }
        Some(Intake {
            unsigned,
            secrets,
            max_body: self.number("intake.events.max_body", 1024, MAX_BODY),
            max_depth: self.number("intake.events.max_depth", 8, MAX_DEPTH),
            read_timeout: self.wait("intake.events.read_timeout"),
            signature_window: self.wait("intake.events.signature_window"),
            rate: self.count("intake.events.rate"),
            burst: self.count("intake.events.burst"),
        })
    }

    fn clock(&mut self, smtp: Option<&Smtp>) -> Option<Rehearsal> {
        let start = self.parsed("clock.start", "an instant: 2026-03-01T00:00:00Z", |text| {
            text.parse().ok()
        });
        let speed = self.parsed("clock.speed", "a number above 0", |text| {
            let speed: f64 = text.replace('_', "").parse().ok()?;
            (speed > 0.0 && speed.is_finite()).then_some(speed)
        });
        let given = self
            .raw
            .get("clock.start")
            .or_else(|| self.raw.get("clock.speed"))?
            .clone();
        if self.raw.get("clock.start").is_none() {
            self.report(
                given
                    .problem("E102", "a rehearsal clock has a speed and no start")
                    .help("set clock.start = 2026-03-01T00:00:00Z too"),
            );
        }
        if smtp.is_some_and(|smtp| !smtp.is_capture() && !is_loopback(&smtp.url)) {
            self.report(
                given
                    .problem("E185", "a rehearsal clock sends no real mail")
                    .help(
                        "smtp.url must be capture or a relay on this machine while [clock] is set",
                    ),
            );
        }
        Some(Rehearsal {
            start: start?,
            speed: speed.unwrap_or(1.0),
        })
    }
}

/// Whether a relay is on this machine.
fn is_loopback(url: &str) -> bool {
    // Only web schemes have their hosts read as addresses.
    let host = Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    match host.as_deref().map(Host::parse) {
        Some(Ok(Host::Ipv4(ip))) => ip.is_loopback(),
        Some(Ok(Host::Ipv6(ip))) => IpAddr::V6(ip).to_canonical().is_loopback(),
        Some(Ok(Host::Domain(name))) => name == "localhost",
        Some(Err(_)) | None => false,
    }
}

/// A URL that may be shown.
pub(super) fn without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => match parsed.set_password(Some("***")) {
            Ok(()) => parsed.to_string(),
            Err(()) => "***".to_owned(),
        },
        Ok(_) => url.to_owned(),
        Err(_) if url == CAPTURE => url.to_owned(),
        Err(_) => "***".to_owned(),
    }
}

fn host_name(text: &str) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    (text.len() <= 253 && text.split('.').all(label)).then(|| text.to_lowercase())
}

/// `500ms`, `30s`, `5min`, `2h`, `1d`: a day at most.
pub(super) fn wait(text: &str) -> Option<Duration> {
    length(text).filter(|wait| *wait <= MAX_WAIT)
}

/// As [`wait`], of any length but none.
pub(super) fn length(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    let length = match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "min" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(24 * 3600),
        _ => None,
    }?;
    (!length.is_zero()).then_some(length)
}
