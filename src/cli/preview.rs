//! `preview`: the very bytes that would be sent, were sent, or would go to a sample
//! customer. The mail is made by the function that makes mails to be sent.

mod sheet;

use super::context::{Open, Shop, is_of_order};
use super::exit::{misuse, not_found};
use super::{Exit, Global, Out};
use crate::engine::preview::{Made, Press, make};
use crate::engine::reload::Live;
use crate::engine::sample::{Cast, Form, Sampler, forms};
use crate::engine::sheet::{CLIP, links_of, sample_links};
use crate::links::Links;
use crate::model::history::History;
use crate::model::ids::{CustomerId, SendId};
use crate::model::locale;
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::{explain, walk};
use crate::sequence::catalog::Catalog;
use crate::store::Access;
use anyhow::Context as _;
use jiff::SignedDuration;
use owo_colors::OwoColorize;
use std::path::PathBuf;

/// How far ahead is looked for what is not decided yet, in days.
const AHEAD_DAYS: i64 = 400;

/// Which mail, for whom.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose"))]
pub struct Args {
    /// A mail (GROUP/NAME) or a step (SEQUENCE/STEP); with --all a mail or a group
    #[arg(value_name = "MAIL", required_unless_present = "all")]
    pub mail: Option<String>,
    /// Every mail in every language, for sample customers
    #[arg(long, conflicts_with_all = ["order", "customer"])]
    pub all: bool,
    /// For this order, by number or id
    #[arg(long, value_name = "N", group = "whose")]
    pub order: Option<String>,
    /// For this person: address, the shop's id or ours
    #[arg(long, value_name = "CUSTOMER", group = "whose")]
    pub customer: Option<String>,
    /// For a sample customer, the default: plain, minimal, full, long, gift or rtl; with
    /// --all also all, and several with commas
    #[arg(long, value_name = "NAME", group = "whose", num_args = 0..=1, default_missing_value = "plain", value_delimiter = ',')]
    pub sample: Vec<String>,
    /// In this language instead of the customer's; with --all several with commas
    #[arg(long, value_name = "LOCALE", value_delimiter = ',')]
    pub locale: Vec<String>,
    /// Write the HTML part here; `-` for standard output. With --all a folder: index.html
    /// shows everything
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the whole mail here, byte by byte as sent; `-` for standard output. With --all
    /// a folder
    #[arg(long, value_name = "FILE")]
    pub eml: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
}

impl Args {
    fn mail(&self) -> &str {
        self.mail.as_deref().unwrap_or_default()
    }

    /// The one language asked for.
    fn locale(&self) -> anyhow::Result<Option<&str>> {
        match self.locale.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(misuse(
                "--locale: one mail is shown in one language\nhint: --all shows several",
            )),
        }
    }

    fn casts(&self) -> anyhow::Result<Vec<Cast>> {
        let mut found = Vec::new();
        for name in &self.sample {
            match Cast::parse(name) {
                Some(cast) => found.push(cast),
                None if name == "all" && self.all => found.extend(Cast::ALL),
                None => {
                    let names: Vec<&str> = Cast::ALL.iter().map(|cast| cast.as_str()).collect();
                    return Err(misuse(format!(
                        "--sample: there is no sample customer \"{name}\"\nhint: there are {}{}",
                        names.join(", "),
                        if self.all { ", all" } else { "" }
                    )));
                }
            }
        }
        Ok(found)
    }
}

/// A mail to be made: the send, the history at its moment, and that moment.
struct Found {
    history: History,
    send: Send,
    at: Timestamp,
    /// Whether exactly what was sent is to be shown.
    again: bool,
}

/// Makes the mail and shows it; 1 where it cannot be made.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    if args.all {
        return sheet::run(&shop, args, &args.casts()?, out);
    }
    if args.order.is_some() || args.customer.is_some() {
        let open = shop.open_all(Access::Reader).await?;
        let found = find(&open, args, global.at).await?;
        let made = print(&open.shop, &open.live, &open.links, &found, args)?;
        open.store.close().await;
        show(made, args, out)
    } else {
        let live = shop.files()?;
        let steps: Vec<Form> = steps(&live.catalog, args.mail())?;
        let first = live
            .catalog
            .policy
            .locales
            .first()
            .map_or("en", String::as_str);
        let locale = args.locale()?.unwrap_or(first);
        let cast = match args.casts()?.as_slice() {
            [] => Cast::Plain,
            [one] => *one,
            _ => {
                return Err(misuse(
                    "--sample: one mail is shown for one customer\nhint: --all shows several",
                ));
            }
        };
        let found = Sampler::new(&live.catalog)
            .find(&steps, locale, cast)
            .map_err(|error| {
                misuse(format!(
                    "{error}\nhint: --order N or --customer C shows it for a real one"
                ))
            })?;
        let at = global.at.unwrap_or(found.at);
        let found = Found {
            history: found.history,
            send: found.send,
            at,
            again: false,
        };
        let links = sample_links(&live, &shop.config);
        let made = print(&shop, &live, &links, &found, args)?;
        show(made, args, out)
    }
}

/// The steps that a text names: one step, or every step that sends a mail of this name.
fn steps(catalog: &Catalog, text: &str) -> anyhow::Result<Vec<Form>> {
    let named = forms(catalog, |sequence, step| {
        text.split_once('/') == Some((&sequence.id, &step.id))
    });
    if !named.is_empty() {
        return Ok(named);
    }
    let sending = forms(catalog, |_, step| step.mail == text);
    if !sending.is_empty() {
        return Ok(sending);
    }
    let mut mails: Vec<String> = forms(catalog, |_, _| true)
        .into_iter()
        .map(|form| form.mail)
        .collect();
    mails.sort_unstable();
    mails.dedup();
    Err(misuse(format!(
        "no step sends a mail called `{text}`\nhint: there are {}",
        mails.join(", ")
    )))
}

/// The mail of a real person: as it was sent, as it waits or is foreseen, or as it
/// would be if their run sent it now.
async fn find(open: &Open, args: &Args, at: Option<Timestamp>) -> anyhow::Result<Found> {
    let catalog = &open.live.catalog;
    let steps = steps(catalog, args.mail())?;
    let order = args.order.as_deref();
    let people = match (&args.customer, order) {
        (Some(customer), _) => open.people(customer).await?,
        (None, Some(order)) => open.people_of_order(order).await?,
        (None, None) => Vec::new(),
    };
    let mut histories = Vec::new();
    for customer in people {
        histories.push(open.history(customer).await?);
    }
    let now = open.clock.now();
    let is_meant = |send: &Send| {
        steps
            .iter()
            .any(|form| send.sequence == form.sequence && send.step == form.step)
            && order.is_none_or(|order| {
                is_of_order(send.order.as_deref(), send.order_number.as_deref(), order)
            })
    };
    for history in &histories {
        let mut known: Vec<&Send> = history.sends.iter().filter(|send| is_meant(send)).collect();
        known.sort_by_key(|send| (went_out(send), send.at));
        if let Some(send) = known.last().copied() {
            let again = went_out(send) && at.is_none() && args.locale.is_empty();
            // A history does not carry what makes old bytes again; the ledger does.
            let kept = open.store.send(send.id).await?;
            let send = kept.map_or_else(|| send.clone(), |(_, send)| send);
            let then = send.prepared.as_ref().map(|prepared| prepared.date);
            let at = at.or(then).unwrap_or(now);
            let history = as_of(history, send.id, at);
            return Ok(Found {
                history,
                send,
                at,
                again,
            });
        }
    }
    let until = time::saturating_add(now, SignedDuration::from_hours(24 * AHEAD_DAYS));
    for history in &histories {
        let foreseen = walk::forecast(catalog, history, now, until);
        if let Some(one) = foreseen.iter().find(|one| is_meant(&one.send)) {
            let at = at.unwrap_or(one.send.at).max(now);
            let mut future = history.clone();
            walk::live(catalog, &mut future, now, one.send.at.max(now));
            return Ok(Found {
                history: future,
                send: one.send.clone(),
                at,
                again: false,
            });
        }
    }
    let at = at.unwrap_or(now);
    for history in &histories {
        for form in &steps {
            let step = catalog.sequence(&form.sequence).and_then(|sequence| {
                let mut all = sequence.all_forms();
                all.find(|step| step.id == form.step && step.mail == form.mail)
            });
            let Some(step) = step else { continue };
            let runs = history
                .enrolments
                .iter()
                .filter(|run| run.sequence == form.sequence);
            for run in runs.rev() {
                let imagined = explain::imagined(catalog, history, run, step, at);
                if let Some(send) = imagined.filter(|send| is_meant(send)) {
                    return Ok(Found {
                        history: history.clone(),
                        send,
                        at,
                        again: false,
                    });
                }
            }
        }
    }
    Err(not_found(format!(
        "{} has no `{}`, neither sent nor foreseen\nhint: aftercare why CUSTOMER STEP says why; --sample shows it for a sample customer",
        whose(args, &histories),
        args.mail()
    )))
}

fn whose(args: &Args, histories: &[History]) -> String {
    let people: Vec<CustomerId> = histories.iter().map(|history| history.customer).collect();
    match (&args.order, people.first()) {
        (Some(order), _) => format!("order {order}"),
        (None, Some(customer)) => format!("customer {customer}"),
        (None, None) => "nobody".to_owned(),
    }
}

fn went_out(send: &Send) -> bool {
    matches!(
        send.state,
        SendState::Accepted { .. } | SendState::Uncertain { .. } | SendState::Unknown
    )
}

/// What was known at an instant, with one send still waiting.
fn as_of(history: &History, send: SendId, at: Timestamp) -> History {
    let mut then = history.clone();
    then.events.retain(|event| event.recorded <= at);
    then.sends.retain(|had| had.id == send || had.at <= at);
    for had in then.sends.iter_mut().filter(|had| had.id == send) {
        had.state = SendState::Queued { not_before: at };
    }
    then
}

fn print(
    shop: &Shop,
    live: &Live,
    links: &Links,
    found: &Found,
    args: &Args,
) -> anyhow::Result<Result<Made, Reason>> {
    let Found {
        history,
        send,
        at,
        again,
    } = found;
    let mut ready = match explain::draft(&live.catalog, history, send, *at) {
        Ok(ready) => ready,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Some(locale) = args.locale()? {
        let fallback = live.catalog.policy.fallback.as_deref();
        ready.locales = locale::chain(locale, fallback);
    }
    let press = Press::new(links, &shop.config);
    if *again
        && send
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.values.is_object())
    {
        // Once more from what was kept: the very bytes, or none.
        let kept = Send {
            doubts: send.doubts.max(1),
            ..send.clone()
        };
        if let Ok(made) = make(&press, live, &kept, ready.clone(), *at) {
            return Ok(Ok(made));
        }
    }
    let fresh = Send {
        doubts: 0,
        ..send.clone()
    };
    Ok(make(&press, live, &fresh, ready, *at))
}

fn show(made: Result<Made, Reason>, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let made = match made {
        Ok(made) => made,
        Err(reason) => {
            return Err(not_found(format!(
                "this mail would be held: {}",
                reason.sentence()
            )));
        }
    };
    let eml = made.composed.eml();
    let mut quiet = false;
    for (path, bytes) in [
        (&args.html, made.html.as_bytes()),
        (&args.eml, eml.as_slice()),
    ] {
        let Some(path) = path else { continue };
        if path.as_os_str() == "-" {
            out.bytes(bytes)?;
            quiet = true;
        } else {
            std::fs::write(path, bytes)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if args.open {
        let page = match args.html.as_ref().filter(|path| path.as_os_str() != "-") {
            Some(path) => path.clone(),
            None => {
                let path = page_for_browser();
                std::fs::write(&path, &made.html)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                path
            }
        };
        open_in_browser(&page)?;
    }
    if quiet {
        return Ok(Exit::Fine);
    }
    let links = links_of(&made.html);
    if out.is_json() {
        out.object(&serde_json::json!({
            "to": made.to,
            "subject": made.subject,
            "preheader": made.preheader,
            "locale": made.prepared.locale,
            "message_id": made.message_id.trim_start_matches('<').trim_end_matches('>'),
            "date": made.prepared.date,
            "text": made.text,
            "html_bytes": made.html.len(),
            "eml_bytes": eml.len(),
            "sha256": made.prepared.hash,
            "links": links,
        }))?;
        return Ok(Exit::Fine);
    }
    for (title, value) in [
        ("To", made.to.as_str()),
        ("Subject", made.subject.as_str()),
        ("Preheader", made.preheader.as_str()),
        ("Language", made.prepared.locale.as_str()),
    ] {
        out.line(format_args!(
            "{} {value}",
            format_args!("{title:10}").dimmed()
        ))?;
    }
    let size = format!(
        "{} bytes in all, {} of HTML, {} of text",
        eml.len(),
        made.html.len(),
        made.text.len()
    );
    out.line(format_args!(
        "{} {size}",
        format_args!("{:10}", "Size").dimmed()
    ))?;
    if made.html.len() > CLIP {
        out.line(format_args!(
            "{} above 102 kB of HTML Gmail cuts a mail off, and with it the unsubscribe link",
            format_args!("{:10}", "Too large").bold()
        ))?;
    }
    out.line("")?;
    out.line(made.text.trim_end())?;
    out.line("")?;
    for link in &links {
        out.line(format_args!(
            "{} {link}",
            format_args!("{:10}", "Link").dimmed()
        ))?;
    }
    for (what, path) in [("HTML", &args.html), ("Mail", &args.eml)] {
        if let Some(path) = path {
            out.line(format_args!(
                "{} {}",
                format_args!("{what:10}").dimmed(),
                path.display()
            ))?;
        }
    }
    Ok(Exit::Fine)
}

/// A file for `--open` where no other was asked for.
fn page_for_browser() -> PathBuf {
    std::env::temp_dir().join(format!("aftercare-preview-{}.html", std::process::id()))
}

/// Opens a file in what this machine opens pages with.
pub(super) fn open_in_browser(path: &std::path::Path) -> anyhow::Result<()> {
    let (program, first): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot find {}", path.display()))?;
    std::process::Command::new(program)
        .args(first)
        .arg(&path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "cannot open a browser by `{program}`; the page is {}",
                path.display()
            )
        })?;
    Ok(())
}
