//! What commands print on standard output: lines for people, or one JSON object a line.
//!
//! Colours come off where it is no terminal. A closed pipe is an error that ends the
//! command quietly, never a panic.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{BufWriter, IsTerminal, Write};

/// How wide tables may be on a terminal that does not say how wide it is.
const WIDTH: u16 = 120;
/// The narrowest a table is made, whatever the terminal says.
const NARROWEST: u16 = 60;

/// Where a command's answers go.
pub struct Out {
    to: Box<dyn Write + Send>,
    json: bool,
    width: Option<u16>,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out")
            .field("json", &self.json)
            .finish_non_exhaustive()
    }
}

impl Out {
    /// Standard output.
    pub fn stdout(json: bool) -> Out {
        let width = std::io::stdout().is_terminal().then(|| {
            let told = std::env::var("COLUMNS")
                .ok()
                .and_then(|text| text.parse().ok());
            told.unwrap_or(WIDTH).max(NARROWEST)
        });
        Out {
            to: Box::new(BufWriter::new(anstream::stdout())),
            json,
            width,
        }
    }

    /// Somewhere else, for tests.
    #[cfg(test)]
    pub fn to(to: impl Write + Send + 'static, json: bool) -> Out {
        Out {
            to: Box::new(to),
            json,
            width: None,
        }
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One line for people.
    pub fn line(&mut self, line: impl std::fmt::Display) -> anyhow::Result<()> {
        writeln!(self.to, "{line}")?;
        Ok(())
    }

    /// One line of JSON.
    pub fn object(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.to, value).map_err(std::io::Error::from)?;
        self.to.write_all(b"\n")?;
        Ok(())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.to.write_all(bytes)?;
        Ok(())
    }

    /// A table with these headings, as wide as the terminal.
    pub fn table(&self, headings: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        match self.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        table.set_header(headings.to_vec());
        table
    }

    /// Prints a table.
    pub fn show(&mut self, table: &Table) -> anyhow::Result<()> {
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Everything said so far is out.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.to.flush()?;
        Ok(())
    }
}
