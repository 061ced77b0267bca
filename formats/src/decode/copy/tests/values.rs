//! Values of each type, recorded from a server.

use super::*;

/// Decodes a recorded row of columns of `types`, without id and time.
fn read(types: &str, sent: &str) -> Vec<String> {
    let decoded = decode(&layout(types), [with_keys(sent)]).unwrap();
    assert_eq!(reasons(&decoded), [], "{sent}");
    let batch = decoded.batch.unwrap();
    (2..batch.records().num_columns()).map(|index| printed(&batch, index).remove(0)).collect()
}

/// The recorded row with an id and a time before its fields.
fn with_keys(sent: &str) -> Vec<u8> {
    let digits = sent.chars().filter(char::is_ascii_hexdigit).collect::<Vec<_>>();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
    let sent = digits.chunks(2).map(byte).collect::<Vec<_>>();
    let count = i16::from_be_bytes([sent[0], sent[1]]) + 2;
    [&count.to_be_bytes(), &event("e", [])[2..], &sent[2..]].concat()
}

#[test]
fn booleans() {
    assert_eq!(read("bool bool bool", "0003 0000000101 0000000100 ffffffff"), ["true", "false", "NULL"]);
}

#[test]
fn integers_of_every_width() {
    let sent = "0004 000000027fff 000000028000 0000000480000000 000000087fffffffffffffff";
    assert_eq!(read("int16 int16 int32 int64", sent), ["32767", "-32768", "-2147483648", "9223372036854775807"]);
}

#[test]
fn floats_of_both_widths() {
    let sent = "0004 000000043fc00000 000000047fc00000 00000008fff0000000000000 000000088000000000000000";
    assert_eq!(read("float32 float32 float64 float64", sent), ["1.5", "NaN", "-Infinity", "-0"]);
}

#[test]
fn decimals_of_many_scales() {
    let sent = "0005 000000080000000000000008 0000000a00010000000000080001 0000000c00020000400000080001 1388
                0000000a0001fffe000000080001 0000001200050002000000080063270f270f270f270f";
    let types = "decimal(18,8) ".repeat(5);
    assert_eq!(read(&types, sent), ["0.00000000", "1.00000000", "-1.50000000", "0.00000001", "9999999999.99999999"]);
    let sent = "0003 0000001c000a000400000012270f270f270f270f270f270f270f270f270f26ac
                0000001c000affff4000002504d2162e23340d801ed204d2162e23340d801b58
                0000001c000a0009000000000063270f270f270f270f270f270f270f270f270f";
    let expected = [
        "99999999999999999999.999999999999999999",
        "-0.1234567890123456789012345678901234567",
        "99999999999999999999999999999999999999",
    ];
    assert_eq!(read("decimal(38,18) decimal(38,37) decimal(38,0)", sent), expected);
}

#[test]
fn timestamps_dates_and_times() {
    let sent = "0002 000000080002d245031d4e90 00000008fd0f7cc1411fa000";
    assert_eq!(
        read("timestamp(us,UTC) timestamp(us)", sent),
        ["2025-03-01T11:30:00.250000Z", "-4713-11-24T00:00:00.000000"]
    );
    let sent = "0004 00000004000023e7 000000047fda970c 00000004ffda97a7 0000000400000000";
    let expected = ["2025-03-01", "+5874897-12-31", "-4713-11-24", "2000-01-01"];
    assert_eq!(read("date date date date", sent), expected);
    let sent = "0003 0000000800000009a3a5ae90 000000080000000000000000 000000 08000000141dd75fff";
    assert_eq!(read("time(us) time(us) time(us)", sent), ["11:30:00.250000", "00:00:00.000000", "23:59:59.999999"]);
}

#[test]
fn uuids_bytes_and_texts() {
    let sent = "0005 000000100a1b2c3d4e5f60718293a4b5c6d7e8f9 0000000300ff10 00000000 00000002c3bc 00000000";
    let expected = ["0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "00ff10", "", "ü", ""];
    assert_eq!(read("uuid binary binary text text", sent), expected);
}

#[test]
fn jsonb_loses_its_version_byte() {
    let sent = "0004 0000000a207b2261223a2020317d 00000009017b2261223a20317d 0000000131 ffffffff";
    assert_eq!(read("json json json json", sent), [" {\"a\":  1}", "{\"a\": 1}", "1", "NULL"]);
}

#[test]
fn lists_with_and_without_elements() {
    let sent = "0004 0000000c000000000000000000000019
                00000021 00000001 00000001 00000019 00000003 00000001 0000000161 ffffffff 00000000
                00000024 00000001 00000000 00000017 00000002 00000000 0000000400000007 0000000400000008 ffffffff";
    assert_eq!(
        read("list<text> list<text> list<int32> list<uuid>", sent),
        ["[]", "[\"a\",null,\"\"]", "[7,8]", "NULL"]
    );
    let sent = "0002 0000002a000000010000000000000eda0000000200000001 000000020131 0000000c017b2262223a206e756c6c7d
                00000036 00000001 00000001 000006a4 00000003 00000001
                0000000c000200000000000200011388 ffffffff 0000000a00010000400000020002";
    assert_eq!(read("list<json> list<decimal(6,2)>", sent), ["[1,{\"b\": null}]", "[1.50,null,-2.00]"]);
    let sent = "0004 00000022 00000001 00000001 00000010 00000003 00000001 0000000101 0000000100 ffffffff
                0000000c 00000000 00000000 00000011
                00000020 00000001 00000000 0000043b 00000001 00000001 000000080000000000000000
                00000028 00000001 00000000 00000b86 00000001 00000001 000000100a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let expected = ["[true,false,null]", "[]", "[\"00:00:00.000000\"]", "[\"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\"]"];
    assert_eq!(read("list<bool> list<binary> list<time(us)> list<uuid>", sent), expected);
}

#[test]
fn ids_may_be_text_uuids_or_integers() {
    let id = [7_u8; 16];
    for (kind, length) in [("text", 3), ("uuid", 16), ("int16", 2), ("int32", 4), ("int64", 8)] {
        let layout = CopyLayout::new(schema(&format!("{kind} timestamp(us)"))).unwrap();
        let decoded = decode(&layout, [row([Some(&id[..length]), Some(&TIME[..])])]).unwrap();
        assert_eq!(decoded.batch.unwrap().ids().bytes(0), &id[..length], "{kind}");
    }
}
