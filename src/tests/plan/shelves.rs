//! Kits, and products that the catalogue does not know yet.

use super::series::EDUCATION;
use crate::story::{CATALOG, KIT, NEW, POLICY, Story, catalog, catalog_of};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::plan::{explain, plan};

fn course(family: &str) -> String {
    format!(
        "format = 1\nid = \"{family}\"\nkind = \"education\"\ntitle = \"t\"\nfrom = \"aya\"\n\
         [start]\non = \"item.delivered\"\nwhere = 'item.family == \"{family}\"'\n\
         per = \"customer, item.family\"\n[[step]]\nid = \"care\"\nafter = \"start + 1d\"\n\
         at = \"12:00\"\nmail = \"a/b\"\n[[step]]\nid = \"more\"\nafter = \"care + 1w\"\n\
         at = \"12:00\"\nmail = \"a/b\"\n[[stop]]\non = [\"item.refunded\"]\n"
    )
}

fn kit() -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[KIT])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1])
}

const END: &str = "2026-05-01T00:00:00Z";

#[test]
fn a_kit_on_one_line_runs_the_courses_of_its_parts() {
    let shop = catalog(
        POLICY,
        &[&course("dslr"), &course("memory"), &course("lens")],
    );
    let mut sends = kit().trace(&shop, END);
    sends.sort();
    assert_eq!(
        sends,
        [
            "2026-03-05T11:00 ann dslr/care accepted",
            "2026-03-05T11:00 ann memory/care accepted",
            "2026-03-12T11:00 ann dslr/more accepted",
            "2026-03-12T11:00 ann memory/more accepted",
        ]
    );
    // The line is the kit's: its refund ends the runs of all parts.
    let back = kit().refunded("1", "2026-03-08T09:00:00Z", &[1]);
    assert_eq!(back.trace(&shop, END).len(), 2);
    // A card bought alone joins, and keeps its own course going.
    const CARD: crate::story::Line = crate::story::Line("CRD-128", "P-CARD", &["memory"], 1);
    let kept = back
        .order("2", "ann", "2026-03-05T09:00:00Z", &[CARD])
        .delivered("2", "B", "2026-03-07T09:00:00Z", &[1]);
    let sends = kept.trace(&shop, END);
    assert_eq!(
        sends.last().map(String::as_str),
        Some("2026-03-12T11:00 ann memory/more accepted")
    );
    assert_eq!(sends.len(), 3, "{sends:?}");
}

#[test]
fn a_kit_that_is_one_thing_runs_its_own_course_only() {
    let as_one = format!(
        "{CATALOG}\n[kit.starter]\nmatch = {{ skus = [\"KIT-CAMERA\"] }}\ntrack = \"kit\"\n"
    );
    let courses = [course("dslr"), course("memory"), course("starter")];
    let courses: Vec<&str> = courses.iter().map(String::as_str).collect();
    let shop = catalog_of(POLICY, &as_one, &courses);
    assert_eq!(
        kit().trace(&shop, END),
        [
            "2026-03-05T11:00 ann starter/care accepted",
            "2026-03-12T11:00 ann starter/more accepted",
        ]
    );
    // Owning the kit is owning its parts.
    let owner = course("starter").replace("mail = \"a/b\"\n[[step]]", "mail = \"a/b\"\nwhen = 'owns(\"memory\") && owns(\"CRD-128\") && owns(\"starter\") && owns(\"dslr\") && !owns(\"lens\")'\n[[step]]");
    let shop = catalog_of(POLICY, &as_one, &[&owner]);
    assert_eq!(kit().trace(&shop, END).len(), 2);
}

fn new(delivered: &str) -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[NEW])
        .delivered("1", "A", delivered, &[1])
}

#[test]
fn an_unknown_product_is_waited_for_and_its_course_starts_as_if_in_time() {
    let shop = catalog(POLICY, &[EDUCATION, &course("general")]);
    let known =
        new("2026-03-02T15:00:00Z").product("P-NEW-1", "NEW-1", "2026-03-03T12:00:00Z", &["dslr"]);
    let sends = known.trace(&shop, END);
    assert_eq!(sends[0], "2026-03-04T09:00 ann education/basics accepted");
    assert!(
        sends.iter().all(|send| !send.contains("general")),
        "{sends:?}"
    );
}

#[test]
fn what_stays_unknown_gets_the_default_family() {
    let courses = [course("dslr"), course("general")];
    let courses: Vec<&str> = courses.iter().map(String::as_str).collect();
    let shop = catalog(POLICY, &courses);
    let story = new("2026-03-02T15:00:00Z");
    // Three days after the order was heard of.
    assert_eq!(
        story.trace(&shop, END)[0],
        "2026-03-04T09:00 ann general/care accepted"
    );
    // Too late for the first day that was meant: the course moves as a whole.
    let long = format!("{CATALOG}\n[unresolved]\nwait = \"10d\"\n");
    let patient = catalog_of(POLICY, &long, &courses);
    assert_eq!(
        story.trace(&patient, END)[0],
        "2026-03-11T11:00 ann general/care accepted"
    );
    // News that comes after is too late to start another course.
    let late = story
        .clone()
        .product("P-NEW-1", "NEW-1", "2026-03-20T12:00:00Z", &["dslr"]);
    assert!(
        late.trace(&shop, END)
            .iter()
            .all(|send| !send.contains("dslr/"))
    );
    // Without a default nothing starts, and nothing waits for ever.
    let none = CATALOG.replace("default = \"general\"\n[family.general]\n", "");
    let shop = catalog_of(POLICY, &none, &courses);
    assert_eq!(story.trace(&shop, END), [] as [&str; 0]);
}

#[test]
fn why_names_the_product_that_is_waited_for() {
    let shop = catalog(POLICY, &[EDUCATION, &course("general")]);
    let mut history = History::new(CustomerId(1));
    history.events = new("2026-03-02T15:00:00Z").events;
    for (at, event) in history.events.iter_mut().enumerate() {
        event.seq = EventSeq(at as i64 + 1);
    }
    let now = "2026-03-02T15:00:00Z".parse().expect("an instant");
    let first = plan(&shop, &history, now);
    first.apply(&mut history, now);
    assert_eq!(history.waiting.len(), 1);
    assert_eq!(
        first.wake_at.map(|at| at.to_string()).as_deref(),
        Some("2026-03-04T09:00:00Z")
    );
    let sequence = shop.sequence("education").expect("a sequence");
    let absence = explain::absence(&shop, &history, sequence, &sequence.steps[0], None, now);
    assert_eq!(absence.code, "unknown_product");
    assert!(absence.because.contains("NEW-1"), "{}", absence.because);
}
