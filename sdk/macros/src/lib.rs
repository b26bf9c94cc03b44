//! Macros of the Wharf SDK. Use them through `wharf_sdk`.

mod embed;

use proc_macro::TokenStream;

/// Makes a crate a Wharf module: `export_module!(Hello);`, once, at the top of `lib.rs`.
///
/// It reads `wharf.toml` beside `Cargo.toml`, refuses it with everything that is wrong, embeds it (with the config schema
/// and the gRPC descriptor set it names) in the library, and writes the root symbol, `pub fn root()` for programs that link
/// the module in, and, with a config schema, a test that compares the committed schema with the type.
#[proc_macro]
pub fn export_module(input: TokenStream) -> TokenStream {
    let module = syn::parse_macro_input!(input as syn::Type);
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    embed::expand(&module, std::path::Path::new(&directory))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
