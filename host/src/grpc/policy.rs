//! Who may call a gRPC method, as its module's descriptors say: the method option `(wharf.options.v1.policy)`.
//!
//! The option is read dynamically, through the extension that the module's own descriptor set carries. Nothing is
//! linked, so a module built against an older or newer file of options is read the same way.

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage, Value};

use crate::domain::finding::{Finding, Severity, Stage};
use crate::domain::route::{GrpcMethod, Policy};

/// Full name of the method option, from `wharf/options/v1/policy.proto`.
pub const POLICY_OPTION: &str = "wharf.options.v1.policy";
/// Its field number in `google.protobuf.MethodOptions`.
pub const POLICY_NUMBER: u32 = 50901;

/// Lists the methods of these services with their policies.
///
/// # Errors
/// One finding for each service that the descriptors do not have (`manifest.grpc-service`) and for each method
/// whose policy is missing or unclear (`manifest.grpc-policy`). The module id is left for the caller to fill in.
pub fn methods_from_pool(pool: &DescriptorPool, services: &[String]) -> Result<Vec<GrpcMethod>, Vec<Finding>> {
    let option = pool.get_extension_by_name(POLICY_OPTION).filter(is_the_option);
    let mut methods = Vec::new();
    let mut findings = Vec::new();
    for name in services {
        let Some(service) = pool.get_service_by_name(name) else {
            findings.push(finding(
                "manifest.grpc-service",
                format!("found gRPC service {name:?} in the manifest and not in its descriptors, expected it in both"),
                "the host cannot tell which methods the gRPC service has".to_owned(),
                "compile the .proto file that has it into the file named by `descriptors` under [grpc] in wharf.toml".to_owned(),
            ));
            continue;
        };
        for method in service.methods() {
            match read(&method, option.as_ref()) {
                Ok((policy, rate_class)) => methods.push(GrpcMethod {
                    service: name.clone(),
                    method: method.name().to_owned(),
                    policy,
                    rate_class,
                }),
                Err(what) => findings.push(finding(
                    "manifest.grpc-policy",
                    format!(
                        "found {what} on gRPC method {name}/{}, expected one of public, authenticated, require",
                        method.name()
                    ),
                    "a method without a policy is not served".to_owned(),
                    format!(
                        "import \"wharf/options/v1/policy.proto\" and write `option ({POLICY_OPTION}) = {{ public: true }};` in the method"
                    ),
                )),
            }
        }
    }
    if findings.is_empty() { Ok(methods) } else { Err(findings) }
}

fn is_the_option(option: &ExtensionDescriptor) -> bool {
    option.number() == POLICY_NUMBER && option.containing_message().full_name() == "google.protobuf.MethodOptions"
}

/// Reads the policy and the rate class, or says what was found instead.
fn read(method: &MethodDescriptor, option: Option<&ExtensionDescriptor>) -> Result<(Policy, Option<String>), String> {
    let nothing = || format!("no option ({POLICY_OPTION})");
    let option = option.ok_or_else(nothing)?;
    let options = method.options();
    if !options.has_extension(option) {
        return Err(nothing());
    }
    let value = options.get_extension(option);
    let Value::Message(message) = value.as_ref() else {
        return Err("an option that is not a message".to_owned());
    };
    let flag = |name: &str| field(message, name).and_then(|value| value.as_bool());
    let text = |name: &str| field(message, name).and_then(|value| value.as_str().map(str::to_owned));
    let rate_class = text("rate_class").filter(|name| !name.is_empty());
    let policy = match (flag("public"), flag("authenticated"), text("require")) {
        (Some(true), None, None) => Policy::Public,
        (None, Some(true), None) => Policy::Authenticated,
        (None, None, Some(permission)) if !permission.is_empty() => Policy::Require(permission),
        (None, None, Some(_)) => return Err("`require` without a permission".to_owned()),
        (Some(false), ..) => return Err("`public: false`".to_owned()),
        (_, Some(false), _) => return Err("`authenticated: false`".to_owned()),
        _ => return Err("a policy without its kind".to_owned()),
    };
    Ok((policy, rate_class))
}

/// The value of a field that is set.
fn field(message: &DynamicMessage, name: &str) -> Option<Value> {
    let field = message.descriptor().get_field_by_name(name)?;
    message.has_field(&field).then(|| message.get_field(&field).into_owned())
}

fn finding(code: &str, what: String, why: String, fix: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Error,
        stage: Stage::Manifest,
        module: None,
        file: None,
        what,
        why,
        fix,
    }
}
