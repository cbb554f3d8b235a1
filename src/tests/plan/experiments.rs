//! Experiments: who is drawn into which arm, what each arm gets, and what who is held out
//! never gets.

use super::series::{EDUCATION, REVIEW};
use crate::story::{CAMERA, POLICY, Story, catalog};
use aftercare::model::assignment::HOLDOUT;
use aftercare::plan::assign::draw;
use aftercare::plan::simulate::Simulated;
use aftercare::sequence::catalog::{Catalog, Experiment};

/// The series with two cadences, a tip that one of them has, and people held out.
pub fn compared(holdout: u32) -> String {
    EDUCATION
        .replace(
            "after = \"basics + 1w\"",
            "after = { weekly = \"basics + 1w\", fortnightly = \"basics + 2w\" }",
        )
        .replace(
            "[[stop]]",
            "[[step]]\nid = \"extra\"\nvariant = \"weekly\"\nafter = \"manual + 1d\"\nat = \"11:00\"\nmail = \"dslr/manual\"\n[[stop]]",
        )
        + &format!(
            "\n[experiment]\nid = \"cadence\"\nsplit = {{ weekly = 50, fortnightly = 50 }}\nholdout = {holdout}\ndecide = {{ on = 2027-01-15 }}\n"
        )
}

fn experiment(shop: &Catalog) -> &Experiment {
    shop.sequence("education")
        .and_then(|sequence| sequence.experiment.as_ref())
        .expect("an experiment")
}

/// A name that is drawn into an arm.
fn somebody(shop: &Catalog, arm: &str) -> String {
    (0..1_000)
        .map(|n| format!("p{n}"))
        .find(|name| draw(experiment(shop), &format!("{name}@example.com")) == arm)
        .expect("somebody of a thousand")
}

fn bought(who: &str) -> Story {
    Story::new()
        .order("1", who, "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1])
}

/// `2026-03-06T09:00 basics accepted`, one a send.
fn told(sends: &[Simulated]) -> Vec<String> {
    sends
        .iter()
        .map(|one| {
            let why = one.send.reason.as_ref().map_or("", |reason| reason.code());
            let at = one.send.at.to_string();
            format!(
                "{} {} {} {why}",
                &at[..16],
                one.send.name(),
                one.send.state.as_str()
            )
            .trim()
            .to_owned()
        })
        .collect()
}

#[test]
fn each_arm_goes_its_own_way() {
    let shop = catalog(POLICY, &[&compared(0)]);
    let weekly = bought(&somebody(&shop, "weekly"));
    assert_eq!(
        told(&weekly.sends(&shop, "2026-05-01T00:00:00Z")),
        [
            "2026-03-06T09:00 education/basics accepted",
            "2026-03-13T09:00 education/manual accepted",
            "2026-03-14T10:00 education/extra accepted",
            "2026-03-24T09:00 education/tripod accepted",
        ]
    );
    let fortnightly = bought(&somebody(&shop, "fortnightly"));
    assert_eq!(
        told(&fortnightly.sends(&shop, "2026-05-01T00:00:00Z")),
        [
            "2026-03-06T09:00 education/basics accepted",
            "2026-03-20T09:00 education/manual accepted",
            "2026-03-31T08:00 education/tripod accepted",
        ]
    );
}

#[test]
fn who_is_held_out_gets_fulfilment_only_from_every_sequence() {
    const ORDER: &str = "format = 1\nid = \"order\"\nkind = \"fulfilment\"\ntitle = \"t\"\nfrom = \"aya\"\n[start]\non = \"item.delivered\"\nper = \"order\"\n[[step]]\nid = \"arrived\"\nafter = \"start + 3d\"\nmail = \"a/b\"\n";
    const OFFER: &str = "format = 1\nid = \"offer\"\nkind = \"offer\"\ntitle = \"t\"\nfrom = \"aya\"\n[start]\non = \"order.placed\"\n[[step]]\nid = \"early\"\nafter = \"start + 1d\"\nmail = \"a/b\"\n[[step]]\nid = \"late\"\nafter = \"start + 5d\"\nmail = \"a/b\"\n";
    let shop = catalog(POLICY, &[&compared(20), ORDER, OFFER, REVIEW]);
    let story = bought(&somebody(&shop, HOLDOUT));
    assert_eq!(
        told(&story.sends(&shop, "2026-05-01T00:00:00Z")),
        [
            // Before the draw nobody is held out.
            "2026-03-02T09:00 offer/early accepted",
            "2026-03-06T09:00 education/basics skipped held_out",
            "2026-03-06T09:00 offer/late skipped held_out",
            "2026-03-07T15:00 order/arrived accepted",
            "2026-03-13T09:00 education/manual skipped held_out",
            "2026-03-14T10:00 education/extra skipped held_out",
            "2026-03-24T09:00 education/tripod skipped held_out",
        ]
    );
    // Without the experiment in the files nothing keeps mail back.
    let without = catalog(POLICY, &[EDUCATION, ORDER, OFFER, REVIEW]);
    let sends = told(&story.sends(&without, "2026-05-01T00:00:00Z"));
    assert!(
        sends.iter().all(|send| send.ends_with("accepted")),
        "{sends:?}"
    );
}

#[test]
fn the_arm_stays_over_orders_and_merges() {
    let shop = catalog(
        POLICY,
        &[&compared(0).replace("per = \"customer, item.family\"", "per = \"item\"")],
    );
    let (first, second) = (somebody(&shop, "weekly"), somebody(&shop, "fortnightly"));
    let customer = |id: &str| serde_json::json!({"customer_id": id});
    // The later of two draws gives way when one account turns out to have both addresses.
    let story = Story::new()
        .order("1", &first, "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-02T09:00:00Z", &[1])
        .order("2", &second, "2026-03-03T09:00:00Z", &[CAMERA])
        .delivered("2", "B", "2026-03-04T09:00:00Z", &[1])
        .order_with(
            "3",
            &first,
            "2026-03-05T09:00:00Z",
            &[CAMERA],
            serde_json::json!({}),
            customer("7"),
        )
        .order_with(
            "4",
            &second,
            "2026-03-05T10:00:00Z",
            &[CAMERA],
            serde_json::json!({}),
            customer("7"),
        )
        .delivered("4", "D", "2026-03-20T09:00:00Z", &[1]);
    let sends = story.sends(&shop, "2026-06-01T00:00:00Z");
    let extras: Vec<_> = sends
        .iter()
        .filter(|one| one.send.step == "extra")
        .collect();
    assert_eq!(
        extras.len(),
        3,
        "all three runs are weekly now: {:?}",
        told(&sends)
    );
}
