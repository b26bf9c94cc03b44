//! From bytes. Every length is checked against what is left.

use super::{ARRAY, FORMAT, KIND, NULL, op, reply, target};
use crate::sql::{Answer, BeginWith, Done, Failure, FailureKind, IsolationKind, Kind, Request, Rows, Statement, Target, Value};

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// What was read.
    pub what: &'static str,
    /// How many bytes were left there.
    pub left: usize,
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "database message: found no {} {} bytes before its end; host and module do not use the same format",
            self.what, self.left
        )
    }
}

impl std::error::Error for CodecError {}

/// Reads a request.
///
/// # Errors
/// [`CodecError`] for anything that [`write_request`](super::write_request) does not write.
pub fn request(bytes: &[u8]) -> Result<Request, CodecError> {
    let mut reader = Reader::of_format(bytes)?;
    let request = match reader.byte("operation")? {
        op::QUERY => Request::Query(reader.target()?, reader.statement()?),
        op::EXECUTE => Request::Execute(reader.target()?, reader.statement()?),
        op::OPEN => Request::Open(reader.target()?, reader.statement()?),
        op::EXECUTE_RAW => Request::ExecuteRaw(reader.target()?, reader.text()?.to_owned()),
        op::BEGIN => Request::Begin(BeginWith {
            within: Some(reader.number()?).filter(|tx| *tx != 0),
            isolation: IsolationKind(reader.byte("isolation")?),
            read_only: reader.byte("read-only flag")? != 0,
        }),
        op::COMMIT => Request::Commit(reader.number()?),
        op::ROLLBACK => Request::Rollback(reader.number()?),
        op::FETCH => Request::Fetch(reader.number()?, reader.narrow()?),
        op::CLOSE => Request::Close(reader.number()?),
        _ => return Err(reader.wrong("operation this build knows")),
    };
    reader.end()?;
    Ok(request)
}

/// An answer whose rows are still bytes.
#[derive(Debug)]
pub enum AnswerView<'a> {
    /// Rows, to be read one by one.
    Rows(RowsView<'a>),
    /// It is done.
    Done(Done),
    /// A transaction or cursor was opened.
    Handle(u64),
    /// It was not done.
    Failed(Failure),
}

/// Rows of an answer: the names of the columns, and values that are read in order.
#[derive(Debug)]
pub struct RowsView<'a> {
    /// Names in the order of the result.
    pub columns: Vec<&'a str>,
    left: usize,
    reader: Reader<'a>,
}

/// Reads an answer without its rows.
///
/// # Errors
/// [`CodecError`] for anything that [`write_answer`](super::write_answer) does not write.
pub fn answer_view(bytes: &[u8]) -> Result<AnswerView<'_>, CodecError> {
    let mut reader = Reader::of_format(bytes)?;
    let view = match reader.byte("answer")? {
        reply::ROWS => return Ok(AnswerView::Rows(RowsView::read(reader)?)),
        reply::DONE => AnswerView::Done(Done {
            affected: reader.number()?,
            last_id: reader.signed()?,
        }),
        reply::HANDLE => AnswerView::Handle(reader.number()?),
        reply::FAILED => AnswerView::Failed(Failure {
            kind: FailureKind(reader.byte("kind of failure")?),
            code: reader.text()?.to_owned(),
            constraint: reader.text()?.to_owned(),
            message: reader.text()?.to_owned(),
        }),
        _ => return Err(reader.wrong("answer this build knows")),
    };
    reader.end()?;
    Ok(view)
}

/// Reads an answer.
///
/// # Errors
/// As [`answer_view`].
pub fn answer(bytes: &[u8]) -> Result<Answer, CodecError> {
    Ok(match answer_view(bytes)? {
        AnswerView::Rows(mut view) => {
            let mut rows = Rows {
                columns: view.columns.iter().map(|&name| name.to_owned()).collect(),
                values: Vec::with_capacity(view.left),
            };
            while let Some(value) = view.value()? {
                rows.values.push(value);
            }
            Answer::Rows(rows)
        }
        AnswerView::Done(done) => Answer::Done(done),
        AnswerView::Handle(handle) => Answer::Handle(handle),
        AnswerView::Failed(failure) => Answer::Failed(failure),
    })
}

impl<'a> RowsView<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Self, CodecError> {
        let count = reader.count()?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(reader.text()?);
        }
        let left = reader.count()?;
        if left.checked_rem(count).unwrap_or(left) != 0 {
            return Err(reader.wrong("whole number of rows"));
        }
        if left == 0 {
            reader.end()?;
        }
        Ok(Self { columns, left, reader })
    }

    /// How many rows were not begun yet.
    #[must_use]
    pub fn rows_left(&self) -> usize {
        self.left / self.columns.len().max(1)
    }

    /// The next value, row after row; none at the end.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one.
    #[inline]
    pub fn value(&mut self) -> Result<Option<Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let value = self.reader.value()?;
        if self.left == 0 {
            self.reader.end()?;
        }
        Ok(Some(value))
    }
}

#[derive(Clone, Copy, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of_format(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Self(bytes);
        match reader.byte("format")? {
            FORMAT => Ok(reader),
            _ => Err(reader.wrong("format this build knows")),
        }
    }

    #[cold]
    fn wrong(&self, what: &'static str) -> CodecError {
        CodecError { what, left: self.0.len() }
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.wrong("end")) }
    }

    #[inline]
    fn byte(&mut self, what: &'static str) -> Result<u8, CodecError> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(self.wrong(what));
        };
        self.0 = rest;
        Ok(*first)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let Some((first, rest)) = self.0.split_first_chunk::<N>() else {
            return Err(self.wrong("number of fixed size"));
        };
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte("number")?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("number below 2^64"))
    }

    #[inline]
    fn signed(&mut self) -> Result<i64, CodecError> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, CodecError> {
        T::try_from(self.number()?).map_err(|_| self.wrong("number that fits"))
    }

    fn narrow_signed(&mut self) -> Result<i32, CodecError> {
        i32::try_from(self.signed()?).map_err(|_| self.wrong("number that fits"))
    }

    /// How many things follow; each takes a byte at least.
    fn count(&mut self) -> Result<usize, CodecError> {
        let count = self.narrow::<usize>()?;
        if count > self.0.len() {
            return Err(self.wrong("as many things as announced"));
        }
        Ok(count)
    }

    fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.count()?;
        let Some((bytes, rest)) = self.0.split_at_checked(length) else {
            return Err(self.wrong("bytes"));
        };
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.wrong("UTF-8"))
    }

    fn target(&mut self) -> Result<Target, CodecError> {
        match self.byte("target")? {
            target::POOL => Ok(Target::Pool),
            target::REPLICA => Ok(Target::Replica),
            target::TX => Ok(Target::Tx(self.number()?)),
            _ => Err(self.wrong("target this build knows")),
        }
    }

    fn statement(&mut self) -> Result<Statement, CodecError> {
        let sql = self.text()?.to_owned();
        let count = self.count()?;
        let mut args = Vec::with_capacity(count);
        for _ in 0..count {
            args.push(self.value()?);
        }
        let kinds = self.bytes()?.iter().map(|kind| Kind(*kind)).collect();
        Ok(Statement { sql, args, kinds })
    }

    #[inline]
    fn value(&mut self) -> Result<Value, CodecError> {
        let tag = self.byte("value")?;
        if tag & ARRAY != 0 {
            return self.array(tag);
        }
        self.plain(tag)
    }

    fn array(&mut self, tag: u8) -> Result<Value, CodecError> {
        let kind = Kind(tag & KIND);
        if tag & NULL != 0 {
            return Ok(Value::Array(kind, None));
        }
        let count = self.count()?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let tag = self.byte("element")?;
            if tag & ARRAY != 0 {
                return Err(self.wrong("element that is no array"));
            }
            values.push(self.plain(tag)?);
        }
        Ok(Value::Array(kind, Some(values)))
    }

    #[inline]
    fn plain(&mut self, tag: u8) -> Result<Value, CodecError> {
        let kind = Kind(tag & KIND);
        if tag & NULL != 0 {
            return match kind {
                Kind::ENUM => Ok(Value::Enum(self.text()?.to_owned(), None)),
                kind => Ok(Value::Null(kind)),
            };
        }
        Ok(match kind {
            Kind::BOOL => Value::Bool(self.byte("boolean")? != 0),
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => Value::Int(kind, self.signed()?),
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Value::Uint(kind, self.number()?),
            Kind::F32 => Value::F32(f32::from_le_bytes(self.fixed()?)),
            Kind::F64 => Value::F64(f64::from_le_bytes(self.fixed()?)),
            Kind::TEXT | Kind::JSON => Value::Text(kind, self.text()?.to_owned()),
            Kind::BYTES => Value::Bytes(self.bytes()?.to_owned()),
            Kind::UUID => Value::Uuid(self.fixed()?),
            Kind::DECIMAL => Value::Decimal(self.fixed()?),
            kind => return self.rare(kind),
        })
    }

    fn rare(&mut self, kind: Kind) -> Result<Value, CodecError> {
        Ok(match kind {
            Kind::CHAR => {
                let code = self.narrow()?;
                Value::Char(char::from_u32(code).ok_or_else(|| self.wrong("character"))?)
            }
            Kind::DATE => Value::Date(self.narrow_signed()?),
            Kind::TIME => Value::Time(self.number()?),
            Kind::DATE_TIME => Value::DateTime(self.signed()?, self.narrow()?),
            Kind::TIMESTAMP => Value::Timestamp(self.signed()?, self.narrow()?, self.narrow_signed()?),
            Kind::ENUM => Value::Enum(self.text()?.to_owned(), Some(self.text()?.to_owned())),
            _ => return Err(self.wrong("kind of value this build knows")),
        })
    }
}
