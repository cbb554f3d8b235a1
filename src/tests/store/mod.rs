//! The store, on both databases: one suite, a fresh file or schema a test. PostgreSQL
//! where `TEST_POSTGRES_URL` says.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod asking;
mod erasing;
mod intake;
mod opening;
mod saving;
mod sending;

use aftercare::model::enrolment::{Enrolment, EnrolmentState};
use aftercare::model::event::{Event, EventKind, IngestMode};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EnrolmentId, EventSeq, SendId};
use aftercare::model::kind::Kind;
use aftercare::model::send::{Prepared, RuleRef, Send, SendState};
use aftercare::model::time::Timestamp;
use aftercare::plan::decision::{Decision, Plan};
use aftercare::store::{Accepted, Access, Claim, Db, Incoming, Saved, Saving, Store};
use serde_json::json;
use std::sync::Arc;

/// Where a test keeps its data.
pub struct Home {
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl Home {
    fn sqlite() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("data/shop.db").display());
        Home { url, folder }
    }

    /// A fresh schema; `None` where there is no server to test on.
    async fn postgres() -> Option<Home> {
        use sqlx::{AssertSqlSafe, Connection, PgConnection};
        let server = std::env::var("TEST_POSTGRES_URL").ok()?;
        let folder = tempfile::tempdir().unwrap();
        let schema = format!(
            "t{}_{}",
            std::process::id(),
            folder
                .path()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .replace('.', "")
                .to_lowercase()
        );
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{mark}options[search_path]={schema}");
        Some(Home { url, folder })
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, Access::Owner).await.unwrap()
    }
}

/// One test, run on each database.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($home:ident: Home) $body:block)*) => {
        $($(#[$doc])*
        mod $name {
            use super::*;
            async fn run($home: Home) $body

            #[tokio::test]
            async fn sqlite() {
                run(Home::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(home) = Home::postgres().await {
                    run(home).await;
                }
            }
        })*
    };
}
use on_both;

/// Minutes after some noon.
pub fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + minutes * 60_000).unwrap()
}

pub const SHOP: &str = "/shop";

pub fn event(source: &str, id: &str, kind: EventKind, body: serde_json::Value) -> Event {
    Event {
        seq: EventSeq(0),
        id: id.into(),
        source: source.into(),
        kind,
        subject: format!("about/{id}"),
        time: at(0),
        recorded: at(0),
        sequence: None,
        partition: None,
        mode: IngestMode::Live,
        misdated: false,
        body: Arc::new(serde_json::from_value(body).unwrap()),
        considered: false,
    }
}

/// An order as the shop has it, told at some version.
pub fn order(id: &str, customer: Option<&str>, email: Option<&str>, version: i64) -> Event {
    let money = json!({"amount": 4200, "currency": "EUR"});
    event(
        SHOP,
        &format!("order/{id}/placed"),
        EventKind::OrderPlaced,
        json!({
            "customer": {"customer_id": customer, "email": email},
            "order": {
                "order_id": id, "order_number": format!("#{id}"), "version": at(version).to_string(),
                "currency": "EUR", "total": money, "payment_status": "paid"
            },
        }),
    )
}

pub fn dispatched(source: &str, shipment: &str, order: Option<&str>, tracking: &str) -> Event {
    event(
        source,
        &format!("shipment/{shipment}/dispatched"),
        EventKind::ShipmentDispatched,
        json!({
            "order_ref": order.map(|id| json!({"order_id": id})),
            "shipment": {"shipment_id": shipment, "tracking": [{"number": tracking}]},
        }),
    )
}

pub fn plain(event: Event) -> Incoming {
    Incoming {
        event,
        transport: None,
    }
}

/// Takes one event in and gives its customer.
pub async fn accept(store: &Store, event: Event) -> Option<CustomerId> {
    match store
        .accept(vec![plain(event)], vec![], at(0))
        .await
        .unwrap()[0]
    {
        Accepted::New { customer, .. } => customer,
        Accepted::Duplicate => panic!("expected a new event"),
    }
}

pub async fn history(store: &Store, of: CustomerId) -> History {
    store.histories(&[of]).await.unwrap().remove(0).unwrap()
}

pub fn enrolment(customer: CustomerId) -> Enrolment {
    let key = format!("customer={customer}");
    Enrolment {
        id: EnrolmentId::derive("hello", &key, 1),
        sequence: "hello".into(),
        key,
        n: 1,
        opened_at: at(0),
        anchor: at(0),
        starts: vec![],
        state: EnrolmentState::Active,
        resumed_at: None,
        test: false,
        version: "v1".into(),
    }
}

pub fn queued(customer: CustomerId, step: &str, minutes: i64) -> Send {
    let enrolment = enrolment(customer).id;
    Send {
        id: SendId::derive(enrolment, step, ""),
        enrolment,
        sequence: "hello".into(),
        step: step.into(),
        occurrence: String::new(),
        gathered: vec![],
        kind: Kind::Education,
        mail: "hello/world".into(),
        due: at(minutes),
        zone: "Europe/Berlin".into(),
        locale: "de".into(),
        order: Some("17".into()),
        order_number: Some("#17".into()),
        state: SendState::Queued {
            not_before: at(minutes),
        },
        at: at(0),
        attempts: 0,
        first_tried: None,
        doubts: 0,
        reason: None,
        rule: RuleRef::default(),
        evidence: vec![EventSeq(1)],
        prepared: None,
        considered: false,
    }
}

pub fn prepared(to: &str) -> Prepared {
    Prepared {
        hash: "00".into(),
        version: "v1".into(),
        date: at(1),
        to: to.into(),
        locale: "de".into(),
        values: json!({"first_name": "Ann"}),
    }
}

/// Saves a plan for the customer as it is now.
pub async fn save(
    store: &Store,
    customer: CustomerId,
    decisions: Vec<Decision>,
    wake_at: Option<Timestamp>,
) {
    let version = history(store, customer).await.version;
    let plan = Plan {
        decisions,
        outlook: vec![],
        wake_at,
    };
    let saving = Saving {
        customer,
        version,
        now: at(0),
        plan,
    };
    assert_eq!(store.save(vec![saving]).await.unwrap(), [Saved::Done]);
}

/// A customer with some queued sends, due after so many minutes.
pub async fn customer_with(store: &Store, name: &str, due: &[(&str, i64)]) -> CustomerId {
    let customer = accept(store, order(name, Some(name), None, 1))
        .await
        .unwrap();
    let mut decisions = vec![Decision::Enrol(enrolment(customer))];
    decisions.extend(
        due.iter()
            .map(|(step, minutes)| Decision::Decide(queued(customer, step, *minutes))),
    );
    save(store, customer, decisions, None).await;
    customer
}

/// The one claim that is due.
pub async fn claim(store: &Store, minutes: i64) -> Claim {
    let claims = store.claim_sends(at(minutes), 10).await.unwrap();
    assert_eq!(claims.len(), 1, "one send is due");
    claims[0]
}
