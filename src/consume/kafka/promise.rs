//! What a topic's own settings say about the safety of its messages: an acknowledgement
//! to the producer means little where one disk holds the only copy. Nothing here talks to
//! a cluster.

use super::Finding;
use std::time::Duration;

/// Copies below which the loss of one machine loses messages.
const MIN_COPIES: usize = 2;
/// Copies that have to be in step before a producer is told that its message is safe.
const MIN_IN_STEP: u32 = 2;
/// A weekend: how long unread messages should last, so that an outage can be mended.
const MIN_RETENTION: Duration = Duration::from_secs(3 * 24 * 3600);

/// The settings of a topic that are asked for.
pub(super) const ASKED: [&str; 4] = [
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "cleanup.policy",
    "retention.ms",
];

/// What is known of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub name: String,
    /// The fewest copies that one of its partitions has.
    pub copies: usize,
    /// Settings of [`ASKED`] that the cluster told.
    pub settings: Vec<(String, String)>,
}

/// Why messages of the topic could be lost before anybody reads them.
pub(super) fn findings(topic: &Topic) -> Vec<Finding> {
    let name = topic.name.as_str();
    let told = |key: &str| {
        let mut settings = topic.settings.iter();
        settings
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    };
    let alter = |setting: &str| {
        format!(
            "kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {setting}"
        )
    };
    let mut findings = Vec::new();
    let mut find = |words: String, help: String| findings.push(Finding::new(words, help));
    let in_step = told("min.insync.replicas").and_then(|value| value.parse::<u32>().ok());
    if topic.copies < MIN_COPIES {
        find(
            format!("the topic {name} keeps one copy of each message: where its disk is lost, so are the events"),
            "give it 3 replicas with kafka-reassign-partitions.sh, or make it anew with --replication-factor 3".to_owned(),
        );
    } else if in_step.is_some_and(|found| found < MIN_IN_STEP) {
        find(
            format!(
                "a message counts as written to the topic {name} once a single broker holds it"
            ),
            alter("min.insync.replicas=2"),
        );
    }
    if told("unclean.leader.election.enable") == Some("true") {
        find(
            format!(
                "the topic {name} may choose a leader that lacks messages which were acknowledged"
            ),
            alter("unclean.leader.election.enable=false"),
        );
    }
    if told("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        find(
            format!(
                "the topic {name} is compacted: of several events with one key the earlier ones may go unread"
            ),
            alter("cleanup.policy=delete"),
        );
    }
    let kept = told("retention.ms").and_then(|value| value.parse::<u64>().ok());
    if let Some(kept) = kept.map(Duration::from_millis)
        && kept < MIN_RETENTION
    {
        find(
            format!(
                "the topic {name} drops messages after {} h, read or not",
                kept.as_secs() / 3600
            ),
            alter("retention.ms=604800000"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(copies: usize, settings: &[(&str, &str)]) -> Vec<String> {
        let found = findings(&Topic {
            name: "orders".to_owned(),
            copies,
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        });
        let whole = |finding: &Finding| format!("{}: {}", finding.words, finding.help);
        found.iter().map(whole).collect()
    }

    #[test]
    fn a_topic_is_doubted_for_what_can_lose_its_messages() {
        let check = |copies: usize, settings: &[(&str, &str)], expected: &[&str]| {
            let found = told(copies, settings);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found} lacks {expected}");
            }
        };
        let good = [
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "false"),
            ("cleanup.policy", "delete"),
            ("retention.ms", "604800000"),
        ];
        check(3, &good, &[]);
        check(3, &[], &[]);
        check(1, &good, &["one copy"]);
        // One copy is told once, not as two mistakes.
        check(1, &[("min.insync.replicas", "1")], &["one copy"]);
        check(
            3,
            &[("min.insync.replicas", "1")],
            &["min.insync.replicas=2"],
        );
        check(
            3,
            &[("unclean.leader.election.enable", "true")],
            &["leader"],
        );
        check(3, &[("cleanup.policy", "compact,delete")], &["compacted"]);
        check(3, &[("retention.ms", "86400000")], &["after 24 h"]);
        // For ever.
        check(3, &[("retention.ms", "-1")], &[]);
    }
}
