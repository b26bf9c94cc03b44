//! A column of every type, each required and optional.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Kept as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Meta {
    pub tags: Vec<String>,
    pub level: u8,
}

/// Kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum Color {
    #[sea_orm(string_value = "red")]
    Red,
    #[sea_orm(string_value = "blue")]
    Blue,
}

/// Kept as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Size {
    #[sea_orm(num_value = 1)]
    Small,
    #[sea_orm(num_value = 2)]
    Large,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sink")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub flag: bool,
    pub tiny: i8,
    pub small: i16,
    pub normal: i32,
    pub big: i64,
    pub u_tiny: u8,
    pub u_small: u16,
    pub u_normal: u32,
    pub single: f32,
    pub double: f64,
    pub words: String,
    pub raw: Vec<u8>,
    pub key: Uuid,
    pub day: Date,
    pub clock: Time,
    pub moment: DateTime,
    pub instant: DateTimeUtc,
    pub zoned: DateTimeWithTimeZone,
    pub tree: Json,
    pub meta: Meta,
    pub amount: Decimal,
    pub color: Color,
    pub size: Size,
    pub maybe_flag: Option<bool>,
    pub maybe_tiny: Option<i8>,
    pub maybe_small: Option<i16>,
    pub maybe_normal: Option<i32>,
    pub maybe_big: Option<i64>,
    pub maybe_u_tiny: Option<u8>,
    pub maybe_u_small: Option<u16>,
    pub maybe_u_normal: Option<u32>,
    pub maybe_single: Option<f32>,
    pub maybe_double: Option<f64>,
    pub maybe_words: Option<String>,
    pub maybe_raw: Option<Vec<u8>>,
    pub maybe_key: Option<Uuid>,
    pub maybe_day: Option<Date>,
    pub maybe_clock: Option<Time>,
    pub maybe_moment: Option<DateTime>,
    pub maybe_instant: Option<DateTimeUtc>,
    pub maybe_zoned: Option<DateTimeWithTimeZone>,
    pub maybe_tree: Option<Json>,
    pub maybe_meta: Option<Meta>,
    pub maybe_amount: Option<Decimal>,
    pub maybe_color: Option<Color>,
    pub maybe_size: Option<Size>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A row with a value in every column, near the limits of each type. `full` fills the optional ones too.
#[must_use]
pub fn sample(id: i32, full: bool) -> Model {
    let day = Date::from_ymd_opt(2024, 2, 29).unwrap_or_default();
    let clock = Time::from_hms_micro_opt(23, 59, 58, 123_456).unwrap_or_default();
    let moment = DateTime::new(day, clock);
    let instant = moment.and_utc();
    let zoned = DateTimeWithTimeZone::parse_from_rfc3339("2024-02-29T23:59:58.123456+00:00").unwrap_or_default();
    let meta = Meta {
        tags: vec!["a".to_owned(), "b\"c".to_owned()],
        level: 7,
    };
    let tree = serde_json::json!({ "deep": [1, null, { "x": "ü" }] });
    let words = "it's \u{1F6A2}; \"quoted\" \\ $1 ?".to_owned();
    Model {
        id,
        flag: true,
        tiny: i8::MIN,
        small: i16::MIN,
        normal: i32::MIN,
        big: i64::MAX,
        u_tiny: 200,
        u_small: 60_000,
        u_normal: i32::MAX as u32,
        single: 1.5,
        double: 0.1 + 0.2,
        words: words.clone(),
        raw: vec![0, 1, 255],
        key: Uuid::from_u128(0x1234),
        day,
        clock,
        moment,
        instant,
        zoned,
        tree: tree.clone(),
        meta: meta.clone(),
        amount: Decimal::new(12_345, 2),
        color: Color::Blue,
        size: Size::Large,
        maybe_flag: full.then_some(true),
        maybe_tiny: full.then_some(i8::MIN),
        maybe_small: full.then_some(i16::MIN),
        maybe_normal: full.then_some(i32::MIN),
        maybe_big: full.then_some(i64::MAX),
        maybe_u_tiny: full.then_some(200),
        maybe_u_small: full.then_some(60_000),
        maybe_u_normal: full.then_some(i32::MAX as u32),
        maybe_single: full.then_some(1.5),
        maybe_double: full.then_some(0.1 + 0.2),
        maybe_words: full.then(|| words.clone()),
        maybe_raw: full.then(|| vec![0, 1, 255]),
        maybe_key: full.then(|| Uuid::from_u128(0x1234)),
        maybe_day: full.then_some(day),
        maybe_clock: full.then_some(clock),
        maybe_moment: full.then_some(moment),
        maybe_instant: full.then_some(instant),
        maybe_zoned: full.then_some(zoned),
        maybe_tree: full.then(|| tree.clone()),
        maybe_meta: full.then(|| meta.clone()),
        maybe_amount: full.then(|| Decimal::new(12_345, 2)),
        maybe_color: full.then_some(Color::Blue),
        maybe_size: full.then_some(Size::Large),
    }
}
