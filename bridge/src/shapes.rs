//! Header maps by shape: the same known names in the same order make the same map, which is cloned instead of hashed anew.
//!
//! Each thread remembers a few shapes. A shape is made when it is seen for the second time in a row in its place, so that
//! clients who send ever new ones gain nothing and cost next to nothing.

use std::cell::RefCell;

use http::{HeaderMap, HeaderValue};
use wharf_plugin_api::http::Field;

use crate::names;

const PLACES: usize = 8;
/// Below this, hashing is as cheap.
pub(crate) const SHORTEST: usize = 3;
const LONGEST: usize = 24;

struct Place {
    /// Hash of the shape that was seen last.
    seen: u32,
    /// Whether that one was made, or found to have no map.
    is_settled: bool,
    shape: Option<Box<Shape>>,
}

struct Shape {
    ids: [u8; LONGEST],
    len: usize,
    /// All values are empty.
    map: HeaderMap,
}

thread_local! {
    static SHAPES: RefCell<[Place; PLACES]> = const { RefCell::new([const { Place { seen: 0, is_settled: false, shape: None } }; PLACES]) };
}

/// A map with the names of these fields in their order, and empty values; `None` when the shape is not known.
#[inline]
pub(crate) fn map_for(fields: &[Field]) -> Option<HeaderMap> {
    let mut hash = fields.len() as u32;
    for field in fields {
        if field.name_id == 0 {
            return None;
        }
        hash = hash.wrapping_mul(0x0100_0193) ^ u32::from(field.name_id);
    }
    SHAPES
        .try_with(|places| {
            let mut places = places.try_borrow_mut().ok()?;
            let place = places.get_mut(hash.wrapping_mul(0x9E37_79B9) as usize >> 29)?;
            match &place.shape {
                Some(shape) if place.seen == hash && shape.is_of(fields) => Some(shape.map.clone()),
                _ => {
                    place.learn(hash, fields);
                    None
                }
            }
        })
        .ok()
        .flatten()
}

impl Place {
    #[cold]
    fn learn(&mut self, hash: u32, fields: &[Field]) {
        if self.seen != hash {
            self.seen = hash;
            self.is_settled = false;
        } else if !self.is_settled {
            self.shape = Shape::of(fields).map(Box::new);
            self.is_settled = true;
        }
    }
}

impl Shape {
    /// `None` when a name has no id here, or stands twice.
    fn of(fields: &[Field]) -> Option<Self> {
        if fields.len() > LONGEST {
            return None;
        }
        let mut ids = [0; LONGEST];
        let mut map = HeaderMap::with_capacity(fields.len());
        for (id, field) in ids.iter_mut().zip(fields) {
            *id = field.name_id;
            map.append(names::by_id(field.name_id)?, HeaderValue::from_static(""));
        }
        (map.keys_len() == fields.len()).then_some(Self {
            ids,
            len: fields.len(),
            map,
        })
    }

    #[inline]
    fn is_of(&self, fields: &[Field]) -> bool {
        self.len == fields.len() && self.ids.iter().zip(fields).all(|(id, field)| *id == field.name_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(ids: &[u8]) -> Vec<Field> {
        let field = |id: &u8| Field {
            value: std::ptr::dangling(),
            name: std::ptr::dangling(),
            value_len: 0,
            name_len: 0,
            name_id: *id,
            flags: 0,
        };
        ids.iter().map(field).collect()
    }

    #[test]
    fn a_shape_is_known_when_it_came_twice_and_names_keep_their_order() {
        let seen = fields(&[4, 1, 9]);
        assert!(map_for(&seen).is_none() && map_for(&seen).is_none());
        let map = map_for(&seen).unwrap();
        let names: Vec<_> = map.keys().map(|name| name.as_str()).collect();
        let expected: Vec<_> = [4, 1, 9].iter().map(|id| names::by_id(*id).unwrap().as_str()).collect();
        assert_eq!(names, expected);
        assert!(map_for(&fields(&[4, 9, 1])).is_none(), "another order is another shape");
    }

    #[test]
    fn names_that_stand_twice_or_have_no_id_have_no_shape() {
        for ids in [&[1, 2, 1][..], &[1, 2, 0], &[1, 2, 255], &[7; 30]] {
            for _ in 0..4 {
                assert!(map_for(&fields(ids)).is_none(), "{ids:?}");
            }
        }
    }
}
