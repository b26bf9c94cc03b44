//! What stands behind raw pointers: structs and tables of the hot path, which abi_stable's check cannot see.

use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};

use wharf_plugin_api::bytes::FfiBytes;
use wharf_plugin_api::http::{
    BodyPart, BodyStart, BodyVt, CallContext, CallVt, FfiBody, FfiCall, FfiService, Field, FrameSlot, Lent, RequestHead, ResponseSlot,
    ServiceVt,
};
use wharf_plugin_api::waker::{WakerHead, WakerVt};

/// Writes a shape, and the names of its fields for the comparison with the source.
macro_rules! shapes {
    ($out:ident, $listed:ident: $($type:ident { $($field:ident)* })*) => {
        $(
            let _ = writeln!($out, "{} size={} align={}", stringify!($type), size_of::<$type>(), align_of::<$type>());
            $(let _ = writeln!($out, "  {} @{}", stringify!($field), offset_of!($type, $field));)*
            $listed.push((stringify!($type), vec![$(stringify!($field)),*]));
        )*
    };
}

fn table() -> (String, Vec<(&'static str, Vec<&'static str>)>) {
    let mut out = String::from("\n# Shapes behind pointers\n");
    let mut listed = Vec::new();
    shapes! { out, listed:
        Field { value name value_len name_len name_id flags }
        Lent { ptr len }
        CallContext { size flags trace_id span_id token deadline_ns clock request_id caller peer_family peer_port peer_addr principal }
        RequestHead { uri fields method_text call uri_len values_len fields_len method_text_len method version lane }
        BodyStart { tag part }
        FfiBody { state vt lower upper }
        BodyVt { abi size poll drop }
        FrameSlot { ctx set_trailers data fault }
        ResponseSlot { ctx set_head body call fault }
        FfiCall { state vt }
        CallVt { abi size poll drop }
        FfiService { state vt }
        ServiceVt { abi size start drop }
    }
    for (name, size, align) in [
        ("BodyPart", size_of::<BodyPart>(), align_of::<BodyPart>()),
        ("FfiBytes", size_of::<FfiBytes>(), align_of::<FfiBytes>()),
        ("WakerHead", size_of::<WakerHead>(), align_of::<WakerHead>()),
        ("WakerVt", size_of::<WakerVt>(), align_of::<WakerVt>()),
    ] {
        let _ = writeln!(out, "{name} size={size} align={align}");
    }
    (out, listed)
}

pub(crate) fn all() -> String {
    table().0
}

/// Structs of `http.rs` with their fields, as written.
fn in_source() -> Vec<(String, Vec<String>)> {
    let mut structs = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in include_str!("../../src/http.rs").lines() {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            open = Some((name.to_owned(), Vec::new()));
        } else if line == "}" {
            structs.extend(open.take());
        } else if let (Some((_, fields)), Some((name, _))) = (&mut open, line.trim().strip_prefix("pub ").and_then(|f| f.split_once(':'))) {
            fields.push(name.to_owned());
        }
    }
    structs
}

#[test]
fn every_struct_and_field_of_the_hot_path_is_in_the_snapshot() {
    let listed: Vec<(String, Vec<String>)> = table()
        .1
        .into_iter()
        .map(|(name, fields)| (name.to_owned(), fields.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(in_source(), listed, "left: src/http.rs, right: the list in this file");
}
