//! The client against a scripted server: what it sends, and what it makes of answers that
//! are no good.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::Secret;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection with the same bytes; keeps what was asked.
async fn server(answer: impl Into<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answer, heard) = (answer.into(), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut chunk = [0_u8; 4096];
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                match tcp.read(&mut chunk).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => text.extend_from_slice(&chunk[..read]),
                }
            }
            heard
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&text).into_owned());
            let _ = tcp.write_all(&answer).await;
            let _ = tcp.shutdown().await;
        }
    });
    (base, asked)
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
    link: <http://elsewhere.example/x>; rel=\"next\"\r\ncontent-length: 11\r\n\r\n{\"a\":[1,2]}";

#[tokio::test]
async fn it_asks_with_its_proof_below_its_place_and_reads_the_answer() {
    let (base, asked) = server(FINE).await;
    let auth = Auth::Basic {
        user: Secret::new("ck_user"),
        password: Secret::new("cs_pass"),
    };
    let client = Client::new(&format!("{base}/shop/"), auth).unwrap();
    let ask = Ask::get(format!("/wp-json/{}", segment("a/../b?c")))
        .query("after", "2026-03-01T00:00:00+01:00")
        .query("per_page", "50");
    let answer = client.send(ask).await.unwrap();
    assert!(answer.is_fine());
    assert_eq!(answer.json().unwrap()["a"][1], 2);
    assert_eq!(answer.next_page(), Some("http://elsewhere.example/x"));
    let sent = asked.lock().unwrap().remove(0).to_lowercase();
    let first = sent.lines().next().unwrap().to_owned();
    assert_eq!(
        first,
        "get /shop/wp-json/a%2f..%2fb%3fc?after=2026-03-01t00%3a00%3a00%2b01%3a00&per_page=50 http/1.1"
    );
    let proof = STANDARD.encode("ck_user:cs_pass").to_lowercase();
    assert!(
        sent.contains(&format!("authorization: basic {proof}")),
        "{sent}"
    );
    assert!(sent.contains("user-agent: aftercare/"), "{sent}");
    let posted = Ask::post("/hooks").json(&serde_json::json!({"topic": "x"}));
    client.send(posted).await.unwrap();
    let sent = asked.lock().unwrap().remove(0);
    assert!(sent.starts_with("POST /shop/hooks HTTP/1.1"), "{sent}");
    assert!(sent.contains("content-type: application/json"), "{sent}");
}

#[tokio::test]
async fn it_is_led_nowhere_else() {
    let (base, asked) = server(FINE).await;
    let client = Client::new(&base, Auth::Bearer(Secret::new("token-of-the-shop"))).unwrap();
    for url in [
        "http://elsewhere.example/orders",
        "http://127.0.0.1:1/orders",
        "https://127.0.0.1/orders",
        "http://169.254.169.254/latest/meta-data",
    ] {
        let refused = client.send(Ask::follow(url)).await.unwrap_err();
        assert!(matches!(refused, ClientError::Elsewhere { .. }), "{url}");
    }
    let with_user = base.replace("http://", "http://somebody@") + "/orders";
    assert!(client.send(Ask::follow(with_user)).await.is_err());
    for path in [
        "orders",
        "/v2/../admin",
        "/v2/%2E%2e/admin",
        "/a b",
        "/a\r\nx: y",
        "//evil/../x",
    ] {
        let refused = client.send(Ask::get(path)).await.unwrap_err();
        assert_eq!(refused, ClientError::Path, "{path}");
    }
    assert!(asked.lock().unwrap().is_empty(), "nothing was asked");
    // A page on its own host is fine.
    let own = format!("{base}/orders?page_info=abc");
    assert!(client.send(Ask::follow(own)).await.unwrap().is_fine());
}

#[tokio::test]
async fn an_answer_that_is_no_good_is_an_error_in_words() {
    let limits = Limits {
        body: 64,
        answer: Duration::from_millis(200),
        ..Limits::default()
    };
    let ask = |answer: String| async move {
        let (base, _) = server(answer).await;
        let client = Client::new(&base, Auth::None).unwrap().with_limits(limits);
        client.send(Ask::get("/")).await
    };
    let head = "HTTP/1.1 200 OK\r\n";
    let large = format!("{head}content-length: 100\r\n\r\n{}", "x".repeat(100));
    assert_eq!(
        ask(large).await.unwrap_err(),
        ClientError::TooLarge { limit: 64 }
    );
    let torn = format!("{head}content-length: 50\r\n\r\n{{\"a\":");
    assert!(matches!(
        ask(torn).await.unwrap_err(),
        ClientError::Broken(_)
    ));
    let packed = format!("{head}content-encoding: gzip\r\ncontent-length: 1\r\n\r\nx");
    assert_eq!(ask(packed).await.unwrap_err(), ClientError::Encoded);
    assert!(matches!(
        ask("nonsense\r\n\r\n".to_owned()).await.unwrap_err(),
        ClientError::Broken(_)
    ));
    assert!(matches!(
        ask(String::new()).await.unwrap_err(),
        ClientError::Broken(_)
    ));
    let cut = ask(format!("{head}content-length: 5\r\n\r\n{{\"a\":"))
        .await
        .unwrap();
    assert_eq!(cut.json().unwrap_err(), ClientError::NotJson);
    // A redirect is an answer like others.
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://evil.example/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(ask(moved.to_owned()).await.unwrap().status(), 302);
}

#[tokio::test]
async fn whoever_says_nothing_is_left_and_nobody_there_is_said() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let limits = Limits {
        answer: Duration::from_millis(20),
        ..Limits::default()
    };
    let client = Client::new(&base, Auth::None).unwrap().with_limits(limits);
    let slow = client.send(Ask::get("/")).await.unwrap_err();
    assert!(matches!(slow, ClientError::Slow { .. }), "{slow}");
    drop(silent);
    let nobody = client.send(Ask::get("/")).await.unwrap_err();
    assert!(matches!(nobody, ClientError::Connect(_)), "{nobody}");
    assert!(nobody.is_passing());
}

#[test]
fn secrets_go_over_tls_or_stay_here_and_are_never_shown() {
    let token = || Auth::Bearer(Secret::new("shpat_secret"));
    for base in [
        "http://shop.example.com",
        "ftp://shop.example.com",
        "https://user:word@shop.example.com",
        "https://shop.example.com/?a=b",
        "shop.example.com",
        "",
    ] {
        assert!(Client::new(base, token()).is_err(), "{base}");
    }
    for base in [
        "https://shop.example.com",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://[::1]:80",
    ] {
        let client = Client::new(base, token()).unwrap();
        assert!(!format!("{client:?}").contains("shpat_secret"));
    }
    assert!(Client::new("http://alerts.example.com", Auth::None).is_ok());
    let ask = Ask::get("/x")
        .query("token", "shpat_secret")
        .header("x-a", "shpat_secret");
    assert!(!format!("{ask:?}").contains("shpat_secret"));
    let torn = Auth::Bearer(Secret::new("two\nlines"));
    assert_eq!(torn.header().unwrap_err(), ClientError::Token);
}

#[test]
fn addresses_where_no_service_is_are_not_asked() {
    let check = |ip: &str, local: bool, expected: bool| {
        assert_eq!(is_fit(ip.parse().unwrap(), local), expected, "{ip}");
    };
    check("169.254.169.254", false, false);
    check("::ffff:169.254.169.254", false, false);
    check("fe80::1", false, false);
    check("0.0.0.0", false, false);
    check("224.0.0.1", false, false);
    check("10.1.2.3", false, true);
    check("203.0.113.9", false, true);
    check("203.0.113.9", true, false);
    check("127.0.0.1", true, true);
}
