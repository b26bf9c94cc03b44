//! Requests and answers of the service `database` as bytes, format 1.
//!
//! Who writes is not trusted by who reads: a reader checks every length against what is left before it takes or allocates
//! anything, so that no bytes can make it panic, and none can make it allocate more than a small multiple of their number.
//!
//! ```text
//! n        unsigned LEB128 of at most 10 bytes; i = zigzag of a signed number as n
//! text     n bytes long, then the bytes, UTF-8; bytes = the same without the UTF-8
//! request  1, op, then
//!          op 1 query, 2 execute, 7 open:  target, statement
//!          op 3 execute raw:               target, text
//!          op 4 begin:                     n of the outer transaction or 0, isolation (1 byte), read only (0 or 1)
//!          op 5 commit, 6 rollback, 9 close: n of the handle
//!          op 8 fetch:                     n of the handle, n rows at most
//! target   0 pool | 1 replica | 2, n of the handle
//! statement text of the SQL, n arguments, values, n kinds, one byte each
//! answer   1, then
//!          1 rows:   n columns, their names as text, n values (a multiple of the columns), values
//!          2 done:   n affected, i last id
//!          3 handle: n
//!          4 failed: kind (1 byte), text code, text constraint, text message
//! value    a tag, then what belongs to its kind; tag = kind (below 64) | 0x40 for an array | 0x80 for null
//!          1 bool: 0 or 1 | 2-5 signed: i | 6-9 unsigned: n | 10 f32: 4 bytes | 11 f64: 8 bytes, little end first
//!          12 text, 15 json: text | 13 char: n | 14 bytes | 16 date: i | 17 time: n | 18 date-time: i, n
//!          19 timestamp: i, n, i of the offset | 20 uuid, 21 decimal: 16 bytes | 22 enum: text type, text value
//!          null: nothing more, but an enum: text type | array: n elements, each a value that is no array
//! ```
//!
//! Nothing may follow. A kind this build does not know is an error: its length is not known either.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{AnswerView, CodecError, RowsView, answer, answer_view, request};
pub use write::{write_answer, write_failure, write_request, write_rows};

/// First byte of everything.
const FORMAT: u8 = 1;
/// In a tag: an array of the kind.
const ARRAY: u8 = 0x40;
/// In a tag: no value.
const NULL: u8 = 0x80;
/// The kind in a tag.
const KIND: u8 = 0x3f;

mod op {
    pub(super) const QUERY: u8 = 1;
    pub(super) const EXECUTE: u8 = 2;
    pub(super) const EXECUTE_RAW: u8 = 3;
    pub(super) const BEGIN: u8 = 4;
    pub(super) const COMMIT: u8 = 5;
    pub(super) const ROLLBACK: u8 = 6;
    pub(super) const OPEN: u8 = 7;
    pub(super) const FETCH: u8 = 8;
    pub(super) const CLOSE: u8 = 9;
}

mod target {
    pub(super) const POOL: u8 = 0;
    pub(super) const REPLICA: u8 = 1;
    pub(super) const TX: u8 = 2;
}

mod reply {
    pub(super) const ROWS: u8 = 1;
    pub(super) const DONE: u8 = 2;
    pub(super) const HANDLE: u8 = 3;
    pub(super) const FAILED: u8 = 4;
}
