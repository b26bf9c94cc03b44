//! Which type each column of a module's tables has.

use std::collections::HashMap;

use sea_orm::sea_query::{ArrayType, ColumnType};
use sea_orm::{ColumnTrait, EntityName, EntityTrait, IdenStatic, Iterable, ModelTrait};

/// The entities of a module, so that values of their columns arrive with exactly the type of the field.
///
/// A database says that a column is an integer; whether the field is an `i32` or an `i64` only the entity knows. Selecting a
/// column of a table that is not in here is an error that says so. [`entities!`](crate::entities) makes one.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Entities {
    tables: HashMap<String, HashMap<String, Column>>,
}

/// What a column's field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) kind: ArrayType,
    pub(crate) is_array: bool,
}

impl Column {
    pub(crate) fn of(kind: ArrayType) -> Self {
        Self { kind, is_array: false }
    }
}

impl Entities {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn with<E: EntityTrait>(mut self, entity: E) -> Self {
        let columns = E::Column::iter().map(|column| {
            let is_array = matches!(column.def().get_column_type(), ColumnType::Array(_));
            let kind = <E::Model as ModelTrait>::get_value_type(column);
            (IdenStatic::as_str(&column).to_owned(), Column { kind, is_array })
        });
        self.tables.insert(EntityName::table_name(&entity).to_owned(), columns.collect());
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(crate) fn table(&self, name: &str) -> Option<&HashMap<String, Column>> {
        self.tables.get(name)
    }
}

/// Lists the entities of a module: `entities![post::Entity, comment::Entity]`.
#[macro_export]
macro_rules! entities {
    ($($entity:path),* $(,)?) => {
        $crate::services::database::Entities::new()$(.with($entity))*
    };
}
