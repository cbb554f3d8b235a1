//! Rows that cannot be used, in a file of their own with the header of theirs: mended,
//! that file can be imported. It is written anew by each run, and only where there are any.

use crate::cli::exit::out_of_reach;
use std::path::{Path, PathBuf};

/// The file, made when the first row comes.
pub struct Rejects {
    path: PathBuf,
    header: Vec<String>,
    to: Option<csv::Writer<std::fs::File>>,
}

impl Rejects {
    /// Beside the file that is read, or where it is said.
    ///
    /// # Errors
    /// What an earlier run left there cannot be taken away.
    pub fn beside(name: &str, header: &[String], said: Option<&Path>) -> anyhow::Result<Rejects> {
        let path = match said {
            Some(path) => path.to_owned(),
            None => PathBuf::from(format!("{name}.rejected.csv")),
        };
        Ok(Rejects {
            path,
            header: header.to_vec(),
            to: None,
        })
    }

    /// Writes the rows of one order.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, rows: &[Vec<String>]) -> anyhow::Result<()> {
        let cannot = |error: &dyn std::fmt::Display| {
            out_of_reach(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ))
        };
        let to = match &mut self.to {
            Some(to) => to,
            none => {
                let mut to = csv::WriterBuilder::new()
                    .flexible(true)
                    .from_path(&self.path)
                    .map_err(|error| cannot(&error))?;
                to.write_record(&self.header)
                    .map_err(|error| cannot(&error))?;
                none.insert(to)
            }
        };
        for row in rows {
            to.write_record(row).map_err(|error| cannot(&error))?;
        }
        Ok(())
    }

    /// Closes it; says where it is, if it is anywhere.
    ///
    /// # Errors
    /// The rest cannot be written.
    pub fn close(self) -> anyhow::Result<Option<PathBuf>> {
        let Some(mut to) = self.to else {
            return Ok(None);
        };
        to.flush().map_err(|error| {
            out_of_reach(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ))
        })?;
        Ok(Some(self.path))
    }
}
