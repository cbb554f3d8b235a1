//! What the book tells authors to write works the first time: the files of each chapter,
//! laid over the shop that they would begin with, are without problems, and its
//! scenarios pass. Every chapter is in the table of contents, and every link leads
//! somewhere.

#![expect(clippy::unwrap_used, reason = "tests")]

use aftercare::model::codes::{self, Example};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shop that authors begin with.
const SHOP: [&str; 2] = ["config", "templates"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All chapters, as paths under `docs/` and texts.
fn chapters() -> Vec<(String, String)> {
    let mut folders = vec![root().join("docs")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let name = path.strip_prefix(root().join("docs")).unwrap();
                let name = name.to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// What a command says of the shop with a chapter's files; `None` where it is content.
fn complaint(shop: &Path, arguments: &[&str]) -> Option<String> {
    let done = Command::new(env!("CARGO_BIN_EXE_aftercare"))
        .args(arguments)
        .arg("--shop")
        .arg(shop)
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let content = done.status.success() && !said.contains("warning[");
    (!content).then(|| {
        format!(
            "{arguments:?}: {said}{}",
            String::from_utf8_lossy(&done.stderr)
        )
    })
}

#[test]
fn what_chapters_tell_to_write_works() {
    let mut tried = 0;
    for (name, text) in chapters() {
        let files: Vec<Example> = codes::examples(&text)
            .into_iter()
            .filter(|file| SHOP.iter().any(|part| file.path.starts_with(part)))
            .collect();
        let leads = name.starts_with("how-to/") || name == "tutorial.md";
        if !leads || files.is_empty() {
            continue;
        }
        tried += 1;
        let shop = tempfile::tempdir().unwrap();
        for part in SHOP {
            copy(&root().join(part), &shop.path().join(part));
        }
        for file in &files {
            let path = shop.path().join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.text).unwrap();
        }
        assert_eq!(complaint(shop.path(), &["check"]), None, "{name}");
        for file in &files {
            let scenario = file
                .path
                .strip_prefix("config/scenarios/")
                .and_then(|path| path.strip_suffix(".toml"));
            if let Some(scenario) = scenario {
                // Other scenarios of the shop may see the new mails too, and say so.
                let _ = complaint(shop.path(), &["test", "--bless"]);
                assert_eq!(complaint(shop.path(), &["test", scenario]), None, "{name}");
            }
        }
    }
    assert!(tried >= 5, "only {tried} chapters hold files");
}

/// Where the links of a text lead, without those to other places.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for part in line.split("](").skip(1) {
            let to = part.split(')').next().unwrap_or_default();
            let to = to.split('#').next().unwrap_or_default();
            if !to.is_empty() && !to.contains("://") && to.ends_with(".md") {
                found.push(to.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_chapter_is_listed_and_every_link_leads_somewhere() {
    let chapters = chapters();
    let summary = &chapters
        .iter()
        .find(|(name, _)| name == "SUMMARY.md")
        .unwrap()
        .1;
    let listed: BTreeSet<String> = links(summary).into_iter().collect();
    let names: BTreeSet<String> = chapters
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, names, "docs/SUMMARY.md lists what there is");
    for (name, text) in &chapters {
        let folder = PathBuf::from(name).parent().unwrap().to_path_buf();
        for link in links(text) {
            let target = root().join("docs").join(&folder).join(&link);
            assert!(target.exists(), "docs/{name} links to {link}");
        }
    }
}
