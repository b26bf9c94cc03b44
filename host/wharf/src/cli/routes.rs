//! `wharf routes`: everything that is served.

use wharf_host::modules::control::RouteRow;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let routes: Vec<RouteRow> = context.client()?.get("/routes").await?;
    context.emit(&routes, |routes| {
        if routes.is_empty() {
            return "no routes".to_owned();
        }
        let rows = routes
            .iter()
            .map(|r| vec![r.module.clone(), render::word(r.lane), r.method.clone(), r.path.clone(), policy(r)]);
        render::table(&["MODULE", "LANE", "METHOD", "PATH", "POLICY"], rows)
    });
    Ok(Exit::Ok)
}

fn policy(route: &RouteRow) -> String {
    let policy = render::policy(&route.policy);
    match route.hidden {
        true => format!("{policy}, hidden"),
        false => policy,
    }
}
