//! Every code has a page, every page a code, and the examples of a page do what it says:
//! laid over a small shop, the wrong files give that code and no other error, and the
//! right ones do not.

use aftercare::engine::reload;
use aftercare::files;
use aftercare::model::codes::{self, Example, Page};
use aftercare::model::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The shop that examples are laid over.
const BASE: &str = "src/tests/fixtures/shop";
/// Where pages are written.
const PAGES: &str = "docs/codes";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The files of the base shop, as paths under it and texts.
pub fn base() -> Vec<(String, String)> {
    let folder = root().join(BASE);
    let mut paths = Vec::new();
    all_files(&folder, &mut paths);
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().to_string_lossy();
            (name.into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// What an example gives. A fence of the language `missing` takes a file away,
/// `environment` holds variables, and in `escaped` text `\xFF` is a byte.
fn problems(examples: &[Example]) -> Vec<Diagnostic> {
    let shop = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = shop.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for (path, text) in base() {
        write(&path, text.as_bytes());
    }
    let mut variables = Vec::new();
    for example in examples {
        match example.language.as_str() {
            "missing" => fs::remove_file(shop.path().join(&example.path)).unwrap(),
            "environment" => variables.extend(
                example
                    .text
                    .lines()
                    .filter_map(|line| line.split_once('='))
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            "escaped" => write(&example.path, &unescaped(&example.text)),
            _ => write(&example.path, example.text.as_bytes()),
        }
    }
    let mut found = reload::read(shop.path()).problems;
    match files::configuration(shop.path(), variables) {
        Ok((_, warnings)) => found.extend(warnings),
        Err(bad) => found.extend(bad.problems),
    }
    found
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend(rest.bytes());
    bytes
}

fn told(problems: &[Diagnostic]) -> String {
    problems
        .iter()
        .map(|one| format!("\n    {one} {:?} {:?}", one.span, one.help))
        .collect()
}

fn check_page(page: &Page, wrong: &mut Vec<String>) {
    let mut fail = |what: String| wrong.push(format!("{}: {what}", page.code));
    if page.title.is_empty() || page.title.starts_with(char::is_uppercase) {
        fail(format!(
            "the first line is not `# {}: a title in lower case`",
            page.code
        ));
    }
    if page.why().len() < 40 {
        fail("nothing says why it matters".into());
    }
    let is_error = |one: &&Diagnostic| one.severity() == Severity::Error;
    let bad = page.wrong();
    if bad.is_empty() {
        return fail("no file under ## Wrong".into());
    }
    let found = problems(&bad);
    if !found.iter().any(|one| one.code == page.code) {
        fail(format!(
            "its wrong files do not give it, but {}",
            told(&found)
        ));
    }
    if let Some(other) = found
        .iter()
        .filter(is_error)
        .find(|one| one.code != page.code)
    {
        fail(format!(
            "its wrong files give another error: {}",
            told(std::slice::from_ref(other))
        ));
    }
    for (heading, good) in [("Right", Some(page.right())), ("Allow", page.allowed())] {
        let Some(good) = good else { continue };
        if good.is_empty() {
            fail(format!("no file under ## {heading}"));
            continue;
        }
        let found = problems(&good);
        if found
            .iter()
            .any(|one| one.code == page.code || is_error(&one))
        {
            fail(format!(
                "its files under ## {heading} give {}",
                told(&found)
            ));
        }
    }
}

#[test]
fn the_small_shop_is_without_problems() {
    assert_eq!(told(&problems(&[])), "");
}

#[test]
fn the_examples_of_every_page_do_what_it_says() {
    let mut wrong = Vec::new();
    for page in codes::all() {
        check_page(&page, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes that a source file can emit: texts such as `"E104"` outside of its tests.
fn emitted(text: &str, found: &mut BTreeSet<String>) {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for line in code.lines() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let texts = line.split('"').skip(1).step_by(2);
        found.extend(texts.filter(|word| codes::is_code(word)).map(str::to_owned));
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut sources = Vec::new();
    all_files(&root().join("src"), &mut sources);
    let mut used = BTreeSet::new();
    for path in sources {
        let place = path
            .strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let is_test = place.contains("tests") || place.ends_with("fixtures.rs");
        if place.ends_with(".rs") && !is_test {
            emitted(&fs::read_to_string(&path).unwrap(), &mut used);
        }
    }
    let mut written = Vec::new();
    all_files(&root().join(PAGES), &mut written);
    let written: BTreeSet<String> = written
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .filter(|name| name != "README")
        .collect();
    let built: BTreeSet<String> = codes::all().into_iter().map(|page| page.code).collect();
    assert_eq!(
        written, built,
        "docs/codes changed: touch src/model/codes.rs and build again"
    );
    let missing: Vec<&String> = used.difference(&written).collect();
    assert!(
        missing.is_empty(),
        "codes without a page in {PAGES}: {missing:?}"
    );
    let unused: Vec<&String> = written.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "pages of codes that nothing emits: {unused:?}"
    );
}
