//! Strategies for events of all types and values.

use super::{column, schema_with};
use crate::{Column, ColumnType, Schema};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use proptest::prelude::*;
use std::sync::Arc;

/// Any type, with lists nested up to `levels` deep.
pub(super) fn column_type(levels: u32) -> BoxedStrategy<ColumnType> {
    let names = "text json bool int16 int32 int64 float32 float64 timestamp(us,UTC) timestamp(us) date time(us) uuid \
                 binary decimal(38,18) decimal(38,0) decimal(3,3)";
    let names = names.split_whitespace().map(|name| name.parse::<ColumnType>().unwrap()).collect::<Vec<_>>();
    let decimal = (1..39_u8).prop_flat_map(|precision| (Just(precision), 0..=precision));
    let decimal = decimal.prop_map(|(precision, scale)| ColumnType::Decimal { precision, scale });
    let scalar = prop_oneof![16 => prop::sample::select(names), 1 => decimal];
    if levels == 0 {
        return scalar.boxed();
    }
    let list = column_type(levels - 1).prop_map(|element| ColumnType::List(Box::new(element)));
    prop_oneof![2 => scalar, 1 => list].boxed()
}

/// An array of `rows` values of type `kind`.
fn array(kind: ColumnType, rows: usize, nullable: bool) -> BoxedStrategy<ArrayRef> {
    let values = Values { rows, nullable };
    match kind {
        ColumnType::Text => {
            values.array("(\\PC|[\",\\\\\0-\u{1f}\u{7f}]){0,6}", |texts| Arc::new(StringArray::from(texts)))
        }
        ColumnType::Json => values.array(json(), |texts| Arc::new(StringArray::from(texts))),
        ColumnType::Bool => values.array(any::<bool>(), |flags| Arc::new(BooleanArray::from(flags))),
        ColumnType::Int16 => values.array(any::<i16>(), |numbers| Arc::new(Int16Array::from(numbers))),
        ColumnType::Int32 => values.array(any::<i32>(), |numbers| Arc::new(Int32Array::from(numbers))),
        ColumnType::Int64 => values.array(any::<i64>(), |numbers| Arc::new(Int64Array::from(numbers))),
        // All NaNs have one spelling.
        ColumnType::Float32 => {
            let value = prop::num::f32::ANY.prop_map(|value| if value.is_nan() { f32::NAN } else { value });
            values.array(value, |numbers| Arc::new(Float32Array::from(numbers)))
        }
        ColumnType::Float64 => {
            let value = prop::num::f64::ANY.prop_map(|value| if value.is_nan() { f64::NAN } else { value });
            values.array(value, |numbers| Arc::new(Float64Array::from(numbers)))
        }
        ColumnType::Decimal { precision, scale } => {
            let limit = 10_i128.pow(precision.into());
            let value = (1 - limit..limit, 0..39_u32).prop_map(|(value, shift)| value / 10_i128.pow(shift));
            values.array(value, move |numbers| {
                let array = Decimal128Array::from(numbers);
                Arc::new(array.with_precision_and_scale(precision, scale.cast_signed()).unwrap())
            })
        }
        ColumnType::TimestampUtc => {
            values.array(any::<i64>(), |times| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")))
        }
        ColumnType::Timestamp => values.array(any::<i64>(), |times| Arc::new(TimestampMicrosecondArray::from(times))),
        ColumnType::Date => {
            let value = prop_oneof![any::<i32>(), -1_000_000..3_000_000];
            values.array(value, |days| Arc::new(Date32Array::from(days)))
        }
        ColumnType::Time => values.array(0..=86_400_000_000_i64, |times| Arc::new(Time64MicrosecondArray::from(times))),
        ColumnType::Uuid => values.array(any::<[u8; 16]>(), |uuids| {
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.into_iter(), 16).unwrap())
        }),
        ColumnType::Binary => values.array(prop::collection::vec(any::<u8>(), 0..5), |values| {
            Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>())
        }),
        ColumnType::List(element) => lists(*element, values),
    }
}

/// Size and nullability of a column.
#[derive(Clone, Copy)]
struct Values {
    rows: usize,
    nullable: bool,
}

impl Values {
    /// An array built from values of the strategy.
    fn array<S: Strategy<Value: Clone> + 'static>(
        self,
        value: S,
        build: impl Fn(Vec<Option<S::Value>>) -> ArrayRef + 'static,
    ) -> BoxedStrategy<ArrayRef> {
        self.options(value).prop_map(build).boxed()
    }

    fn options<S: Strategy<Value: Clone> + 'static>(self, value: S) -> BoxedStrategy<Vec<Option<S::Value>>> {
        if self.nullable {
            prop::collection::vec(prop::option::weighted(0.8, value), self.rows).boxed()
        } else {
            prop::collection::vec(value.prop_map(Some), self.rows).boxed()
        }
    }
}

fn lists(element: ColumnType, values: Values) -> BoxedStrategy<ArrayRef> {
    let DataType::List(field) = arrow_type(&ColumnType::List(Box::new(element.clone()))) else { unreachable!() };
    let lists = values.options(0..4_usize).prop_flat_map(move |lengths| {
        let total = lengths.iter().flatten().sum();
        let field = Arc::clone(&field);
        array(element.clone(), total, true).prop_map(move |elements| -> ArrayRef {
            let nulls = lengths.iter().map(Option::is_some).collect::<NullBuffer>();
            let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or_default()));
            Arc::new(ListArray::new(Arc::clone(&field), offsets, elements, Some(nulls)))
        })
    });
    lists.boxed()
}

fn arrow_type(kind: &ColumnType) -> DataType {
    schema_with(&kind.to_string()).to_arrow().field(2).data_type().clone()
}

/// JSON as a source may print it, without a bare null, which would be NULL in a list.
fn json() -> impl Strategy<Value = String> {
    const SAMPLES: [&str; 9] = [
        "{}",
        "[]",
        "0",
        "-1.50e+3",
        "true",
        " null",
        "{\"a\": [1, {\"b,\": \"]}\\\"\"}]}\r\n",
        "\t\"\\\\\" ",
        "[[], [\"é\"]]",
    ];
    prop_oneof![
        prop::sample::select(SAMPLES.as_slice()).prop_map(str::to_owned),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ]
}

/// Events with columns of any type and name.
pub(super) fn batch() -> impl Strategy<Value = (Arc<Schema>, RecordBatch)> {
    let id = prop::sample::select(["text", "uuid", "int16", "int32", "int64"].as_slice());
    let time = prop::sample::select(["timestamp(us,UTC)", "timestamp(us)"].as_slice());
    let others = prop::collection::vec(("(\\PC|[\",\n\r]){0,4}", column_type(2), any::<bool>(), any::<bool>()), 0..7);
    let schema = (id, time, others).prop_map(|(id, time, others)| {
        let keys = [column("id", id), column("t", time)].map(|column| Column { nullable: false, ..column });
        let others = others.into_iter().enumerate().map(|(index, (name, kind, typed, nullable))| {
            let source_type = typed.then(|| "numeric".to_owned());
            Column { name: format!("{name}{index}"), kind, source_type, nullable }
        });
        Arc::new(Schema::new(keys.into_iter().chain(others).collect(), "id", "t").unwrap())
    });
    (schema, 1..12_usize).prop_flat_map(|(schema, rows)| {
        let arrays = schema.columns().iter().map(|column| array(column.kind.clone(), rows, column.nullable));
        let arrow = schema.to_arrow();
        let records = arrays
            .collect::<Vec<_>>()
            .prop_map(move |arrays| RecordBatch::try_new(Arc::clone(&arrow), arrays).unwrap());
        (Just(schema), records)
    })
}
