//! Statements, values and rows: what the core service `database` carries, and what the host's own tables use.
//!
//! These types do not cross as they stand; the database service sends them as bytes ([`codec`](self), version 1). A value
//! always has a kind, also when it is null, so that nobody has to guess what a null was.

/// What a value is. May grow: an unknown kind in an answer is an error of that column, never a wrong value.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// The kind the database says it is: for expressions whose column nobody declared.
    pub const NATURAL: Self = Self(0);
    /// A boolean.
    pub const BOOL: Self = Self(1);
    /// 8 bits, signed. A smallint on PostgreSQL.
    pub const I8: Self = Self(2);
    /// 16 bits, signed.
    pub const I16: Self = Self(3);
    /// 32 bits, signed.
    pub const I32: Self = Self(4);
    /// 64 bits, signed.
    pub const I64: Self = Self(5);
    /// 8 bits, unsigned.
    pub const U8: Self = Self(6);
    /// 16 bits, unsigned.
    pub const U16: Self = Self(7);
    /// 32 bits, unsigned.
    pub const U32: Self = Self(8);
    /// 64 bits, unsigned; what is above the signed range is refused by both databases.
    pub const U64: Self = Self(9);
    /// 32 bits, floating.
    pub const F32: Self = Self(10);
    /// 64 bits, floating.
    pub const F64: Self = Self(11);
    /// Text.
    pub const TEXT: Self = Self(12);
    /// One character.
    pub const CHAR: Self = Self(13);
    /// Bytes.
    pub const BYTES: Self = Self(14);
    /// JSON, as text.
    pub const JSON: Self = Self(15);
    /// A day: days since 1970-01-01.
    pub const DATE: Self = Self(16);
    /// A time of day: nanoseconds since midnight.
    pub const TIME: Self = Self(17);
    /// Day and time without a zone: seconds since 1970-01-01T00:00:00, and nanoseconds.
    pub const DATE_TIME: Self = Self(18);
    /// A point in time: seconds since the epoch, nanoseconds, and the offset it was written with, in seconds.
    pub const TIMESTAMP: Self = Self(19);
    /// 128 bits.
    pub const UUID: Self = Self(20);
    /// A decimal number: sign, scale and 96 bits, the 16 bytes of `rust_decimal`.
    pub const DECIMAL: Self = Self(21);
    /// A value of a database enum; the value carries the name of the type.
    pub const ENUM: Self = Self(22);
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value, of this kind.
    Null(Kind),
    /// [`Kind::BOOL`].
    Bool(bool),
    /// Any signed kind up to 64 bits.
    Int(Kind, i64),
    /// Any unsigned kind up to 64 bits.
    Uint(Kind, u64),
    /// [`Kind::F32`].
    F32(f32),
    /// [`Kind::F64`].
    F64(f64),
    /// [`Kind::TEXT`] or [`Kind::JSON`].
    Text(Kind, String),
    /// [`Kind::CHAR`].
    Char(char),
    /// [`Kind::BYTES`].
    Bytes(Vec<u8>),
    /// [`Kind::DATE`]: days since 1970-01-01.
    Date(i32),
    /// [`Kind::TIME`]: nanoseconds since midnight.
    Time(u64),
    /// [`Kind::DATE_TIME`]: seconds since 1970-01-01T00:00:00, nanoseconds.
    DateTime(i64, u32),
    /// [`Kind::TIMESTAMP`]: seconds since the epoch, nanoseconds, offset in seconds.
    Timestamp(i64, u32, i32),
    /// [`Kind::UUID`].
    Uuid([u8; 16]),
    /// [`Kind::DECIMAL`].
    Decimal([u8; 16]),
    /// [`Kind::ENUM`]: name of the type, value; none is null.
    Enum(String, Option<String>),
    /// An array of one kind; none is null. PostgreSQL only.
    Array(Kind, Option<Vec<Value>>),
}

impl Value {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Kind::TEXT, text.into())
    }

    /// 64 bits, signed.
    #[must_use]
    pub const fn int(value: i64) -> Self {
        Self::Int(Kind::I64, value)
    }

    /// Text, or null.
    #[must_use]
    pub fn optional_text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null(Kind::TEXT), Self::text)
    }

    /// The text in it; none for null and for other kinds.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(_, text) => Some(text),
            Self::Enum(_, text) => text.as_deref(),
            _ => None,
        }
    }

    /// The integer in it; none for null and for other kinds.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(_, value) => Some(*value),
            Self::Uint(_, value) => i64::try_from(*value).ok(),
            Self::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The bytes in it; none for null and for other kinds.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// One statement with its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// SQL with `$1`, `$2`... on PostgreSQL and `?` or `?1` on SQLite.
    pub sql: String,
    /// Arguments in order.
    pub args: Vec<Value>,
    /// What is wanted of each column of the result; shorter than the row: the rest is [`Kind::NATURAL`].
    pub kinds: Vec<Kind>,
}

impl Statement {
    /// With arguments, columns as the database has them.
    #[must_use]
    pub fn new(sql: impl Into<String>, args: Vec<Value>) -> Self {
        Self {
            sql: sql.into(),
            args,
            kinds: Vec::new(),
        }
    }
}

/// Rows of an answer, flat: `values.len()` is a multiple of `columns.len()`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names in the order of the result; a name may come twice.
    pub columns: Vec<String>,
    /// Row after row.
    pub values: Vec<Value>,
}

impl Rows {
    /// Row by row.
    pub fn iter(&self) -> impl Iterator<Item = &[Value]> {
        self.values.chunks(self.columns.len().max(1))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.columns.len().max(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// What a statement that gives no rows did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows it changed.
    pub affected: u64,
    /// Key of the last inserted row, on SQLite.
    pub last_id: i64,
}
