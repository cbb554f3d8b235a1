//! The server around the doors: real connections on loopback.

use super::*;
use aftercare::web::{ServeError, serve};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<Result<(), ServeError>>,
    engine: Arc<Engine>,
    _folder: TempDir,
}

impl Served {
    async fn start(settings: Settings) -> Served {
        let (engine, folder) = engine(true).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let door = serve(listener, Arc::clone(&engine), settings, shutdown.clone());
        let served = tokio::spawn(door);
        Served {
            address,
            shutdown,
            served,
            engine,
            _folder: folder,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the service closes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A service that hangs up early may leave the rest unread.
        let _ = stream.write_all(bytes).await;
        read_all(&mut stream).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A reset after the answer is an end, too.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

fn impatient() -> Settings {
    with(Intake {
        read_timeout: Duration::from_millis(100),
        ..Intake::unsigned()
    })
}

#[tokio::test]
async fn an_event_is_taken_over_the_wire() {
    let served = Served::start(with(Intake::unsigned())).await;
    let event = order_placed("order/A/placed");
    let answer = served
        .say(
            format!(
                "POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                 Content-Type: application/cloudevents+json\r\nContent-Length: {}\r\n\r\n{event}",
                event.len()
            )
            .as_bytes(),
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_cut() {
    let served = Served::start(impatient()).await;
    let answer = served.say(b"POST /events HTTP/1.1\r\nHost:").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    let answer = served.say(b"").await;
    assert_eq!(answer, "", "a connection that says nothing");
    let answer = served
        .say(
            b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_body_is_what_its_frame_says_and_no_other() {
    let served = Served::start(with(Intake {
        max_body: 4_000,
        read_timeout: Duration::from_millis(100),
        ..Intake::unsigned()
    }))
    .await;
    let before = served.engine.counts().await.unwrap().events;
    let say = async |frame: &str, body: &str| {
        let head = "POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/cloudevents+json";
        let answer = served
            .say(format!("{head}\r\n{frame}\r\n\r\n{body}").as_bytes())
            .await;
        let stored = served.engine.counts().await.unwrap().events;
        let status = answer.get(9..12).unwrap_or_default().to_owned();
        (status, stored - before)
    };
    let length = |bytes: usize| format!("Content-Length: {bytes}");
    let in_chunks = |text: &str| {
        let (one, two) = text.split_at(text.len() / 2);
        format!(
            "{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        )
    };
    let chunked = "Transfer-Encoding: chunked";
    let event = order_placed("order/A/placed");
    assert!(event.len() < 4_000);

    let taken = say(chunked, &in_chunks(&event)).await;
    assert_eq!(taken, ("202".to_owned(), 1), "without a length");
    let event = order_placed("order/B/placed");
    let length_and = |bytes: usize| format!("{}\r\n{}", length(event.len()), length(bytes));
    let both = format!("{chunked}\r\n{}", length(event.len()));
    let long = format!("{event}{}", " ".repeat(4_000));
    for (what, frame, body, status) in [
        ("beyond the limit", chunked, &in_chunks(&long), "413"),
        ("longer than it is", &length(event.len() + 9), &event, "408"),
        (
            "shorter than it is",
            &length(event.len() - 9),
            &event,
            "400",
        ),
        ("two lengths", &length_and(event.len() - 9), &event, "400"),
        ("no frame", "X-None: 1", &event, "400"),
        (
            "no chunks",
            chunked,
            &"zz\r\n{}\r\n0\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "chunks that end early",
            chunked,
            &format!("fff\r\n{event}"),
            "408",
        ),
    ] {
        let refused = say(frame, body).await;
        assert_eq!(refused, (status.to_owned(), 1), "{what}");
    }
    // RFC 9112, 6.3: chunks win over a length.
    let taken = say(&both, &in_chunks(&event)).await;
    assert_eq!(taken, ("202".to_owned(), 2), "both frames");
    served.stop().await;
}

#[tokio::test]
async fn large_heads_are_refused() {
    let served = Served::start(with(Intake::unsigned())).await;
    let large = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Pad: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "A: b\r\n".repeat(500)
    );
    for head in [large, many] {
        let answer = served.say(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let answer = served.say(b"\x16\x03\x01 no http at all\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    served.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let served = Served::start(Settings {
        connections: 1,
        ..impatient()
    })
    .await;
    let mut silent = served.connect().await;
    // Answered once the silent one was cut.
    let answer = served
        .say(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(read_all(&mut silent).await, "");
    served.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_the_answer_under_way_finish() {
    let served = Served::start(with(Intake::unsigned())).await;
    let event = order_placed("order/A/placed");
    let mut stream = served.connect().await;
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        event.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The service asks for the body, so it has begun with this request.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    served.shutdown.cancel();
    stream.write_all(event.as_bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    served.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let served = Served::start(Settings {
        drain: Duration::from_millis(50),
        ..with(Intake::unsigned())
    })
    .await;
    let mut stream = served.connect().await;
    stream
        .write_all(
            b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
              Content-Length: 9\r\n\r\n",
        )
        .await
        .unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn intake_is_open_neither_to_strangers_nor_to_nobody() {
    let (engine, _folder) = engine(false).await;
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let shutdown = CancellationToken::new();
    let refused = serve(
        everywhere,
        Arc::clone(&engine),
        with(Intake::unsigned()),
        shutdown.clone(),
    )
    .await;
    assert!(
        matches!(refused, Err(ServeError::Unsigned { .. })),
        "{refused:?}"
    );
    let loopback = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = serve(loopback, engine, with(Intake::signed(Vec::new())), shutdown).await;
    assert!(matches!(refused, Err(ServeError::NoSecret)), "{refused:?}");
}
