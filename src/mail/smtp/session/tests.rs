//! The fault table of a mail's last mile, each fault against the scripted server's journal. Time is paused: a limit of
//! ten minutes is reached as soon as nothing else can happen.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::mail::compose::tests::letter;
use crate::mail::scripted::{Act, Authority, Journal, Script, Server, Verb};
use crate::mail::smtp::Timeouts;
use crate::mail::smtp::reply::Malformed;

const MINUTE: Duration = Duration::from_secs(60);

fn mail(to: &str) -> Composed {
    letter(to).compose().unwrap()
}

fn relay(server: &Server) -> Relay {
    Relay::parse(&server.url()).unwrap()
}

async fn session(server: &Server) -> Session {
    Session::connect(&relay(server)).await.unwrap()
}

async fn offered(server: &Server) -> Offered {
    session(server)
        .await
        .offer(&mail("ann@example.com"))
        .await
        .unwrap()
}

async fn connect_trouble(script: Script) -> Trouble {
    let server = Server::start(script).await;
    Session::connect(&relay(&server)).await.unwrap_err()
}

/// What the final dot brings, and what the server saw.
async fn dot(script: Script) -> (Delivery, bool, Journal) {
    let server = Server::start(script).await;
    let (delivery, session) = offered(&server).await.dot().await;
    let reusable = session.is_some();
    drop(session);
    let journal = server.until(|journal| journal.ended == 1).await;
    (delivery, reusable, journal)
}

fn accepted(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Accepted(_))
}

#[tokio::test(start_paused = true)]
async fn sends_byte_for_byte() {
    for script in [Script::new(), Script::bare()] {
        let server = Server::start(script).await;
        let mail = mail("a..b@docomo.ne.jp");
        let offered = session(&server).await.offer(&mail).await.unwrap();
        let journal = server.until(|journal| journal.mails.len() == 1).await;
        assert!(!journal.mails[0].dot, "no dot before the barrier");
        let (delivery, session) = offered.dot().await;
        assert!(accepted(&delivery), "{delivery:?}");
        session.unwrap().quit().await;
        let journal = server.until(|journal| journal.ended == 1).await;
        assert_eq!(journal.mails.len(), 1);
        let seen = &journal.mails[0];
        assert_eq!((seen.from.as_str(), seen.dot), ("mara@shop.example", true));
        assert_eq!(seen.to, ["\"a..b\"@docomo.ne.jp"]);
        assert_eq!(seen.data, mail.bytes().as_bytes());
        assert_eq!(journal.commands[0], "EHLO [127.0.0.1]");
        assert_eq!(journal.commands.last().unwrap(), "QUIT");
    }
}

#[tokio::test(start_paused = true)]
async fn pipelines_where_it_is_offered() {
    // This server says nothing before it has seen DATA.
    let server = Server::start(Script::new().withholding(&[Verb::Mail, Verb::Rcpt])).await;
    let (delivery, _) = offered(&server).await.dot().await;
    assert!(accepted(&delivery));
    let size = mail("ann@example.com").bytes().len();
    let expected = format!("MAIL FROM:<mara@shop.example> SIZE={size}");
    assert!(server.journal().commands.contains(&expected));
}

#[tokio::test(start_paused = true)]
async fn chains_mails() {
    // This server answers the dot only once it has seen the next DATA.
    let script = Script::new().withholding(&[Verb::Mail, Verb::Rcpt]);
    let server = Server::start(script.on(Verb::Dot, Act::Default)).await;
    let mails: Vec<Composed> = (0..5).map(|n| mail(&format!("n{n}@example.com"))).collect();
    let mut offered = session(&server).await.offer(&mails[0]).await.unwrap();
    for next in &mails[1..] {
        let (delivery, ahead) = offered.dot_then(next).await;
        assert!(accepted(&delivery));
        offered = ahead.offered().await.unwrap();
    }
    let (delivery, session) = offered.dot().await;
    assert!(accepted(&delivery));
    assert_eq!(session.unwrap().mails(), 5);
    let journal = server.journal();
    assert_eq!((journal.connections, journal.dotted().len()), (1, 5));
    for (seen, mail) in journal.mails.iter().zip(&mails) {
        assert_eq!(seen.data, mail.bytes().as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn writes_the_dot_and_the_next_envelope_at_once() {
    let script = Script::new().withholding(&[Verb::Dot, Verb::Mail, Verb::Rcpt]);
    let server = Server::start(script).await;
    let (first, second) = (mail("ann@example.com"), mail("bob@example.com"));
    let offered = session(&server).await.offer(&first).await.unwrap();
    let (delivery, ahead) = offered.dot_then(&second).await;
    assert!(accepted(&delivery), "{delivery:?}");
    ahead.offered().await.unwrap().abandon();
    let journal = server.until(|journal| journal.ended == 1).await;
    assert_eq!((journal.mails[0].dot, journal.mails[1].dot), (true, false));
}

#[tokio::test(start_paused = true)]
async fn chains_in_lock_step_without_pipelining() {
    let server = Server::start(Script::bare()).await;
    let (first, second) = (mail("ann@example.com"), mail("bob@example.com"));
    let offered = session(&server).await.offer(&first).await.unwrap();
    let (delivery, ahead) = offered.dot_then(&second).await;
    assert!(accepted(&delivery));
    assert_eq!(server.journal().count("MAIL"), 1);
    let (delivery, _) = ahead.offered().await.unwrap().dot().await;
    assert!(accepted(&delivery));
    assert_eq!(server.journal().dotted().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_a_chain_concerns_its_own_mail() {
    let refusal = Act::say("550 5.1.1 no such user");
    let server = Server::start(Script::new().on_recipient("bob@example.com", refusal)).await;
    let mails = [
        mail("ann@example.com"),
        mail("bob@example.com"),
        mail("cy@example.com"),
    ];
    let offered = session(&server).await.offer(&mails[0]).await.unwrap();
    let (delivery, ahead) = offered.dot_then(&mails[1]).await;
    assert!(accepted(&delivery));
    let Err(NotOffered::Rejected { rejection, session }) = ahead.offered().await else {
        panic!("bob was taken");
    };
    assert!(
        rejection.is_permanent() && rejection.blames_address(),
        "{rejection}"
    );
    let offered = session.unwrap().offer(&mails[2]).await.unwrap();
    assert!(accepted(&offered.dot().await.0));
    let journal = server.journal();
    let to: Vec<_> = journal
        .dotted()
        .iter()
        .map(|mail| mail.to[0].clone())
        .collect();
    assert_eq!(to, ["ann@example.com", "cy@example.com"]);
    assert_eq!((journal.connections, journal.count("RSET")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_dot_does_not_break_the_chain() {
    for (reply, deferred) in [("451 4.3.0 later", true), ("554 5.7.1 spam", false)] {
        let server = Server::start(Script::new().on(Verb::Dot, Act::say(reply))).await;
        let next = mail("bob@example.com");
        let (delivery, ahead) = offered(&server).await.dot_then(&next).await;
        assert_eq!(
            matches!(delivery, Delivery::Deferred(_)),
            deferred,
            "{delivery:?}"
        );
        assert_eq!(
            matches!(delivery, Delivery::Refused(_)),
            !deferred,
            "{delivery:?}"
        );
        assert!(accepted(&ahead.offered().await.unwrap().dot().await.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_dot_takes_the_next_mail_with_it_unsent() {
    for act in [
        Act::Close,
        Act::Hang,
        Act::raw_close("250 2.0"),
        Act::say("421 bye"),
        Act::raw("999\r\n"),
    ] {
        let server = Server::start(Script::new().on(Verb::Dot, act)).await;
        let next = mail("bob@example.com");
        let (delivery, ahead) = offered(&server).await.dot_then(&next).await;
        assert!(
            matches!(delivery, Delivery::Uncertain(_) | Delivery::Deferred(_)),
            "{delivery:?}"
        );
        assert!(matches!(ahead.offered().await, Err(NotOffered::Trouble(_))));
        assert_eq!(server.journal().dotted().len(), 1);
    }
}

/// Everything that may go wrong before a mail is under way is the relay's trouble, found in bounded time.
#[tokio::test(start_paused = true)]
async fn trouble_before_mail() {
    use Verb::*;
    let line = vec![b'x'; 1_000_000];
    for verb in [Banner, Ehlo] {
        let step = if verb == Banner {
            Step::Banner
        } else {
            Step::Ehlo
        };
        let on = |act| connect_trouble(Script::new().on(verb, act));
        assert_eq!(on(Act::Close).await, Trouble::Closed { step });
        let timed_out = Trouble::TimedOut {
            step,
            limit: 5 * MINUTE,
        };
        assert_eq!(on(Act::Hang).await, timed_out);
        let begun = Instant::now();
        assert_eq!(
            on(Act::Drip(b"220-x\r\n".to_vec(), MINUTE)).await,
            timed_out
        );
        assert_eq!(begun.elapsed(), 5 * MINUTE);
        for reply in ["421 4.3.2 busy", "554 5.3.2 go away", "450 what"] {
            let trouble = on(Act::say(reply)).await;
            assert!(matches!(trouble, Trouble::Refused { .. }), "{trouble:?}");
        }
        for (bytes, expected) in [
            (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), None),
            (
                b"220 bare line feed\n".to_vec(),
                Some(Malformed::BareLineFeed),
            ),
            (
                [b"220 ", line.as_slice(), b"\r\n"].concat(),
                Some(Malformed::LineTooLong),
            ),
            (b"\x16\x03\x01".to_vec(), None),
        ] {
            let trouble = on(Act::RawClose(bytes)).await;
            let Trouble::Garbled { cause, .. } = trouble else {
                panic!("{trouble:?}");
            };
            assert!(
                expected.is_none_or(|expected| expected == cause),
                "{cause:?}"
            );
        }
        let trouble = on(Act::Flood(b"220-more\r\n".to_vec())).await;
        assert_eq!(
            trouble,
            Trouble::Garbled {
                step,
                cause: Malformed::TooLong
            }
        );
        let trouble = on(Act::Flood(line.clone())).await;
        assert!(matches!(trouble, Trouble::Garbled { .. }), "{trouble:?}");
    }
    let trouble =
        connect_trouble(Script::new().on(Banner, Act::raw("220 hi\r\n250 early\r\n"))).await;
    assert_eq!(trouble, Trouble::OutOfTurn { step: Step::Ehlo });
}

#[tokio::test(start_paused = true)]
async fn no_relay_at_all() {
    let server = Server::start(Script::new()).await;
    let relay = relay(&server);
    drop(server);
    tokio::task::yield_now().await;
    let trouble = Session::connect(&relay).await.unwrap_err();
    assert!(
        matches!(
            trouble,
            Trouble::Connect { .. } | Trouble::Closed { .. } | Trouble::Broken { .. }
        ),
        "{trouble}"
    );
    assert!(matches!(trouble.step(), Step::Connect | Step::Banner));
}

#[tokio::test(start_paused = true)]
async fn an_old_relay_gets_helo() {
    let server = Server::start(Script::bare().on(Verb::Ehlo, Act::say("502 5.5.1 what"))).await;
    assert!(accepted(&offered(&server).await.dot().await.0));
    assert_eq!(server.journal().count("HELO"), 1);
}

/// 4xx and 5xx at each verb before the body: this mail's affair, the connection stays.
#[tokio::test(start_paused = true)]
async fn refusals_before_the_body() {
    for script in [Script::new(), Script::bare()] {
        for verb in [Verb::Mail, Verb::Rcpt, Verb::Data] {
            for (reply, permanent) in [
                ("451 4.7.1 greylisted", false),
                ("452 4.2.2 full", false),
                ("550 5.7.1 policy", true),
                ("552 5.3.4 size", true),
            ] {
                let server = Server::start(script.clone().on(verb, Act::say(reply))).await;
                let refused = session(&server).await.offer(&mail("ann@example.com")).await;
                let Err(NotOffered::Rejected { rejection, session }) = refused else {
                    panic!("{verb:?} {reply}: {refused:?}");
                };
                assert_eq!(rejection.is_permanent(), permanent, "{verb:?} {reply}");
                assert!(rejection.to_string().contains(reply), "{rejection}");
                assert!(!rejection.blames_address());
                match session {
                    Some(session) => assert!(accepted(
                        &session
                            .offer(&mail("bob@example.com"))
                            .await
                            .unwrap()
                            .dot()
                            .await
                            .0
                    )),
                    // MAIL was refused, RCPT and DATA were not: the server waits for a body.
                    None => assert_eq!(verb, Verb::Mail),
                }
                let journal = server.journal();
                assert!(
                    journal
                        .dotted()
                        .iter()
                        .all(|mail| mail.to == ["bob@example.com"])
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_leaves_data_open_costs_the_connection_and_no_dot() {
    let script = Script::new()
        .on(Verb::Rcpt, Act::say("550 5.1.1 no"))
        .on(Verb::Data, Act::say("354 go on"));
    let server = Server::start(script).await;
    let refused = session(&server).await.offer(&mail("ann@example.com")).await;
    assert!(
        matches!(refused, Err(NotOffered::Rejected { session: None, .. })),
        "{refused:?}"
    );
    let journal = server.until(|journal| journal.ended == 1).await;
    assert!(journal.dotted().is_empty());
    assert_eq!(journal.mails[0].data, b"", "a command went out as text");
}

/// The relay's own trouble in the middle of a mail: nothing went out, nobody's attempt is spent.
#[tokio::test(start_paused = true)]
async fn trouble_before_the_dot() {
    for script in [Script::new(), Script::bare()] {
        for (verb, step) in [
            (Verb::Mail, Step::Mail),
            (Verb::Rcpt, Step::Rcpt),
            (Verb::Data, Step::Data),
        ] {
            for act in [
                Act::Close,
                Act::Hang,
                Act::say("421 4.3.2 going down"),
                Act::say("530 5.7.0 log in first"),
                Act::say("299-half"),
                Act::say("200 what 354"),
                Act::raw("250-a\r\n550 b\r\n"),
                Act::raw_close("2"),
                Act::Flood(b"250-x\r\n".to_vec()),
                Act::Drip(b"2".to_vec(), MINUTE),
            ] {
                let server = Server::start(script.clone().on(verb, act.clone())).await;
                let outcome = session(&server).await.offer(&mail("ann@example.com")).await;
                match (outcome, &act) {
                    (Err(NotOffered::Trouble(trouble)), _) => {
                        assert_eq!(trouble.step(), step, "{act:?}: {trouble}")
                    }
                    // A 2xx at MAIL and RCPT is a yes, whatever else it says.
                    (Ok(_), Act::Say(reply)) if reply.starts_with("200") => {
                        assert_ne!(verb, Verb::Data)
                    }
                    (outcome, act) => panic!("{verb:?} {act:?}: {outcome:?}"),
                }
                let journal = server.until(|journal| journal.ended == 1).await;
                assert!(journal.dotted().is_empty(), "{verb:?} {act:?}");
            }
        }
    }
}

/// Every prefix of every reply before the dot, and then the connection is closed.
#[tokio::test(start_paused = true)]
async fn a_reply_cut_short_is_no_reply() {
    let dialogue = [
        (Verb::Banner, "220-scripted.example\r\n220 ESMTP\r\n"),
        (
            Verb::Ehlo,
            "250-scripted.example\r\n250-PIPELINING\r\n250 SIZE\r\n",
        ),
        (Verb::Mail, "250 2.1.0 ok\r\n"),
        (Verb::Rcpt, "250 2.1.5 ok\r\n"),
        (Verb::Data, "354 go\r\n"),
    ];
    for script in [Script::new(), Script::bare()] {
        for (verb, reply) in dialogue {
            for cut in 0..reply.len() {
                let server =
                    Server::start(script.clone().on(verb, Act::raw_close(&reply[..cut]))).await;
                let trouble = match Session::connect(&relay(&server)).await {
                    Err(trouble) => trouble,
                    Ok(session) => match session.offer(&mail("ann@example.com")).await {
                        Err(NotOffered::Trouble(trouble)) => trouble,
                        outcome => panic!("{verb:?} cut at {cut}: {outcome:?}"),
                    },
                };
                assert!(
                    matches!(trouble, Trouble::Closed { .. } | Trouble::Broken { .. }),
                    "{verb:?} cut at {cut}: {trouble:?}"
                );
                let journal = server.until(|journal| journal.ended == 1).await;
                assert!(journal.dotted().is_empty());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_stops_reading_is_left() {
    let mut long = letter("ann@example.com");
    long.text = "x".repeat(20_000_000);
    let mail = long.compose().unwrap();
    // Nobody reads at all: a listener that accepts and stays silent after 354.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let peer = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1_024];
        for reply in [
            "220 hi\r\n",
            "250 hi\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "354 go\r\n",
        ] {
            tcp.write_all(reply.as_bytes()).await.unwrap();
            if !reply.starts_with("354") {
                assert!(tcp.read(&mut buffer).await.unwrap() > 0);
            }
        }
        std::future::pending::<()>().await;
    });
    let session = Session::connect(&Relay::parse(&url).unwrap())
        .await
        .unwrap();
    let Err(NotOffered::Trouble(trouble)) = session.offer(&mail).await else {
        panic!("the body went through");
    };
    let (step, limit) = (Step::Body, Timeouts::default().block);
    assert_eq!(trouble, Trouble::TimedOut { step, limit });
    peer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_goes_before_the_dot_gets_none() {
    for (act, expected) in [
        (Act::Close, Trouble::Closed { step: Step::Dot }),
        (
            Act::raw("250 2.0.0 queued already\r\n"),
            Trouble::OutOfTurn { step: Step::Dot },
        ),
        (Act::raw("nonsense"), Trouble::OutOfTurn { step: Step::Dot }),
    ] {
        let server = Server::start(Script::new().on(Verb::Body, act.clone())).await;
        let outcome = session(&server).await.offer(&mail("ann@example.com")).await;
        // Depending on who is quicker the body is already cut short; either way no dot goes out.
        match outcome {
            Ok(offered) => {
                server
                    .until(|journal| !journal.mails[0].data.is_empty())
                    .await;
                if matches!(act, Act::Close) {
                    server.until(|journal| journal.ended == 1).await;
                }
                let (delivery, session) = offered.dot().await;
                match delivery {
                    Delivery::Unsent(Trouble::Broken { .. }) if matches!(act, Act::Close) => {}
                    delivery => assert_eq!(delivery, Delivery::Unsent(expected)),
                }
                assert!(session.is_none());
            }
            Err(NotOffered::Trouble(trouble)) => assert_eq!(trouble.step(), Step::Body),
            Err(rejected) => panic!("{rejected:?}"),
        }
        let journal = server.until(|journal| journal.ended == 1).await;
        assert!(journal.dotted().is_empty(), "{act:?}");
    }
}

/// Only a complete, well-formed reply to the dot counts.
#[tokio::test(start_paused = true)]
async fn only_a_whole_reply_to_the_dot_counts() {
    let whole = "250-2.0.0 queued\r\n250 2.0.0 as 42\r\n";
    for cut in 0..whole.len() {
        let (delivery, reusable, journal) =
            dot(Script::new().on(Verb::Dot, Act::raw_close(&whole[..cut]))).await;
        assert_eq!(
            delivery,
            Delivery::Uncertain(Trouble::Closed { step: Step::Dot }),
            "cut at {cut}"
        );
        assert!(!reusable && journal.dotted().len() == 1);
    }
    // 250, then the connection goes: accepted.
    let (delivery, _, _) = dot(Script::new().on(Verb::Dot, Act::raw_close(whole))).await;
    assert!(accepted(&delivery));
    for act in [
        Act::raw("25O ok\r\n"),
        Act::raw("250 ok\n"),
        Act::raw("250-ok\r\n550 no\r\n"),
        Act::raw("\0\0\0\0"),
        Act::raw("354 go on\r\n"),
        Act::raw("150 ok\r\n"),
        Act::Flood(b"250-ok\r\n".to_vec()),
        Act::Flood(vec![b'2'; 100_000]),
        Act::Raw([b"250 ", [b'x'; 1_000_000].as_slice(), b"\r\n"].concat()),
    ] {
        let (delivery, reusable, _) = dot(Script::new().on(Verb::Dot, act.clone())).await;
        assert!(
            matches!(delivery, Delivery::Uncertain(_)),
            "{act:?}: {delivery:?}"
        );
        assert!(!reusable);
    }
}

#[tokio::test(start_paused = true)]
async fn waits_ten_minutes_for_the_reply_to_the_dot() {
    let limit = 10 * MINUTE;
    for act in [
        Act::Hang,
        Act::Drip(b"250-x\r\n".to_vec(), 9 * MINUTE),
        Act::raw("250-half\r\n250"),
    ] {
        let server = Server::start(Script::new().on(Verb::Dot, act)).await;
        let offered = offered(&server).await;
        let begun = Instant::now();
        let (delivery, session) = offered.dot().await;
        assert_eq!(
            delivery,
            Delivery::Uncertain(Trouble::TimedOut {
                step: Step::Dot,
                limit
            })
        );
        assert_eq!(begun.elapsed(), limit);
        assert!(session.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn replies_to_the_dot() {
    for (reply, reusable) in [
        ("451 4.7.1 later", true),
        ("452 4.3.1 full", true),
        ("421 4.3.2 bye", false),
    ] {
        let (delivery, kept, _) = dot(Script::new().on(Verb::Dot, Act::say(reply))).await;
        assert!(
            matches!(&delivery, Delivery::Deferred(found) if found.to_string() == reply),
            "{delivery:?}"
        );
        assert_eq!(kept, reusable, "{reply}");
    }
    for reply in ["550 5.7.1 no", "552 5.2.3 too big", "554 5.6.0 virus"] {
        let (delivery, kept, _) = dot(Script::new().on(Verb::Dot, Act::say(reply))).await;
        assert!(
            matches!(&delivery, Delivery::Refused(found) if found.to_string() == reply),
            "{delivery:?}"
        );
        assert!(kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_reply_is_not_taken_for_the_next_mail() {
    let server = Server::start(Script::new().on(
        Verb::Dot,
        Act::raw("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
    ))
    .await;
    let (delivery, session) = offered(&server).await.dot().await;
    assert!(accepted(&delivery));
    let outcome = session.unwrap().offer(&mail("bob@example.com")).await;
    let Err(NotOffered::Trouble(trouble)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(trouble, Trouble::OutOfTurn { step: Step::Mail });
    assert_eq!(server.journal().dotted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_or_abandoning_sends_nothing() {
    let server = Server::start(Script::new()).await;
    offered(&server).await.abandon();
    drop(offered(&server).await);
    let journal = server.until(|journal| journal.ended == 2).await;
    assert_eq!((journal.mails.len(), journal.dotted().len()), (2, 0));
    // A future that is dropped at its k-th poll closes the connection too.
    for polls in 1..40 {
        let server = Server::start(Script::bare()).await;
        let (relay, mail) = (relay(&server), mail("ann@example.com"));
        let mut work =
            Box::pin(async move { Session::connect(&relay).await.unwrap().offer(&mail).await });
        let mut left = polls;
        let cut = std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            work.as_mut().poll(context).map(Some)
        })
        .await;
        drop((cut, work));
        // The accept loop may not have had its turn yet.
        let journal = server
            .until(|journal| journal.connections == journal.ended)
            .await;
        assert!(journal.dotted().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn respects_size_and_letters() {
    let server = Server::start(Script::bare().offering("SIZE 500")).await;
    let Err(NotOffered::Rejected { rejection, session }) =
        session(&server).await.offer(&mail("ann@example.com")).await
    else {
        panic!("too large a mail was offered");
    };
    assert!(
        matches!(rejection, Rejection::TooLarge { limit: 500, .. }) && rejection.is_permanent()
    );
    let Err(NotOffered::Rejected { .. }) = session.unwrap().offer(&mail("ann@example.com")).await
    else {
        panic!("too large a mail was offered");
    };
    assert_eq!(server.journal().count("MAIL"), 0);

    let hanako = mail("花子@example.jp");
    let server = Server::start(Script::new()).await;
    let outcome = self::session(&server).await.offer(&hanako).await;
    assert!(matches!(
        outcome,
        Err(NotOffered::Rejected {
            rejection: Rejection::NeedsSmtpUtf8,
            session: Some(_)
        })
    ));
    let server = Server::start(Script::new().offering("SMTPUTF8")).await;
    let offered = self::session(&server).await.offer(&hanako).await.unwrap();
    assert!(accepted(&offered.dot().await.0));
    let journal = server.journal();
    assert!(
        journal
            .commands
            .iter()
            .any(|line| line.ends_with("BODY=8BITMIME SMTPUTF8"))
    );
    assert_eq!(journal.mails[0].to, ["花子@example.jp"]);
}

#[tokio::test(start_paused = true)]
async fn logs_in() {
    let script = |mechanisms| {
        Script::new()
            .offering(mechanisms)
            .with_login("mara", "s3cret")
    };
    for (mechanisms, expected) in [
        ("AUTH LOGIN PLAIN", "AUTH PLAIN"),
        ("AUTH LOGIN", "AUTH LOGIN"),
        ("AUTH=LOGIN", "AUTH LOGIN"),
    ] {
        let server = Server::start(script(mechanisms)).await;
        let relay = relay(&server).with_credentials("mara", "s3cret").unwrap();
        Session::connect(&relay).await.unwrap().quit().await;
        assert_eq!(server.journal().count(expected), 1);
    }
    for mechanisms in ["AUTH PLAIN", "AUTH LOGIN"] {
        let server = Server::start(script(mechanisms)).await;
        let relay = relay(&server).with_credentials("mara", "wrong").unwrap();
        let trouble = Session::connect(&relay).await.unwrap_err();
        assert!(
            matches!(&trouble, Trouble::Refused { step: Step::Auth, reply } if reply.code == 535),
            "{trouble}"
        );
    }
    let server = Server::start(script("AUTH CRAM-MD5")).await;
    let relay = relay(&server).with_credentials("mara", "s3cret").unwrap();
    assert_eq!(Session::connect(&relay).await.unwrap_err(), Trouble::NoAuth);
    for act in [
        Act::Close,
        Act::Hang,
        Act::say("454 4.7.0 later"),
        Act::say("334 what"),
        Act::raw("x\r\n"),
    ] {
        let server = Server::start(script("AUTH PLAIN").on(Verb::Auth, act)).await;
        let relay = self::relay(&server)
            .with_credentials("mara", "s3cret")
            .unwrap();
        let trouble = Session::connect(&relay).await.unwrap_err();
        assert_eq!(trouble.step(), Step::Auth, "{trouble}");
    }
}

#[tokio::test]
async fn encrypts() {
    let authority = Authority::new();
    let starttls = Script::new()
        .offering("STARTTLS")
        .offering("AUTH PLAIN")
        .with_login("mara", "s3cret");
    for (scheme, script) in [
        ("smtp+starttls", starttls.clone().with_tls(&authority)),
        ("smtps", starttls.with_implicit_tls(&authority)),
    ] {
        let server = Server::start(script).await;
        let url = format!("{scheme}://mara:s3cret@{}", server.address);
        let relay = Relay::parse(&url)
            .unwrap()
            .with_authorities(authority.pem.as_bytes())
            .unwrap();
        let (first, second) = (mail("ann@example.com"), mail("bob@example.com"));
        let offered = Session::connect(&relay)
            .await
            .unwrap()
            .offer(&first)
            .await
            .unwrap();
        let (delivery, next) = offered.dot_then(&second).await;
        assert!(accepted(&delivery));
        let (delivery, session) = next.offered().await.unwrap().dot().await;
        assert!(accepted(&delivery));
        session.unwrap().quit().await;
        let journal = server.until(|journal| journal.ended == 1).await;
        assert!(journal.encrypted);
        assert_eq!(journal.dotted()[1].data, second.bytes().as_bytes());
        assert_eq!(journal.count("EHLO"), if scheme == "smtps" { 1 } else { 2 });
    }
}

#[tokio::test]
async fn refuses_a_certificate_it_does_not_know() {
    let (ours, theirs, elsewhere) = (
        Authority::new(),
        Authority::new(),
        Authority::for_host("relay.example"),
    );
    for (server, trusted) in [(&theirs, &ours), (&elsewhere, &elsewhere)] {
        let script = Script::new().with_implicit_tls(server);
        let server = Server::start(script).await;
        let relay = Relay::parse(&format!("smtps://{}", server.address)).unwrap();
        let relay = relay.with_authorities(trusted.pem.as_bytes()).unwrap();
        let trouble = Session::connect(&relay).await.unwrap_err();
        assert!(matches!(trouble, Trouble::Tls { .. }), "{trouble:?}");
        assert_eq!(server.journal().commands.len(), 0);
    }
    assert!(
        Relay::parse("smtps://x")
            .unwrap()
            .with_authorities(b"junk")
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn never_falls_back_to_clear_text() {
    let starttls = |server: &Server| {
        let url = format!("smtp+starttls://mara:s3cret@{}", server.address);
        Relay::parse(&url).unwrap()
    };
    let connect = async |script| {
        let server = Server::start(script).await;
        let trouble = Session::connect(&starttls(&server)).await.unwrap_err();
        let journal = server.until(|journal| journal.ended == 1).await;
        assert_eq!(journal.count("AUTH") + journal.count("MAIL"), 0);
        trouble
    };
    // Stripped from the offer.
    assert_eq!(
        connect(Script::new().offering("AUTH PLAIN")).await,
        Trouble::NoStartTls
    );
    let offering = || Script::new().offering("STARTTLS").offering("AUTH PLAIN");
    // Clear text behind the answer.
    let injected = Act::raw("220 go ahead\r\n250-injected.example\r\n250 AUTH PLAIN\r\n");
    assert_eq!(
        connect(offering().on(Verb::StartTls, injected)).await,
        Trouble::Injected
    );
    for act in [
        Act::say("454 4.7.0 no"),
        Act::Close,
        Act::Hang,
        Act::raw_close("220 go\r\n"),
    ] {
        let trouble = connect(offering().on(Verb::StartTls, act)).await;
        assert_eq!(trouble.step(), Step::StartTls, "{trouble:?}");
    }
    // A handshake that never comes.
    let trouble = connect(offering().on(Verb::StartTls, Act::raw("220 go\r\n"))).await;
    assert_eq!(trouble.step(), Step::StartTls, "{trouble:?}");
}
