//! Files to pieces: lines of events, or the rows of an order that stand together. What a
//! row means is said by [`crate::ingest::adapters::tables`].

use super::{Args, Format, Since};
use crate::cli::batches::{Piece, What};
use crate::cli::context::Shop;
use crate::cli::exit::misuse;
use crate::cli::lines::{self, Lines};
use crate::cli::sources;
use crate::clock::Clock;
use crate::ingest::adapters::Source;
use crate::ingest::adapters::tables::{Form, MAX_ROWS, Mapping, Row, Table};
use crate::ingest::canonical::Learnt;
use crate::model::platform::Platform;
use crate::model::time::TimeZone;
use indicatif::{ProgressBar, ProgressBarIter};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Seek};

/// The longest first line that a file is known by, in bytes.
const MAX_HEADER: u64 = 1024 * 1024;
/// Cells of a row that are read.
const MAX_CELLS: usize = 2000;

/// A file that is open, and known for what it is.
pub struct Input {
    name: String,
    bytes: Option<u64>,
    header: Vec<String>,
    what: Kind,
}

enum Kind {
    Events,
    Table {
        table: Box<Table>,
        delimiter: u8,
        file: File,
    },
}

impl Input {
    /// Opens a file and finds out what it is.
    ///
    /// # Errors
    /// It cannot be read, is none of the forms, or nothing says whose orders it holds.
    pub fn open(name: &str, args: &Args, shop: &Shop) -> anyhow::Result<Input> {
        if name == "-" {
            return match args.format {
                None | Some(Format::Ndjson) => Ok(Input {
                    name: name.to_owned(),
                    bytes: None,
                    header: Vec::new(),
                    what: Kind::Events,
                }),
                Some(_) => Err(misuse(
                    "standard input holds events only\nhint: give the CSV as a file",
                )),
            };
        }
        let cannot = |error: std::io::Error| misuse(format!("cannot read {name}: {error}"));
        let mut file = File::open(name).map_err(cannot)?;
        let bytes = file.metadata().map_err(cannot)?;
        let bytes = bytes.is_file().then_some(bytes.len());
        let is_table = match args.format {
            Some(format) => format != Format::Ndjson,
            None => args.map.is_some() || looks_like_a_table(name, &mut file).map_err(cannot)?,
        };
        if !is_table {
            return Ok(Input {
                name: name.to_owned(),
                bytes,
                header: Vec::new(),
                what: Kind::Events,
            });
        }
        let first = first_line(&mut file).map_err(cannot)?;
        let delimiter = delimiter(&first);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .from_reader(first.as_bytes());
        let header: Vec<String> = match reader.records().next() {
            Some(Ok(cells)) => cells.iter().map(str::to_owned).collect(),
            Some(Err(_)) | None => {
                return Err(misuse(format!("{name}: its first line is no header")));
            }
        };
        let form = form(name, args, &header)?;
        let source = source(args, shop, &form)?;
        let table = Table::new(form, &header, source).map_err(|error| {
            misuse(format!(
                "{name}: {error}\nhint: --map FILE says which column is which"
            ))
        })?;
        Ok(Input {
            name: name.to_owned(),
            bytes,
            header,
            what: Kind::Table {
                table: Box::new(table),
                delimiter,
                file,
            },
        })
    }

    /// As it was called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header of a table.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// How long it is, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Reads it; `bar` follows.
    pub fn pieces(
        self,
        clock: Clock,
        since: Since,
        bar: &ProgressBar,
    ) -> Box<dyn Iterator<Item = anyhow::Result<Piece>> + Send> {
        match self.what {
            Kind::Events => {
                let lines = match Lines::following(&self.name, bar) {
                    Ok(lines) => lines,
                    Err(error) => return Box::new(std::iter::once(Err(error))),
                };
                Box::new(lines.map(move |line| {
                    let line = line?;
                    let what = match lines::event(&line, Learnt::AsTold(clock.now()), true) {
                        Ok(mut event) => {
                            // A file may say when it learnt something, but not that it will.
                            event.recorded = event.recorded.min(clock.now());
                            event.mode = since.mode(event.time);
                            What::Events(vec![event])
                        }
                        Err(poison) => What::Poison(poison),
                    };
                    Ok(Piece {
                        place: format!("line {}", line.number),
                        what,
                    })
                }))
            }
            Kind::Table {
                table,
                delimiter,
                file,
            } => Box::new(Orders {
                rows: csv::ReaderBuilder::new()
                    .delimiter(delimiter)
                    .flexible(true)
                    .from_reader(bar.wrap_read(BufReader::new(file)))
                    .into_byte_records(),
                table,
                clock,
                since,
                next: None,
                done: HashMap::new(),
            }),
        }
    }
}

/// Whether the first line is no JSON.
fn looks_like_a_table(name: &str, file: &mut File) -> std::io::Result<bool> {
    if name.ends_with(".ndjson") || name.ends_with(".jsonl") {
        return Ok(false);
    }
    if name.ends_with(".csv") {
        return Ok(true);
    }
    let first = first_line(file)?;
    let first = first.trim_start();
    Ok(!first.is_empty() && !first.starts_with('{'))
}

/// The first line; the file stands at its beginning again, where it can.
fn first_line(file: &mut File) -> std::io::Result<String> {
    let mut line = Vec::new();
    BufReader::new(&mut *file)
        .take(MAX_HEADER)
        .read_until(b'\n', &mut line)?;
    file.rewind()?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// What stands between cells: the one that is there most often.
fn delimiter(header: &str) -> u8 {
    [b',', b';', b'\t', b'|']
        .into_iter()
        .rev()
        .max_by_key(|one| header.bytes().filter(|byte| byte == one).count())
        .unwrap_or(b',')
}

fn form(name: &str, args: &Args, header: &[String]) -> anyhow::Result<Form> {
    if let Some(path) = &args.map {
        let text = std::fs::read_to_string(path)
            .map_err(|error| misuse(format!("--map: cannot read {}: {error}", path.display())))?;
        let mapping =
            Mapping::read(&text).map_err(|error| misuse(format!("{}: {error}", path.display())))?;
        return Ok(Form::Columns(Box::new(mapping)));
    }
    match args.format {
        Some(Format::Shopify) => Ok(Form::Shopify),
        Some(Format::Woocommerce) => Ok(Form::WooCommerce),
        Some(Format::Csv) => Ok(Form::Columns(Box::default())),
        Some(Format::Ndjson) | None => Form::of_header(header).ok_or_else(|| {
            misuse(format!(
                "{name}: its header is none that is known: {}\nhint: --map FILE says which column is which",
                header.join(", ")
            ))
        }),
    }
}

/// Whose orders these are. Their events must be called as the webhooks of the same shop
/// are, or one order would become two.
fn source(args: &Args, shop: &Shop, form: &Form) -> anyhow::Result<Source> {
    let platform = match form {
        Form::Shopify => Platform::Shopify,
        Form::WooCommerce => Platform::WooCommerce,
        Form::Columns(_) => Platform::Generic,
    };
    let mapped = match form {
        Form::Columns(mapping) => mapping.source.as_deref(),
        Form::Shopify | Form::WooCommerce => None,
    };
    let mut source = match args.source.as_deref().or(mapped) {
        Some(path) if path.starts_with('/') => {
            let mut source = Source::new("import", platform);
            source.origin = Some(path.to_owned());
            source
        }
        Some(name) => {
            let told = shop.config.sources.iter().find(|one| one.name == name);
            let told = told.ok_or_else(|| {
                misuse(format!(
                    "--source: the configuration has no source {name:?}\nhint: a `source` of events begins with a slash: --source /shop/{name}"
                ))
            })?;
            sources::source(told)?
        }
        None => {
            let own = |one: &&crate::config::Source| one.platform == platform;
            let mut of_platform = shop.config.sources.iter().filter(own);
            match (form, of_platform.next(), of_platform.next()) {
                (Form::Shopify | Form::WooCommerce, Some(told), None) => sources::source(told)?,
                _ => {
                    return Err(misuse(format!(
                        "nothing says whose orders these are\nhint: --source /{platform}/shop.example.com, as the `source` of the shop's live events is (`aftercare events tail` shows it)"
                    )));
                }
            }
        }
    };
    if source.origin.is_none() {
        return Err(misuse(format!(
            "intake.sources.{}: live events are called after what the platform says of itself, which an export does not tell\nhint: --source /{platform}/shop.example.com, with the shop's own domain",
            source.name
        )));
    }
    if let Some(name) = &args.time_zone {
        let zone = TimeZone::get(name).map_err(|_| {
            misuse(format!(
                "--time-zone: expected a zone such as Europe/Berlin, found {name:?}"
            ))
        })?;
        source.notes.zone = Some(zone);
    }
    Ok(source)
}

/// The orders of a table, each with all its rows.
struct Orders {
    rows: csv::ByteRecordsIntoIter<ProgressBarIter<BufReader<File>>>,
    table: Box<Table>,
    clock: Clock,
    since: Since,
    /// The row that begins the next order.
    next: Option<ReadRow>,
    /// Orders that were read, by a hash of their names, and the line on which they began:
    /// an order whose rows lie apart would be told in part.
    done: HashMap<u64, u64>,
}

impl Iterator for Orders {
    type Item = anyhow::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.next.take() {
            Some(row) => row,
            None => match self.row()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            },
        };
        let name = self.table.order_of(&first.row).map(str::to_owned);
        let line = first.row.line;
        let mut last = line;
        let mut readable = first.readable;
        let mut rows = vec![first.row];
        loop {
            match self.row() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(read)) => {
                    // A row that names no order goes on with the one before.
                    let own = self.table.order_of(&read.row);
                    if name.is_none() || own.is_some_and(|own| Some(own) != name.as_deref()) {
                        self.next = Some(read);
                        break;
                    }
                    last = read.row.line;
                    readable &= read.readable;
                    if rows.len() <= MAX_ROWS {
                        rows.push(read.row);
                    }
                }
            }
        }
        let place = if last == line {
            format!("line {line}")
        } else {
            format!("lines {line} to {last}")
        };
        let what = self.order(name, line, readable, &rows);
        Some(Ok(Piece { place, what }))
    }
}

impl Orders {
    /// What the rows of one order come to.
    fn order(&mut self, name: Option<String>, line: u64, readable: bool, rows: &[Row]) -> What {
        if !readable {
            let because = "a row is not UTF-8: save the file as CSV UTF-8".to_owned();
            return rejected(rows, "not_utf8", because);
        }
        let Some(name) = name else {
            return rejected(rows, "missing", "the row names no order".to_owned());
        };
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        if let Some(before) = self.done.insert(hasher.finish(), line) {
            let because = format!(
                "order {name} stands on line {before} too: rows of one order must stand together, sort the file by order"
            );
            return rejected(rows, "torn", because);
        }
        let since = self.since;
        let now = self.clock.now();
        match self.table.facts(rows, |time| since.mode(time), now) {
            Ok(events) => What::Events(events),
            Err(bad) => rejected(rows, &bad.reason, bad.because),
        }
    }

    /// The next row that is not blank.
    fn row(&mut self) -> Option<anyhow::Result<ReadRow>> {
        loop {
            let record = match self.rows.next()? {
                Ok(record) => record,
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    return Some(Err(error.context("the file cannot be read on")));
                }
            };
            let line = record.position().map_or(0, csv::Position::line);
            let cells: Vec<String> = record
                .iter()
                .take(MAX_CELLS)
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect();
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let readable = record.iter().all(|cell| std::str::from_utf8(cell).is_ok());
            let row = Row { line, cells };
            return Some(Ok(ReadRow { row, readable }));
        }
    }
}

/// A row, and whether it is UTF-8.
struct ReadRow {
    row: Row,
    readable: bool,
}

fn rejected(rows: &[Row], reason: &str, because: String) -> What {
    What::Rejected {
        reason: reason.to_owned(),
        because,
        rows: rows.iter().map(|row| row.cells.clone()).collect(),
    }
}
