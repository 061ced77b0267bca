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
}

/// How a column is selected, and its type in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnMapping {
    /// The type in the archive.
    pub(super) kind: ColumnType,
    /// How it is selected.
    pub(super) form: Form,
}

/// The form in which a column is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The binary form of its type.
    Own,
    /// The text of a cast, which equals that of the output function.
    Text,
    /// An array of such texts.
    Texts,
    /// An array of the texts of the output function, where a cast prints something else.
    PrintedTexts,
    /// The text of this output function, where the cast prints something else.
    Printed(&'static str),
    /// An array as JSON.
    Json,
}

impl ColumnMapping {
    /// Arrays of several dimensions, which a list column cannot hold.
    pub(super) const NESTED: Self = Self { kind: ColumnType::Json, form: Form::Json };
}

impl Form {
    /// The expression that selects `column`, a quoted identifier.
    pub(super) fn expression(self, column: &str) -> String {
        match self {
            Self::Own => column.to_owned(),
            Self::Text => format!("{column}::text"),
            Self::Texts => format!("{column}::text[]"),
            Self::PrintedTexts => format!("{column}::text::text[]"),
            Self::Printed(output) => format!("pg_catalog.textin(pg_catalog.{output}({column}))"),
            Self::Json => format!("pg_catalog.array_to_json({column})::text"),
        }
    }
}

impl ServerType {
    /// The mapping of a column of this type.
    pub(super) fn mapping(&self) -> ColumnMapping {
        match self.element {
            None => scalar(self.oid, self.modifier),
            Some(_) if self.dimensions > 1 => ColumnMapping::NESTED,
            Some(element) => {
                let ColumnMapping { kind, form } = scalar(element, self.modifier);
                let form = match form {
                    Form::Own => Form::Own,
                    Form::Printed(_) => Form::PrintedTexts,
                    _ => Form::Texts,
                };
                ColumnMapping { kind: ColumnType::List(Box::new(kind)), form }
            }
        }
    }
}

/// The OIDs are those of `pg_type.dat`, which are the same in all versions.
fn scalar(oid: u32, modifier: i32) -> ColumnMapping {
    let kind = match oid {
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
        1700 => match decimal(modifier) {
            Some(kind) => kind,
            None => return ColumnMapping { kind: ColumnType::Text, form: Form::Text },
        },
        2950 => ColumnType::Uuid,
        // Casts of these add a netmask or drop trailing zeros, unlike their output functions.
        869 => return ColumnMapping { kind: ColumnType::Text, form: Form::Printed("inet_out") },
        650 => return ColumnMapping { kind: ColumnType::Text, form: Form::Printed("cidr_out") },
        18 => return ColumnMapping { kind: ColumnType::Text, form: Form::Printed("charout") },
        _ => return ColumnMapping { kind: ColumnType::Text, form: Form::Text },
    };
    ColumnMapping { kind, form: Form::Own }
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
        let ColumnMapping { kind, form } = ServerType { oid, modifier, dimensions: 0, element: None }.mapping();
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
            assert_eq!(read(1700, modifier), ("text".to_owned(), "c::text".to_owned()), "{modifier}");
        }
    }

    #[test]
    fn other_types_are_selected_as_text() {
        assert_eq!(read(1186, -1), ("text".to_owned(), "c::text".to_owned()));
        assert_eq!(read(869, -1).1, "pg_catalog.textin(pg_catalog.inet_out(c))");
        assert_eq!(read(2950, -1), ("uuid".to_owned(), "c".to_owned()));
    }

    #[test]
    fn arrays_map_to_lists_of_their_element_type() {
        let array = |element, dimensions| ServerType { oid: 0, modifier: -1, dimensions, element: Some(element) };
        let read = |array: ServerType| (array.mapping().kind.to_string(), array.mapping().form.expression("c"));
        assert_eq!(read(array(23, 1)), ("list<int32>".to_owned(), "c".to_owned()));
        assert_eq!(read(array(1186, 0)), ("list<text>".to_owned(), "c::text[]".to_owned()));
        assert_eq!(read(array(869, 0)), ("list<text>".to_owned(), "c::text::text[]".to_owned()));
        assert_eq!(read(array(23, 2)), ("json".to_owned(), "pg_catalog.array_to_json(c)::text".to_owned()));
    }
}
