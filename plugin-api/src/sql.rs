//! Statements, values and rows: what the core service `database` carries, and what the host's own tables use.
//!
//! These types do not cross as they stand; the database service sends them as bytes ([`codec`], version 1). A value
//! always has a kind, also when it is null, so that nobody has to guess what a null was.

pub mod codec;

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

/// Where a request of a module runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Any connection of the pool.
    #[default]
    Pool,
    /// A read replica where there is one.
    Replica,
    /// In this transaction.
    Tx(u64),
}

/// Isolation of a transaction. May grow: an unknown one is refused.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IsolationKind(pub u8);

impl IsolationKind {
    /// What the database does by default.
    pub const DEFAULT: Self = Self(0);
    /// READ COMMITTED.
    pub const READ_COMMITTED: Self = Self(1);
    /// REPEATABLE READ.
    pub const REPEATABLE_READ: Self = Self(2);
    /// SERIALIZABLE.
    pub const SERIALIZABLE: Self = Self(3);
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BeginWith {
    /// A savepoint in this one; none: a transaction of its own.
    pub within: Option<u64>,
    /// Isolation; only for a transaction of its own.
    pub isolation: IsolationKind,
    /// Refuses writes.
    pub read_only: bool,
}

/// What kind of failure. May grow: an unknown one reads as [`FailureKind::OTHER`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FailureKind(pub u8);

impl FailureKind {
    /// The database did not understand it, or anything else.
    pub const OTHER: Self = Self(0);
    /// A unique or primary key exists already.
    pub const UNIQUE: Self = Self(1);
    /// A foreign key points nowhere, or something points here.
    pub const FOREIGN_KEY: Self = Self(2);
    /// A column that must not be null is.
    pub const NOT_NULL: Self = Self(3);
    /// A check failed.
    pub const CHECK: Self = Self(4);
    /// Another transaction was in the way: the whole transaction may be tried again.
    pub const CONFLICT: Self = Self(5);
    /// It took longer than allowed.
    pub const TIMEOUT: Self = Self(6);
    /// No connection was free in time.
    pub const BUSY: Self = Self(7);
    /// The database does not answer.
    pub const UNAVAILABLE: Self = Self(8);
    /// A value does not have the type that was asked for, or does not fit into it.
    pub const TYPE: Self = Self(9);
    /// It may not be done here.
    pub const REFUSED: Self = Self(10);
    /// The transaction or cursor is not there (any more).
    pub const GONE: Self = Self(11);
    /// The disk is full.
    pub const FULL: Self = Self(12);

    /// The name used in messages and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UNIQUE => "unique",
            Self::FOREIGN_KEY => "foreign-key",
            Self::NOT_NULL => "not-null",
            Self::CHECK => "check",
            Self::CONFLICT => "conflict",
            Self::TIMEOUT => "timeout",
            Self::BUSY => "busy",
            Self::UNAVAILABLE => "unavailable",
            Self::TYPE => "type",
            Self::REFUSED => "refused",
            Self::GONE => "gone",
            Self::FULL => "full",
            _ => "other",
        }
    }
}

/// What a database says when it does not do what it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// SQLSTATE or SQLite's extended code; may be empty.
    pub code: String,
    /// Name of the constraint, or its columns on SQLite; may be empty.
    pub constraint: String,
    /// What happened, in a sentence. Never contains arguments.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What a module asks of its database.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Runs a statement that gives rows. Answered with rows.
    Query(Target, Statement),
    /// Runs a statement that gives none. Answered with done.
    Execute(Target, Statement),
    /// Runs several statements without arguments. Answered with done.
    ExecuteRaw(Target, String),
    /// Begins a transaction or a savepoint. Answered with its handle.
    Begin(BeginWith),
    /// Commits. Answered with done.
    Commit(u64),
    /// Rolls back, with everything inside; one that has ended is no error. Answered with done.
    Rollback(u64),
    /// Opens a cursor. Answered with its handle.
    Open(Target, Statement),
    /// The next rows, at most this many. Answered with rows; none is the end.
    Fetch(u64, u32),
    /// Closes a cursor; one that has ended is no error. Answered with done.
    Close(u64),
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Rows.
    Rows(Rows),
    /// It is done.
    Done(Done),
    /// A transaction or cursor was opened.
    Handle(u64),
    /// It was not done.
    Failed(Failure),
}
