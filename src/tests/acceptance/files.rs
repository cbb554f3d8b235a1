//! Files that change under a running service: a broken set never replaces a good one,
//! and a mail that cannot be made holds itself alone.

use super::events;
use super::install::{Install, START, Service};
use super::relay::{Mail, Relay};
use super::until;
use std::fs;

fn place(service: &Service, relay: &Relay, number: &str) -> Mail {
    let email = format!("c{number}@example.com");
    let at = events::later(START.parse().unwrap(), -5);
    let order = events::order(number, &email, "COF-NORD-250", at);
    assert_eq!(service.post(&[order.placed()]).accepted, 1);
    until("the mail arrives", || {
        relay.mails().into_iter().find(|mail| mail.to == email)
    })
}

#[test]
fn broken_files_leave_the_last_good_set_in_force() {
    let relay = Relay::start();
    let install = Install::sqlite(&relay.url());
    let service = install.start();
    let old = place(&service, &relay, "1").header("Subject").unwrap();

    let sequence = install.shop.join("config/sequences/fulfilment.toml");
    let good = fs::read_to_string(&sequence).unwrap();
    fs::write(
        &sequence,
        format!("{good}\n[[step]]\nid = \"broken\nuntill = 3\n"),
    )
    .unwrap();
    until("the errors are noticed", || {
        service
            .log()
            .contains("last good set stays in force")
            .then_some(())
    });
    assert_eq!(
        place(&service, &relay, "2")
            .header("Subject")
            .unwrap()
            .replace('2', "1"),
        old
    );

    let mail = install.shop.join("templates/mail/fulfilment/placed.en.md");
    let text = fs::read_to_string(&mail).unwrap();
    let subject = text
        .lines()
        .find(|line| line.starts_with("subject"))
        .unwrap();
    fs::write(
        &mail,
        text.replace(subject, "subject = \"Thank you, again\""),
    )
    .unwrap();
    fs::write(&sequence, good).unwrap();
    until("the mended files are applied", || {
        service.log().contains("files were reloaded").then_some(())
    });
    let new = place(&service, &relay, "3").header("Subject").unwrap();
    assert_eq!(new, "Thank you, again");
    assert_eq!(service.terminate().code(), Some(0));
}

#[test]
fn a_mail_that_misses_a_value_is_held_alone() {
    let relay = Relay::start();
    let install = Install::sqlite(&relay.url());
    let service = install.start();
    let at = events::later(START.parse().unwrap(), -5);
    let mut gap = events::order("1", "ann@example.com", "COF-NORD-250", at).placed();
    // Nobody has a title for it: neither the shop's order nor the catalogue.
    let line = &mut gap["data"]["order"]["line_items"][0];
    for (name, value) in [("product_id", "P-NONE"), ("sku", "NONE"), ("title", " ")] {
        line[name] = serde_json::Value::from(value);
    }
    let fine = events::order("2", "bob@example.com", "COF-NORD-250", at).placed();
    assert_eq!(service.post(&[gap, fine]).accepted, 2);
    until("the mail without a gap arrives", || {
        (relay.count() == 1).then_some(())
    });
    let held = until("the other is held", || {
        install.sends().into_iter().find(|row| row.state == "held")
    });
    assert_eq!(
        (held.order.as_deref(), held.reason.as_deref()),
        (Some("1"), Some("render")),
        "{held:?}"
    );
    assert!(
        held.because
            .as_deref()
            .is_some_and(|because| because.contains("title")),
        "{held:?}"
    );

    // Mended, it goes.
    let mail = install.shop.join("templates/mail/fulfilment/placed.en.md");
    let text = fs::read_to_string(&mail).unwrap();
    let mended = text.replace("{{items order.items}}", "");
    assert_ne!(mended, text);
    fs::write(&mail, mended).unwrap();
    until("it goes when the template is mended", || {
        (relay.by_id().len() == 2).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
}
