//! Opening, closing, and a database in trouble.

use super::intake::tamper;
use super::*;
use aftercare::store::{Bounds, StoreError};
use std::time::Duration;

on_both! {
    async fn every_statement_fits_the_schema(home: Home) {
        let store = home.open().await;
        assert!(store.prepare_all().await.unwrap() > 60);
        store.health().await.unwrap();
    }

    async fn what_was_taken_is_there_after_opening_again(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        store.set_meta("files", "v1").await.unwrap();
        store.set_meta("files", "v2").await.unwrap();
        let secret = store.root_secret().await.unwrap();
        let closed = store.clone();
        store.close().await;
        assert!(matches!(closed.set_meta("a", "b").await, Err(StoreError::Closed)));
        let store = home.open().await;
        assert_eq!(history(&store, customer).await.events.len(), 1);
        assert_eq!(store.meta("files").await.unwrap().as_deref(), Some("v2"));
        assert_eq!(store.meta("none").await.unwrap(), None);
        assert_eq!(store.root_secret().await.unwrap(), secret);
        assert_ne!(secret, [0; 32]);
        assert_eq!(store.last_instant().await.unwrap(), Some(at(0)), "also of a process that is gone");
    }

    async fn a_reader_reads_and_writes_nothing(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        let reader = Store::open(&home.url, Access::Reader).await.unwrap();
        assert_eq!(history(&reader, customer).await.events.len(), 1);
        assert_eq!(reader.root_secret().await.unwrap(), store.root_secret().await.unwrap());
        let refused = reader.accept(vec![plain(order("2", Some("7"), None, 1))], vec![], at(0)).await;
        assert!(matches!(refused, Err(StoreError::Access { .. })));
        assert!(matches!(reader.claim_sends(at(0), 1).await, Err(StoreError::Access { .. })));
        // Another command may write beside the owner, and claims nothing.
        let writer = Store::open(&home.url, Access::Writer).await.unwrap();
        assert_eq!(accept(&writer, order("2", Some("7"), None, 1)).await, Some(customer));
        assert_eq!(history(&store, customer).await.events.len(), 2);
        assert!(matches!(writer.claim_customers(at(0), 1).await, Err(StoreError::Access { .. })));
    }

    async fn a_newer_schema_is_refused(home: Home) {
        home.open().await.close().await;
        let newer = if home.url.starts_with("sqlite") {
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)"
        } else {
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '\\x00', 0)"
        };
        tamper(&home, newer).await;
        for access in [Access::Owner, Access::Writer, Access::Reader] {
            match Store::open(&home.url, access).await {
                Err(StoreError::NewerSchema { known, found: 9999 }) => assert!(known < 9999),
                other => panic!("expected a refusal, found {other:?}"),
            }
        }
    }

    async fn people_are_found_by_whichever_form_their_keys_have(home: Home) {
        for older in [false, true] {
            let store = home.open().await;
            let (id, address) = (format!("C-{older}"), format!("{older}@example.com"));
            let one = accept(&store, order(&format!("{older}1"), Some(&id), Some(&address), 1)).await;
            store.close().await;
            let store = home.open().await;
            let two = accept(&store, order(&format!("{older}2"), None, Some(&address), 1)).await;
            let three = accept(&store, order(&format!("{older}3"), Some(&id), None, 1)).await;
            assert_eq!((one, one), (two, three));
            let keys = super::intake::column(&home, "SELECT key FROM aliases").await;
            assert!(keys.iter().all(|key| (key.len() == 32) == older), "{keys:?}");
            store.close().await;
            // As a database from before there was another form.
            tamper(&home, "DELETE FROM meta WHERE key = 'key_form'").await;
            tamper(&home, "DELETE FROM aliases").await;
        }
        tamper(&home, "INSERT INTO meta (key, value) VALUES ('key_form', 'later')").await;
        let refused = Store::open(&home.url, Access::Owner).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    }

    async fn a_request_that_cannot_be_written_fails_alone(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        // An enrolment of somebody who is not there breaks a reference, should the
        // customer vanish between; here a send of nobody's does.
        tamper(&home, "INSERT INTO quarantine (id, body, reason, because, recorded) VALUES (1, 'x', 'x', 'x', 0)").await;
        let poison = aftercare::store::Poison {
            source: None, id: None, kind: None, body: "x".into(), reason: "x".into(), because: "x".into(), recorded: at(0), transport: None,
        };
        let (bad, good, meta) = tokio::join!(
            store.accept(vec![], vec![poison], at(0)),
            store.accept(vec![plain(order("2", Some("7"), None, 1))], vec![], at(0)),
            store.set_meta("a", "b"),
        );
        assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
        assert!(matches!(good.unwrap()[0], Accepted::New { .. }));
        meta.unwrap();
        assert_eq!(history(&store, customer).await.events.len(), 2);
    }
}

#[tokio::test]
async fn a_file_has_one_owner_and_is_its_own_alone() {
    let home = Home::sqlite();
    let store = home.open().await;
    let refused = Store::open(&home.url, Access::Owner).await;
    let error = refused.err().unwrap();
    assert!(matches!(error, StoreError::Owned { .. }));
    assert!(error.to_string().contains("another `serve`"), "{error}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = home.folder.path().join("data/shop.db");
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    store.close().await;
    home.open().await.close().await;
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    for (url, wanted) in [
        ("mysql://x", "Url"),
        ("sqlite::memory:", "Url"),
        ("sqlite:/proc/none/shop.db", "File"),
    ] {
        let error = format!("{:?}", Store::open(url, Access::Owner).await.unwrap_err());
        assert!(error.starts_with(wanted), "{url}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no.db");
    let missing = Store::open(&format!("sqlite:{}", file.display()), Access::Reader).await;
    assert!(missing.unwrap_err().is_passing());
    assert!(!file.exists(), "a reader makes nothing");
    std::fs::write(
        &file,
        "this is no database, it is a letter to a friend, and a long one",
    )
    .unwrap();
    let other = Store::open(&format!("sqlite:{}", file.display()), Access::Owner).await;
    assert!(matches!(other, Err(StoreError::Damaged(_))), "{other:?}");
    let refused = Store::open("postgres://nobody@127.0.0.1:1/none", Access::Owner).await;
    assert!(refused.unwrap_err().is_passing());
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_loses_nothing() {
    let home = Home::sqlite();
    let store = home.open().await;
    accept(&store, order("1", Some("7"), None, 1))
        .await
        .unwrap();
    store.close().await;
    let bounds = Bounds {
        pages: Some(60),
        ..Bounds::default()
    };
    let store = Store::open_within(&home.url, Access::Owner, &bounds)
        .await
        .unwrap();
    let mut full = None;
    for n in 2..2000 {
        let one = plain(order(&n.to_string(), Some(&n.to_string()), None, 1));
        match store.accept(vec![one], vec![], at(0)).await {
            Ok(_) => {}
            Err(error) => {
                full = Some((n, error));
                break;
            }
        }
    }
    let (n, error) = full.expect("the disk is full at some time");
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(error.is_passing());
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.events, n - 1, "what was acknowledged and no more");
    store.close().await;
    let store = home.open().await;
    assert_eq!(store.counts().await.unwrap().events, n - 1);
    let again = plain(order(&n.to_string(), Some(&n.to_string()), None, 1));
    assert!(matches!(
        store.accept(vec![again], vec![], at(0)).await.unwrap()[0],
        Accepted::New { .. }
    ));
}

#[tokio::test]
async fn a_locked_file_is_said_to_be_locked() {
    use sqlx::{Connection, SqliteConnection};
    let home = Home::sqlite();
    let bounds = Bounds {
        busy: Duration::from_millis(1),
        ..Bounds::default()
    };
    let store = Store::open_within(&home.url, Access::Owner, &bounds)
        .await
        .unwrap();
    let mut other = SqliteConnection::connect(&home.url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let refused = store
        .accept(vec![plain(order("1", Some("7"), None, 1))], vec![], at(0))
        .await;
    assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(
        accept(&store, order("1", Some("7"), None, 1))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn both_schemas_have_the_same_tables_and_columns() {
    let Some(postgres) = Home::postgres().await else {
        return;
    };
    let sqlite = Home::sqlite();
    sqlite.open().await.close().await;
    postgres.open().await.close().await;
    let mut left = super::intake::column(
        &sqlite,
        "SELECT m.name || '.' || c.name || ' ' || c.\"notnull\" FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE '%sqlx%' AND m.name NOT LIKE 'sqlite_%'",
    )
    .await;
    let mut right = super::intake::column(
        &postgres,
        "SELECT c.table_name || '.' || c.column_name || ' ' || CASE c.is_nullable WHEN 'NO' THEN 1 ELSE 0 END
         FROM information_schema.columns c JOIN information_schema.tables t
            ON t.table_schema = c.table_schema AND t.table_name = c.table_name
         WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE '%sqlx%'",
    )
    .await;
    left.sort();
    right.sort();
    assert_eq!(left, right);
    let numbers = |folder: &str| {
        let mut names: Vec<_> =
            std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
                .unwrap()
                .map(|file| file.unwrap().file_name())
                .collect();
        names.sort();
        names
    };
    assert_eq!(numbers("migrations/sqlite"), numbers("migrations/postgres"));
}
