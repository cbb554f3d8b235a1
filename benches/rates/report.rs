//! What was found, for people and for programs. Printed, never asserted.

use serde_json::{Map, Value, json};

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub id: &'static str,
    /// What was measured, with its settings.
    pub what: String,
    /// The median of the runs; nothing where there was nothing to compare with.
    pub value: Option<f64>,
    pub unit: &'static str,
    pub target: Option<f64>,
    pub runs: Vec<f64>,
    /// The parts that the value is made of.
    pub detail: Map<String, Value>,
}

impl Row {
    /// The median of some runs.
    pub fn of(
        id: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        target: Option<f64>,
        runs: Vec<f64>,
    ) -> Row {
        Row {
            id,
            what: what.into(),
            value: median(&runs),
            unit,
            target,
            runs,
            detail: Map::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Row {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// With the median of another series of the same runs.
    #[must_use]
    pub fn with_median(self, name: &str, runs: &[f64]) -> Row {
        let value = median(runs).map(rounded);
        self.with(name, json!(value))
    }

    #[expect(clippy::print_stdout, reason = "the report is what a bench is for")]
    pub fn print(&self, as_json: bool) {
        let runs: Vec<f64> = self.runs.iter().copied().map(rounded).collect();
        if as_json {
            let mut line = json!({
                "id": self.id, "value": self.value.map(rounded), "unit": self.unit,
                "target": self.target, "runs": runs, "what": self.what,
            });
            if let Some(line) = line.as_object_mut() {
                line.extend(self.detail.clone());
            }
            println!("{line}");
            return;
        }
        let number = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| rounded(value).to_string())
        };
        let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
        println!(
            "{:<4} {:<58} {:>9} {:<15} {:>8}  {}",
            self.id,
            self.what,
            number(self.value),
            self.unit,
            number(self.target),
            runs.join(" ")
        );
        for (name, value) in &self.detail {
            println!("{:<5}  {}: {value}", "", name.replace('_', " "));
        }
    }
}

/// The head of the table.
#[expect(clippy::print_stdout, reason = "the report is what a bench is for")]
pub fn head() {
    println!(
        "{:<4} {:<58} {:>9} {:<15} {:>8}  runs",
        "id", "what", "value", "unit", "target"
    );
}

/// The middle of some figures, or the mean of the two in the middle.
pub fn median(of: &[f64]) -> Option<f64> {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[half]),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

/// The value below which a share of the figures lies.
pub fn percentile(of: &[f64], share: f64) -> Option<f64> {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = (share * last as f64).round() as usize;
    sorted.get(place.min(last)).copied()
}

/// Three figures that count, or all before the point.
pub fn rounded(value: f64) -> f64 {
    if value.abs() >= 100.0 {
        value.round()
    } else {
        let scale = if value.abs() >= 10.0 {
            10.0
        } else if value.abs() >= 1.0 {
            100.0
        } else {
            1000.0
        };
        (value * scale).round() / scale
    }
}
