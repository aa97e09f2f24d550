//! A TOML table that is read to the end: each key is taken by who knows it, what nobody took is a
//! mistake. Knows nothing of what the keys mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistakes;
use crate::text::quoted;

/// Keys whose values nobody is to read in a log.
const SECRETS: [&str; 2] = ["passphrase", "recovery_key"];

/// A key that a table may have, with a value to show as an example; a table has none.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// How a value of it is written; empty of a table.
    pub example: &'static str,
}

/// A key that is written `name = example`.
pub const fn key(name: &'static str, example: &'static str) -> Key {
    Key { name, example }
}

/// A value, and where it lies in the file.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its first byte.
    pub at: usize,
}

/// A table of the file, and which keys it may have.
pub struct Table<'t> {
    /// Its name; empty for the whole file.
    name: &'static str,
    at: usize,
    known: &'static [Key],
    values: Option<&'t DeTable<'t>>,
}

impl<'t> Table<'t> {
    /// The whole file.
    pub fn top(values: &'t DeTable<'t>, known: &'static [Key]) -> Self {
        Self {
            name: "",
            at: 0,
            known,
            values: Some(values),
        }
    }

    /// The table `name` of this one, which may have the keys `known`. One that is not there is
    /// empty, and begins where this one does.
    #[must_use]
    pub fn table(
        &self,
        name: &'static str,
        known: &'static [Key],
        mistakes: &mut Mistakes,
    ) -> Table<'t> {
        let mut table = Table {
            name,
            at: self.at,
            known,
            values: None,
        };
        if let Some(value) = self.value(name) {
            table.at = value.span().start;
            match value.get_ref() {
                DeValue::Table(values) => table.values = Some(values),
                other => self.wrong_type(name, "a table", other, value.span(), mistakes),
            }
        }
        table
    }

    /// Whether the file has this table.
    pub fn is_there(&self) -> bool {
        self.values.is_some()
    }

    /// Whether it has the key `name`, right or wrong.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Where the value of the key `name` lies, right or wrong.
    pub fn place(&self, name: &str) -> Option<usize> {
        Some(self.value(name)?.span().start)
    }

    /// Where it begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The path of the key `name`.
    pub fn path(&self, name: &str) -> String {
        if self.name.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.name)
        }
    }

    /// Reads the string `name` by `rule`.
    pub fn text<T>(
        &self,
        name: &'static str,
        rule: impl Fn(&str) -> Result<T, String>,
        mistakes: &mut Mistakes,
    ) -> Option<At<T>> {
        let value = self.value(name)?;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(name, "a string", value.get_ref(), value.span(), mistakes);
            return None;
        };
        self.judged(name, rule(text), value.span(), mistakes)
    }

    /// Reads the integer `name` by `rule`, which gets its decimal digits.
    pub fn integer<T>(
        &self,
        name: &'static str,
        rule: impl Fn(&str) -> Result<T, String>,
        mistakes: &mut Mistakes,
    ) -> Option<At<T>> {
        let value = self.value(name)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(name, "an integer", value.get_ref(), value.span(), mistakes);
            return None;
        };
        let digits = i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string(), |number| number.to_string());
        self.judged(name, rule(&digits), value.span(), mistakes)
    }

    /// Reads the boolean `name`.
    pub fn boolean(&self, name: &'static str, mistakes: &mut Mistakes) -> Option<At<bool>> {
        let value = self.value(name)?;
        let DeValue::Boolean(boolean) = value.get_ref() else {
            self.wrong_type(
                name,
                "true or false",
                value.get_ref(),
                value.span(),
                mistakes,
            );
            return None;
        };
        self.judged(name, Ok(*boolean), value.span(), mistakes)
    }

    /// Reads the boolean `name`; returns where it lies if it is true.
    pub fn is_true(&self, name: &'static str, mistakes: &mut Mistakes) -> Option<usize> {
        let found = self.boolean(name, mistakes)?;
        found.value.then_some(found.at)
    }

    /// Reads the array of strings `name` by `rule`.
    pub fn texts<T>(
        &self,
        name: &'static str,
        rule: impl Fn(&[&str]) -> Result<T, String>,
        mistakes: &mut Mistakes,
    ) -> Option<At<T>> {
        const WANTED: &str = "an array of strings";
        let value = self.value(name)?;
        let DeValue::Array(values) = value.get_ref() else {
            self.wrong_type(name, WANTED, value.get_ref(), value.span(), mistakes);
            return None;
        };
        let mut texts = Vec::new();
        for value in values {
            match value.get_ref() {
                DeValue::String(text) => texts.push(&**text),
                other => {
                    self.wrong_type(name, WANTED, other, value.span(), mistakes);
                    return None;
                }
            }
        }
        self.judged(name, rule(&texts), value.span(), mistakes)
    }

    /// Says of every key that is not one of `known` that it is unknown. `elsewhere` are keys that
    /// other tables have, with those tables' names.
    pub fn refuse_unknown(
        &self,
        elsewhere: &[(&'static str, &'static [Key])],
        mistakes: &mut Mistakes,
    ) {
        for key in self.values.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if self.known.iter().any(|known| known.name == name) {
                continue;
            }
            let home = elsewhere
                .iter()
                .find(|(table, keys)| {
                    *table != self.name && keys.iter().any(|key| key.name == name)
                })
                .map(|(table, _)| match *table {
                    "" => "It belongs above the first [table].".to_owned(),
                    table => format!("It belongs below [{table}]."),
                });
            let hint = home.unwrap_or_else(|| {
                let names: Vec<&str> = self.known.iter().map(|key| key.name).collect();
                format!("Known here are {}.", names.join(", "))
            });
            let path = self.path(&printable(name));
            let message = "This key is unknown.".to_owned();
            mistakes.add_unless_broken(key.span().start, path, message, hint);
        }
    }

    /// How a value of the key `name` is written.
    pub fn example(&self, name: &str) -> String {
        let example = self.known.iter().find(|key| key.name == name);
        match example.map_or("", |key| key.example) {
            "" => format!("Write [{name}] on a line of its own, and its keys below it."),
            example => format!("Write it like this: {name} = {example}"),
        }
    }

    fn value(&self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.values?.get(name)
    }

    fn judged<T>(
        &self,
        name: &'static str,
        result: Result<T, String>,
        span: Range<usize>,
        mistakes: &mut Mistakes,
    ) -> Option<At<T>> {
        let at = span.start;
        match result {
            Ok(value) => Some(At { value, at }),
            Err(message) => {
                mistakes.add(at, self.path(name), message, self.example(name));
                None
            }
        }
    }

    fn wrong_type(
        &self,
        name: &'static str,
        wanted: &str,
        found: &DeValue<'_>,
        span: Range<usize>,
        mistakes: &mut Mistakes,
    ) {
        let shown = match found {
            _ if SECRETS.contains(&name) => "something else".to_owned(),
            DeValue::String(text) => format!("the string {}", quoted(text)),
            DeValue::Integer(number) => format!("the integer {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(boolean) => format!("{boolean}"),
            DeValue::Datetime(date) => format!("the date {date}"),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        let message = format!("This is {shown}, not {wanted}.");
        mistakes.add(span.start, self.path(name), message, self.example(name));
    }
}

/// A key that may hold anything, as it can be shown.
fn printable(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= 60 && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}
