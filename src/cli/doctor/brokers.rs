//! `doctor events`: whether every broker can be reached, and what about its settings may
//! lose messages that it took.

use super::super::brokers;
use super::super::context::Shop;
use super::{Findings, How};
use crate::consume;

/// Tries each broker once, reading nothing.
pub(super) async fn look(shop: &Shop, to: &mut Findings<'_>) -> anyhow::Result<()> {
    for settings in brokers::settings(&shop.config)? {
        let name = settings.name().to_owned();
        let kind = settings.broker.kind.name();
        match consume::inspect(&settings).await {
            Ok(findings) if findings.is_empty() => {
                to.tell(
                    How::Fine,
                    "broker",
                    &format!("{name}: {kind} answers, and keeps what it takes"),
                )?;
            }
            Ok(findings) => {
                for finding in findings {
                    to.tell(
                        How::Note,
                        "broker",
                        &format!("{name}: {}: {}", finding.words, finding.help),
                    )?;
                }
            }
            Err(trouble) => {
                to.tell(How::Bad, "broker", &format!("{name}: {}", trouble.chain()))?;
            }
        }
    }
    Ok(())
}
