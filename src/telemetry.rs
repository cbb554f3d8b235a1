//! What the running service says about itself: logs and metrics.
//!
//! Log with dotted fields (`order.id`, `send.id`, `duration_ms`) and a sentence that
//! reads alone. Neither a log line nor a label ever holds an address, a name, a
//! token or a body: ids only, and labels only from closed sets.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged where nobody says otherwise. Libraries that could print what they
/// carry (statements, protocol lines) are held at warnings.
pub const DEFAULT_FILTER: &str = "info,sqlx=warn,hyper=warn,handlebars=warn,rustls=warn";

/// Environment variable that sets the filter, in the syntax of `RUST_LOG`.
pub const FILTER_VARIABLE: &str = "AFTERCARE_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people, with colours where the terminal has them.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter: expected directives such as \"info,aftercare=debug\", found {found:?}")]
    Filter {
        /// What was given.
        found: String,
        /// What the reader made of it.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Somebody installed another logger before.
    #[error("the log was started already")]
    Started(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error, so that standard output stays free for what a
/// command prints. `filter` wins over [`FILTER_VARIABLE`], which wins over
/// [`DEFAULT_FILTER`].
///
/// # Errors
/// The filter does not parse, or logging runs already.
pub fn init(format: Format, filter: Option<&str>) -> Result<(), TelemetryError> {
    let text = filter
        .map(str::to_owned)
        .or_else(|| std::env::var(FILTER_VARIABLE).ok())
        .filter(|text| !text.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let filter = read_filter(&text)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        Format::Text => registry
            .with(
                layer
                    .with_target(false)
                    .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())),
            )
            .try_init(),
        Format::Json => registry
            .with(layer.json().flatten_event(true).with_ansi(false))
            .try_init(),
    }
    .map_err(TelemetryError::Started)
}

fn read_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(text).map_err(|cause| TelemetryError::Filter {
        found: text.to_owned(),
        cause,
    })
}

/// Buckets, in seconds, for how long something of ours took.
const DURATION_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Buckets, in seconds, for how late mails go: from a second to a day.
const LAG_BUCKETS: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
];

/// Events taken in and new.
pub const EVENTS_ACCEPTED: &str = "aftercare_events_accepted_total";
/// Events that were known already.
pub const EVENTS_DUPLICATE: &str = "aftercare_events_duplicate_total";
/// Bodies that parse and are no event we know.
pub const EVENTS_QUARANTINED: &str = "aftercare_events_quarantined_total";
/// Events that waited in vain for what they are about, and are in quarantine.
pub const PARKED_EXPIRED: &str = "aftercare_parked_expired_total";
/// Requests turned away before anything was stored, by `status`.
pub const REQUESTS_REFUSED: &str = "aftercare_requests_refused_total";
/// Deliveries of platforms, by `source` (its name in the configuration) and `outcome`:
/// `understood`, `unused` (a topic that we have no use for), `to_fetch`
/// (it names something and no more), `quarantined`, `ping`, `refused`.
pub const HOOKS: &str = "aftercare_hooks_total";
/// Whether a source is silent for longer than its rhythm explains, by `source` and `kind`.
pub const SOURCE_SILENT: &str = "aftercare_source_silent";
/// Steps of asking a platform for what its deliveries lost, by `source` and `outcome`:
/// `fine` or `failed`.
pub const POLL_STEPS: &str = "aftercare_poll_steps_total";
/// Facts that came by asking, by `source` and `outcome`: `new` (no delivery had told it)
/// or `known`.
pub const POLL_FACTS: &str = "aftercare_poll_facts_total";
/// How long ago a platform was last asked to the end, by `source`.
pub const POLL_LAG_SECONDS: &str = "aftercare_poll_lag_seconds";
/// Thin deliveries that were fetched, by `source` and `outcome`: `fetched`, `known` (it
/// held nothing new), `failed` (it is tried again), `gone` (the platform has it no more),
/// `quarantined`.
pub const FETCHES: &str = "aftercare_fetches_total";
/// Messages of brokers, by `broker` (its name in the configuration) and `outcome`:
/// `received`, `redelivered` (of those, delivered before), `acknowledged`, `poison` (gone
/// to quarantine).
pub const BROKER_MESSAGES: &str = "aftercare_broker_messages_total";
/// Messages that a broker's group has not acknowledged, by `broker`.
pub const BROKER_LAG: &str = "aftercare_broker_lag";
/// Whether a broker is connected, by `broker`.
pub const BROKER_CONNECTED: &str = "aftercare_broker_connected";
/// How long `POST /events` took, the durable commit included.
pub const INTAKE_SECONDS: &str = "aftercare_intake_seconds";
/// Deliveries kept in the journal, by `because`: `away`, `slow`, `crowded`, `fast`, `behind`.
pub const SPILL_KEPT: &str = "aftercare_spill_kept_total";
/// Deliveries of the journal that the database has taken since.
pub const SPILL_DRAINED: &str = "aftercare_spill_drained_total";
/// Deliveries that wait in the journal.
pub const SPILL_RECORDS: &str = "aftercare_spill_records";
/// Bytes of them.
pub const SPILL_BYTES: &str = "aftercare_spill_bytes";
/// How long the oldest of them has waited.
pub const SPILL_AGE: &str = "aftercare_spill_age_seconds";
/// Deliveries refused because their source sends faster than it may, by `source`.
pub const THROTTLED: &str = "aftercare_throttled_total";
/// Opt-outs from the public page, by `how`: `one_click` or `page`.
pub const OPT_OUTS: &str = "aftercare_opt_outs_total";
/// Sends that reached a state, by `state` and `kind`.
pub const SENDS: &str = "aftercare_sends_total";
/// Mails held because they could not be made, by `mail` and `because`.
pub const MAILS_HELD: &str = "aftercare_mails_held_total";
/// Customers planned.
pub const PLANS: &str = "aftercare_plans_total";
/// How long planning one batch of customers took, loading and saving included.
pub const PLAN_SECONDS: &str = "aftercare_plan_seconds";
/// How late a mail was accepted, counted from its due instant.
pub const SEND_LAG_SECONDS: &str = "aftercare_send_lag_seconds";
/// How overdue the head of the due queue is now; 0 when nothing is overdue.
pub const DUE_LAG_SECONDS: &str = "aftercare_due_lag_seconds";
/// Whether the relay's circuit is open: 1 while we leave it alone.
pub const RELAY_CIRCUIT_OPEN: &str = "aftercare_relay_circuit_open";
/// Customers set aside because their rows or their plan failed.
pub const SET_ASIDE: &str = "aftercare_customers_set_aside_total";
/// Rows that the database holds, by `what`.
pub const STORED: &str = "aftercare_stored";
/// Sends that the database holds, by `state`.
pub const STORED_SENDS: &str = "aftercare_stored_sends";

static RENDERER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting. A second call changes nothing; where another recorder is in
/// place, the counts go there and [`render`] has none to show.
pub fn start_metrics() {
    if RENDERER.get().is_some() {
        return;
    }
    let recorder = recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        RENDERER.get_or_init(|| handle);
        describe();
    }
}

fn recorder() -> metrics_exporter_prometheus::PrometheusRecorder {
    use metrics_exporter_prometheus::Matcher;
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in [
        (INTAKE_SECONDS, &DURATION_BUCKETS[..]),
        (PLAN_SECONDS, &DURATION_BUCKETS[..]),
        (SEND_LAG_SECONDS, &LAG_BUCKETS[..]),
    ] {
        builder = match builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets) {
            Ok(builder) => builder,
            // It refuses an empty list alone, and ours are constants above.
            Err(_) => PrometheusBuilder::new(),
        };
    }
    builder.build_recorder()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(EVENTS_ACCEPTED, "Events taken in and new");
    describe_counter!(EVENTS_DUPLICATE, "Events that were known already");
    describe_counter!(EVENTS_QUARANTINED, "Bodies that are no event we know");
    describe_counter!(
        REQUESTS_REFUSED,
        "Requests turned away before anything was stored"
    );
    describe_histogram!(INTAKE_SECONDS, "Time that POST /events took");
    describe_counter!(HOOKS, "Deliveries of platforms");
    describe_gauge!(
        SOURCE_SILENT,
        "1 while a source is silent for longer than its own rhythm explains"
    );
    describe_counter!(POLL_STEPS, "Steps of asking platforms for what was lost");
    describe_counter!(POLL_FACTS, "Facts that came by asking platforms");
    describe_gauge!(
        POLL_LAG_SECONDS,
        "How long ago a platform was last asked to the end"
    );
    describe_counter!(FETCHES, "Thin deliveries that were fetched");
    describe_counter!(SPILL_KEPT, "Deliveries kept in the journal");
    describe_counter!(
        SPILL_DRAINED,
        "Deliveries of the journal that the database has taken since"
    );
    describe_gauge!(SPILL_RECORDS, "Deliveries that wait in the journal");
    describe_gauge!(SPILL_BYTES, "Bytes that wait in the journal");
    describe_gauge!(
        SPILL_AGE,
        "How long the oldest delivery in the journal has waited"
    );
    describe_counter!(
        THROTTLED,
        "Deliveries refused because their source sends faster than it may"
    );
    describe_counter!(BROKER_MESSAGES, "Messages of brokers");
    describe_gauge!(
        BROKER_LAG,
        "Messages that a broker's group has not acknowledged"
    );
    describe_gauge!(BROKER_CONNECTED, "1 while a broker is connected");
    describe_counter!(OPT_OUTS, "Opt-outs from the public page");
    describe_counter!(SENDS, "Sends that reached a state");
    describe_counter!(MAILS_HELD, "Mails held because they could not be made");
    describe_counter!(PLANS, "Customers planned");
    describe_histogram!(PLAN_SECONDS, "Time that planning a batch of customers took");
    describe_histogram!(SEND_LAG_SECONDS, "How late mails were accepted");
    describe_gauge!(DUE_LAG_SECONDS, "How overdue the head of the due queue is");
    describe_gauge!(RELAY_CIRCUIT_OPEN, "1 while the relay is left alone");
    describe_gauge!(STORED, "Rows that the database holds");
    describe_gauge!(STORED_SENDS, "Sends that the database holds, by state");
    describe_counter!(SET_ASIDE, "Customers set aside for an operator");
}

/// All metrics in Prometheus' text format; `None` before [`start_metrics`].
pub fn render() -> Option<String> {
    RENDERER.get().map(PrometheusHandle::render)
}

/// Folds what histograms gathered since the last call. Without it they grow while
/// nobody scrapes, so whoever serves calls it every few seconds.
pub fn upkeep() {
    if let Some(handle) = RENDERER.get() {
        handle.run_upkeep();
    }
}

/// Counts events that are new and durable.
pub fn events_accepted(count: u64) {
    metrics::counter!(EVENTS_ACCEPTED).increment(count);
}

/// Counts events that were known already.
pub fn events_duplicate(count: u64) {
    metrics::counter!(EVENTS_DUPLICATE).increment(count);
}

/// Counts bodies put into quarantine.
pub fn events_quarantined(count: u64) {
    metrics::counter!(EVENTS_QUARANTINED).increment(count);
}

/// What became of a message of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerMessage {
    /// It was handed to us.
    Received,
    /// It was handed to us, and before to somebody.
    Redelivered,
    /// We said that it is durable.
    Acknowledged,
    /// It cannot be used and is in quarantine.
    Poison,
}

impl BrokerMessage {
    fn as_str(self) -> &'static str {
        match self {
            BrokerMessage::Received => "received",
            BrokerMessage::Redelivered => "redelivered",
            BrokerMessage::Acknowledged => "acknowledged",
            BrokerMessage::Poison => "poison",
        }
    }
}

/// Counts messages of a broker; `broker` is a name of the configuration.
pub fn broker(broker: &str, what: BrokerMessage, count: usize) {
    metrics::counter!(BROKER_MESSAGES, "broker" => broker.to_owned(), "outcome" => what.as_str())
        .increment(count as u64);
}

/// Shows how many messages of a broker are not acknowledged yet.
pub fn broker_lag(broker: &str, messages: u64) {
    metrics::gauge!(BROKER_LAG, "broker" => broker.to_owned()).set(messages as f64);
}

/// Shows whether a broker is connected.
pub fn broker_connected(broker: &str, connected: bool) {
    let value = if connected { 1.0 } else { 0.0 };
    metrics::gauge!(BROKER_CONNECTED, "broker" => broker.to_owned()).set(value);
}

/// Counts events that waited in vain for somebody to turn up.
pub fn parked_expired(count: u64) {
    metrics::counter!(PARKED_EXPIRED).increment(count);
}

/// Counts one request turned away with an HTTP status.
pub fn refused(status: u16) {
    metrics::counter!(REQUESTS_REFUSED, "status" => status.to_string()).increment(1);
}

/// Counts one delivery of a platform; `source` is a name of the configuration.
pub fn hook(source: &str, outcome: &'static str) {
    metrics::counter!(HOOKS, "source" => source.to_owned(), "outcome" => outcome).increment(1);
}

/// Counts one step of asking a platform, and the facts that came of it.
pub fn polled(source: &str, outcome: &'static str, found: usize, known: usize) {
    let source = source.to_owned();
    metrics::counter!(POLL_STEPS, "source" => source.clone(), "outcome" => outcome).increment(1);
    for (outcome, count) in [("new", found), ("known", known)] {
        metrics::counter!(POLL_FACTS, "source" => source.clone(), "outcome" => outcome)
            .increment(count as u64);
    }
}

/// Shows how long ago a platform was last asked to the end.
pub fn poll_lag(source: &str, lag: Duration) {
    metrics::gauge!(POLL_LAG_SECONDS, "source" => source.to_owned()).set(lag.as_secs_f64());
}

/// Counts one thin delivery that was taken on.
pub fn fetched(source: &str, outcome: &'static str) {
    metrics::counter!(FETCHES, "source" => source.to_owned(), "outcome" => outcome).increment(1);
}

/// Counts one delivery that was kept in the journal.
pub fn spilled(because: &'static str) {
    metrics::counter!(SPILL_KEPT, "because" => because).increment(1);
}

/// Counts deliveries of the journal that the database has taken.
pub fn drained(count: u64) {
    metrics::counter!(SPILL_DRAINED).increment(count);
}

/// Shows what waits in the journal.
pub fn spill(records: u64, bytes: u64, age: Duration) {
    metrics::gauge!(SPILL_RECORDS).set(records as f64);
    metrics::gauge!(SPILL_BYTES).set(bytes as f64);
    metrics::gauge!(SPILL_AGE).set(age.as_secs_f64());
}

/// Counts one delivery that was refused for its source's rate; `source` is a name of the
/// configuration.
pub fn throttled(source: &str) {
    metrics::counter!(THROTTLED, "source" => source.to_owned()).increment(1);
}

/// Shows whether a source is silent; both names come from events, which are signed.
pub fn source_silent(source: &str, kind: &str, silent: bool) {
    metrics::gauge!(SOURCE_SILENT, "source" => source.to_owned(), "kind" => kind.to_owned())
        .set(if silent { 1.0 } else { 0.0 });
}

/// Records how long one delivery of events took.
pub fn intake_took(duration: Duration) {
    metrics::histogram!(INTAKE_SECONDS).record(duration);
}

/// Counts one opt-out by its way in.
pub fn opted_out(how: &'static str) {
    metrics::counter!(OPT_OUTS, "how" => how).increment(1);
}

/// Counts one send that reached a state.
pub fn send_settled(state: &'static str, kind: &'static str) {
    metrics::counter!(SENDS, "state" => state, "kind" => kind).increment(1);
}

/// Counts one mail held because it could not be made; `mail` is its name in the files
/// and `because` the stable code of the reason.
pub fn mail_held(mail: &str, because: &'static str) {
    metrics::counter!(MAILS_HELD, "mail" => mail.to_owned(), "because" => because).increment(1);
}

/// Records how late one mail was accepted; early counts as on time.
pub fn send_lag(lag: Duration) {
    metrics::histogram!(SEND_LAG_SECONDS).record(lag);
}

/// Records one batch of plans.
pub fn planned(customers: u64, duration: Duration) {
    metrics::counter!(PLANS).increment(customers);
    metrics::histogram!(PLAN_SECONDS).record(duration);
}

/// Shows how overdue the head of the due queue is.
pub fn due_lag(lag: Duration) {
    metrics::gauge!(DUE_LAG_SECONDS).set(lag.as_secs_f64());
}

/// Shows whether the relay's circuit is open.
pub fn relay_circuit(open: bool) {
    metrics::gauge!(RELAY_CIRCUIT_OPEN).set(if open { 1.0 } else { 0.0 });
}

/// Counts one customer set aside.
pub fn set_aside() {
    metrics::counter!(SET_ASIDE).increment(1);
}

/// Shows how many rows of one sort the database holds.
pub fn stored(what: &'static str, count: i64) {
    metrics::gauge!(STORED, "what" => what).set(count as f64);
}

/// Shows how many sends in one state the database holds.
pub fn stored_sends(state: &str, count: i64) {
    metrics::gauge!(STORED_SENDS, "state" => state.to_owned()).set(count as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_counted_under_their_names() {
        let recorder = recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            events_accepted(3);
            events_duplicate(1);
            events_quarantined(2);
            mail_held("dslr/basics", "render");
            send_settled("accepted", "review");
            send_lag(Duration::from_secs(2));
            due_lag(Duration::from_millis(1500));
        });
        let text = handle.render();
        for line in [
            "aftercare_events_accepted_total 3",
            "aftercare_events_duplicate_total 1",
            "aftercare_events_quarantined_total 2",
            "aftercare_mails_held_total{mail=\"dslr/basics\",because=\"render\"} 1",
            "aftercare_sends_total{state=\"accepted\",kind=\"review\"} 1",
            "aftercare_send_lag_seconds_bucket{le=\"5\"} 1",
            "aftercare_due_lag_seconds 1.5",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_named() {
        assert!(read_filter(DEFAULT_FILTER).is_ok());
        let error = read_filter("info,=,=").map(|_| ()).err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("info,=,="), "{text}");
    }
}
