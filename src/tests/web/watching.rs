//! `/preview`, which only `serve --watch` has.

use super::*;
use aftercare::model::diagnostic::Diagnostic;
use std::time::Duration;

async fn watched() -> Doors {
    Doors::open(Settings {
        watch: true,
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn the_preview_is_there_for_those_who_watch() {
    let shut = Doors::unsigned().await;
    for path in [
        "/preview",
        "/preview/frame",
        "/preview/changes",
        "/preview/watch.js",
    ] {
        assert_eq!(shut.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let doors = watched().await;
    let page = doors.get("/preview?mail=dslr&locale=ja").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("dslr/basics") && !page.body.contains("id=\"pour-over/grind\""),
        "{}",
        page.body
    );
    assert!(page.body.contains("data-after=\"0\""));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert_eq!(page.body.matches("<script").count(), 1, "its own alone");
    assert!(!page.body.contains("src=\"http"), "nothing from elsewhere");

    let frame = doors
        .get("/preview/frame?mail=dslr/basics&locale=ja&sample=plain&dark=1")
        .await;
    assert_eq!(frame.status, StatusCode::OK);
    assert!(
        frame
            .header("content-security-policy")
            .starts_with("sandbox ")
    );
    assert!(frame.body.contains("lang=\"ja\"") && !frame.body.contains("prefers-color-scheme"));
    for nothing in [
        "mail=no/such&sample=plain",
        "mail=dslr/basics&sample=nobody",
        "dark=x",
    ] {
        let answer = doors.get(&format!("/preview/frame?{nothing}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nothing}");
    }
    let script = doors.get("/preview/watch.js").await;
    assert!(script.header("content-type").starts_with("text/javascript"));
}

#[tokio::test]
async fn a_page_is_told_of_the_next_reading_and_of_what_is_broken() {
    let doors = watched().await;
    let waiting = doors.get("/preview/changes?after=0");
    let told = async {
        tokio::task::yield_now().await;
        let problem = Diagnostic::new(
            "E203",
            "templates/mail/dslr/basics.en.md",
            6..10,
            "`itme.title` does not exist",
        )
        .help("did you mean `item.title`?");
        let files = vec![(
            "templates/mail/dslr/basics.en.md".to_owned(),
            "Your {{itme.title}} <b>".to_owned(),
        )];
        doors.engine.tell(vec![problem], files);
    };
    let (answer, ()) = tokio::join!(waiting, told);
    assert_eq!(answer.body, "{\"number\":1}");
    let page = doors.get("/preview?mail=dslr").await;
    assert!(page.body.contains("the last good set"), "{}", page.body);
    assert!(page.body.contains("<mark>{itm</mark>"), "{}", page.body);
    assert!(page.body.contains("did you mean `item.title`?"));
    assert!(
        page.body.contains("id=\"dslr/basics\""),
        "the old set is shown"
    );
    assert!(page.body.contains("data-after=\"1\""));
    // Nobody has to wait for the end of patience.
    tokio::time::pause();
    let patient = tokio::time::timeout(
        Duration::from_secs(60),
        doors.get("/preview/changes?after=1"),
    );
    assert_eq!(patient.await.unwrap().body, "{\"number\":1}");
}
