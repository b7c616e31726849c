//! The keys of an account: the options of a mount, and two more.

use toml::{Table, Value};

use super::error::ConfigError;
use crate::cli::options::{OptionKind, RawOption, TABLE, nearest_of};

/// The keys of an account that are no options.
pub(super) const URL: &str = "url";
pub(super) const USER: &str = "user";
/// How the options begin of which an account has one at most, and the secret whose source they
/// name.
const SOURCES: [(&str, &str); 3] = [
    ("password_", "password"),
    ("passphrase_", "passphrase"),
    ("proxy_password_", "proxy password"),
];
/// A key that other programs have. Here it is refused.
const PASSWORD: &str = "password";

/// The options that a table names. The caller has removed `url` and `user`.
pub(super) fn settings(table: &Table, place: &str) -> Result<Vec<RawOption>, ConfigError> {
    for (beginning, secret) in SOURCES {
        let sources = table.keys().filter(|name| name.starts_with(beginning));
        if sources.count() > 1 {
            return Err(ConfigError::Passwords {
                place: place.to_owned(),
                secret,
            });
        }
    }
    let mut settings = Vec::new();
    for (name, value) in table {
        settings.extend(of_key(name, value, place)?);
    }
    Ok(settings)
}

/// The options that a key stands for: none for a flag that is false, one for each element of a
/// list.
fn of_key(name: &str, value: &Value, place: &str) -> Result<Vec<RawOption>, ConfigError> {
    if name == PASSWORD {
        return Err(ConfigError::Password {
            place: place.to_owned(),
        });
    }
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        let known = TABLE.iter().map(|row| row.name).chain([URL, USER]);
        return Err(ConfigError::UnknownKey {
            place: place.to_owned(),
            name: name.to_owned(),
            nearest: nearest_of(name, known),
        });
    };
    let setting = |value: Option<String>| RawOption {
        name: name.to_owned(),
        value,
    };
    let refused = || ConfigError::Kind {
        place: place.to_owned(),
        name: name.to_owned(),
    };
    match (row.kind, value) {
        (OptionKind::Flag, Value::Boolean(true)) => Ok(vec![setting(None)]),
        (OptionKind::Flag, Value::Boolean(false)) => Ok(Vec::new()),
        (_, Value::Array(values)) => values
            .iter()
            .map(|value| text_of(value).map(|text| setting(Some(text))))
            .collect::<Option<_>>()
            .ok_or_else(refused),
        (_, value) => {
            let text = text_of(value).ok_or_else(refused)?;
            Ok(vec![setting(Some(text))])
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(word) => Some(word.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
