//! Rules between values about callers that no type holds.

use super::Config;

/// Longest leeway for clocks, in seconds.
const MOST_LEEWAY: u64 = 60;
/// The core modules.
const CORE: [&str; 4] = ["identity", "auth", "authz", "audit"];

/// Path, what is wrong, how to mend it.
pub(super) fn problems(config: &Config) -> Vec<(String, String, &'static str)> {
    let mut found = Vec::new();
    let leeway = config.security.leeway.get();
    if leeway.as_secs() > MOST_LEEWAY {
        let what = format!("found {}, expected at most 60s", config.security.leeway);
        found.push((
            "security.leeway".to_owned(),
            what,
            "keep the clocks of all machines together, with NTP",
        ));
    }
    for id in config.security.core_modules.iter().filter(|id| !CORE.contains(&id.as_str())) {
        let what = format!("found {id:?}, expected some of {}", CORE.join(", "));
        let hint = "other modules are enabled with `wharf modules enable`";
        found.push(("security.core_modules".to_owned(), what, hint));
    }
    for (name, class) in &config.rate_limits.classes {
        let path = format!("rate_limits.classes.{name}");
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
        {
            let what = format!("found class {name:?}, expected a-z, 0-9, '-', '_' and '.'");
            found.push((path.clone(), what, "name it like a module"));
        }
        if class.per.get().is_zero() || class.burst == Some(0) {
            let what = "found a `per` or a `burst` of nothing, expected more".to_owned();
            found.push((path, what, "`requests = 0` takes the limit away"));
        }
    }
    let cors = &config.http.cors;
    if cors.credentials && cors.origins.iter().any(|origin| origin == "*") {
        let what = "found credentials for all origins, expected named origins".to_owned();
        found.push((
            "http.cors.credentials".to_owned(),
            what,
            "name the origins, or leave credentials out",
        ));
    }
    for origin in cors.origins.iter().filter(|origin| !is_origin(origin)) {
        let what = format!("found {origin:?}, expected an origin such as \"https://app.example.org\", or \"*\"");
        found.push((
            "http.cors.origins".to_owned(),
            what,
            "scheme and host, and the port if it is not the usual one; no path",
        ));
    }
    found
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return text == "*";
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/?#@*,".contains(&byte);
    !scheme.is_empty() && !host.is_empty() && host.bytes().all(is_plain)
}
