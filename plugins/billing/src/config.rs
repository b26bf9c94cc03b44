//! The section `[modules.billing]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who takes the money. `none` takes none: payments are refused. `test` takes play money, with the tokens in the module's
    /// documentation: whoever may pay can then pay with nothing, so it is for demonstrations and tests.
    pub provider: ProviderName,
    /// Tax in hundredths of a percent, for customers that have no rate of their own.
    #[schemars(range(max = 10_000))]
    pub tax_bps: u32,
    /// Days after its issue on which an invoice is due.
    #[schemars(range(max = 365))]
    pub due_days: u32,
    /// The metered feature that a published blog post counts for.
    #[schemars(length(min = 1, max = 64))]
    pub posts_feature: String,
}

/// A payment provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// There is none.
    #[default]
    None,
    /// Play money.
    Test,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: ProviderName::None,
            tax_bps: 0,
            due_days: 14,
            posts_feature: "posts".to_owned(),
        }
    }
}
