//! What was measured, as a table of ratios.

use std::fmt::{self, Display};

use crate::chart::Curve;

/// Everything that a run has found out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
    failures: Vec<String>,
    pub(crate) curve: Curve,
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: Figure,
    pub(crate) beside: Option<(&'static str, Figure)>,
    pub(crate) demand: Demand,
}

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Figure {
    Seconds(f64),
    Mebibytes(f64),
    OctetsPerSecond(f64),
    RoundTrips(f64),
    Commands(f64),
}

/// What pop3fs has to reach. `aim` is what it should reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Demand {
    /// At most so many times what stands beside.
    Within { must: f64, aim: Option<f64> },
    /// At least so many times as fast as what stands beside.
    AsFast { must: f64, aim: Option<f64> },
    /// At most that.
    AtMost { must: f64, aim: Option<f64> },
    /// Nothing.
    Reported,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("bench: {}", row.line());
        self.rows.push(row);
    }

    /// A sentence below the table.
    pub(crate) fn note(&mut self, sentence: String) {
        eprintln!("bench: {sentence}");
        self.notes.push(sentence);
    }

    /// What could not be measured, and why.
    pub(crate) fn failed(&mut self, what: &str, error: &anyhow::Error) {
        eprintln!("bench: {what} failed: {error:#}");
        self.failures.push(format!("{what} failed: {error:#}"));
    }

    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// The table in Markdown, with its notes.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            "| | pop3fs | beside it | ratio | must | aim | |\n|---|---|---|---|---|---|---|\n"
                .to_owned();
        for row in &self.rows {
            text += &row.line();
            text.push('\n');
        }
        for sentence in self.notes.iter().chain(&self.failures) {
            text += &format!("\n- {sentence}");
        }
        text.push('\n');
        text
    }
}

impl Row {
    fn line(&self) -> String {
        let beside = self
            .beside
            .map_or_else(String::new, |(name, figure)| format!("{name}: {figure}"));
        let ratio = match (self.value(), self.beside) {
            (Some(value), Some(_)) => format!("{value:.2}{}", self.demand.unit()),
            _ => String::new(),
        };
        let (must, aim) = self.demand.columns();
        format!(
            "| {} | {} | {beside} | {ratio} | {must} | {aim} | {} |",
            self.what,
            self.ours,
            self.verdict()
        )
    }

    /// What the demand is about; where there is none, how many times the other one takes.
    fn value(&self) -> Option<f64> {
        let ours = self.ours.number();
        let ratio = self.beside.map(|(_, beside)| ours / beside.number());
        match (self.demand, self.ours) {
            (Demand::AtMost { .. }, _) => Some(ours),
            (Demand::AsFast { .. }, Figure::Seconds(_)) => ratio.map(f64::recip),
            _ => ratio,
        }
    }

    fn verdict(&self) -> &'static str {
        let Some(value) = self.value() else {
            return "";
        };
        let (reached, aimed): (bool, Option<bool>) = match self.demand {
            Demand::Reported => return "",
            Demand::AsFast { must, aim } => (value >= must, aim.map(|aim| value >= aim)),
            Demand::Within { must, aim } | Demand::AtMost { must, aim } => {
                (value <= must, aim.map(|aim| value <= aim))
            }
        };
        match (reached, aimed) {
            (false, _) => "**missed**",
            (true, Some(true)) => "aim reached",
            (true, _) => "reached",
        }
    }
}

impl Demand {
    fn columns(self) -> (String, String) {
        let (sign, must, aim) = match self {
            Self::Reported => return Default::default(),
            Self::AsFast { must, aim } => ("≥", must, aim),
            Self::Within { must, aim } | Self::AtMost { must, aim } => ("≤", must, aim),
        };
        let unit = self.unit();
        let aim = aim.map_or_else(String::new, |aim| format!("{sign} {aim}{unit}"));
        (format!("{sign} {must}{unit}"), aim)
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Within { .. } | Self::Reported => " ×",
            Self::AsFast { .. } => " × as fast",
            Self::AtMost { .. } => "",
        }
    }
}

impl Figure {
    /// In the unit of its kind.
    fn number(self) -> f64 {
        match self {
            Self::Seconds(number)
            | Self::Mebibytes(number)
            | Self::OctetsPerSecond(number)
            | Self::RoundTrips(number)
            | Self::Commands(number) => number,
        }
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) if *seconds < 0.1 => write!(f, "{:.1} ms", seconds * 1e3),
            Self::Seconds(seconds) => write!(f, "{seconds:.2} s"),
            Self::Mebibytes(mebibytes) => write!(f, "{mebibytes:.0} MiB"),
            Self::OctetsPerSecond(rate) => write!(f, "{:.0} MB/s", rate / 1e6),
            Self::RoundTrips(count) => write!(f, "{count:.1} round trips"),
            Self::Commands(count) => write!(f, "{count:.0}"),
        }
    }
}
