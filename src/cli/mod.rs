//! The commands: what operators, merchandisers and developers type.
//!
//! A command opens what it needs ([`context`]), asks the floors below and prints the
//! answer; it decides nothing about mail. One file a command. Here alone may errors be
//! of any sort: [`exit`] turns them into a chain with hints and an exit code.

mod arm;
mod batches;
mod brokers;
mod check;
mod connect;
pub mod context;
mod demo;
mod doctor;
mod erase;
mod events;
mod exit;
mod explain;
mod export;
mod fmt;
mod import;
mod ingest;
mod init;
pub mod key;
mod lines;
mod map;
mod out;
mod preview;
mod private;
mod prove;
mod quarantine;
mod release;
mod report;
mod row;
mod sarif;
mod schema;
mod sends;
mod serve;
mod simulate;
mod snapshot;
mod sources;
mod suppress;
mod test;
mod upcoming;
mod why;

pub use exit::{Exit, misuse, not_found, out_of_reach};
pub use out::Out;

use crate::model::time::Timestamp;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Looks after customers once they have bought: tells them where their order is, helps
/// them to get the most out of it, and only then asks.
#[derive(Debug, Parser)]
#[command(
    name = "aftercare",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The shop's folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub shop: PathBuf,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Look from this instant instead of now (RFC 3339)
    #[arg(long, global = true, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The main job in one go, no set-up: the real service, a shop's events, a fast clock
    Demo(demo::Args),
    /// Run the service: intake, scheduler, mailer, web
    Serve(serve::Args),
    /// Check the shop's files: syntax, names and types, mails in every language
    Check(check::Args),
    /// What a code means, why it matters, and a wrong and a right file
    Explain(explain::Args),
    /// Write a new shop: sequences, mails, scenarios, all in working order
    Init(init::Args),
    /// Put files into the one form: order of keys, columns, empty lines
    Fmt(fmt::Args),
    /// JSON Schemas of the files, for editors
    Schema(schema::Args),
    /// Let scenarios happen and compare mails with their snapshots
    Test(test::Args),
    /// Show the very bytes that would be sent
    Preview(preview::Args),
    /// The dry run: what will go out, when, and what may still stop it
    Upcoming(upcoming::Args),
    /// What would go out if these events came: the planner in virtual time
    Simulate(simulate::Args),
    /// The ledger: every send with its state
    Sends(sends::Args),
    /// Why somebody got a mail, did not, or will
    Why(why::Args),
    /// Take in live events, one JSON object a line
    Ingest(ingest::Args),
    /// Take in past orders and events: builds history, sends nothing
    Import(import::Args),
    /// What comes in
    #[command(subcommand)]
    Events(events::Command),
    /// Connect a platform: what to do there, and whether its first delivery is right
    Connect(connect::Args),
    /// What a platform's delivery says, without taking it in
    Map(map::Args),
    /// Events that could not be used
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Stop mail to an address
    Suppress(suppress::Args),
    /// Allow mail to an address again
    Unsuppress(suppress::Args),
    /// Forget somebody: withdraw what waits, remove what names them
    Erase(erase::Args),
    /// Everything that is held on somebody, as JSON; without an address, who asked for it
    ExportPerson(export::Args),
    /// Let held mail go
    Release(release::Args),
    /// Check this install: files, database, key, relay, what waits
    Doctor(doctor::Args),
    /// Allow this install to send, after its database was copied or restored
    Arm,
}

impl Command {
    /// Whether it can look from another instant than now.
    fn takes_at(&self) -> bool {
        match self {
            Command::Preview(_)
            | Command::Upcoming(_)
            | Command::Why(_)
            | Command::Ingest(_)
            | Command::Import(_)
            | Command::Map(_)
            | Command::Suppress(_)
            | Command::Unsuppress(_)
            | Command::Erase(_)
            | Command::ExportPerson(_)
            | Command::Release(_) => true,
            Command::Serve(_)
            | Command::Check(_)
            | Command::Explain(_)
            | Command::Test(_)
            | Command::Init(_)
            | Command::Fmt(_)
            | Command::Schema(_)
            | Command::Demo(_)
            | Command::Simulate(_)
            | Command::Sends(_)
            | Command::Events(_)
            | Command::Connect(_)
            | Command::Quarantine(_)
            | Command::Doctor(_)
            | Command::Arm => false,
        }
    }
}

/// Parses the arguments, runs the command and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Misuse
            } else {
                Exit::Fine
            };
            // Nobody can be told that nobody listens.
            let _ = error.print();
            return code.code();
        }
    };
    match start(cli) {
        Ok(exit) => exit.code(),
        Err(error) => {
            exit::complain(&error);
            exit::exit_of(&error).code()
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<Exit> {
    if cli.global.at.is_some() && !cli.command.takes_at() {
        return Err(misuse("--at: this command looks at now only"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut out = Out::stdout(cli.global.json);
    let exit = runtime.block_on(dispatch(cli, &mut out))?;
    out.flush()?;
    Ok(exit)
}

async fn dispatch(cli: Cli, out: &mut Out) -> anyhow::Result<Exit> {
    let Cli { global, command } = cli;
    if !matches!(command, Command::Serve(_)) {
        context::quiet_log()?;
    }
    match command {
        Command::Demo(args) => demo::run(&global, &args).await,
        Command::Serve(args) => serve::run(&global, &args, out).await,
        Command::Check(args) => check::run(&global, &args, out),
        Command::Explain(args) => explain::run(&global, &args, out),
        Command::Test(args) => test::run(&global, &args, out),
        Command::Init(args) => init::run(&args, out),
        Command::Fmt(args) => fmt::run(&global, &args, out),
        Command::Schema(args) => schema::run(&args, out),
        Command::Preview(args) => preview::run(&global, &args, out).await,
        Command::Upcoming(args) => upcoming::run(&global, &args, out).await,
        Command::Simulate(args) => simulate::run(&global, &args, out).await,
        Command::Sends(args) => sends::run(&global, &args, out).await,
        Command::Why(args) => why::run(&global, &args, out).await,
        Command::Ingest(args) => ingest::run(&global, &args, out).await,
        Command::Import(args) => import::run(&global, &args, out).await,
        Command::Events(what) => events::run(&global, &what, out).await,
        Command::Connect(args) => connect::run(&global, &args, out).await,
        Command::Map(args) => map::run(&global, &args, out),
        Command::Quarantine(what) => quarantine::run(&global, &what, out).await,
        Command::Suppress(args) => suppress::run(&global, &args, suppress::To::Stop, out).await,
        Command::Unsuppress(args) => suppress::run(&global, &args, suppress::To::Allow, out).await,
        Command::Erase(args) => erase::run(&global, &args, out).await,
        Command::ExportPerson(args) => export::run(&global, &args, out).await,
        Command::Release(args) => release::run(&global, &args, out).await,
        Command::Doctor(args) => doctor::run(&global, &args, out).await,
        Command::Arm => arm::run(&global, out).await,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_use_ends_with_2_and_help_with_0() {
        let code = |line: &str| run(line.split(' ').map(OsString::from));
        assert_eq!(code("aftercare --help"), 0);
        assert_eq!(code("aftercare --version"), 0);
        assert_eq!(code("aftercare"), 2);
        assert_eq!(code("aftercare conquer"), 2);
        assert_eq!(code("aftercare upcoming --days many"), 2);
        assert_eq!(code("aftercare sends --state lost"), 2);
        assert_eq!(code("aftercare serve --role cook"), 2);
        assert_eq!(code("aftercare check --at 2026-01-01T00:00:00Z"), 2);
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for line in [
            "aftercare --shop x --json upcoming --days 3",
            "aftercare upcoming --days 3 --shop x --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.shop, PathBuf::from("x"));
        }
    }
}
