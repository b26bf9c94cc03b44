//! From `wharf.toml` to the items that `export_module!` writes.

use std::path::{Path, PathBuf};

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use wharf_manifest::{Abi, BuildInfo, Panic, Runtime, Source};

/// The ABI version is a constant of `wharf-plugin-api`; a test in the SDK compares it with this.
const ABI: Abi = Abi {
    major: 1,
    minor: 0,
    draft: false,
};

pub(crate) fn expand(module: &syn::Type, directory: &Path) -> syn::Result<TokenStream> {
    let files = Files::read(directory)?;
    let root = Ident::new(&wharf_manifest::root_symbol(&files.source.id), Span::call_site());
    let watched = files.watched.iter().map(|path| path.to_string_lossy().into_owned());
    let unwind = files.section(Panic::Unwind)?;
    let abort = files.section(Panic::Abort)?;
    let (unwind_len, abort_len) = (unwind.len(), abort.len());
    let (unwind, abort) = (Literal::byte_string(&unwind), Literal::byte_string(&abort));
    let runtime = match files.source.runtime {
        Runtime::None => quote!(None),
        _ => quote!(Tokio),
    };
    let schema_test = files.source.config.schema.as_ref().map(|schema| {
        quote! {
            #[cfg(test)]
            #[test]
            fn config_schema_is_the_one_committed() {
                ::wharf_sdk::testing::check_config_schema::<<#module as ::wharf_sdk::Module>::Config>(
                    ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #schema),
                );
            }
        }
    });
    let has_schema = files.source.config.schema.is_some();
    Ok(quote! {
        #[doc(hidden)]
        mod __wharf_module {
            use super::*;

            // A change of these files makes the compiler look again.
            #(const _: &[u8] = ::core::include_bytes!(#watched);)*

            #[cfg(panic = "unwind")]
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__wharf"))]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".wharf.manifest"))]
            static MANIFEST: [u8; #unwind_len] = *#unwind;

            #[cfg(not(panic = "unwind"))]
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__wharf"))]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".wharf.manifest"))]
            static MANIFEST: [u8; #abort_len] = *#abort;

            static SETUP: ::wharf_sdk::bridge::Setup = ::wharf_sdk::bridge::Setup {
                manifest: &MANIFEST,
                runtime: ::wharf_sdk::bridge::RuntimeKind::#runtime,
                has_schema: #has_schema,
            };

            extern "C" fn manifest() -> ::wharf_sdk::bridge::RSlice<'static, u8> {
                ::wharf_sdk::bridge::RSlice::from_slice(&MANIFEST)
            }

            extern "C" fn create(
                host: ::wharf_sdk::bridge::HostRef,
                linkage: ::wharf_sdk::bridge::Linkage,
            ) -> ::wharf_sdk::bridge::FfiFuture<::wharf_sdk::bridge::ModuleRef> {
                ::wharf_sdk::bridge::create::<#module>(host, linkage, &SETUP)
            }

            extern "C" fn constructor() -> ::wharf_sdk::bridge::RootModuleResult {
                ::wharf_sdk::bridge::root_result(make_root())
            }

            pub(crate) fn make_root() -> ::wharf_sdk::bridge::RootRef {
                ::wharf_sdk::bridge::make_root(manifest, create)
            }

            /// The one symbol of this library.
            #[unsafe(no_mangle)]
            pub static #root: ::wharf_sdk::bridge::LibHeader =
                // SAFETY: `constructor` returns what `root_result` returns.
                unsafe { ::wharf_sdk::bridge::header(constructor) };

            #schema_test

            #[cfg(test)]
            #[test]
            fn openapi_document_has_every_route() {
                ::wharf_sdk::testing::check_openapi::<#module>();
            }
        }

        /// The root of this module, for programs that link it in.
        #[must_use]
        pub fn root() -> ::wharf_sdk::StaticModule {
            ::wharf_sdk::StaticModule::new(__wharf_module::make_root())
        }
    })
}

/// What `export_module!` reads.
struct Files {
    source: Source,
    schema: Option<serde_json::Value>,
    descriptors: Vec<u8>,
    watched: Vec<PathBuf>,
}

impl Files {
    fn read(directory: &Path) -> syn::Result<Self> {
        let path = directory.join("wharf.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| {
            failed(format!("wharf.toml cannot be read beside Cargo.toml: {e}\nhelp: `wharf new NAME` writes one, and docs/module-author/manifest.md has every key"))
        })?;
        let source = wharf_manifest::parse_toml(&text).map_err(|problems| failed(report(&problems)))?;
        let mut watched = vec![path];
        let mut schema = None;
        if let Some(name) = &source.config.schema {
            let path = directory.join(name);
            // A schema that is not there yet is made by the test: the first build must work without it.
            let text = std::fs::read_to_string(&path).map_err(|e| {
                failed(format!("the config schema `{name}` named in wharf.toml cannot be read: {e}\nhelp: write `{{}}` to it and run `UPDATE=1 cargo test config_schema`"))
            })?;
            schema = Some(serde_json::from_str(&text).map_err(|e| {
                failed(format!(
                    "the config schema `{name}` is not JSON: {e}\nhelp: write `{{}}` to it and run `UPDATE=1 cargo test config_schema`"
                ))
            })?);
            watched.push(path);
        }
        let mut descriptors = Vec::new();
        if let Some(name) = &source.grpc.descriptors {
            let path = directory.join(name);
            descriptors = std::fs::read(&path)
                .map_err(|e| failed(format!("the gRPC descriptor set `{name}` named in wharf.toml cannot be read: {e}")))?;
            watched.push(path);
        }
        Ok(Self {
            source,
            schema,
            descriptors,
            watched,
        })
    }

    fn section(&self, panic: Panic) -> syn::Result<Vec<u8>> {
        let build = BuildInfo {
            abi: ABI,
            sdk: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("WHARF_RUSTC").to_owned(),
            target: env!("WHARF_TARGET").to_owned(),
            panic,
        };
        let manifest = self.source.clone().embed(self.schema.clone(), build);
        wharf_manifest::encode_section(&manifest, &self.descriptors).map_err(|e| failed(format!("the manifest cannot be embedded: {e}")))
    }
}

fn report(problems: &[wharf_manifest::Problem]) -> String {
    let mut text = String::from("wharf.toml is not a valid manifest:");
    for problem in problems {
        text.push_str("\n  ");
        if let Some(at) = problem.position {
            text.push_str(&format!("{}:{}: ", at.line, at.column));
        }
        if !problem.path.is_empty() {
            text.push_str(&format!("`{}`: ", problem.path));
        }
        text.push_str(&problem.message);
    }
    text
}

fn failed(message: String) -> syn::Error {
    syn::Error::new(Span::call_site(), message)
}

#[cfg(test)]
mod tests;
