//! `test`: scenarios happen on the real planner and renderer, mails are compared with
//! their snapshots. Nothing is sent and no database is opened.

use super::context::Shop;
use super::exit::misuse;
use super::snapshot::{self, Difference, SAMPLE_KEY, SAMPLE_URL};
use super::{Exit, Global, Out, report};
use crate::config::Config;
use crate::engine::preview::{Press, make};
use crate::engine::reload::{self, Live};
use crate::links::Links;
use crate::model::diagnostic::Severity;
use crate::model::time::TimeZone;
use crate::plan::scenario::{self, Failure, Scenario, Verdict};
use anyhow::Context as _;
use owo_colors::OwoColorize;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What to test.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only scenarios and snapshots whose name holds one of these
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Keep the mails as they are now, those of a NAME or all: writes config/snapshots
    #[arg(long)]
    pub bless: bool,
    /// Write a report in JUnit's form
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// One test, as it is told.
struct Told {
    sort: &'static str,
    name: String,
    title: String,
    took: Duration,
    /// Nothing where it passed.
    failures: Vec<String>,
    /// For people, where it failed.
    picture: String,
}

/// Runs what was asked for; 1 where something is not as it should be.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let read = reload::read(&shop.folder);
    let Some(live) = read.live else {
        report::complain(&read.problems, &read.files);
        return Err(misuse(format!(
            "the files in {} hold errors, so no scenario can happen",
            shop.folder.display()
        )));
    };
    let (scenarios, problems) = scenario::read(&live.catalog, &read.files);
    report::print(out, &problems, &read.files)?;
    let broken = problems
        .iter()
        .filter(|one| one.severity() == Severity::Error)
        .count();
    let wanted = |name: &str| {
        args.names.is_empty() || args.names.iter().any(|part| name.contains(part.as_str()))
    };
    let scenarios: Vec<Scenario> = scenarios
        .into_iter()
        .filter(|one| wanted(&one.name))
        .collect();
    let started = Instant::now();
    let mut told = happen(&live, &scenarios);
    let kept = read
        .files
        .iter()
        .any(|(path, _)| path.starts_with(snapshot::FOLDER));
    if kept || args.bless {
        told.extend(snapshots(&live, &read.files, &shop, args, &wanted)?);
    }
    let took = started.elapsed();
    if let Some(path) = &args.junit {
        junit(path, &told, took)?;
    }
    let failed = told.iter().filter(|one| !one.failures.is_empty()).count();
    for one in &told {
        show(one, out)?;
    }
    if told.is_empty() && broken == 0 {
        if !args.names.is_empty() {
            return Err(misuse(format!(
                "no scenario and no snapshot is called {}",
                args.names.join(" or ")
            )));
        }
        if !out.is_json() {
            out.line("there are no scenarios yet: write config/scenarios/NAME.toml")?;
        }
    } else if !out.is_json() {
        let count = |sort| told.iter().filter(|one| one.sort == sort).count();
        out.line(format_args!(
            "{} scenarios and {} snapshots in {} ms: {}{}",
            count("scenario"),
            count("snapshot"),
            took.as_millis(),
            if failed == 0 {
                "all as they should be".to_owned()
            } else {
                format!("{failed} failed")
            },
            if broken == 0 {
                String::new()
            } else {
                format!("; {broken} errors in scenario files")
            },
        ))?;
    }
    Ok(if failed == 0 && broken == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

/// Lets every scenario happen, on every core.
fn happen(live: &Live, scenarios: &[Scenario]) -> Vec<Told> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(place) else {
                return done;
            };
            done.push((place, one(live, scenario)));
        }
    };
    let mut all: Vec<(usize, Told)> = std::thread::scope(|scope| {
        let running: Vec<_> = (1..workers.min(scenarios.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = work();
        for thread in running {
            match thread.join() {
                Ok(done) => all.extend(done),
                // A panic is ours to show, not to swallow.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, told)| told).collect()
}

fn one(live: &Live, scenario: &Scenario) -> Told {
    let started = Instant::now();
    let verdict = verdict(live, scenario);
    Told {
        sort: "scenario",
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        took: started.elapsed(),
        failures: verdict
            .failures
            .iter()
            .map(|failure| sentence(scenario, &verdict, failure))
            .collect(),
        picture: if verdict.passed() {
            String::new()
        } else {
            picture(scenario, &verdict)
        },
    }
}

/// Lets one scenario happen with mails made as they would be sent.
pub(super) fn verdict(live: &Live, scenario: &Scenario) -> Verdict {
    let links = Links::new(&SAMPLE_KEY, &live.catalog.policy.id, SAMPLE_URL);
    let config = Config::default();
    let press = Press::new(&links, &config);
    scenario::run(&live.catalog, scenario, &mut |catalog, send, ready, now| {
        let made = if Arc::ptr_eq(&catalog.products, &live.catalog.products) {
            make(&press, live, send, *ready, now)?
        } else {
            // A product event changed what the shop sells.
            let mut changed = live.clone();
            changed.catalog = catalog.clone();
            make(&press, &changed, send, *ready, now)?
        };
        Ok(Arc::unwrap_or_clone(made.prepared))
    })
}

/// A failure in one line.
fn sentence(scenario: &Scenario, verdict: &Verdict, failure: &Failure) -> String {
    let happened = |place: usize| {
        verdict.happened.get(place).map_or_else(String::new, |one| {
            let who = if one.who.is_empty() {
                String::new()
            } else {
                format!("{} ", one.who)
            };
            format!("{who}{} on {}", one.send.name(), one.local())
        })
    };
    match failure {
        Failure::Missing { expect, because } => {
            let expected = scenario.expect.get(*expect);
            format!(
                "{}:{}: {} did not come: {}",
                scenario.path,
                expected.map_or(0, |one| one.line),
                expected.map(|one| one.told()).unwrap_or_default(),
                because.join("; ")
            )
        }
        Failure::Unexpected { send, because } => {
            format!(
                "nobody expected {}: {}",
                happened(*send),
                because.join("; ")
            )
        }
        Failure::Forbidden {
            never,
            send,
            because,
        } => {
            let rule = scenario.never.get(*never);
            format!(
                "{}:{}: {} must never go, and went: {}",
                scenario.path,
                rule.map_or(0, |one| one.line),
                happened(*send),
                because.join("; ")
            )
        }
        Failure::Held { send, because } => {
            format!("{} would be held: {because}", happened(*send))
        }
    }
}

/// What should have happened beside what did, in the order of time.
fn picture(scenario: &Scenario, verdict: &Verdict) -> String {
    struct Row {
        at: String,
        mark: char,
        expected: String,
        happened: String,
        because: Vec<String>,
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut zone = TimeZone::UTC;
    for (place, one) in verdict.happened.iter().enumerate() {
        zone = TimeZone::get(&one.send.zone).unwrap_or(TimeZone::UTC);
        let expected = one.expected.and_then(|place| scenario.expect.get(place));
        let mut mark = ' ';
        let mut because = Vec::new();
        for failure in &verdict.failures {
            match failure {
                Failure::Unexpected { send, because: why } if *send == place => {
                    mark = '+';
                    because.extend(why.iter().cloned());
                }
                Failure::Forbidden {
                    never,
                    send,
                    because: why,
                } if *send == place => {
                    mark = '!';
                    let pattern = scenario.never.get(*never).map(|one| one.send.as_str());
                    because.push(format!("must never go: {}", pattern.unwrap_or_default()));
                    because.extend(why.iter().cloned());
                }
                Failure::Held { send, because: why } if *send == place => {
                    mark = '!';
                    because.push(format!("would be held: {why}"));
                }
                _ => {}
            }
        }
        let reason = one.send.reason.as_ref();
        if mark == ' ' && expected.is_none() {
            because.extend(reason.map(crate::model::reason::Reason::sentence));
        }
        let who = if one.who.is_empty() {
            String::new()
        } else {
            format!("{} ", one.who)
        };
        rows.push(Row {
            at: one.local(),
            mark,
            expected: expected.map(|one| one.told()).unwrap_or_default(),
            happened: format!("{who}{} {}", one.send.name(), one.send.state.as_str()),
            because,
        });
    }
    for failure in &verdict.failures {
        if let Failure::Missing { expect, because } = failure
            && let Some(expected) = scenario.expect.get(*expect)
        {
            rows.push(Row {
                at: expected.told_when(&zone),
                mark: '-',
                expected: expected.told(),
                happened: String::new(),
                because: because.clone(),
            });
        }
    }
    rows.sort_by(|a, b| (a.at.is_empty(), &a.at).cmp(&(b.at.is_empty(), &b.at)));
    let width = |texts: &dyn Fn(&Row) -> usize, least: usize| {
        rows.iter().map(texts).max().unwrap_or(0).max(least)
    };
    let left = width(&|row| row.expected.chars().count(), "expected".len());
    let mut text = format!("    {:16}  {:left$}  happened\n", "when", "expected");
    for row in &rows {
        let line = format!(
            "  {} {:16}  {:left$}  {}",
            row.mark, row.at, row.expected, row.happened
        );
        let line = line.trim_end();
        let line = match row.mark {
            '-' => format!("{}", line.red()),
            '+' | '!' => format!("{}", line.yellow()),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
        for why in &row.because {
            text.push_str(&format!("      {:16}  {}\n", "", why.dimmed()));
        }
    }
    text
}

fn snapshots(
    live: &Live,
    files: &[(String, String)],
    shop: &Shop,
    args: &Args,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Told>> {
    let started = Instant::now();
    let bless = args.bless;
    let compared = snapshot::compare(live, files, &shop.folder, &|name| bless && wanted(name))?;
    let each = started.elapsed() / u32::try_from(compared.len().max(1)).unwrap_or(1);
    let told = compared
        .into_iter()
        .filter(|one| wanted(&one.name))
        .map(|one| {
            let (failure, picture) = match one.difference {
                Difference::Same => (None, String::new()),
                Difference::Held(because) => {
                    (Some(format!("would be held: {because}")), String::new())
                }
                _ if bless => (None, String::new()),
                Difference::Changed(diff) => (
                    Some("the mail is not as it was blessed".to_owned()),
                    indented(&diff),
                ),
                Difference::New => (
                    Some("no snapshot of this mail yet".to_owned()),
                    String::new(),
                ),
                Difference::Orphaned => (
                    Some("no mail is like this snapshot any more".to_owned()),
                    String::new(),
                ),
            };
            Told {
                sort: "snapshot",
                title: String::new(),
                took: each,
                picture: match &failure {
                    Some(_) => format!(
                        "{picture}  aftercare test --bless {} keeps this mail as it is now, --bless alone all\n",
                        one.name
                    ),
                    None => picture,
                },
                failures: failure.into_iter().collect(),
                name: one.name,
            }
        });
    Ok(told.collect())
}

/// A diff with its lines coloured and set in.
fn indented(diff: &str) -> String {
    diff.lines()
        .map(|line| match line.chars().next() {
            Some('-') => format!("  {}\n", line.red()),
            Some('+') => format!("  {}\n", line.green()),
            _ => format!("  {}\n", line.dimmed()),
        })
        .collect()
}

fn show(one: &Told, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(&json!({
            "sort": one.sort,
            "name": one.name,
            "title": one.title,
            "passed": one.failures.is_empty(),
            "milliseconds": one.took.as_secs_f64() * 1000.0,
            "failures": one.failures,
        }));
    }
    if one.failures.is_empty() {
        if one.sort == "scenario" {
            out.line(format_args!("{} {}: {}", "ok".green(), one.name, one.title))?;
        }
        return Ok(());
    }
    out.line(format_args!(
        "{} {} {}{}",
        "FAILED".red().bold(),
        one.sort,
        one.name,
        if one.title.is_empty() {
            String::new()
        } else {
            format!(": {}", one.title)
        }
    ))?;
    for failure in &one.failures {
        out.line(format_args!("  {failure}"))?;
    }
    if !one.picture.is_empty() {
        out.line("")?;
        out.line(one.picture.trim_end_matches('\n'))?;
    }
    out.line("")
}

/// Writes the results in the form that build servers read.
fn junit(path: &std::path::Path, told: &[Told], took: Duration) -> anyhow::Result<()> {
    let mut report = Report::new("aftercare test");
    report.set_time(took);
    for sort in ["scenario", "snapshot"] {
        let mut suite = TestSuite::new(sort);
        for one in told.iter().filter(|one| one.sort == sort) {
            let mut status = TestCaseStatus::success();
            if let Some(first) = one.failures.first() {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(first.clone());
                let picture = anstream::adapter::strip_str(&one.picture).to_string();
                status.set_description(format!("{}\n\n{picture}", one.failures.join("\n")));
            }
            let mut case = TestCase::new(one.name.clone(), status);
            case.set_classname(format!("aftercare.{sort}"));
            case.set_time(one.took);
            suite.add_test_case(case);
        }
        if suite.tests > 0 {
            report.add_test_suite(suite);
        }
    }
    let text = report.to_string().context("the report cannot be made")?;
    if path.as_os_str() == "-" {
        return Err(misuse("--junit wants a file"));
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
