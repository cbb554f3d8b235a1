//! How long authors wait: a large shop's files checked, put in form, tested, proven and
//! read again, by the program that they would run.

use super::report::Row;
use super::shop;
use aftercare::engine::reload::Reader;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Sequences of the large shop.
const SEQUENCES: usize = 200;
/// Steps of each, every one with a mail of its own.
const STEPS: usize = 5;
/// Scenarios of the large shop.
const SCENARIOS: usize = 500;
/// A mail of the shipped shop that the large one's are copies of, with another subject.
const PATTERN: &str = "templates/mail/dslr/manual";

/// `check`, `fmt`, `test`, `check --prove` and reading again, in seconds.
pub fn measure(runs: usize, wants: &dyn Fn(&str) -> bool) -> Result<Vec<Row>> {
    let large = Shop::large()?;
    let mut rows = Vec::new();
    let what = format!(
        "{SEQUENCES} sequences, {} mails in 4 languages",
        SEQUENCES * STEPS
    );
    if wants("A1") {
        rows.push(large.row(runs, "A1", format!("check: {what}"), 1.0, &["check"])?);
    }
    if wants("A2") {
        rows.push(large.row(
            runs,
            "A2",
            format!("fmt --check: {what}"),
            0.3,
            &["fmt", "--check"],
        )?);
    }
    if wants("A3") {
        large.scenarios()?;
        let what = format!("test: {SCENARIOS} scenarios in that shop");
        rows.push(large.row(runs, "A3", what, 2.0, &["test"])?);
    }
    if wants("A4") {
        let shipped = Shop::shipped()?;
        let what = "check --prove: the shipped shop".to_owned();
        rows.push(shipped.row(runs, "A4", what, 10.0, &["check", "--prove"])?);
    }
    if wants("A5") {
        rows.push(large.reload(runs)?);
    }
    Ok(rows)
}

/// A shop's folder that goes when it is dropped.
struct Shop {
    folder: TempDir,
}

impl Shop {
    /// A copy of the repository's shop.
    fn shipped() -> Result<Shop> {
        let folder = shop::scratch()?;
        for part in ["config", "templates"] {
            copy(&shop::folder().join(part), &folder.path().join(part))?;
        }
        Ok(Shop { folder })
    }

    /// Its policy, catalogue and layouts with [`SEQUENCES`] sequences.
    fn large() -> Result<Shop> {
        let shop = Shop::shipped()?;
        for gone in [
            "config/sequences",
            "config/scenarios",
            "config/snapshots",
            "templates/mail",
        ] {
            let path = shop.path(gone);
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
        }
        let families = ["dslr", "pour-over"];
        for n in 0..SEQUENCES {
            let family = families[n % families.len()];
            let mut text = format!(
                "format = 1\nid     = \"course-{n}\"\nkind   = \"education\"\ntitle  = \"Course {n}\"\n\
                 from   = \"aya\"\n\n[start]\non    = \"item.delivered\"\n\
                 where = 'item.family == \"{family}\" && item.quantity >= {n}'\n\
                 per   = \"customer, item.family\"\nagain = \"365d\"\n"
            );
            for step in 0..STEPS {
                let after = match step {
                    0 => "start + 2d".to_owned(),
                    _ => format!("step-{} + 1w", step - 1),
                };
                text += &format!(
                    "\n[[step]]\nid    = \"step-{step}\"\nafter = \"{after}\"\nat    = \"10:00\"\n\
                     mail  = \"course-{n}/mail-{step}\"\n"
                );
                for locale in ["en", "de", "fr", "ja"] {
                    let pattern = shop::folder().join(format!("{PATTERN}.{locale}.md"));
                    let mail = fs::read_to_string(&pattern)
                        .with_context(|| pattern.display().to_string())?
                        .replacen("subject   = \"", &format!("subject   = \"{n}-{step} "), 1);
                    let path = format!("templates/mail/course-{n}/mail-{step}.{locale}.md");
                    write(&shop.path(&path), &mail)?;
                }
            }
            write(
                &shop.path(&format!("config/sequences/course-{n}.toml")),
                &text,
            )?;
        }
        Ok(shop)
    }

    /// [`SCENARIOS`] of them: a camera bought and delivered, by somebody else each time.
    fn scenarios(&self) -> Result<()> {
        for n in 0..SCENARIOS {
            let day = n % 28 + 1;
            let text = format!(
                "format = 1\ntitle  = \"story {n}\"\nonly   = false\n\n[customer]\n\
                 email = \"reader{n}@example.com\"\n\n[[event]]\nat    = 2026-03-{day:02}T09:00:00\n\
                 order = \"{n}\"\nitems = [\"AUR-D80-BODY\"]\n\n[[event]]\nat         = \"+2d\"\n\
                 dispatched = \"{n}\"\n\n[[event]]\nat        = \"+2d\"\ndelivered = \"{n}\"\n\n\
                 [[never]]\nsend = \"course-1/step-0\"\n"
            );
            write(
                &self.path(&format!("config/scenarios/story-{n}.toml")),
                &text,
            )?;
        }
        Ok(())
    }

    /// How long the running service takes to read the shop again, after one mail changed.
    fn reload(&self, runs: usize) -> Result<Row> {
        let changed = self.path("templates/mail/course-7/mail-3.de.md");
        let text = fs::read_to_string(&changed)?;
        let mut reader = Reader::default();
        reader.read(self.folder.path());
        let mut seconds = Vec::new();
        for run in 0..runs {
            fs::write(&changed, format!("{text}\nZum {run}. Mal.\n"))?;
            let began = Instant::now();
            let read = reader.read(self.folder.path());
            seconds.push(began.elapsed().as_secs_f64());
            if read.live.is_none() {
                bail!("the changed mail is not good: {:?}", read.problems.first());
            }
        }
        fs::write(&changed, text)?;
        let what = "read again: one mail of that shop changed".to_owned();
        Ok(Row::of("A5", what, "s", Some(0.1), seconds))
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// How long a command takes, start of the process included.
    fn row(
        &self,
        runs: usize,
        id: &'static str,
        what: String,
        target: f64,
        arguments: &[&str],
    ) -> Result<Row> {
        let mut seconds = Vec::new();
        for _ in 0..runs {
            let began = Instant::now();
            let done = Command::new(env!("CARGO_BIN_EXE_aftercare"))
                .args(arguments)
                .arg("--shop")
                .arg(self.folder.path())
                .output()?;
            seconds.push(began.elapsed().as_secs_f64());
            if !done.status.success() {
                bail!(
                    "{arguments:?} ended with {}: {}{}",
                    done.status,
                    String::from_utf8_lossy(&done.stdout),
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
        Ok(Row::of(id, what, "s", Some(target), seconds))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
