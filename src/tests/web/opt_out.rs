//! `/u/{token}`.

use super::*;

const URLENCODED: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// Status, and size in steps of 256 bytes: what a stranger could tell pages apart by.
fn class(answer: &Answer) -> (StatusCode, usize) {
    (answer.status, answer.body.len() / 256)
}

#[tokio::test]
async fn only_a_post_changes_anything() {
    let doors = Doors::unsigned().await;
    let (known, made_up) = tokens(&doors.engine).await;
    let before = state(&doors.engine).await;
    for token in [&known, &made_up] {
        let path = format!("/u/{token}");
        for (method, status) in [
            (Method::GET, 200),
            (Method::HEAD, 200),
            (Method::OPTIONS, 405),
            (Method::PUT, 405),
            (Method::PATCH, 405),
            (Method::DELETE, 405),
            (Method::TRACE, 405),
        ] {
            // With the very body that would opt out, and the parameters some scanners invent.
            for path in [
                path.clone(),
                format!("{path}?List-Unsubscribe=One-Click&scope=all"),
            ] {
                let answer = doors
                    .ask(request(method.clone(), &path, &[URLENCODED], ONE_CLICK))
                    .await;
                assert_eq!(answer.status.as_u16(), status, "{method} {path}");
                if status == 405 {
                    assert_eq!(answer.header("allow"), "GET,HEAD,POST", "{method}");
                }
            }
        }
    }
    assert_eq!(state(&doors.engine).await, before);
    let answer = doors
        .post(&format!("/u/{known}"), &[URLENCODED], ONE_CLICK)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_ne!(state(&doors.engine).await, before, "a post opts out");
}

#[tokio::test]
async fn everybody_sees_the_same_page() {
    let doors = Doors::unsigned().await;
    let (known, made_up) = tokens(&doors.engine).await;
    let get = async |token: &str| class(&doors.get(&format!("/u/{token}")).await);
    let post = async |token: &str, body: &str| {
        class(
            &doors
                .post(&format!("/u/{token}"), &[URLENCODED], body)
                .await,
        )
    };
    let fresh = get(&known).await;
    let done = post(&known, ONE_CLICK).await;
    assert_eq!((fresh.0, done.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(get(&known).await, fresh, "after opting out");
    assert_eq!(post(&known, ONE_CLICK).await, done, "a second time");
    assert_eq!(get(&made_up).await, fresh);
    assert_eq!(post(&made_up, ONE_CLICK).await, done);
    for scope in [
        "all",
        "all_marketing",
        "education",
        "offer",
        "sequence:reviews",
    ] {
        for token in [&known, &made_up] {
            assert_eq!(
                post(token, &format!("scope={scope}")).await,
                done,
                "{scope}"
            );
        }
    }
}

#[tokio::test]
async fn one_click_comes_in_several_dresses() {
    let printed = "---FormBoundaryjWmhtjORrn\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                   One-Click\r\n---FormBoundaryjWmhtjORrn--\r\n";
    let corrected = printed.replace("---Form", "-----Form");
    let multipart = (
        "content-type",
        "multipart/form-data; boundary=---FormBoundaryjWmhtjORrn",
    );
    for (headers, body) in [
        (vec![URLENCODED], ONE_CLICK),
        (vec![], ONE_CLICK),
        (vec![multipart], printed),
        (vec![multipart], &corrected),
    ] {
        let doors = Doors::unsigned().await;
        let (known, _) = tokens(&doors.engine).await;
        let before = state(&doors.engine).await;
        let answer = doors.post(&format!("/u/{known}"), &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
        assert!(!answer.headers.contains_key("set-cookie"));
        assert!(!answer.headers.contains_key("location"));
        assert_ne!(state(&doors.engine).await, before, "{body}");
    }
}

#[tokio::test]
async fn a_form_that_makes_no_sense_changes_nothing() {
    let doors = Doors::unsigned().await;
    let (known, _) = tokens(&doors.engine).await;
    let before = state(&doors.engine).await;
    let large = format!("scope=all&pad={}", "x".repeat(20_000));
    let multipart = ("content-type", "multipart/form-data; boundary=b7");
    for (headers, body, status) in [
        (vec![URLENCODED], "", 400),
        (vec![URLENCODED], "scope=fulfilment", 400),
        (vec![URLENCODED], "scope=dead", 400),
        (vec![URLENCODED], "scope=everything", 400),
        (vec![URLENCODED], "List-Unsubscribe=No", 400),
        (vec![URLENCODED], &large, 413),
        (vec![("content-type", "text/plain")], ONE_CLICK, 400),
        (
            vec![("content-type", "application/json")],
            r#"{"scope":"all"}"#,
            400,
        ),
        (
            vec![multipart],
            "--b7\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall",
            400,
        ),
        (vec![multipart], "--b8\r\n\r\nall\r\n--b8--", 400),
        (vec![multipart, URLENCODED], ONE_CLICK, 400),
    ] {
        let answer = doors.post(&format!("/u/{known}"), &headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?} {body}");
    }
    assert_eq!(state(&doors.engine).await, before);
}

#[tokio::test]
async fn the_page_may_load_and_tell_nothing() {
    let doors = Doors::unsigned().await;
    let (known, _) = tokens(&doors.engine).await;
    for answer in [
        doors.get(&format!("/u/{known}")).await,
        doors
            .post(&format!("/u/{known}"), &[URLENCODED], ONE_CLICK)
            .await,
    ] {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("x-robots-tag").contains("noindex"));
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(!answer.body.contains("<script"));
    }
}

#[tokio::test]
async fn odd_tokens_get_the_page_too() {
    let doors = Doors::unsigned().await;
    let long = "x".repeat(10_000);
    for token in [
        "%00",
        "%ff",
        "..%2f..",
        "javascript:alert(1)",
        "'\"%3E",
        &long,
    ] {
        let answer = doors
            .get(&format!("/u/{}", token.replace('"', "%22")))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{token}");
    }
}
