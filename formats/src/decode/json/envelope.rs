//! Checks the envelope around the records of an artifact: each of its members has to be known as one that does not tell of
//! further records.

use super::{
    JsonError,
    spelling::{folded, is_word_of_more, is_word_of_whole, whole_number},
};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::RefCell, collections::BTreeSet, fmt, sync::Arc};

/// Maximum length of the JSON around the records. Envelopes have some dates and counts.
pub(super) const MAX_ENVELOPE_BYTES: usize = 1 << 20;

/// Folded names of the array of records in an envelope.
pub(super) const LISTS: [&str; 5] = ["events", "data", "items", "results", "records"];

/// Folded names of error descriptions. A single object with one of them is not an event.
pub(super) const ERRORS: [&str; 2] = ["error", "errors"];

/// Folded names of members that repeat the request, or tell when and for whom the export was made.
const DESCRIPTIONS: [&str; 24] = [
    "id",
    "since",
    "until",
    "start",
    "end",
    "datefrom",
    "dateto",
    "timewindow",
    "expiresat",
    "teamid",
    "exportid",
    "jobid",
    "createdat",
    "generatedat",
    "exportedat",
    "completedat",
    "from",
    "to",
    "type",
    "format",
    "dataset",
    "name",
    "description",
    "orgid",
];

/// Folded names of a status, and its values for a whole export.
const STATUSES: [&str; 2] = ["status", "state"];
const DONE: [&str; 5] = ["completed", "complete", "succeeded", "success", "ok"];

/// Folded names of the most records that an answer has.
const LIMITS: [&str; 6] = ["limit", "pagesize", "perpage", "maxresults", "maxrows", "maxevents"];

/// Folded names of members that the user vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harmless(Arc<BTreeSet<String>>);

impl<S: AsRef<str>> FromIterator<S> for Harmless {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(Arc::new(names.into_iter().map(|name| folded(name.as_ref())).collect()))
    }
}

impl Harmless {
    /// Whether the member of this name is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(&folded(name))
    }

    /// The folded names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Checks the envelope, given as the bytes before and after its array of `found` records.
pub(super) fn check_envelope(before: &[u8], after: &[u8], found: u64, harmless: &Harmless) -> Result<(), JsonError> {
    let document = [before, after].concat();
    let Unique(document) = serde_json::from_slice(&document).map_err(|error| unreadable(&error))?;
    let Value::Object(members) = document else { return Ok(()) };
    let mut lists = members.iter().filter(|(name, value)| value.is_array() && LISTS.contains(&&*folded(name)));
    let first = lists.next().map(|(name, _)| name.clone()).unwrap_or_default();
    if let Some((second, _)) = lists.find(|(_, value)| value.as_array().is_some_and(|elements| !elements.is_empty())) {
        return Err(JsonError::SeveralLists(first, second.clone()));
    }
    let envelope = Envelope { found, harmless, unknown: RefCell::default() };
    envelope.check_members(&members)?;
    match envelope.unknown.into_inner() {
        unknown if unknown.is_empty() => Ok(()),
        unknown => Err(JsonError::UnknownMembers(unknown.join(","))),
    }
}

/// An error by a visitor of [`Unique`] is about data, all others are about syntax.
fn unreadable(error: &serde_json::Error) -> JsonError {
    match error.classify() {
        serde_json::error::Category::Eof => JsonError::Truncated,
        serde_json::error::Category::Data => JsonError::RepeatedMember,
        _ => JsonError::Malformed,
    }
}

struct Envelope<'a> {
    /// Number of records read.
    found: u64,
    harmless: &'a Harmless,
    /// Names without a known meaning, all of which an error names at once: each try may take another export.
    unknown: RefCell<Vec<String>>,
}

impl Envelope<'_> {
    fn check_members(&self, members: &Map<String, Value>) -> Result<(), JsonError> {
        members.iter().try_for_each(|(name, value)| self.check(name, value))
    }

    fn check(&self, name: &str, value: &Value) -> Result<(), JsonError> {
        let known = folded(name);
        if self.harmless.contains(name) {
            return Ok(());
        }
        if ERRORS.contains(&&*known) && !is_nothing(value) {
            return Err(JsonError::Failure(name.to_owned()));
        }
        match value {
            Value::Object(members) => self.check_members(members),
            Value::Array(elements) => elements.iter().try_for_each(|element| self.check(name, element)),
            scalar => self.check_scalar(name, &known, scalar),
        }
    }

    fn check_scalar(&self, name: &str, known: &str, value: &Value) -> Result<(), JsonError> {
        let is_one_of = |names: &[&str]| names.contains(&known);
        let count = whole_number(value);
        match value {
            Value::Bool(whole) if is_word_of_whole(known) => {
                if *whole {
                    Ok(())
                } else {
                    Err(JsonError::OnePage(name.to_owned()))
                }
            }
            _ if is_nothing(value) || is_one_of(&DESCRIPTIONS) => Ok(()),
            // No further records, and none before: `remaining`, `offset`. A first page may have the number 0.
            _ if count == Some(0) && is_word_of_more(known) && !known.contains("page") => Ok(()),
            Value::String(status) if is_one_of(&STATUSES) && DONE.contains(&&*folded(status)) => Ok(()),
            _ if is_one_of(&LIMITS) && count.is_some_and(|limit| limit > self.found) => Ok(()),
            _ if is_word_of_more(known) => Err(JsonError::OnePage(name.to_owned())),
            _ => match count {
                Some(count) if count == self.found => Ok(()),
                Some(claimed) => Err(JsonError::OtherCount { name: name.to_owned(), claimed, found: self.found }),
                None => {
                    self.unknown.borrow_mut().push(name.to_owned());
                    Ok(())
                }
            },
        }
    }
}

/// Whether the value tells nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// A value without objects that have a name twice: one of the two would go unread.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(object.into())
    }
}
