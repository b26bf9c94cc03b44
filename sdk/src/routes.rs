//! HTTP routes: a thin builder over `axum::Router` that asks for a policy with every route.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use wharf_plugin_api::exports::http::{HttpRoute, PolicyKind, RouteFlags};

/// Routes of a module `M`, with the module as their state.
///
/// Paths are relative to the module's prefix. What is not listed here is not reachable: the host matches this list before
/// the module runs.
///
/// ```ignore
/// fn routes() -> Routes<Self> {
///     Routes::new().route("/posts/{id}", get(show)).public().route("/posts", post(create)).require("blog.post.write")
/// }
/// ```
#[must_use]
pub struct Routes<M: Send + Sync + 'static> {
    router: Router<Arc<M>>,
    table: Vec<HttpRoute>,
    /// Where the rows of the route added last begin.
    last: usize,
    #[cfg(feature = "database")]
    idempotent: Vec<crate::idempotency::Mark>,
}

/// A route that has no policy yet: say `.public()`, `.authenticated()` or `.require("permission")`.
#[must_use = "a route without a policy is not served: call `.public()`, `.authenticated()` or `.require(\"permission\")`"]
pub struct RouteWithoutPolicy<M: Send + Sync + 'static> {
    routes: Routes<M>,
    from: usize,
}

/// Handlers by method, as axum's `MethodRouter`, which also knows the names of its methods.
#[must_use]
pub struct Methods<M: Send + Sync + 'static> {
    router: MethodRouter<Arc<M>>,
    names: Vec<&'static str>,
}

impl<M: Send + Sync + 'static> Default for Routes<M> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            table: Vec::new(),
            last: 0,
            #[cfg(feature = "database")]
            idempotent: Vec::new(),
        }
    }
}

impl<M: Send + Sync + 'static> Routes<M> {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds handlers for one path. `{name}` matches one segment, `{*rest}` the remaining ones.
    ///
    /// # Panics
    /// As axum does, when the path is malformed or a method of it is there already; the instance is then not created, and
    /// the host says why.
    pub fn route(self, path: &str, methods: Methods<M>) -> RouteWithoutPolicy<M> {
        let from = self.table.len();
        let mut table = self.table;
        table.extend(methods.names.iter().map(|method| HttpRoute {
            method: (*method).into(),
            template: path.into(),
            policy: PolicyKind::NONE,
            permission: "".into(),
            rate_class: "".into(),
            flags: RouteFlags::default(),
        }));
        RouteWithoutPolicy {
            routes: Self {
                router: self.router.route(path, methods.router),
                table,
                last: from,
                #[cfg(feature = "database")]
                idempotent: self.idempotent,
            },
            from,
        }
    }

    /// Adds a whole axum router below `path`, under one policy for its subtree. Its inner routes are not seen one by one.
    pub fn nest(self, path: &str, router: Router<Arc<M>>) -> RouteWithoutPolicy<M> {
        let from = self.table.len();
        let mut table = self.table;
        let below = format!("{}/{{*rest}}", path.trim_end_matches('/'));
        for template in [path.to_owned(), below] {
            table.push(HttpRoute {
                method: "*".into(),
                template: template.into(),
                policy: PolicyKind::NONE,
                permission: "".into(),
                rate_class: "".into(),
                flags: RouteFlags::default(),
            });
        }
        RouteWithoutPolicy {
            routes: Self {
                router: self.router.nest(path, router),
                table,
                last: from,
                #[cfg(feature = "database")]
                idempotent: self.idempotent,
            },
            from,
        }
    }

    /// Wraps all routes added so far in a tower layer.
    pub fn map_router(mut self, map: impl FnOnce(Router<Arc<M>>) -> Router<Arc<M>>) -> Self {
        self.router = map(self.router);
        self
    }

    /// The rate class of the route added last.
    pub fn rate_class(mut self, class: &str) -> Self {
        for row in self.table.iter_mut().skip(self.last) {
            row.rate_class = class.into();
        }
        self
    }

    /// Whoever may not call the route added last is told that there is no such route: 404 instead of 401 and 403. It is not in the
    /// OpenAPI document either.
    pub fn hidden(mut self) -> Self {
        for row in self.table.iter_mut().skip(self.last) {
            row.flags = RouteFlags(row.flags.0 | RouteFlags::HIDDEN.0);
        }
        self
    }

    /// The route added last takes each request once: clients send an `Idempotency-Key`, the handler takes [`Tx`](crate::Tx), and what
    /// it answered is kept for a day. GET needs none of this and is left out.
    #[cfg(feature = "database")]
    pub fn idempotent(self) -> Self {
        self.idempotent_for(std::time::Duration::from_secs(24 * 3600))
    }

    /// The same, with another time for which answers are kept.
    #[cfg(feature = "database")]
    pub fn idempotent_for(mut self, keep: std::time::Duration) -> Self {
        let rows = self.table.iter().skip(self.last);
        let marks = rows.filter(|row| row.method != "GET").map(|row| crate::idempotency::Mark {
            method: row.method.to_string(),
            template: row.template.to_string(),
            keep,
        });
        self.idempotent.extend(marks);
        self
    }

    pub(crate) fn table(&self) -> &[HttpRoute] {
        &self.table
    }

    #[cfg(feature = "database")]
    pub(crate) fn has_idempotent(&self) -> bool {
        !self.idempotent.is_empty()
    }

    pub(crate) fn into_parts(self, module: Arc<M>) -> (Router, Vec<HttpRoute>) {
        let router = self.router.with_state(module);
        #[cfg(feature = "database")]
        let router = if self.idempotent.is_empty() {
            router
        } else {
            let guarded = Arc::new(crate::idempotency::Guarded::new(self.idempotent));
            router.route_layer(axum::middleware::from_fn_with_state(guarded, crate::idempotency::guard))
        };
        (router, self.table)
    }
}

impl<M: Send + Sync + 'static> RouteWithoutPolicy<M> {
    /// Anyone may call it.
    pub fn public(self) -> Routes<M> {
        self.with(PolicyKind::PUBLIC, "")
    }

    /// Anyone who is authenticated may call it.
    pub fn authenticated(self) -> Routes<M> {
        self.with(PolicyKind::AUTHENTICATED, "")
    }

    /// Whoever holds `permission` may call it. List it in `wharf.toml` under `[[permissions]]`.
    pub fn require(self, permission: &str) -> Routes<M> {
        self.with(PolicyKind::REQUIRE, permission)
    }

    fn with(mut self, policy: PolicyKind, permission: &str) -> Routes<M> {
        for row in self.routes.table.iter_mut().skip(self.from) {
            row.policy = policy;
            row.permission = permission.into();
        }
        self.routes
    }
}

macro_rules! methods {
    ($($function:ident $name:literal $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub fn $function<H, T, M>(handler: H) -> Methods<M>
            where
                H: Handler<T, Arc<M>>,
                T: 'static,
                M: Send + Sync + 'static,
            {
                Methods { router: axum::routing::$function(handler), names: vec![$name] }
            }
        )*

        impl<M: Send + Sync + 'static> Methods<M> {
            $(
                #[doc = $doc]
                pub fn $function<H, T>(mut self, handler: H) -> Self
                where
                    H: Handler<T, Arc<M>>,
                    T: 'static,
                {
                    self.router = self.router.$function(handler);
                    self.names.push($name);
                    self
                }
            )*
        }
    };
}

methods! {
    get "GET" "A handler of GET, and of HEAD, whose body is dropped.";
    post "POST" "A handler of POST.";
    put "PUT" "A handler of PUT.";
    delete "DELETE" "A handler of DELETE.";
    patch "PATCH" "A handler of PATCH.";
}

/// A handler of every method.
pub fn any<H, T, M>(handler: H) -> Methods<M>
where
    H: Handler<T, Arc<M>>,
    T: 'static,
    M: Send + Sync + 'static,
{
    Methods {
        router: axum::routing::any(handler),
        names: vec!["*"],
    }
}

impl<M: Send + Sync + 'static> std::fmt::Debug for Routes<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(
                self.table
                    .iter()
                    .map(|row| (row.method.as_str(), row.template.as_str(), row.policy)),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    async fn answer() {}

    #[test]
    fn what_is_said_after_a_route_is_about_all_of_it_and_no_other() {
        let routes = Routes::<Nothing>::new()
            .route("/posts", get(answer))
            .public()
            .route("/posts", post(answer).delete(answer))
            .require("blog.post.write")
            .hidden()
            .rate_class("write")
            .nest("/files", Router::new())
            .authenticated()
            .hidden();
        let rows: Vec<_> = routes
            .table()
            .iter()
            .map(|row| {
                let hidden = row.flags.has(RouteFlags::HIDDEN);
                (row.method.as_str(), row.template.as_str(), hidden, row.rate_class.as_str())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("GET", "/posts", false, ""),
                ("POST", "/posts", true, "write"),
                ("DELETE", "/posts", true, "write"),
                ("*", "/files", true, ""),
                ("*", "/files/{*rest}", true, ""),
            ]
        );
    }
}
