//! The grammar of `-o`: `name[=value][,name[=value]…]`.

/// One `name` or `name=value`, not parsed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOption {
    /// The option's name.
    pub name: String,
    /// The text after the `=`.
    pub value: Option<String>,
}

impl RawOption {
    /// The options of one `-o` argument: commas separate, `\,` is a comma and `\\` a backslash.
    pub fn split(list: &str) -> Vec<Self> {
        separate(list)
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| Self::parse(text))
            .collect()
    }

    fn parse(text: &str) -> Self {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        Self {
            name: name.to_owned(),
            value,
        }
    }
}

/// Other backslashes stay, because commands contain them.
fn separate(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        let next = match character {
            ',' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters
                .next_if(|&next| matches!(next, ',' | '\\'))
                .unwrap_or(character),
            _ => character,
        };
        if let Some(part) = parts.last_mut() {
            part.push(next);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(list: &str) -> Vec<(String, Option<String>)> {
        let settings = RawOption::split(list).into_iter();
        settings
            .map(|setting| (setting.name, setting.value))
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, Option<String>) {
        (name.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn commas_separate_and_empty_parts_are_nothing() {
        assert_eq!(split(""), []);
        let flag = ("ro".to_owned(), None);
        assert_eq!(split(",ro,,timeout=5,"), [flag, pair("timeout", "5")]);
    }

    #[test]
    fn an_escaped_comma_belongs_to_the_value() {
        let list = r"password_command=pass a\,b | sed s/\\//\\n/ \w\\,timeout=9";
        let command = r"pass a,b | sed s/\//\n/ \w\";
        assert_eq!(
            split(list),
            [pair("password_command", command), pair("timeout", "9")]
        );
    }

    #[test]
    fn a_value_may_hold_equal_signs_or_nothing() {
        assert_eq!(split("a=b=c,d="), [pair("a", "b=c"), pair("d", "")]);
    }

    #[test]
    fn a_backslash_at_the_end_stays() {
        assert_eq!(split(r"a=b\"), [pair("a", r"b\")]);
    }
}
