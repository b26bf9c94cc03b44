//! `config`: the module's own section, checked against its schema before the module was opened.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RString};
use wharf_plugin_api::guard;
use wharf_plugin_api::services::config::{Config, Config_TO, ConfigRef};

use super::Inner;

#[derive(Clone)]
struct Section(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> ConfigRef {
    Config_TO::from_ptr(RArc::new(Section(inner.clone())), TD_Opaque)
}

impl Config for Section {
    fn section(&self) -> RString {
        guard(|| self.0.section.as_str().into()).unwrap_or_default()
    }
}
