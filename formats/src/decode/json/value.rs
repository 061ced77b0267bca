//! The value of a member.

use super::cursor::{Cursor, Text};
use crate::decode::fault::Fault;

/// How many objects and lists may lie in one another, the record counted. As many as `serde_json` reads.
pub(super) const MAX_DEPTH: usize = 128;

/// A value that was found to be valid JSON. Whether its text is UTF-8 is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    /// A number, `true` or `false`.
    Plain,
    Text(Text<'a>),
    /// An object or a list.
    Nested,
}

impl<'a> Value<'a> {
    /// Reads a value, before which there may be white space.
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Fault> {
        if cursor.token() == Some(b'"') {
            return cursor.string().map(Value::Text);
        }
        match cursor.peek() {
            Some(b'{' | b'[') => nested(cursor).map(|()| Value::Nested),
            Some(b'n') => scalar(cursor).map(|()| Value::Null),
            _ => scalar(cursor).map(|()| Value::Plain),
        }
    }
}

#[inline]
fn scalar(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let is_word = match cursor.peek() {
        Some(b'"') => return cursor.string().map(|_| ()),
        Some(b't') => cursor.take(b"true"),
        Some(b'f') => cursor.take(b"false"),
        Some(b'n') => cursor.take(b"null"),
        _ => return cursor.number(),
    };
    if is_word { Ok(()) } else { Err(Fault::Json) }
}

/// Reads an object or a list. Deep nesting costs a bit a level, and no stack.
fn nested(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    // The lowest bit says whether the innermost one is an object.
    let (mut objects, mut depth) = (0_u128, 1);
    loop {
        match cursor.token() {
            Some(bracket @ (b'{' | b'[')) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Fault::Depth(MAX_DEPTH));
                }
                let is_object = bracket == b'{';
                objects = (objects << 1) | u128::from(is_object);
                cursor.advance(1);
                let is_empty = cursor.token() == Some(if is_object { b'}' } else { b']' });
                if !is_empty {
                    if is_object {
                        cursor.name()?;
                    }
                    continue;
                }
            }
            _ => scalar(cursor)?,
        }
        // After a value: the next one, or the ends of what it is the last one of.
        loop {
            let is_object = objects & 1 == 1;
            let byte = cursor.token();
            cursor.advance(1);
            match byte {
                Some(b',') => {
                    if is_object {
                        cursor.token();
                        cursor.name()?;
                    }
                    break;
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ => return Err(Fault::Json),
            }
            objects >>= 1;
            depth -= 1;
            if depth == 1 {
                return Ok(());
            }
        }
    }
}
