//! What is written is read again, and no bytes do harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::sql::*;

/// Small numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn text(&mut self) -> String {
        let length = self.below(12);
        (0..length)
            .map(|_| char::from_u32(0x20 + self.below(0x3000) as u32).unwrap_or('x'))
            .collect()
    }

    fn plain(&mut self) -> Value {
        match self.below(19) {
            0 => Value::Null(Kind(self.below(22) as u8)),
            1 => Value::Bool(self.below(2) == 1),
            2 => Value::Int(Kind(2 + self.below(4) as u8), self.next().cast_signed()),
            3 => Value::Uint(Kind(6 + self.below(4) as u8), self.next()),
            4 => Value::F32(self.below(1000) as f32 / 7.0),
            5 => Value::F64(self.next() as f64 / 7.0),
            6 => Value::text(self.text()),
            7 => Value::Text(Kind::JSON, self.text()),
            8 => Value::Char(char::from_u32(self.below(0xd800) as u32).unwrap()),
            9 => Value::Bytes(self.text().into_bytes()),
            10 => Value::Date(self.next() as i32),
            11 => Value::Time(self.next()),
            12 => Value::DateTime(self.next().cast_signed(), self.next() as u32),
            13 => Value::Timestamp(self.next().cast_signed(), self.next() as u32, self.next() as i32),
            14 => Value::Uuid(u128::from(self.next()).to_le_bytes()),
            15 => Value::Decimal(u128::from(self.next()).to_be_bytes()),
            16 => Value::Enum(self.text(), None),
            17 => Value::Enum(self.text(), Some(self.text())),
            _ => Value::int(self.below(200).cast_signed() - 100),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Array(Kind(1 + self.below(22) as u8), None),
            1 => {
                let count = self.below(5);
                Value::Array(Kind::TEXT, Some((0..count).map(|_| self.plain()).collect()))
            }
            _ => self.plain(),
        }
    }

    fn statement(&mut self) -> Statement {
        let (args, kinds) = (self.below(6), self.below(6));
        Statement {
            sql: self.text(),
            args: (0..args).map(|_| self.value()).collect(),
            kinds: (0..kinds).map(|_| Kind(self.below(256) as u8)).collect(),
        }
    }

    fn target(&mut self) -> Target {
        match self.below(3) {
            0 => Target::Pool,
            1 => Target::Replica,
            _ => Target::Tx(self.next()),
        }
    }

    fn request(&mut self) -> Request {
        match self.below(9) {
            0 => Request::Query(self.target(), self.statement()),
            1 => Request::Execute(self.target(), self.statement()),
            2 => Request::ExecuteRaw(self.target(), self.text()),
            3 => Request::Begin(BeginWith {
                within: (self.below(2) == 1).then_some(1 + self.below(1 << 40)),
                isolation: IsolationKind(self.below(4) as u8),
                read_only: self.below(2) == 1,
            }),
            4 => Request::Commit(self.next()),
            5 => Request::Rollback(self.next()),
            6 => Request::Open(self.target(), self.statement()),
            7 => Request::Fetch(self.next(), self.next() as u32),
            _ => Request::Close(self.next()),
        }
    }

    fn answer(&mut self) -> Answer {
        match self.below(4) {
            0 => {
                let (columns, rows) = (1 + self.below(5), self.below(5));
                Answer::Rows(Rows {
                    columns: (0..columns).map(|_| self.text()).collect(),
                    values: (0..columns * rows).map(|_| self.value()).collect(),
                })
            }
            1 => Answer::Done(Done {
                affected: self.next(),
                last_id: self.next().cast_signed(),
            }),
            2 => Answer::Handle(self.next()),
            _ => Answer::Failed(Failure {
                kind: FailureKind(self.below(256) as u8),
                code: self.text(),
                constraint: self.text(),
                message: self.text(),
            }),
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        let wanted = random.request();
        assert_eq!(request(&write_request(&wanted)).unwrap(), wanted);
        let wanted = random.answer();
        assert_eq!(answer(&write_answer(&wanted)).unwrap(), wanted);
    }
}

#[test]
fn the_limits_of_numbers_cross_unchanged() {
    for number in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
        let wanted = Answer::Done(Done {
            affected: number.cast_unsigned(),
            last_id: number,
        });
        assert_eq!(answer(&write_answer(&wanted)).unwrap(), wanted);
    }
    for number in [f64::MIN, f64::MAX, f64::INFINITY, -0.0] {
        let wanted = Request::Execute(
            Target::Pool,
            Statement::new("x", vec![Value::F64(number), Value::Uint(Kind::U64, u64::MAX)]),
        );
        assert_eq!(request(&write_request(&wanted)).unwrap(), wanted);
    }
}

#[test]
fn a_message_that_was_cut_off_or_has_more_is_refused() {
    let mut random = Random(11);
    for _ in 0..300 {
        let bytes = write_request(&random.request());
        for end in 0..bytes.len() {
            assert!(request(&bytes[..end]).is_err(), "{bytes:?} up to {end}");
        }
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(request(&longer).is_err(), "{longer:?}");
        let bytes = write_answer(&random.answer());
        for end in 0..bytes.len() {
            assert!(answer(&bytes[..end]).is_err(), "{bytes:?} up to {end}");
        }
    }
}

/// Also shows that what is announced and not there allocates nothing: this would not end otherwise.
#[test]
fn no_bytes_make_a_reader_panic_or_allocate_what_is_not_there() {
    let mut random = Random(13);
    for round in 0..200_000_u64 {
        let length = random.below(40) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if round % 2 == 0
            && let Some(second) = bytes.get_mut(1)
        {
            *second = 1 + random.below(9) as u8;
        }
        let _ = (request(&bytes), answer(&bytes));
    }
    for _ in 0..20_000 {
        let mut bytes = if random.below(2) == 0 {
            write_request(&random.request())
        } else {
            write_answer(&random.answer())
        };
        let place = random.below(bytes.len() as u64) as usize;
        bytes[place] = random.next() as u8;
        let _ = (request(&bytes), answer(&bytes));
    }
}

#[test]
fn announced_counts_beyond_the_message_are_refused_before_room_is_made() {
    let huge = [1, 1, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(request(&huge).unwrap_err().what, "as many things as announced");
    let overlong = [1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(request(&overlong).unwrap_err().what, "number below 2^64");
}

/// These bytes are the format: they may never change.
#[test]
fn the_bytes_are_those_of_format_1() {
    let statement = Statement {
        sql: "SELECT ?".to_owned(),
        args: vec![Value::int(-3), Value::text("ä"), Value::Null(Kind::UUID)],
        kinds: vec![Kind::I32],
    };
    assert_eq!(
        write_request(&Request::Query(Target::Tx(300), statement)),
        [
            1, 1, 2, 0xac, 0x02, 8, b'S', b'E', b'L', b'E', b'C', b'T', b' ', b'?', 3, 5, 5, 12, 2, 0xc3, 0xa4, 0x94, 1, 4
        ]
    );
    let rows = Rows {
        columns: vec!["a".to_owned()],
        values: vec![Value::Array(Kind::I16, Some(vec![Value::Int(Kind::I16, 1)]))],
    };
    assert_eq!(write_rows(&rows), [1, 1, 1, 1, b'a', 1, 0x43, 1, 3, 2]);
}
