//! Steps and sequences under new names: sent is sent.

use super::series::{EDUCATION, REVIEW};
use crate::story::{CAMERA, POLICY, Story, catalog};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::time::Timestamp;
use aftercare::plan::walk;
use aftercare::sequence::catalog::Catalog;

fn ts(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn renamed() -> Catalog {
    let education = EDUCATION
        .replace(
            "id = \"education\"",
            "id = \"camera-course\"\nwas = \"education\"",
        )
        .replace(
            "id = \"basics\"",
            "id = \"first-steps\"\nwas = [\"start-here\", \"basics\"]",
        )
        .replace("basics + 1w", "first-steps + 1w")
        .replace("id = \"manual\"", "id = \"modes\"\nwas = \"manual\"")
        .replace("manual + 1w", "modes + 1w")
        .replace(
            "unless = 'owns(\"tripod\")'",
            "when = 'sent(\"camera-course/first-steps\")'",
        );
    let review = REVIEW.replace("education/manual", "camera-course/modes");
    catalog(POLICY, &[&education, &review])
}

/// Ann's history, lived under the old names until `until`.
fn lived(until: &str) -> History {
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    let mut history = History::new(CustomerId(1));
    for (at, event) in story.events.iter().enumerate() {
        let mut event = event.clone();
        event.seq = EventSeq(at as i64 + 1);
        history.events.push(event);
    }
    let old = catalog(POLICY, &[EDUCATION, REVIEW]);
    walk::live(&old, &mut history, ts("2026-03-04T15:00:00Z"), ts(until));
    history
}

fn goes(history: &History, now: &str) -> Vec<String> {
    walk::forecast(&renamed(), history, ts(now), ts("2026-06-01T00:00:00Z"))
        .iter()
        .map(|one| format!("{} {}", &one.send.at.to_string()[..10], one.send.name()))
        .collect()
}

#[test]
fn nothing_goes_again_under_a_new_name_and_the_rest_goes_on() {
    for now in [
        "2026-03-05T12:00:00Z",
        "2026-03-08T12:00:00Z",
        "2026-03-14T12:00:00Z",
    ] {
        let history = lived(now);
        let told: Vec<String> = history
            .sends
            .iter()
            .map(|send| format!("{} {}", &send.at.to_string()[..10], send.name()))
            .collect();
        let rest = goes(&history, now);
        let all: Vec<&str> = told.iter().chain(&rest).map(|line| &line[..10]).collect();
        assert_eq!(
            all,
            ["2026-03-06", "2026-03-13", "2026-03-21", "2026-03-24"],
            "{told:?} then {rest:?}"
        );
        assert!(
            rest.iter().any(|line| line.ends_with("review/ask")),
            "{rest:?}"
        );
        assert!(
            rest.iter()
                .any(|line| line.ends_with("camera-course/tripod")),
            "sent() knows the old name: {rest:?}"
        );
    }
}

#[test]
fn ids_are_those_of_the_first_name() {
    let history = lived("2026-03-05T12:00:00Z");
    let now = ts("2026-03-05T12:00:00Z");
    let until = ts("2026-06-01T00:00:00Z");
    let ids = |shop: &Catalog| -> Vec<String> {
        let mut ids: Vec<String> = walk::forecast(shop, &history, now, until)
            .iter()
            .filter(|one| one.send.sequence != "review" && !one.send.step.contains("first"))
            .filter(|one| one.send.step != "basics")
            .map(|one| one.send.id.to_string())
            .collect();
        ids.sort();
        ids
    };
    let old = catalog(POLICY, &[EDUCATION, REVIEW]);
    assert_eq!(ids(&renamed()), ids(&old));
}

#[test]
fn an_opt_out_of_the_old_name_stops_the_new_one() {
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .opts_out("ann", "sequence:education", "2026-03-02T09:00:00Z")
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    let trace = story.trace(&renamed(), "2026-06-01T00:00:00Z");
    assert!(
        trace.iter().all(|line| !line.contains("accepted")),
        "{trace:?}"
    );
}
