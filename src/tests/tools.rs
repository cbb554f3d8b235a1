//! The tools of authors on the shop that aftercare comes with: scenarios, snapshots,
//! form, schemas, and a fresh shop.

use aftercare::engine::reload;
use aftercare::plan::scenario::{self, Failure};
use aftercare::sequence::format::format;
use aftercare::sequence::keys::{self, KINDS_OF_FILE};
use aftercare::sequence::schema;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files below some folders of the repository, as paths and texts.
fn texts(folders: &[&str], ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((name.to_string_lossy().into_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), ending, &mut found);
    }
    found
}

fn aftercare(shop: &Path, line: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_aftercare"))
        .args(line.split(' ').filter(|word| !word.is_empty()))
        .arg("--shop")
        .arg(shop)
        .env_clear()
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Lets one scenario text happen in the shop of the repository, without mails.
fn failures(text: &str) -> Vec<Failure> {
    let live = reload::read(&root()).live.unwrap();
    let files = [("config/scenarios/x.toml".to_owned(), text.to_owned())];
    let (scenarios, problems) = scenario::read(&live.catalog, &files);
    assert_eq!(problems, []);
    let mut made = |catalog: &aftercare::sequence::catalog::Catalog,
                    _: &aftercare::model::send::Send,
                    ready: Box<aftercare::plan::Ready>,
                    now| {
        Ok(aftercare::model::send::Prepared {
            hash: String::new(),
            version: catalog.version.clone(),
            date: now,
            to: ready.to.as_typed().to_owned(),
            locale: ready.locales[0].clone(),
            values: Value::Null,
        })
    };
    scenario::run(&live.catalog, &scenarios[0], &mut made).failures
}

const CAMERA: &str = include_str!("../../config/scenarios/camera.toml");

#[test]
fn the_shop_keeps_its_promises_and_its_mails_are_as_blessed() {
    let (code, out, err) = aftercare(&root(), "test");
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("ok camera"), "{out}");
}

#[test]
fn a_missing_mail_is_told_with_its_reason() {
    let text = format!("{CAMERA}\n[[expect]]\nsend = \"refund/refunded\"\n");
    match failures(&text).as_slice() {
        [Failure::Missing { because, .. }] => {
            assert!(because[0].contains("refund.issued"), "{because:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mail_on_another_day_is_told_with_the_day() {
    let text = CAMERA.replace("on   = 2026-03-16", "on   = 2026-03-17");
    assert_ne!(text, CAMERA);
    let found = failures(&text);
    assert!(
        found
            .iter()
            .any(|one| matches!(one, Failure::Missing { because, .. }
            if because[0] == "it happened on 2026-03-16 10:00")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|one| matches!(one, Failure::Unexpected { .. }))
    );
}

#[test]
fn a_mail_that_must_never_go_and_one_that_nobody_named() {
    let never = format!("{CAMERA}\n[[never]]\nsend = \"review-*/ask\"\n");
    let found = failures(&never);
    assert!(
        matches!(found.as_slice(), [Failure::Forbidden { .. }]),
        "{found:?}"
    );
    let (story, _) = CAMERA.split_once("[[expect]]").unwrap();
    assert!(!failures(story).is_empty());
    let some = story.replacen("title", "only = false\ntitle", 1);
    assert_eq!(failures(&some).len(), 0);
}

#[test]
fn the_shipped_files_are_in_form() {
    let mut files = texts(&["config", "templates"], ".toml");
    files.extend(texts(&["templates"], ".md"));
    assert!(files.len() > 80);
    for (path, text) in files {
        assert_eq!(format(&path, &text), text, "{path}: run aftercare fmt");
    }
}

fn as_json(text: &str) -> Value {
    fn of(item: &toml_edit::Item) -> Value {
        match item {
            toml_edit::Item::None => Value::Null,
            toml_edit::Item::Value(value) => of_value(value),
            toml_edit::Item::Table(table) => table
                .iter()
                .map(|(key, item)| (key.to_owned(), of(item)))
                .collect(),
            toml_edit::Item::ArrayOfTables(tables) => tables
                .iter()
                .map(|table| {
                    table
                        .iter()
                        .map(|(key, item)| (key.to_owned(), of(item)))
                        .collect::<Value>()
                })
                .collect(),
        }
    }
    fn of_value(value: &toml_edit::Value) -> Value {
        use toml_edit::Value as Toml;
        match value {
            Toml::String(text) => text.value().clone().into(),
            Toml::Integer(number) => (*number.value()).into(),
            Toml::Float(number) => (*number.value()).into(),
            Toml::Boolean(flag) => (*flag.value()).into(),
            Toml::Datetime(date) => date.value().to_string().into(),
            Toml::Array(list) => list.iter().map(of_value).collect(),
            Toml::InlineTable(table) => table
                .iter()
                .map(|(key, value)| (key.to_owned(), of_value(value)))
                .collect(),
        }
    }
    let document: toml_edit::DocumentMut = text.parse().unwrap();
    of(document.as_item())
}

#[test]
fn every_shipped_file_fits_its_schema_and_an_unknown_key_does_not() {
    let mut seen = 0;
    let mut files = texts(&["config"], ".toml");
    for (path, text) in texts(&["templates/mail"], ".md") {
        let head = text.split("+++\n").nth(1).unwrap().to_owned();
        files.push((path, head));
    }
    for (path, text) in files {
        let Some(table) = keys::of_path(&path) else {
            continue;
        };
        // Customers of scenarios are no free form.
        if path.contains("scenarios/") {
            let schema = schema::of(table);
            assert!(schema["properties"]["customer"]["properties"]["locale"].is_object());
        }
        let validator = jsonschema::draft7::new(&schema::of(table)).unwrap();
        let value = as_json(&text);
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{path}: {errors:#?}");
        seen += 1;
        let mut wrong = value;
        wrong["zzz_unknown"] = Value::Bool(true);
        assert!(!validator.is_valid(&wrong), "{path} takes any key");
    }
    assert!(seen > 80);
}

#[test]
fn the_shipped_feed_fits_its_schema_and_a_misspelt_field_does_not() {
    let text = std::fs::read_to_string(root().join("config/catalog.json")).unwrap();
    let (_, table) = KINDS_OF_FILE
        .iter()
        .find(|(name, _)| *name == "feed")
        .unwrap();
    let validator = jsonschema::draft7::new(&schema::of(table)).unwrap();
    let mut feed: Value = serde_json::from_str(&text).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&feed)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    feed[0]["tag"] = feed[0]["tags"].take();
    assert!(!validator.is_valid(&feed));
}

#[test]
fn the_schemas_and_the_reference_beside_the_files_are_current() {
    let bless = std::env::var_os("AFTERCARE_BLESS").is_some();
    let mut wanted: Vec<(PathBuf, String)> = KINDS_OF_FILE
        .iter()
        .map(|(name, table)| {
            let text = serde_json::to_string_pretty(&schema::of(table)).unwrap() + "\n";
            (root().join(format!("config/schemas/{name}.json")), text)
        })
        .collect();
    for (path, text) in super::reference::pages() {
        wanted.push((root().join("docs").join(path), text));
    }
    let contents = root().join("docs/SUMMARY.md");
    let text = super::reference::summary(&std::fs::read_to_string(&contents).unwrap());
    wanted.push((contents, text));
    for (path, text) in wanted {
        if bless {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let had = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            had == text,
            "{}: AFTERCARE_BLESS=1 brings it up to date",
            path.display()
        );
    }
}

/// Every key that a reader knows is in the table: readers list their keys where a key is
/// so strange that nothing is near.
#[test]
fn the_tables_know_every_key_that_the_readers_know() {
    const STRANGE: &str = "qqqqqqqqqqqqqqqqqqqqqqqq";
    let cases = [
        ("config/sequences/fulfilment.toml", "", &keys::SEQUENCE),
        (
            "config/sequences/education-dslr.toml",
            "[start]\n",
            &keys::SEQUENCE,
        ),
        (
            "config/sequences/education-dslr.toml",
            "[[step]]\n",
            &keys::SEQUENCE,
        ),
        (
            "config/sequences/education-dslr.toml",
            "[[pause]]\n",
            &keys::SEQUENCE,
        ),
        (
            "config/sequences/education-dslr.toml",
            "[[stop]]\n",
            &keys::SEQUENCE,
        ),
        ("config/store.toml", "", &keys::STORE),
        ("config/store.toml", "[hours]\n", &keys::STORE),
        ("config/store.toml", "[limits]\n", &keys::STORE),
        ("config/store.toml", "[[delivery.assume]]\n", &keys::STORE),
        ("config/catalog.toml", "", &keys::CATALOG),
        ("config/people.toml", "[aya]", &keys::PEOPLE),
        ("config/catalog.toml", "[family.dslr]\n", &keys::CATALOG),
    ];
    for (path, header, table) in cases {
        let shop = aftercare::files::read(&root()).0;
        let files: Vec<(String, String)> = shop
            .into_iter()
            .map(|(had, text)| {
                if had != path {
                    return (had, text);
                }
                let line = format!("{STRANGE} = 1\n");
                let at = if header.is_empty() {
                    0
                } else {
                    let at = text.find(header).unwrap();
                    at + text[at..].find('\n').unwrap() + 1
                };
                (had, format!("{}{line}{}", &text[..at], &text[at..]))
            })
            .collect();
        let (_, problems) = aftercare::sequence::read(&files);
        let listed = problems
            .iter()
            .filter(|one| one.message.contains(STRANGE))
            .flat_map(|one| &one.help)
            .find_map(|help| help.split_once(" has ").map(|(_, keys)| keys.to_owned()))
            .unwrap_or_else(|| panic!("{path} {header}: {problems:#?}"));
        let names: Vec<&str> = header
            .trim()
            .trim_matches(['[', ']'])
            .split('.')
            .filter(|name| !name.is_empty())
            .collect();
        let table = names
            .iter()
            .try_fold(table, |table, name| table.inside(name))
            .unwrap();
        for key in listed.split(", ") {
            assert!(
                table.key(key).is_some(),
                "{path} {header}: `{key}` is in no table"
            );
        }
    }
}

/// The service and the heads of mails have readers that know no tables: each key of one
/// is a key of the other.
#[test]
fn the_tables_and_the_readers_that_have_lists_of_their_own_agree() {
    fn flat(table: &'static keys::Table, above: &str, found: &mut Vec<String>) {
        for key in table.keys {
            let path = format!("{above}{}", key.name);
            match table.inside(key.name) {
                Some(inside) => flat(inside, &format!("{path}."), found),
                None => found.push(path),
            }
        }
    }
    let mut service = Vec::new();
    flat(&keys::SERVICE, "", &mut service);
    service.sort();
    let mut read: Vec<String> = aftercare::config::KEYS.map(str::to_owned).to_vec();
    read.sort();
    assert_eq!(service, read);
    let mut head: Vec<&str> = keys::MAIL.names().collect();
    head.sort_unstable();
    let mut read = aftercare::render::HEAD_KEYS.to_vec();
    read.sort_unstable();
    assert_eq!(head, read);
}

#[test]
fn a_fresh_shop_checks_tests_and_is_in_form() {
    let place = tempfile::tempdir().unwrap();
    let shop = place.path().join("shop");
    let line = format!("init {}", shop.display());
    let (code, out, err) = aftercare(&root(), &line);
    assert_eq!(code, 0, "{out}{err}");
    for line in ["check", "test", "fmt --check"] {
        let (code, out, err) = aftercare(&shop, line);
        assert_eq!(code, 0, "{line}: {out}{err}");
    }
    let (code, _, err) = aftercare(&root(), &line);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("not empty"), "{err}");
}

#[test]
fn a_smaller_shop_in_two_languages_is_sound() {
    let place = tempfile::tempdir().unwrap();
    let shop = place.path().join("shop");
    let line = format!(
        "init {} --locales en,de --name Lantern --url https://lantern.example --zone Europe/Vienna",
        shop.display()
    );
    let (code, out, err) = aftercare(&root(), &line);
    assert_eq!(code, 0, "{out}{err}");
    assert!(!shop.join("templates/mail/dslr/basics.ja.md").exists());
    for line in ["check", "test", "preview dslr/basics"] {
        let (code, out, err) = aftercare(&shop, line);
        assert_eq!(code, 0, "{line}: {out}{err}");
        if line.starts_with("preview") {
            assert!(out.contains("Lantern"), "{out}");
        }
    }
    let none = format!(
        "init {} --locales tlh",
        place.path().join("other").display()
    );
    assert_eq!(aftercare(&root(), &none).0, 2);
}

#[test]
fn a_failing_scenario_ends_with_1_and_a_report() {
    let place = tempfile::tempdir().unwrap();
    let shop = place.path().join("shop");
    assert_eq!(aftercare(&root(), &format!("init {}", shop.display())).0, 0);
    let path = shop.join("config/scenarios/camera.toml");
    std::fs::write(
        &path,
        CAMERA.replace("on   = 2026-03-16", "on   = 2026-03-17"),
    )
    .unwrap();
    let report = place.path().join("junit.xml");
    let line = format!("test camera --junit {}", report.display());
    let (code, out, _) = aftercare(&shop, &line);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("it happened on 2026-03-16 10:00"), "{out}");
    let xml = std::fs::read_to_string(report).unwrap();
    assert!(
        xml.contains("failures=\"1\"") && xml.contains("name=\"camera\""),
        "{xml}"
    );
    let mail = shop.join("templates/mail/dslr/basics.en.md");
    let text = std::fs::read_to_string(&mail).unwrap();
    std::fs::write(&mail, text.replace("ten minutes", "two hours")).unwrap();
    let (code, out, _) = aftercare(&shop, "test basics.en");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("two hours"), "{out}");
    // Names bless their own mails and no other.
    let light = shop.join("templates/mail/dslr/light.en.md");
    let text = std::fs::read_to_string(&light).unwrap();
    std::fs::write(&light, format!("{text}\nOne more word.\n")).unwrap();
    assert_eq!(aftercare(&shop, "test --bless basics.en").0, 0);
    assert_eq!(aftercare(&shop, "test basics.en").0, 0);
    assert_eq!(aftercare(&shop, "test light.en").0, 1);
    assert_eq!(aftercare(&shop, "test --bless nothing-like-it").0, 2);
}
