//! `log`: the module's `tracing` events and spans, in the host's stream.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RSlice, RStr};

/// Importance: 1 error, 2 warn, 3 info, 4 debug, 5 trace; 0 as a limit means nothing.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u8);

impl Level {
    /// Nothing passes.
    pub const OFF: Self = Self(0);
    /// Something failed.
    pub const ERROR: Self = Self(1);
    /// Something is odd.
    pub const WARN: Self = Self(2);
    /// Something happened.
    pub const INFO: Self = Self(3);
    /// For whoever looks for a fault.
    pub const DEBUG: Self = Self(4);
    /// Everything.
    pub const TRACE: Self = Self(5);
}

/// What a field's value is. May grow: an unknown kind is read as text.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldKind(pub u8);

impl FieldKind {
    /// `text`.
    pub const TEXT: Self = Self(0);
    /// `bits` as `i64`.
    pub const I64: Self = Self(1);
    /// `bits` as `u64`.
    pub const U64: Self = Self(2);
    /// `bits` as `f64`.
    pub const F64: Self = Self(3);
    /// `bits` is 0 or 1.
    pub const BOOL: Self = Self(4);
}

/// One field of an event or span, lent.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct LogField<'a> {
    /// Name, as in the source.
    pub name: RStr<'a>,
    /// How to read the value.
    pub kind: FieldKind,
    /// Value of a number or bool.
    pub bits: u64,
    /// Value of anything else.
    pub text: RStr<'a>,
}

/// An event or a new span, lent.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// Importance.
    pub level: Level,
    /// Target, usually the path of the Rust module.
    pub target: RStr<'a>,
    /// Source file, may be empty.
    pub file: RStr<'a>,
    /// Line, 0 when unknown.
    pub line: u32,
    /// The message of an event, the name of a span.
    pub message: RStr<'a>,
    /// The other fields.
    pub fields: RSlice<'a, LogField<'a>>,
    /// The span it happened in, as given by `span_new`; 0: none, then the host attributes it to the current call.
    pub span: u64,
}

/// The service.
#[sabi_trait]
pub trait Log: Send + Sync + Clone + 'static {
    /// The most detailed level that anyone wants of this module now.
    fn max_level(&self) -> Level;

    /// Calls `changed` with the new level whenever it changes, until the instance ends. Called once, with the current
    /// level, before it returns.
    fn watch_level(&self, changed: LevelWatch);

    /// Writes an event.
    fn event(&self, record: &LogRecord<'_>);

    /// Opens a span and gives its id, which is never 0. It belongs to the call it was opened in, if there is one.
    fn span_new(&self, record: &LogRecord<'_>) -> u64;

    /// Adds or replaces fields of a span.
    fn span_record(&self, span: u64, fields: RSlice<'_, LogField<'_>>);

    /// Closes a span: its last handle is gone.
    fn span_close(&self, span: u64);

    /// Says that a panic was caught by the module's panic hook: message and place, without a backtrace.
    #[sabi(last_prefix_field)]
    fn panicked(&self, message: RStr<'_>, file: RStr<'_>, line: u32);
}

/// The service object.
pub type LogRef = Log_TO<RArc<()>>;

/// A callback of the module, called on any thread; must not unwind and must not call back into the log service.
#[sabi_trait]
pub trait LevelChanged: Send + Sync + 'static {
    /// The new most detailed level.
    #[sabi(last_prefix_field)]
    fn level(&self, level: Level);
}

/// Object of a [`LevelChanged`].
pub type LevelWatch = LevelChanged_TO<RArc<()>>;
