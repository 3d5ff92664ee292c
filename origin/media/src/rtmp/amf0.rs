//! AMF0 (Adobe Action Message Format, version 0), as far as RTMP commands and FLV metadata use it.
//!
//! Input comes from anyone who can open a connection: depth, number of values and size are limited, and no count that
//! stands in the data makes memory be taken.

use bytes::{BufMut, BytesMut};

/// Objects and arrays inside each other.
pub const MAX_DEPTH: usize = 16;
/// Values in one message, counting each property, element and container.
pub const MAX_VALUES: usize = 1024;
/// Bytes of all strings and property names in one message.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const XML_DOCUMENT: u8 = 0x0f;
const TYPED_OBJECT: u8 = 0x10;

/// A decoded value. Text that is not UTF-8 has its bad bytes replaced.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Number, and date as milliseconds since the Unix epoch.
    Number(f64),
    /// Boolean.
    Boolean(bool),
    /// String, long string and XML document.
    String(String),
    /// Object, typed object and ECMA array: properties in the order of the wire.
    Object(Vec<(String, Value)>),
    /// Strict array.
    Array(Vec<Value>),
    /// Null, undefined and unsupported.
    Null,
}

impl Value {
    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The property `name` of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(properties) => properties.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// The data is not AMF0 that Skylark takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AMF0 offset {offset}: {reason}")]
pub struct AmfError {
    /// Byte in the message at which reading stopped.
    pub offset: usize,
    /// What was expected there.
    pub reason: Reason,
}

/// What an AMF0 decoder stumbles over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The message ends inside a value.
    #[error("expected {0} more bytes")]
    Truncated(usize),
    /// A type that RTMP publishers do not send (reference, movie clip, record set, AMF3).
    #[error("expected an AMF0 value, found type {0:#04x}")]
    Type(u8),
    /// Deeper than [`MAX_DEPTH`].
    #[error("objects nested deeper than {MAX_DEPTH}")]
    Depth,
    /// More than [`MAX_VALUES`].
    #[error("more than {MAX_VALUES} values")]
    Values,
    /// More than [`MAX_TEXT_BYTES`].
    #[error("more than {MAX_TEXT_BYTES} bytes of text")]
    Text,
}

/// Reads all values of `data`, one after the other.
///
/// # Errors
/// When the data is malformed or larger than the limits of this module.
pub fn decode_all(data: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder { data, offset: 0, values: 0, text_bytes: 0 };
    let mut values = Vec::new();
    while decoder.offset < data.len() {
        values.push(decoder.value(0)?);
    }
    Ok(values)
}

struct Decoder<'a> {
    data: &'a [u8],
    offset: usize,
    values: usize,
    text_bytes: usize,
}

impl<'a> Decoder<'a> {
    fn fail<T>(&self, reason: Reason) -> Result<T, AmfError> {
        Err(AmfError { offset: self.offset, reason })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], AmfError> {
        let rest = self.data.get(self.offset..).unwrap_or_default();
        match rest.get(..len) {
            Some(bytes) => {
                self.offset += len;
                Ok(bytes)
            }
            None => self.fail(Reason::Truncated(len - rest.len())),
        }
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn text(&mut self, len: usize) -> Result<String, AmfError> {
        self.text_bytes = self.text_bytes.saturating_add(len);
        if self.text_bytes > MAX_TEXT_BYTES {
            return self.fail(Reason::Text);
        }
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let len = u16::from_be_bytes(self.take_array()?);
        self.text(usize::from(len))
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.fail(Reason::Values);
        }
        if depth > MAX_DEPTH {
            return self.fail(Reason::Depth);
        }
        let [kind] = self.take_array()?;
        Ok(match kind {
            NUMBER => Value::Number(f64::from_be_bytes(self.take_array()?)),
            BOOLEAN => Value::Boolean(self.take_array::<1>()? != [0]),
            STRING => Value::String(self.short_text()?),
            LONG_STRING | XML_DOCUMENT => {
                let len = u32::from_be_bytes(self.take_array()?);
                Value::String(self.text(usize::try_from(len).unwrap_or(usize::MAX))?)
            }
            OBJECT => Value::Object(self.properties(depth, false)?),
            TYPED_OBJECT => {
                self.short_text()?;
                Value::Object(self.properties(depth, false)?)
            }
            ECMA_ARRAY => {
                // The count is a hint: the end marker decides (AMF0 §2.10).
                self.take(4)?;
                Value::Object(self.properties(depth, true)?)
            }
            STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.take_array()?);
                let mut elements = Vec::new();
                for _ in 0..count {
                    elements.push(self.value(depth + 1)?);
                }
                Value::Array(elements)
            }
            DATE => {
                let millis = f64::from_be_bytes(self.take_array()?);
                self.take(2)?;
                Value::Number(millis)
            }
            NULL | UNDEFINED | UNSUPPORTED => Value::Null,
            other => {
                self.offset -= 1;
                return self.fail(Reason::Type(other));
            }
        })
    }

    /// Properties up to the end marker. Some encoders leave it out after an ECMA array that ends the message.
    fn properties(&mut self, depth: usize, end_may_be_missing: bool) -> Result<Vec<(String, Value)>, AmfError> {
        let mut properties = Vec::new();
        loop {
            if end_may_be_missing && self.offset == self.data.len() {
                return Ok(properties);
            }
            let name = self.short_text()?;
            if name.is_empty() && self.data.get(self.offset) == Some(&OBJECT_END) {
                self.offset += 1;
                return Ok(properties);
            }
            properties.push((name, self.value(depth + 1)?));
        }
    }
}

/// Appends `values` to `out`. Texts over 65,535 bytes become long strings; property names are cut there.
pub fn encode_all(values: &[Value], out: &mut BytesMut) {
    for value in values {
        encode(value, out);
    }
}

fn encode(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(boolean) => out.put_slice(&[BOOLEAN, u8::from(*boolean)]),
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(len) => {
                out.put_u8(STRING);
                out.put_u16(len);
                out.put_slice(text.as_bytes());
            }
            Err(_) => {
                let bytes = &text.as_bytes()[..text.len().min(u32::MAX as usize)];
                out.put_u8(LONG_STRING);
                out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                out.put_slice(bytes);
            }
        },
        Value::Object(properties) => {
            out.put_u8(OBJECT);
            for (name, value) in properties {
                let bytes = &name.as_bytes()[..name.len().min(usize::from(u16::MAX))];
                out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
                out.put_slice(bytes);
                encode(value, out);
            }
            out.put_slice(&[0, 0, OBJECT_END]);
        }
        Value::Array(elements) => {
            out.put_u8(STRICT_ARRAY);
            out.put_u32(u32::try_from(elements.len()).unwrap_or(u32::MAX));
            encode_all(elements, out);
        }
        Value::Null => out.put_u8(NULL),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(values: &[Value]) -> BytesMut {
        let mut out = BytesMut::new();
        encode_all(values, &mut out);
        out
    }

    #[test]
    fn nesting_ends_in_an_error_not_in_the_stack() {
        let arrays: Vec<u8> = [STRICT_ARRAY, 0, 0, 0, 1].repeat(200_000);
        assert_eq!(decode_all(&arrays).unwrap_err().reason, Reason::Depth);
        let objects: Vec<u8> =
            [OBJECT, 0, 1, b'a'].iter().copied().chain([OBJECT, 0, 1, b'a'].repeat(200_000)).collect();
        assert_eq!(decode_all(&objects).unwrap_err().reason, Reason::Depth);
    }

    #[test]
    fn a_huge_count_takes_no_memory() {
        let claim = [STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(decode_all(&claim).unwrap_err(), AmfError { offset: 5, reason: Reason::Truncated(1) });
        let mut nulls = claim.to_vec();
        nulls.resize(100_000, NULL);
        assert_eq!(decode_all(&nulls).unwrap_err().reason, Reason::Values);
        assert_eq!(decode_all(&[LONG_STRING, 0xff, 0xff, 0xff, 0xff]).unwrap_err().reason, Reason::Text);
    }

    #[test]
    fn ecma_array_may_end_with_the_message_and_lie_about_its_count() {
        let mut data = vec![ECMA_ARRAY, 0xff, 0xff, 0xff, 0xff, 0, 1, b'w', NUMBER];
        data.extend(1280f64.to_be_bytes());
        let want = Value::Object(vec![("w".into(), Value::Number(1280.0))]);
        assert_eq!(decode_all(&data).unwrap(), std::slice::from_ref(&want));
        data.extend([0, 0, OBJECT_END]);
        assert_eq!(decode_all(&data).unwrap(), [want]);
    }

    #[test]
    fn errors_name_the_place() {
        let mut data = encoded(&[Value::String("connect".into())]).to_vec();
        data.push(0x11);
        let error = decode_all(&data).unwrap_err();
        assert_eq!(error.to_string(), "AMF0 offset 10: expected an AMF0 value, found type 0x11");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("NaN differs from itself", |number| !number.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            "\\PC{0,20}".prop_map(Value::String),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec(("[a-z]{1,8}", inner), 0..5).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(value(), 0..4)) {
            prop_assert_eq!(decode_all(&encoded(&values)).unwrap(), values);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Err(error) = decode_all(&data) {
                prop_assert!(error.offset <= data.len());
            }
        }
    }
}
