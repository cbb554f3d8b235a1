//! `aftercare demo`: the main job in one go, without any set-up. The real service, as a
//! process of its own, on a fresh SQLite file, the capture mailbox and a fast clock; a
//! camera-and-coffee shop's events go in over HTTP, and every mail is told as it goes.
//!
//! The demo decides nothing and times nothing by itself: it delivers what happens when
//! the service's own clock says so, and what it tells it reads from the ledger and the
//! mailbox. Nothing leaves the machine.

pub(super) mod http;
mod ledger;
mod rule;
mod screen;
mod service;
mod story;

use super::context::{Open, Shop};
use super::row::Row;
use super::{Exit, Global, misuse};
use crate::model::time::Timestamp;
use crate::store::Access;
use anyhow::{Context, bail};
use ledger::{Audit, Key, Mailbox};
use serde_json::{Value, json};
use service::{Service, Setup};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};
use story::{Reaction, Scene, Story, What};

/// How much faster than real time the service's clock runs: a day in four tenths of a
/// second, a hundred days in forty seconds.
const SPEED: u32 = 216_000;
/// The pace of the demo: the pause between two looks at the clock.
const PACE: Duration = Duration::from_millis(20);
/// The pause between two looks at the ledger.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// The pause between two looks at the mailbox while the service is about to be killed.
const AIM: Duration = Duration::from_millis(1);
/// How long the kill waits for a first mail of those it wants to interrupt.
const AIM_AT_MOST: Duration = Duration::from_secs(5);
/// How long what is still open may take after the last day.
const DRAIN_AT_MOST: Duration = Duration::from_secs(20);
/// Reasons for which a step is passed over every day: they are counted, not told.
const ROUTINE: [&str; 2] = ["condition", "overtaken"];
/// Where the demo keeps its database and mailbox, under the folder it is started in.
const FOLDER: &str = "data/demo";
/// The file that marks a folder as one that the demo made and may wipe.
const MARK: &str = ".made-by-aftercare-demo";

/// How the demo ends.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// End after the summary instead of serving the mailbox until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Runs the demo. It finds a problem where a mail was lost or doubled.
///
/// # Errors
/// The demo could not be run, which says nothing about mails.
pub async fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let (start, end) = story::period();
    let setup = Setup {
        binary: std::env::current_exe().context("cannot find this program")?,
        shop: std::path::absolute(&global.shop)?,
        data: std::path::absolute(FOLDER)?,
        address: service::free_address()?,
        start,
        speed: SPEED,
    };
    // Everything slow comes before the service: its clock runs from its first moment.
    let shop = Shop::within(global, setup.environment())?;
    let (shop, live) =
        tokio::task::spawn_blocking(move || shop.files().map(|live| (shop, live))).await??;
    let story = story::story(&live.catalog.products).map_err(|other| misuse(other.to_string()))?;
    make_fresh(&setup.data)?;
    introduce(&setup)?;
    let service = Service::start(&setup).await?;
    let store = shop.store(Access::Reader).await?;
    let clock = shop.clock(&store).await?;
    let links = shop.links(&store, &live.catalog.policy.id).await?;
    let open = Open {
        shop,
        store,
        live,
        links,
        clock,
    };
    let mut show = Show {
        open,
        story,
        setup,
        end,
        service: Some(service),
        mailbox: Mailbox::default(),
        told: BTreeMap::new(),
        delivered: Vec::new(),
        answers: Answers::default(),
        awaited: Vec::new(),
        kill: None,
    };
    let fine = tokio::select! {
        fine = show.play(began) => fine?,
        stopped = ended() => { stopped?; bail!("stopped before the end") }
    };
    if let Some(service) = show.service.take() {
        stay(service, args).await?;
    }
    Ok(if fine { Exit::Fine } else { Exit::Problems })
}

/// Makes the demo's folder anew; what an earlier demo left in it is wiped.
fn make_fresh(folder: &Path) -> anyhow::Result<()> {
    let named = || folder.display().to_string();
    if folder.exists() {
        let empty = folder.read_dir().with_context(named)?.next().is_none();
        if !empty && !folder.join(MARK).exists() {
            return Err(misuse(format!(
                "{} was not made by the demo, so it is not wiped\nhint: move it away",
                named()
            )));
        }
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot wipe {}", named()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", named()))?;
    std::fs::write(folder.join(MARK), "").with_context(named)
}

fn introduce(setup: &Setup) -> anyhow::Result<()> {
    screen::heading("aftercare demo: a camera-and-coffee shop, a hundred days in under a minute")?;
    screen::line(&format!(
        "The real service, on a fresh database in {FOLDER} (an earlier demo's is wiped)"
    ))?;
    screen::line(
        "and on a fast clock. Mails are captured; none leaves this machine. Times are each",
    )?;
    screen::line(
        "customer's own. >  what happens   @  a mail goes   x  a mail does not go   !  us",
    )?;
    screen::line("")?;
    screen::line(&format!("Read along:  http://{}/mailbox", setup.address))?;
    screen::line("")?;
    Ok(())
}

/// After the summary: serves on where somebody is there to read, else ends.
async fn stay(mut service: Service, args: &Args) -> anyhow::Result<()> {
    if args.exit || !std::io::stdout().is_terminal() {
        service.stop().await?;
        return Ok(());
    }
    screen::line("The mailbox stays open until you press Ctrl-C.")?;
    tokio::select! {
        stopped = ended() => stopped?,
        status = service.wait() => bail!("the service ended by itself ({})", status?),
    }
    service.stop().await?;
    Ok(())
}

/// Somebody wants this process to end.
async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What the service answered to what was delivered.
#[derive(Debug, Default, Clone, Copy, serde::Deserialize)]
#[serde(default)]
struct Answers {
    accepted: usize,
    duplicate: usize,
    quarantined: usize,
    #[serde(skip)]
    posted: usize,
}

/// How the kill went.
#[derive(Debug)]
struct Kill {
    out: usize,
    expected: usize,
    back_after: Duration,
}

/// The demo as it runs.
#[derive(Debug)]
struct Show {
    /// The ledger and the files, for reading.
    open: Open,
    story: Story,
    setup: Setup,
    end: Timestamp,
    /// Absent only between a kill and the start after it.
    service: Option<Service>,
    mailbox: Mailbox,
    /// The state in which each send was told last, by its key.
    told: BTreeMap<Key, &'static str>,
    /// Every event the service answered 2xx for, as delivered first.
    delivered: Vec<Value>,
    answers: Answers,
    /// Opt-outs to come: when, to which mail's link, whose.
    awaited: Vec<(Timestamp, String, Reaction)>,
    kill: Option<Kill>,
}

impl Show {
    fn service(&self) -> anyhow::Result<&Service> {
        self.service.as_ref().context("the service is not running")
    }

    /// Plays the story to its end, then sums up.
    async fn play(&mut self, began: Instant) -> anyhow::Result<bool> {
        let mut scenes = std::mem::take(&mut self.story.scenes)
            .into_iter()
            .peekable();
        let mut looked = Instant::now();
        loop {
            let now = self.service()?.now().await?;
            while let Some(scene) = scenes.next_if(|scene| scene.at <= now) {
                self.perform(scene).await?;
            }
            self.react(now).await?;
            if looked.elapsed() >= TELL_EVERY {
                looked = Instant::now();
                self.tell().await?;
            }
            if now >= self.end && scenes.peek().is_none() {
                break;
            }
            tokio::time::sleep(PACE).await;
        }
        let drained = Instant::now();
        let mut ledger = self.tell().await?;
        while ledger.iter().any(|row| !ledger::is_final(row.state))
            && drained.elapsed() < DRAIN_AT_MOST
        {
            tokio::time::sleep(TELL_EVERY).await;
            ledger = self.tell().await?;
        }
        self.sum_up(&ledger, began).await
    }

    async fn perform(&mut self, scene: Scene) -> anyhow::Result<()> {
        let person = scene.who.and_then(|who| self.story.people.get(who));
        let (name, zone) = person.map_or(("The shop", story::SHOP_ZONE), |person| {
            (person.name, person.zone)
        });
        screen::event(scene.at, zone, name, &scene.note)?;
        match scene.what {
            What::Deliver(events) => self.deliver(events).await,
            What::Again(ids) => {
                let again: Vec<Value> = self
                    .delivered
                    .iter()
                    .filter(|event| ids.iter().any(|id| event["id"] == json!(id)))
                    .cloned()
                    .collect();
                self.repeat(again).await.map(drop)
            }
            What::KillAmid(events) => self.kill_amid(events).await,
        }
    }

    /// Delivers events once, and keeps them with the instant at which they were learnt.
    async fn deliver(&mut self, events: Vec<Value>) -> anyhow::Result<()> {
        self.repeat(events.clone()).await?;
        let recorded = self.service()?.now().await?.to_string();
        self.delivered.extend(events.into_iter().map(|mut event| {
            event["recordedtime"] = json!(recorded);
            event
        }));
        Ok(())
    }

    /// Delivers events, whether or not they were delivered before.
    async fn repeat(&mut self, events: Vec<Value>) -> anyhow::Result<Answers> {
        let posted = events.len();
        let body = serde_json::to_string(&events)?;
        let answer = self
            .service()?
            .post("/events", "application/cloudevents-batch+json", &body)
            .await?;
        let answer: Answers = serde_json::from_str(&answer)?;
        self.answers.posted += posted;
        self.answers.accepted += answer.accepted;
        self.answers.duplicate += answer.duplicate;
        self.answers.quarantined += answer.quarantined;
        Ok(answer)
    }

    /// Delivers events, waits until the first of their mails is out, kills the service
    /// in the middle of the others, and starts it again.
    async fn kill_amid(&mut self, events: Vec<Value>) -> anyhow::Result<()> {
        self.tell().await?;
        let expected = events.len();
        let before = self.mailbox.len();
        self.deliver(events).await?;
        let aiming = Instant::now();
        while self.mailbox.len() == before && aiming.elapsed() < AIM_AT_MOST {
            tokio::time::sleep(AIM).await;
            self.mailbox.look(&self.setup.mailbox())?;
        }
        if let Some(service) = self.service.take() {
            service.kill()?;
        }
        let killed = Instant::now();
        self.mailbox.look(&self.setup.mailbox())?;
        let out = self.mailbox.len() - before;
        screen::service(&format!(
            "kill -9: the service is gone, with {out} of {expected} mails out"
        ))?;
        self.service = Some(Service::start(&self.setup).await?);
        let back_after = killed.elapsed();
        screen::service(&format!(
            "started again after {:.1} s",
            back_after.as_secs_f64()
        ))?;
        self.kill = Some(Kill {
            out,
            expected,
            back_after,
        });
        Ok(())
    }

    /// Does what customers do about mails that reached them.
    async fn react(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let awaited = std::mem::take(&mut self.awaited);
        let (due, later): (Vec<_>, Vec<_>) = awaited.into_iter().partition(|(at, ..)| *at <= now);
        self.awaited = later;
        for (at, link, reaction) in due {
            let person = &self.story.people[reaction.who];
            screen::event(at, person.zone, person.name, reaction.note)?;
            let path = url::Url::parse(&link)
                .context("the link in the mail")?
                .path()
                .to_owned();
            let form = "application/x-www-form-urlencoded";
            self.service()?
                .post(&path, form, "List-Unsubscribe=One-Click")
                .await?;
            let taken = self.service()?.now().await?.to_string();
            // The simulation is told the same thing in the words of an event.
            self.delivered.push(json!({
                "specversion": "1.0",
                "id": format!("demo/opt-out/{taken}"),
                "source": "/aftercare",
                "type": "consent.changed",
                "subject": "consent",
                "time": taken,
                "recordedtime": taken,
                "ingestmode": "live",
                "data": {
                    "customer_ref": {"customer_id": null, "email": person.email},
                    "consent": {"channel": "email", "state": "unsubscribed", "opt_in_level": "unknown",
                                "basis": "explicit", "source": "/aftercare", "updated_at": taken,
                                "scope": "education"},
                    "test": false,
                },
            }));
        }
        Ok(())
    }

    /// Tells what is new in the ledger, oldest first.
    async fn tell(&mut self) -> anyhow::Result<Vec<Row>> {
        let ledger = ledger::sends(&self.open).await?;
        self.mailbox.look(&self.setup.mailbox())?;
        let mut news: Vec<&Row> = ledger
            .iter()
            .filter(|row| ledger::is_final(row.state) || row.state == "uncertain")
            .filter(|row| self.told.get(&ledger::key(row)) != Some(&row.state))
            .collect();
        news.sort_by_key(|row| row.at);
        let mut awaited = Vec::new();
        for row in news {
            self.told.insert(ledger::key(row), row.state);
            self.announce(row)?;
            awaited.extend(self.reactions(row));
        }
        self.awaited.extend(awaited);
        Ok(ledger)
    }

    fn announce(&self, row: &Row) -> anyhow::Result<()> {
        let email = row.email.as_deref().unwrap_or_default();
        let who = self.story.person(email).map_or(email, |person| person.name);
        let at = row.at.unwrap_or(self.setup.start);
        let zone = row.zone.as_deref().unwrap_or(story::SHOP_ZONE);
        let name = format!("{}/{}", row.sequence, row.step);
        if row.state == "accepted" {
            let mail = row
                .message_id
                .as_deref()
                .and_then(|id| self.mailbox.mail(id));
            let subject = mail.map_or("", |mail| mail.subject.as_str());
            let catalog = &self.open.live.catalog;
            let why = rule::sentence(catalog, &row.sequence, &row.step).unwrap_or_default();
            screen::mail(at, zone, who, subject, &name, &why)?;
        } else if !row.reason.is_some_and(|reason| ROUTINE.contains(&reason)) {
            let because = row.because.as_deref().unwrap_or_default();
            screen::no_mail(at, zone, who, row.state, because, &name)?;
        }
        Ok(())
    }

    /// What somebody will do about this mail.
    fn reactions(&self, row: &Row) -> Vec<(Timestamp, String, Reaction)> {
        let Some(at) = row.at.filter(|_| row.state == "accepted") else {
            return Vec::new();
        };
        let link = row
            .message_id
            .as_deref()
            .and_then(|id| self.mailbox.mail(id))
            .and_then(|mail| mail.unsubscribe.clone());
        let Some(link) = link else { return Vec::new() };
        self.story
            .reactions
            .iter()
            .filter(|one| {
                one.to == format!("{}/{}", row.sequence, row.step)
                    && row.email.as_deref() == Some(self.story.people[one.who].email)
            })
            .map(|one| {
                (
                    crate::model::time::saturating_add(at, one.after),
                    link.clone(),
                    one.clone(),
                )
            })
            .collect()
    }

    /// The summary; whether everything came out as promised.
    async fn sum_up(&mut self, ledger: &[Row], began: Instant) -> anyhow::Result<bool> {
        let answers = self.answers;
        // Everything that was ever answered 2xx must be known: told again, all of it is old.
        let events: Vec<Value> = self
            .delivered
            .iter()
            .filter(|event| event["source"] != json!("/aftercare"))
            .cloned()
            .collect();
        let known = events.len();
        let again = self.repeat(events).await?;
        let forgotten = known - again.duplicate.min(known);
        let audit = ledger::audit(ledger, &self.mailbox);
        let foretold = self.foretold(ledger).await?;

        screen::heading("What happened")?;
        screen::total(
            "Events",
            &format!(
                "{} posted: {} accepted, {} duplicates, {} quarantined",
                answers.posted, answers.accepted, answers.duplicate, answers.quarantined
            ),
        )?;
        screen::total("Mails", &mails(ledger))?;
        for (state, words) in not_sent(ledger) {
            screen::total(&state, &words)?;
        }
        if let Some(kill) = &self.kill {
            screen::total(
                "Killed",
                &format!(
                    "once, with kill -9 and {} of {} mails out; back after {:.1}\u{a0}s",
                    kill.out,
                    kill.expected,
                    kill.back_after.as_secs_f64()
                ),
            )?;
        }
        screen::total("Doubles", &doubles(&audit))?;
        screen::total("Lost", &lost(&audit, forgotten))?;
        screen::total("Foretold", &foretold)?;
        screen::total("Took", &format!("{} s", began.elapsed().as_secs()))?;
        screen::line("")?;
        screen::total(
            "The mailbox",
            &format!("http://{}/mailbox", self.setup.address),
        )?;
        screen::total("as files", &format!("{FOLDER}/mailbox"))?;
        screen::line("")?;
        Ok(audit.doubles.is_empty()
            && audit.lost.is_empty()
            && audit.unknown.is_empty()
            && audit.repeated == 0
            && audit.open == 0
            && forgotten == 0)
    }

    /// What `simulate` says to the same events, held against what was sent.
    async fn foretold(&self, ledger: &[Row]) -> anyhow::Result<String> {
        let file = self.setup.data.join("events.ndjson");
        let mut text = String::new();
        for event in &self.delivered {
            text.push_str(&event.to_string());
            text.push('\n');
        }
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        let simulated = ledger::simulate(&self.setup, &file, self.setup.start, self.end).await?;
        let live: BTreeSet<Key> = ledger
            .iter()
            .filter(|row| ledger::may_be_out(row.state))
            .map(ledger::key)
            .collect();
        let same = live.intersection(&simulated).count();
        let mut words = format!(
            "`simulate`, given these events, names {same} of these {} mails",
            live.len()
        );
        let beside = simulated.len() - same;
        words.push_str(&match beside {
            0 => " and no other".to_owned(),
            n => format!(" and {n} others"),
        });
        Ok(words)
    }
}

fn mails(ledger: &[Row]) -> String {
    let sent: Vec<&Row> = ledger
        .iter()
        .filter(|row| row.state == "accepted")
        .collect();
    let mut languages: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &sent {
        let language = row
            .locale
            .as_deref()
            .and_then(|locale| locale.get(..2))
            .unwrap_or("??");
        *languages.entry(language).or_default() += 1;
    }
    let parts: Vec<String> = languages
        .iter()
        .map(|(language, count)| format!("{count} {language}"))
        .collect();
    format!("{} sent ({})", sent.len(), parts.join(", "))
}

/// The other states, with how many for which reason.
fn not_sent(ledger: &[Row]) -> Vec<(String, String)> {
    let mut states: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in ledger.iter().filter(|row| row.state != "accepted") {
        let reason = row.reason.unwrap_or("no reason");
        *states
            .entry(row.state)
            .or_default()
            .entry(reason)
            .or_default() += 1;
    }
    states
        .into_iter()
        .map(|(state, reasons)| {
            let total: usize = reasons.values().sum();
            let parts: Vec<String> = reasons
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            let mut name = state.to_owned();
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            (name, format!("{total} ({})", parts.join(", ")))
        })
        .collect()
}

fn doubles(audit: &Audit) -> String {
    let mut words = format!("{}", audit.doubles.len() + audit.repeated);
    match audit.resent.len() {
        0 => {}
        n => words.push_str(&format!(
            " ({n} in doubt at the kill, sent again under the same Message-ID and named as such)"
        )),
    }
    words
}

fn lost(audit: &Audit, forgotten: usize) -> String {
    let mut words = format!("{}", audit.lost.len() + audit.unknown.len() + forgotten);
    words.push_str(" (every event posted again is known; ledger and mailbox agree on every mail)");
    if audit.lost.len() + audit.unknown.len() + forgotten > 0 {
        words = format!(
            "{} mails of the ledger, {} mails of the mailbox, {forgotten} events",
            audit.lost.len(),
            audit.unknown.len()
        );
    }
    if audit.doubtful > 0 {
        words.push_str(&format!(
            "; {} in doubt since the kill, and not sent twice",
            audit.doubtful
        ));
    }
    if audit.open > 0 {
        words.push_str(&format!("; {} still open", audit.open));
    }
    words
}
