//! Rows of an answer as sea-orm reads them.
//!
//! A row of sea-orm's proxy is a map from name to value: reading by index counts in the order of the names. Where that is
//! not the order of the result, each value is there a second time under a key that sorts first (`\0` and its number), so
//! that both ways of reading are right. Rows read only by name do without.

use std::collections::BTreeMap;

use sea_orm::{DbErr, ProxyRow, QueryResult, Value as Sea};
use wharf_plugin_api::sql::codec::RowsView;

use super::columns::Plan;
use super::entities::Column;
use super::errors;
use super::values::{name_of, natural, typed};

/// How rows of one result are built.
#[derive(Debug)]
pub(crate) struct Shape {
    names: Vec<String>,
    columns: Vec<Option<Column>>,
    /// Places in the order of the names; of two with the same name the later one comes later, and counts.
    order: Vec<usize>,
    /// Keys by place; empty where the names ascend anyway.
    places: Vec<String>,
}

impl Shape {
    pub(crate) fn new(names: &[&str], plan: &Plan, by_name: bool) -> Self {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|place| names.get(*place));
        let ascend = names.iter().zip(names.iter().skip(1)).all(|(one, next)| one < next);
        let places = if ascend || by_name {
            Vec::new()
        } else {
            (0..names.len()).map(|place| format!("\0{place:04}")).collect()
        };
        let columns = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                plan.columns
                    .get(place)
                    .cloned()
                    .flatten()
                    .or_else(|| plan.by_name.get(*name).cloned())
            })
            .collect();
        Self {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            columns,
            order,
            places,
        }
    }

    /// Reads all rows that are left.
    pub(crate) fn rows(&self, view: &mut RowsView<'_>) -> Result<Vec<QueryResult>, DbErr> {
        self.each(view, QueryResult::from)
    }

    /// Reads all rows that are left and makes something of each.
    pub(crate) fn each<T>(&self, view: &mut RowsView<'_>, make: impl Fn(ProxyRow) -> T) -> Result<Vec<T>, DbErr> {
        let mut rows = Vec::with_capacity(view.rows_left());
        let mut values = Vec::with_capacity(self.names.len());
        while let Some(row) = self.row(view, &mut values)? {
            rows.push(make(row));
        }
        Ok(rows)
    }

    /// Reads a row into `values`, which is empty again afterwards, and makes a map of it.
    fn row(&self, view: &mut RowsView<'_>, values: &mut Vec<Option<Sea>>) -> Result<Option<ProxyRow>, DbErr> {
        for (name, column) in self.names.iter().zip(&self.columns) {
            let Some(value) = view.value().map_err(errors::codec)? else {
                return Ok(None);
            };
            let found = name_of(&value);
            let read = match column {
                Some(column) => typed(value, column),
                None => natural(value),
            };
            let Some(read) = read else {
                return Err(errors::wrong_type(name, found, column.as_ref()));
            };
            values.push(Some(read));
        }
        if values.is_empty() {
            return Ok(None);
        }
        let mut row = BTreeMap::new();
        for (key, value) in self.places.iter().zip(values.iter()) {
            if let Some(value) = value {
                row.insert(key.clone(), value.clone());
            }
        }
        for place in &self.order {
            if let (Some(name), Some(value)) = (self.names.get(*place), values.get_mut(*place).and_then(Option::take)) {
                row.insert(name.clone(), value);
            }
        }
        values.clear();
        Ok(Some(ProxyRow::new(row)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use wharf_plugin_api::sql::codec::{AnswerView, answer_view, write_rows};
    use wharf_plugin_api::sql::{Rows, Value};

    use super::*;

    fn read(columns: &[&str], values: Vec<Value>, by_name: bool) -> Vec<QueryResult> {
        let bytes = write_rows(&Rows {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            values,
        });
        let AnswerView::Rows(mut view) = answer_view(&bytes).unwrap() else {
            panic!()
        };
        Shape::new(columns, &Plan::default(), by_name).rows(&mut view).unwrap()
    }

    #[test]
    fn columns_in_any_order_are_read_by_name_and_by_index() {
        let rows = read(
            &["name", "id", "age"],
            vec![
                Value::text("Ada"),
                Value::int(7),
                Value::int(36),
                Value::text("Bob"),
                Value::int(8),
                Value::int(1),
            ],
            false,
        );
        assert_eq!(rows.len(), 2);
        let row = rows.first().unwrap();
        assert_eq!(row.try_get::<i64>("", "id").unwrap(), 7);
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "Ada");
        assert_eq!(
            row.try_get_many_by_index::<(String, i64, i64)>().unwrap(),
            ("Ada".to_owned(), 7, 36)
        );
    }

    #[test]
    fn the_same_name_twice_is_read_by_index() {
        let rows = read(&["id", "id"], vec![Value::int(1), Value::int(2)], false);
        assert_eq!(rows.first().unwrap().try_get_many_by_index::<(i64, i64)>().unwrap(), (1, 2));
        assert_eq!(rows.first().unwrap().try_get::<i64>("", "id").unwrap(), 2);
    }

    #[test]
    fn ascending_names_and_rows_by_name_have_no_second_keys() {
        for rows in [
            read(&["a", "b"], vec![Value::int(1), Value::int(2)], false),
            read(&["b", "a"], vec![Value::int(2), Value::int(1)], true),
        ] {
            assert_eq!(rows.first().unwrap().column_names(), ["a", "b"]);
        }
    }

    #[test]
    fn no_rows_are_no_rows() {
        assert!(read(&["a"], vec![], false).is_empty());
        assert!(read(&[], vec![], false).is_empty());
    }
}
