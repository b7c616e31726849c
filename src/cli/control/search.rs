//! What a search has found, as the control socket carries it and `pop3fs search --json` prints it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cli::control::ControlResponse;
use crate::cli::failure::Failure;
use crate::fs::Searches;
use crate::maildrop::{Maildrop, MessageId};
use crate::search::{Document, Query, snippet};

/// How much is told of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum SearchDetail {
    /// Its name, time and size.
    Names,
    /// And what is in it, which takes time.
    Everything,
}

/// The answer to a search. Programs read it: fields may be added, never renamed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct SearchReport {
    /// How many messages are in the index.
    pub indexed: u64,
    /// How many messages are in the directory.
    pub listed: u64,
    /// The messages that were found, in directory order.
    pub messages: Vec<FoundRow>,
}

/// A message that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct FoundRow {
    /// Its name in the root, where messages are shown as they are.
    pub name: String,
    /// Its size, in octets.
    pub octets: u64,
    /// When it arrived, in Unix seconds.
    pub date: Option<i64>,
    /// Its authors.
    pub from: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// A line of its text, around what was found.
    pub snippet: Option<String>,
}

/// Answers a request to search.
pub(in crate::cli) fn search(
    maildrop: &Maildrop,
    searches: Option<&Arc<Searches>>,
    text: &str,
    detail: SearchDetail,
) -> ControlResponse {
    let Some(searches) = searches else {
        let said = "nothing is indexed: mount without cache=off and index=off";
        return ControlResponse::failed(Failure::Usage, said);
    };
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return ControlResponse::failed(Failure::Usage, error.to_string()),
    };
    let found = searches.find(&query).and_then(|found| {
        let coverage = searches.coverage()?;
        let row = |&id: &MessageId| row(maildrop, id, &query, detail);
        Ok(SearchReport {
            indexed: coverage.indexed,
            listed: coverage.listed,
            messages: found.iter().map(row).collect(),
        })
    });
    match found {
        Ok(report) => ControlResponse::found(report),
        Err(error) => ControlResponse::failed(Failure::System, error.to_string()),
    }
}

fn row(maildrop: &Maildrop, id: MessageId, query: &Query, detail: SearchDetail) -> FoundRow {
    let message = maildrop.message(id);
    let row = FoundRow {
        name: message.name().to_string(),
        octets: message.size(),
        date: message.arrived,
        ..FoundRow::default()
    };
    let body = match detail {
        SearchDetail::Names => None,
        SearchDetail::Everything => maildrop.peek_body(id),
    };
    let octets = body.as_ref().and_then(|body| body.whole().ok());
    let Some(document) = octets.map(|octets| Document::of(&octets)) else {
        return row;
    };
    FoundRow {
        snippet: Some(snippet(&document, query)),
        from: Some(document.from).filter(|from| !from.is_empty()),
        subject: Some(document.subject).filter(|subject| !subject.is_empty()),
        ..row
    }
}
