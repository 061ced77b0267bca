//! Maps the server's types to column types of the archive.
//!
//! Types whose binary form is decoded without loss map to a type of their own, all others to the server's text.

use archive_formats::ColumnType;

/// A type of the server, with domains resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerType {
    /// `pg_type.oid`, which is the same in every database for built-in types.
    pub(super) oid: u32,
    /// The type modifier, such as precision and scale; -1 means none.
    pub(super) modifier: i32,
    /// Declared dimensions of an array.
    pub(super) dimensions: i32,
    /// `pg_type.oid` of an array's elements.
    pub(super) element: Option<u32>,
    /// Whether a comma separates the elements in an array's text.
    pub(super) has_commas: bool,
}

/// The first OID of types that are not built in.
const FIRST_USER_TYPE: u32 = 16_384;

/// How a column is selected, and its type in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnMapping {
    /// The type in the archive.
    pub(super) kind: ColumnType,
    /// How it is selected.
    pub(super) form: Form,
}

/// The form in which a column is selected. Text is what the type's output function prints, as in COPY: a cast to text may be
/// any function that the owner of the type chose, and for some built-in types it adds or drops something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The binary form of its type.
    Own,
    /// The text of its output function.
    Text,
    /// An array of the texts of its elements.
    Texts,
    /// The same for elements whose type is built in and has no cast to text.
    CastTexts,
    /// An array as JSON.
    Json,
    /// An array of the texts of its elements, as JSON.
    TextsAsJson,
}

impl ColumnMapping {
    /// The text of the whole value.
    const TEXT: Self = Self { kind: ColumnType::Text, form: Form::Text };
}

impl Form {
    /// The expression that selects `column`, a quoted identifier.
    pub(super) fn expression(self, column: &str) -> String {
        let json = |array: &str| format!("pg_catalog.array_to_json({array})::text");
        match self {
            Self::Own => column.to_owned(),
            // `format` calls the output function of any type, without a right on it.
            Self::Text => {
                format!("case when pg_catalog.num_nulls({column}) = 0 then pg_catalog.format('%s', {column}) end")
            }
            Self::CastTexts => format!("{column}::text[]"),
            Self::Texts => format!("pg_catalog.textin(pg_catalog.array_out({column}))::text[]"),
            Self::Json => json(column),
            Self::TextsAsJson => json(&Self::Texts.expression(column)),
        }
    }
}

impl ServerType {
    /// The mapping of a column of this type.
    pub(super) fn mapping(&self) -> ColumnMapping {
        match self.element {
            None => match binary(self.oid, self.modifier) {
                Some(kind) => ColumnMapping { kind, form: Form::Own },
                None => ColumnMapping::TEXT,
            },
            Some(_) if self.dimensions > 1 => self.nested(),
            Some(element) => {
                let (kind, form) = match binary(element, self.modifier) {
                    Some(kind) => (kind, Form::Own),
                    None if self.has_commas => (ColumnType::Text, Form::Texts),
                    None if element < FIRST_USER_TYPE => (ColumnType::Text, Form::CastTexts),
                    None => return ColumnMapping::TEXT,
                };
                ColumnMapping { kind: ColumnType::List(Box::new(kind)), form }
            }
        }
    }

    /// The mapping of an array of several dimensions, which a list column cannot hold.
    pub(super) fn nested(&self) -> ColumnMapping {
        let form = match self.element {
            // The server would call a cast to JSON if the type has one.
            Some(FIRST_USER_TYPE..) if self.has_commas => Form::TextsAsJson,
            Some(FIRST_USER_TYPE..) => return ColumnMapping::TEXT,
            _ => Form::Json,
        };
        ColumnMapping { kind: ColumnType::Json, form }
    }
}

/// The column type for values in binary form, if it holds all of them. The OIDs are those of `pg_type.dat`, which are the same
/// in all versions.
fn binary(oid: u32, modifier: i32) -> Option<ColumnType> {
    Some(match oid {
        16 => ColumnType::Bool,
        17 => ColumnType::Binary,
        20 => ColumnType::Int64,
        21 => ColumnType::Int16,
        23 => ColumnType::Int32,
        // name, text, char(n), varchar(n)
        19 | 25 | 1042 | 1043 => ColumnType::Text,
        // json, jsonb
        114 | 3802 => ColumnType::Json,
        700 => ColumnType::Float32,
        701 => ColumnType::Float64,
        1082 => ColumnType::Date,
        1083 => ColumnType::Time,
        1114 => ColumnType::Timestamp,
        1184 => ColumnType::TimestampUtc,
        1700 => return decimal(modifier),
        2950 => ColumnType::Uuid,
        _ => return None,
    })
}

/// The decimal type that holds every `numeric` of this modifier, if there is one. The modifier is four more than the precision
/// in the upper half and the scale as eleven signed bits below (`numeric.c`).
fn decimal(modifier: i32) -> Option<ColumnType> {
    let bits = modifier.checked_sub(4).filter(|bits| *bits >= 0)?;
    let precision = u8::try_from(bits >> 16).ok()?;
    let scale = u8::try_from(((bits & 0x7ff) ^ 1024) - 1024).ok()?;
    ((1..=38).contains(&precision) && scale <= precision).then_some(ColumnType::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(oid: u32, modifier: i32) -> (String, String) {
        let server = ServerType { oid, modifier, dimensions: 0, element: None, has_commas: true };
        let ColumnMapping { kind, form } = server.mapping();
        (kind.to_string(), form.expression("c"))
    }

    fn numeric(precision: i32, scale: i32) -> i32 {
        (precision << 16 | scale & 0x7ff) + 4
    }

    #[test]
    fn numeric_maps_to_decimal_if_one_holds_all_values() {
        assert_eq!(read(1700, numeric(18, 8)).0, "decimal(18,8)");
        assert_eq!(read(1700, numeric(38, 38)).0, "decimal(38,38)");
        for modifier in [-1, numeric(39, 0), numeric(5, -2), numeric(3, 5), numeric(1000, 500)] {
            assert_eq!(read(1700, modifier).0, "text", "{modifier}");
        }
    }

    #[test]
    fn other_types_are_selected_as_the_text_of_their_output_function() {
        let printed = "case when pg_catalog.num_nulls(c) = 0 then pg_catalog.format('%s', c) end".to_owned();
        assert_eq!(read(3904, -1), ("text".to_owned(), printed));
        assert_eq!(read(2950, -1), ("uuid".to_owned(), "c".to_owned()));
    }

    #[test]
    fn arrays_map_to_lists_of_their_element_type() {
        let array = |element, dimensions| ServerType {
            oid: 0,
            modifier: -1,
            dimensions,
            element: Some(element),
            has_commas: element != 603 && element != FIRST_USER_TYPE + 1,
        };
        let read = |array: ServerType| (array.mapping().kind.to_string(), array.mapping().form.expression("c"));
        assert_eq!(read(array(23, 1)), ("list<int32>".to_owned(), "c".to_owned()));
        let texts = "pg_catalog.textin(pg_catalog.array_out(c))::text[]";
        assert_eq!(read(array(1186, 0)), ("list<text>".to_owned(), texts.to_owned()));
        assert_eq!(read(array(603, 1)), ("list<text>".to_owned(), "c::text[]".to_owned()), "of box");
        assert_eq!(read(array(FIRST_USER_TYPE + 1, 1)).0, "text");
        assert_eq!(read(array(23, 2)), ("json".to_owned(), "pg_catalog.array_to_json(c)::text".to_owned()));
        let texts_as_json = format!("pg_catalog.array_to_json({texts})::text");
        assert_eq!(read(array(FIRST_USER_TYPE, 2)), ("json".to_owned(), texts_as_json));
    }
}
