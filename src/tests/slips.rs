//! Slips of the pen in the shipped shop's templates: names misspelt, braces lost, blocks
//! left open, wherever they stand. Each must be told on its own line of its own file.

use aftercare::engine::reload;
use aftercare::files;
use aftercare::model::diagnostic::position;
use std::collections::BTreeSet;
use std::path::Path;

/// The tags of a text, as byte ranges.
fn tags(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|hit| at + hit) {
        let Some(end) = text[start..].find("}}").map(|hit| start + hit + 2) else {
            break;
        };
        let end = if text[end..].starts_with('}') {
            end + 1
        } else {
            end
        };
        found.push(start..end);
        at = end;
    }
    found
}

/// What may happen to a tag while somebody types.
fn slips(tag: &str) -> Vec<(&'static str, String)> {
    let mut found = vec![
        ("an opening brace lost", tag.replacen("{{", "{", 1)),
        ("a closing brace lost", tag[..tag.len() - 1].to_owned()),
        (
            "both opening braces lost",
            tag.trim_start_matches('{').to_owned(),
        ),
    ];
    // A letter lost in each name.
    let mut from = 0;
    let mut quoted = false;
    for word in
        tag.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@')))
    {
        let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if !quoted && name.contains('.') {
            let start = from + name.rfind('.').unwrap_or(0) + 2;
            if start < from + name.len() {
                found.push((
                    "a letter lost",
                    format!("{}{}", &tag[..start], &tag[start + 1..]),
                ));
            }
        }
        quoted ^= word.ends_with('"');
        from += word.len();
    }
    found
}

/// Most problems that a file may look like that was cut off or cannot be read.
const FEW: usize = 2;

/// Files that many mails share, and one of each other sort.
fn is_shared(path: &str) -> bool {
    path.starts_with("templates/layouts")
        || path.starts_with("templates/partials") && path.contains(".en.")
        || path == "templates/strings/en.ftl"
        || path == "templates/mail/fulfilment/placed.en.md"
}

#[test]
fn a_file_that_is_cut_off_looks_like_one_slip() {
    let (shop, _) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut wrong = Vec::new();
    let mut told = 0;
    for (at, (path, text)) in shop.iter().enumerate() {
        if !is_shared(path) {
            continue;
        }
        for (part, of) in [(1, 2), (4, 5)] {
            let mut cut = text.len() * part / of;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            let mut files = shop.clone();
            files[at].1.truncate(cut);
            let problems = reload::check(files, Vec::new()).problems;
            told += usize::from(!problems.is_empty());
            let elsewhere = problems.first().is_some_and(|first| first.file != *path);
            if problems.len() > FEW || elsewhere {
                wrong.push(format!("{path} at {cut}: {problems:#?}"));
            }
        }
    }
    assert!(told > 10, "{told}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_in_another_encoding_is_one_problem_that_says_so() {
    let (shop, _) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &shop {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let units = |text: &str, big: bool, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        let all = mark.into_iter().chain(text.encode_utf16());
        all.flat_map(|unit| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
    };
    let sorts = [
        "config/store.toml",
        "config/people.toml",
        "config/catalog.toml",
        "config/catalog.json",
        "config/sequences/refund.toml",
        "templates/layouts/default.mjml",
        "templates/partials/greeting.en.hbs",
        "templates/strings/en.ftl",
        "templates/mail/dslr/basics.en.md",
        "templates/mail/dslr/basics.ja.md",
    ];
    let mut reader = reload::Reader::default();
    for (number, name) in sorts.iter().enumerate() {
        let (_, text) = shop.iter().find(|(path, _)| path == name).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, units(text, number % 2 == 0, number % 3 == 0)).unwrap();
        let problems = reader.read(folder.path()).problems;
        assert_eq!(problems.len(), 1, "{name}: {problems:#?}");
        assert_eq!(problems[0].code, "E109");
        assert_eq!(problems[0].file, *name);
        assert!(problems[0].message.contains("UTF-16"), "{problems:#?}");
        assert!(problems[0].help.iter().any(|help| help.contains("UTF-8")));
        std::fs::write(&path, text).unwrap();
    }
}

#[test]
fn every_slip_in_a_tag_is_told_on_its_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (shop, _) = files::read(root);
    let mut seen = BTreeSet::new();
    let (mut tried, mut missed) = (0, Vec::new());
    for (at, (path, text)) in shop.iter().enumerate() {
        let mine = path.starts_with("templates/layouts/default")
            || (path.starts_with("templates/partials") || path.starts_with("templates/mail"))
                && path.contains(".en.");
        if !mine {
            continue;
        }
        for span in tags(text) {
            let tag = &text[span.clone()];
            // Each sort of tag once in heads and once in bodies.
            let place = text[span.end..].matches("\n+++").count();
            if !seen.insert((tag.to_owned(), place, path.ends_with("mjml"))) {
                continue;
            }
            for (what, slip) in slips(tag) {
                let mut files = shop.clone();
                files[at].1 = format!("{}{slip}{}", &text[..span.start], &text[span.end..]);
                let (line, _) = position(&files[at].1, span.start);
                let problems = reload::check(files.clone(), Vec::new()).problems;
                tried += 1;
                let told = problems.iter().any(|one| {
                    one.file == *path && position(&files[at].1, one.span.start).0 == line
                });
                if !told {
                    let said: Vec<String> =
                        problems.iter().take(3).map(ToString::to_string).collect();
                    missed.push(format!("{path}:{line}: {what}: {slip}: {said:?}"));
                }
            }
        }
    }
    assert!(tried > 200, "only {tried} slips were tried");
    assert!(
        missed.is_empty(),
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// A slip of somebody who writes: file, what stood there, what stands there now, the code,
/// and the words that it points at.
type Slip = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const STORE: &str = "config/store.toml";
const CAMERA: &str = "config/sequences/education-dslr.toml";
const FEED: &str = "config/catalog.json";
const BASICS: &str = "templates/mail/dslr/basics.en.md";
const TRIPOD: &str = "templates/mail/dslr/tripod.en.md";
const LAYOUT: &str = "templates/layouts/default.mjml";
const GREETING: &str = "templates/partials/greeting.en.hbs";
const PAGE: &str = "templates/pages/unsubscribe.hbs";

#[rustfmt::skip]
const OF_PEOPLE: [Slip; 54] = [
    (STORE, "to    = \"DE\"", "to    = \"UK\"", "E105", "\"UK\""),
    (STORE, "US      =", "EU      =", "E105", "EU"),
    (STORE, "\"https://shop.example.com\"", "\"https:/shop.example.com\"", "E117", "\"https:/shop.example.com\""),
    (STORE, "fulfilment = \"7d\"", "fulfilment = \"0d\"", "E112", "\"0d\""),
    (STORE, "after = \"10bd\"", "after = \"5min\"", "E112", "\"5min\""),
    (STORE, "to    = \"AT\"", "to    = \"*\"", "E124", "\"*\""),
    (STORE, "per_day   = 1", "per_day   = 5", "E118", "5"),
    (STORE, "\"ja\"]", "\"en\"]", "E115", "\"en\""),
    (STORE, "Harbor & Pine", "Harbor &amp; Pine", "E127", "\"Harbor &amp; Pine\""),
    (STORE, "12 Quay Street, ", "{{shop.address}} ", "E127", "\"{{shop.address}} 20457 Hamburg\""),
    (STORE, "[hours]\n", "", "E104", "open"),
    ("config/people.toml", "[aya]", "[people.aya]", "E104", "people"),
    ("config/people.toml", "aya@shop.example.com", "aya@shop.example.com\u{200b}", "E116", "\"aya@shop.example.com\u{200b}\""),
    ("config/people.toml", "aya@shop.example.com", "\u{430}ya@shop.example.com", "E116", "\"\u{430}ya@shop.example.com\""),
    (CAMERA, "[[step]]", "[step]", "E100", "[step]"),
    (CAMERA, "on    = \"item.delivered\"", "trigger = \"item.delivered\"", "E104", "trigger"),
    (CAMERA, "[[step]]\nid    = \"basics\"", "id    = \"basics\"", "E104", "id"),
    (CAMERA, "start + 2d", "orders/create", "E120", "\"orders/create\""),
    (CAMERA, "10d, then skip", "0d, then skip", "E112", "\"0d, then skip\""),
    (CAMERA, "id    = \"manual\"", "id    = \"manual\"\nwas = \"\"", "E127", "\"\""),
    (CAMERA, "[\"item.refunded\", \"item.returned\", \"order.cancelled\"]", "[]", "E127", "[]"),
    (CAMERA, "&& !order.gift", "&& order.gift == null", "E132", "order.gift == null"),
    (CAMERA, "&& !order.gift", "&& order.total.amount > 100.00", "E132", "order.total.amount > 100.00"),
    (CAMERA, "&& !order.gift", "&& order.total.currency == \"EURO\"", "E143", "\"EURO\""),
    (FEED, "\"USD\": 89900", "\"USD\": \"899.00\"", "E161", "\"899.00\""),
    (FEED, "\"USD\": 89900", "\"USD\": -89900", "E161", "-89900"),
    (FEED, "\"USD\": 89900", "\"EURO\": 89900", "E161", "89900"),
    (FEED, "\"product_id\": \"P-AUR-D80\"", "\"product_id\": 17", "E161", "17"),
    (FEED, "\"product_id\": \"P-AUR-D80\"", "\"product_id\": \"\"", "E161", "\"\""),
    (FEED, "\"kind\": \"physical\"", "\"kind\": \"phisical\"", "E161", "\"phisical\""),
    (FEED, "https://shop.example.com/p/p-aur-d80", "/p/p-aur-d80", "E161", "\"/p/p-aur-d80\""),
    (FEED, "\"AUR-D80-KIT\"", "\"AUR-D80-BODY\"", "E161", "\"AUR-D80-BODY\""),
    (BASICS, "{{sender.name}}", "{{#if (eq item.quantity \"1\")}}x{{/if}}", "E204", "eq"),
    (BASICS, "{{sender.name}}", "{{list order.items \"titel\"}}", "E203", ""),
    (BASICS, "{{sender.name}}", "{{date \"order.placed_at\"}}", "E204", ""),
    (BASICS, "{{sender.name}}", "{{default customer.first_name \"\"}}", "E201", ""),
    (BASICS, "{{sender.name}}", "{{#if \"customer.first_name\"}}x{{/if}}", "E213", ""),
    (BASICS, "Three settings for the first week with your camera", "{{items order.items}}", "E209", ""),
    (BASICS, "{{sender.name}}", "%FIRSTNAME%", "E213", "%FIRSTNAME%"),
    (BASICS, "{{sender.name}}", "[[first_name]]", "E213", "[[first_name]]"),
    (BASICS, "{{sender.name}}", "{first_name}", "E213", "{first_name}"),
    (BASICS, "+++\n{{>", "+++\n+++\n{{>", "E200", "+++"),
    (BASICS, "Next time", "<<<<<<< HEAD\nNext time", "E200", "<<<<<<< HEAD"),
    (GREETING, "{{#if", "<<<<<<< HEAD\n{{#if", "E200", "<<<<<<< HEAD"),
    (TRIPOD, "({{link this.product_url}})", "{{link this.product_url}}", "W255", ""),
    (LAYOUT, "{{{content}}}", "{{content}}", "E212", "{{content}}"),
    (LAYOUT, "<mj-spacer height=\"1px\" />", "<mj-text><b>A</mj-text>", "E212", "<b>"),
    (LAYOUT, "<mj-spacer height=\"1px\" />", "<mj-text>A < B</mj-text>", "E212", "<"),
    (LAYOUT, "margin: 0 0 18px; }", "margin: 0 0 18px;", "W237", "{"),
    (LAYOUT, "color: #16382f; }", "color: 16382f; }", "W237", "color: 16382f"),
    (LAYOUT, ", {{shop.address}}", "", "E208", ""),
    (PAGE, "value=\"education\"", "value=\"eduction\"", "E208", "eduction"),
    (PAGE, "method=\"post\"", "method=\"get\"", "E208", "get"),
    (PAGE, "name=\"scope\"", "name=\"scop\"", "E208", ""),
];

#[test]
fn slips_of_those_who_write_are_told_once_and_in_their_place() {
    /// Most problems that one slip may look like.
    const FEW: usize = 3;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (shop, _) = files::read(root);
    let mut wrong = Vec::new();
    for (path, was, now, code, words) in OF_PEOPLE {
        let mut files = shop.clone();
        let Some(file) = files.iter_mut().find(|(file, _)| file == path) else {
            panic!("{path}");
        };
        assert!(file.1.contains(was), "{path}: {was}");
        file.1 = file.1.replacen(was, now, 1);
        let text = file.1.clone();
        let problems = reload::check(files, Vec::new()).problems;
        let told = problems.iter().any(|one| {
            one.file == path
                && one.code == code
                && (words.is_empty() || text.get(one.span.clone()) == Some(words))
                && (one.label.is_some() || !one.help.is_empty())
        });
        if !told || problems.len() > FEW {
            let said: Vec<String> = (problems.iter().take(FEW + 1))
                .map(|one| format!("{one} {:?}", text.get(one.span.clone())))
                .collect();
            wrong.push(format!("{path}: {now}: {said:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn files_of_windows_are_as_good_as_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut shop, _) = files::read(root);
    for (_, text) in &mut shop {
        *text = text.replace('\n', "\r\n");
    }
    let problems = reload::check(shop, Vec::new()).problems;
    assert!(problems.is_empty(), "{problems:#?}");
}
