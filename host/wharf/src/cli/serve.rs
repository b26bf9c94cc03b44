//! `wharf serve`: reads the configuration and hands over to the wiring.

use wharf_host::config::{Config, Override};

use super::args::ServeArgs;
use super::context::Context;
use super::exit::{Exit, Failure, told};
use crate::wiring::{self, ServeOptions};

pub(super) async fn run(args: ServeArgs, context: &Context) -> Result<Exit, Failure> {
    let mut load = context.load_options(args.dev);
    if let Some(listen) = args.listen {
        load.overrides.push(Override {
            path: "http.listen".to_owned(),
            value: listen.into(),
            option: "--listen".to_owned(),
        });
        // The port that was typed counts, whatever the environment says.
        load.overrides.push(Override {
            path: "http.port".to_owned(),
            value: serde_json::Value::Null,
            option: "--listen".to_owned(),
        });
    }
    let config = Config::load(&load)?;
    wiring::serve(config, ServeOptions { load }).await.map_err(|error| {
        Failure::failed(
            "the host did not run",
            &told(error.as_ref()),
            "`wharf doctor` looks for the usual reasons",
        )
    })
}
