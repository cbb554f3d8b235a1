//! How alerts are told: a plain mail to the operator by the shop's own relay, and JSON to
//! a webhook, signed per Standard Webhooks.

use super::{Engine, Waiting};
use crate::client::{Ask, Auth, Client};
use crate::clock;
use crate::config;
use crate::ingest::signature::Secret;
use crate::mail::{Delivery, Letter, Mailbox};
use crate::model::time::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Position, Url};

/// Where alerts are posted.
#[derive(Debug)]
pub struct Hook {
    client: Client,
    /// With its query.
    path: String,
    secret: Secret,
    is_local: bool,
}

impl Hook {
    /// What the configuration says; `None` where it names none.
    ///
    /// # Errors
    /// The secret is missing or none, or the address is no web address.
    pub fn of(alerts: &config::Alerts) -> Result<Option<Hook>, String> {
        let Some(text) = &alerts.webhook else {
            return Ok(None);
        };
        let url = Url::parse(text).map_err(|_| "alerts.webhook: it is no web address")?;
        let secret = alerts
            .webhook_secret
            .as_ref()
            .ok_or("alerts.webhook has no secret: set AFTERCARE_ALERTS__WEBHOOK_SECRET")?;
        let secret = Secret::parse(secret.reveal())
            .map_err(|error| format!("alerts.webhook_secret: {error}"))?;
        let place = &url[..Position::BeforePath];
        let client =
            Client::new(place, Auth::None).map_err(|error| format!("alerts.webhook: {error}"))?;
        Ok(Some(Hook {
            client,
            path: url[Position::BeforePath..Position::AfterQuery].to_owned(),
            secret,
            is_local: config::is_this_machine(&url),
        }))
    }
}

impl Engine {
    /// Posts one alert.
    pub(super) async fn post_alert(&self, alert: &Waiting) -> Result<(), String> {
        let Some(hook) = Hook::of(&self.config.alerts)? else {
            return Ok(());
        };
        if self.clock.is_rehearsal() && !hook.is_local {
            // Invented news stays on this machine.
            return Ok(());
        }
        let body = payload(alert);
        // The shop's number and the alert's: the same at every try.
        let id = format!("alert_{}_{}", self.live().catalog.policy.id, alert.number);
        let timestamp = clock::real().as_second().to_string();
        let signature = hook
            .secret
            .sign(&id, &timestamp, body.to_string().as_bytes());
        let ask = Ask::post(hook.path)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .json(&body);
        let answer = hook
            .client
            .send(ask)
            .await
            .map_err(|error| error.to_string())?;
        if answer.is_fine() {
            Ok(())
        } else {
            Err(format!(
                "{} answered {}",
                hook.client.host(),
                answer.status()
            ))
        }
    }

    /// Mails alerts to the operator, all in one.
    pub(super) async fn mail_alerts(
        &self,
        alerts: &[&Waiting],
        now: Timestamp,
    ) -> Result<(), String> {
        let (Some(to), Some(first)) = (&self.config.alerts.mail, alerts.first()) else {
            return Ok(());
        };
        let live = self.live();
        let policy = &live.catalog.policy;
        let own = policy.people.values().next().map(|one| one.email.as_str());
        let from = self.config.smtp.bounce_address.as_deref().or(own);
        let from = from.ok_or("nobody can write it: config/people.toml names no one")?;
        let from = Mailbox::new(Some(&format!("aftercare of {}", policy.name)), from)
            .map_err(|error| error.to_string())?;
        let to = Mailbox::new(None, to).map_err(|error| error.to_string())?;
        let subject = match alerts.len() {
            1 => format!("[aftercare] {}: {}", policy.name, first.what.title()),
            many => format!("[aftercare] {}: {many} alerts", policy.name),
        };
        let mut text = String::new();
        for one in alerts {
            text.push_str(&format!("{}: {}.\n\n", one.at, one.what.sentence()));
        }
        text.push_str("This mail is for whoever runs aftercare. It stands in no ledger, and no customer got it.\n");
        let domain = from.address.domain().to_owned();
        let name = format!("{}/{}/{now}", policy.id, first.number);
        let digest: String = Sha256::digest(name.as_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let letter = Letter {
            bounce_to: None,
            reply_to: None,
            to,
            subject,
            text,
            html: None,
            message_id: format!("alert.{digest}@{domain}"),
            date: now,
            boundary: digest,
            list_unsubscribe: None,
            // By it, filters find what is meant for operators.
            list_id: Some(format!("operator-alerts.{domain}")),
            feedback_id: None,
            from,
        };
        let mail = letter.compose().map_err(|error| error.to_string())?;
        let connection = self
            .transport
            .open()
            .await
            .map_err(|error| error.to_string())?;
        let offered = match connection.offer(&mail).await {
            Ok(offered) => offered,
            Err(not) => return Err(format!("it was not taken: {not:?}")),
        };
        // In a task that nobody drops: a dot that is under way must be finished.
        let (delivery, connection) = tokio::spawn(offered.dot())
            .await
            .map_err(|error| error.to_string())?;
        if let Some(connection) = connection {
            connection.quit().await;
        }
        match delivery {
            // In doubt counts as gone: an alert that is missed stands in `doctor`.
            Delivery::Accepted(_) | Delivery::Uncertain(_) => Ok(()),
            Delivery::Refused(reply) => Err(format!("it was refused: {reply}")),
            Delivery::Deferred(reply) => Err(format!("it was put off: {reply}")),
            Delivery::Unsent(trouble) => Err(trouble.to_string()),
        }
    }
}

/// The body of a webhook, as Standard Webhooks likes it: type, timestamp, data.
fn payload(alert: &Waiting) -> Value {
    let mut data = serde_json::to_value(&alert.what).unwrap_or_default();
    let kind = data
        .as_object_mut()
        .and_then(|data| data.remove("type"))
        .unwrap_or_default();
    data["message"] = alert.what.sentence().into();
    json!({ "type": kind, "timestamp": alert.at, "data": data })
}
