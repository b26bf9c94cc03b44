//! Stage 5: sets of modules that do not fit together.

use std::collections::BTreeSet;

use wharf_host::domain::graph::{Node, Resolution, Standing, resolve};

use super::fixture::manifest_from;

/// `id version`, then lines of a wharf.toml.
fn node(id: &str, version: &str, more: &str) -> Node {
    let toml = format!("id = {id:?}\nversion = {version:?}\ndescription = \"A module\"\n{more}");
    Node::new(
        &manifest_from(&toml),
        Standing::Candidate,
        Some(format!("/plugins/lib{id}.so").into()),
    )
}

fn needs(id: &str, requirements: &[&str]) -> Node {
    let lines: String = requirements.iter().map(|line| format!("{line}\n")).collect();
    node(id, "1.0.0", &format!("[modules]\n{lines}"))
}

fn standing(standing: Standing, node: Node) -> Node {
    Node {
        standing,
        file: None,
        ..node
    }
}

fn order<'a>(nodes: &'a [Node], resolution: &Resolution) -> Vec<&'a str> {
    resolution.order.iter().map(|index| nodes[*index].id.as_str()).collect()
}

/// `code module` of every finding.
fn told(resolution: &Resolution) -> Vec<String> {
    resolution
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.module.as_deref().unwrap_or("-")))
        .collect()
}

fn resolved(nodes: &[Node]) -> Resolution {
    resolve(nodes, &BTreeSet::new())
}

#[test]
fn modules_start_after_what_they_need_and_else_by_id() {
    let nodes = [
        needs("d", &["b = \"^1\"", "c = \"^1\""]),
        needs("c", &["a = \"^1\""]),
        needs("b", &["a = \"^1\""]),
        needs("a", &[]),
        needs("e", &[]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(order(&nodes, &resolution), ["a", "b", "c", "d", "e"]);
    assert_eq!(told(&resolution), [""; 0]);
    let mut turned = nodes.clone();
    turned.reverse();
    assert_eq!(order(&turned, &resolved(&turned)), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_missing_or_wrong_module_refuses_who_needs_it_and_nobody_else() {
    let nodes = [
        needs("a", &["gone = \"^1\""]),
        needs("b", &["c = \"^2\""]),
        needs("c", &[]),
        needs("d", &["a = \"*\""]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(
        told(&resolution),
        ["resolve.missing a", "resolve.version b", "resolve.needs-refused d"]
    );
    assert_eq!(order(&nodes, &resolution), ["c"]);
    assert_eq!(resolution.findings[1].what, "it requires c ^2, found c 1.0.0 in /plugins/libc.so");
}

#[test]
fn what_an_earlier_stage_refused_is_named_as_the_cause() {
    let nodes = [needs("a", &["broken = \"^1\""])];
    let resolution = resolve(&nodes, &["broken".to_owned()].into());
    assert_eq!(told(&resolution), ["resolve.needs-refused a"]);
}

#[test]
fn an_optional_module_may_be_missing_or_refused_and_a_wrong_version_is_a_warning() {
    let optional = |id: &str, range: &str| format!("{id} = {{ version = \"{range}\", optional = true }}");
    let nodes = [
        needs("a", &[&optional("gone", "^1")]),
        needs("b", &[&optional("a", "^2")]),
        needs("c", &[&optional("z", "^1")]),
        needs("z", &["gone = \"*\""]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(told(&resolution), ["resolve.optional-version b", "resolve.missing z"]);
    assert_eq!(order(&nodes, &resolution), ["a", "b", "c"]);
    let used = [needs("a", &[&optional("b", "^1")]), needs("b", &[])];
    assert_eq!(order(&used, &resolved(&used)), ["b", "a"]);
}

#[test]
fn a_circle_is_named_and_refuses_its_members_and_who_needs_them() {
    let nodes = [
        needs("a", &["b = \"*\""]),
        needs("b", &["c = \"*\""]),
        needs("c", &["a = \"*\""]),
        needs("d", &["a = \"*\""]),
        needs("e", &[]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(
        told(&resolution),
        ["resolve.cycle a", "resolve.cycle b", "resolve.cycle c", "resolve.needs-refused d"]
    );
    assert_eq!(
        resolution.findings[0].what,
        "modules require each other in a circle: a -> b -> c -> a"
    );
    assert_eq!(order(&nodes, &resolution), ["e"]);
    let pair = [needs("a", &["b = \"*\""]), needs("b", &["a = \"*\""])];
    assert_eq!(
        resolved(&pair).findings[1].what,
        "modules require each other in a circle: b -> a -> b"
    );
}

#[test]
fn a_circle_closed_by_an_optional_requirement_is_only_a_warning() {
    let nodes = [
        needs("a", &["b = { version = \"*\", optional = true }"]),
        needs("b", &["a = \"*\""]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(told(&resolution), ["resolve.optional-cycle a"]);
    assert_eq!(order(&nodes, &resolution), ["a", "b"]);
}

#[test]
fn two_files_of_one_id_are_both_refused_and_a_linked_module_wins() {
    let twice = [needs("a", &[]), needs("a", &[]), needs("b", &["a = \"*\""])];
    assert_eq!(
        told(&resolved(&twice)),
        ["resolve.duplicate-id a", "resolve.duplicate-id a", "resolve.needs-refused b"]
    );
    let linked = [
        needs("a", &[]),
        standing(Standing::Linked, needs("a", &[])),
        needs("b", &["a = \"*\""]),
    ];
    let resolution = resolved(&linked);
    assert_eq!(told(&resolution), ["resolve.duplicate-id a"]);
    assert_eq!(resolution.refused, [0].into());
    assert_eq!(resolution.order, [1, 2]);
}

#[test]
fn two_modules_never_claim_the_same_prefix_grpc_service_permission_or_subject() {
    let grpc = "[grpc]\nservices = [\"shared.v1.Shared\"]\ndescriptors = \"d.bin\"\n";
    let mut permission = [node("a", "1.0.0", ""), node("b", "1.0.0", "")];
    permission.iter_mut().for_each(|node| node.permissions = vec!["shared.read".into()]);
    let mut subject = [node("a", "1.0.0", ""), node("b", "1.0.0", "")];
    subject.iter_mut().for_each(|node| node.subjects = vec!["shared.done.v1".into()]);
    for (code, nodes) in [
        (
            "resolve.prefix-conflict",
            [
                node("a", "1.0.0", "[http]\nprefix = \"/x\"\n"),
                node("b", "1.0.0", "[http]\nprefix = \"/x\"\n"),
            ],
        ),
        (
            "resolve.prefix-conflict",
            [
                node("a", "1.0.0", "[http]\nprefix = \"/x\"\n"),
                node("b", "1.0.0", "[http]\nprefix = \"/x/y\"\n"),
            ],
        ),
        ("resolve.grpc-conflict", [node("a", "1.0.0", grpc), node("b", "1.0.0", grpc)]),
        ("resolve.permission-conflict", permission),
        ("resolve.subject-conflict", subject),
    ] {
        assert_eq!(told(&resolved(&nodes)), [format!("{code} a"), format!("{code} b")]);
        let [a, b] = nodes;
        let firm = [a, standing(Standing::Running, b)];
        let resolution = resolved(&firm);
        assert_eq!(told(&resolution), [format!("{code} a")], "the running one stays");
        assert_eq!(resolution.order, [1]);
    }
    let apart = [
        node("a", "1.0.0", "[http]\nprefix = \"/x\"\n"),
        node("b", "1.0.0", "[http]\nprefix = \"/xy\"\n"),
    ];
    assert_eq!(told(&resolved(&apart)), [""; 0]);
}

#[test]
fn a_replacement_that_a_running_module_cannot_use_is_refused() {
    let running = standing(Standing::Running, needs("user", &["a = \"^1\""]));
    let nodes = [node("a", "2.0.0", ""), running.clone(), needs("c", &["a = \"^2\""])];
    let resolution = resolved(&nodes);
    assert_eq!(told(&resolution), ["resolve.breaks-dependent a", "resolve.needs-refused c"]);
    assert_eq!(order(&nodes, &resolution), ["user"]);
    assert_eq!(told(&resolved(&[node("a", "1.9.0", ""), running.clone()])), [""; 0]);
    assert_eq!(told(&resolved(&[running])), [""; 0], "losing a dependency does not stop what runs");
}

#[test]
fn all_findings_of_all_modules_come_at_once_and_in_the_same_order() {
    let nodes = [
        needs("z", &["gone = \"*\"", "lost = \"*\""]),
        needs("a", &["gone = \"*\""]),
        needs("m", &["m2 = \"*\""]),
        needs("m2", &["m = \"*\""]),
    ];
    let resolution = resolved(&nodes);
    assert_eq!(
        told(&resolution),
        [
            "resolve.missing a",
            "resolve.cycle m",
            "resolve.cycle m2",
            "resolve.missing z",
            "resolve.missing z"
        ]
    );
    let mut turned = nodes;
    turned.reverse();
    assert_eq!(resolved(&turned).findings, resolution.findings);
}

#[test]
fn a_hundred_modules_in_a_chain_are_resolved() {
    let nodes: Vec<Node> = (0..100)
        .map(|n| {
            if n == 0 {
                needs("m0", &[])
            } else {
                needs(&format!("m{n}"), &[&format!("m{} = \"*\"", n - 1)])
            }
        })
        .rev()
        .collect();
    let resolution = resolved(&nodes);
    assert_eq!(order(&nodes, &resolution), (0..100).map(|n| format!("m{n}")).collect::<Vec<_>>());
}
