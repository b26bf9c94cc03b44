//! The table of all kinds of findings: code, stage, why it matters, how to mend it.
//!
//! `docs/operations/findings.md` shows the same table, and a test compares the two. Problems of a manifest that
//! its author sees too are in [`wharf_manifest::PROBLEM_KINDS`].

use super::{Severity, Stage};

/// What all findings with one code have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The code. It never changes its meaning.
    pub code: &'static str,
    /// The stage that makes it.
    pub stage: Stage,
    /// Whether it keeps the module from loading.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it, when nothing more is known.
    pub fix: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $stage:ident, $severity:ident, $why:literal, $fix:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $why, ".")]
            pub const $name: Kind = Kind { code: $code, stage: Stage::$stage, severity: Severity::$severity, why: $why, fix: $fix };
        )*

        /// All of them, in the order of the stages.
        pub const KINDS: &[Kind] = &[$($name,)*];
    };
}

kinds! {
    FOLDER_UNREADABLE = "place.folder-unreadable", Place, Error,
        "modules are looked for in this folder and nowhere else",
        "create the folder, or name another one in the configuration";
    FILE_UNREADABLE = "place.file-unreadable", Place, Error,
        "what cannot be read cannot be checked",
        "give the host's user the right to read the file";
    FILE_LINK = "place.file-link", Place, Error,
        "a link can be turned to another file after the check",
        "copy the file into the folder instead of linking it";
    FOLDER_LINK = "place.folder-link", Place, Error,
        "a link can be turned to another folder after the check",
        "name the folder by its real path";
    NOT_REGULAR = "place.not-regular", Place, Error,
        "only a regular file stays what it was when it was read",
        "put a regular file in its place";
    FILE_OWNER = "place.file-owner", Place, Error,
        "the owner of a file can change it at any time",
        "chown the file to root or to the host's user";
    FOLDER_OWNER = "place.folder-owner", Place, Error,
        "the owner of a folder can exchange the files in it",
        "chown the folder to root or to the host's user";
    ANCESTOR_OWNER = "place.ancestor-owner", Place, Error,
        "the owner of a parent folder can exchange everything below it",
        "chown the parent folder to root or to the host's user, or use another one";
    FILE_WRITABLE = "place.file-writable", Place, Error,
        "others could change the code that runs in the host",
        "chmod go-w the file";
    FOLDER_WRITABLE = "place.folder-writable", Place, Error,
        "others could add or exchange modules",
        "chmod go-w the folder";
    ANCESTOR_WRITABLE = "place.ancestor-writable", Place, Error,
        "others could exchange the folder with the modules",
        "chmod go-w the parent folder, or use another one";
    TOO_LARGE = "place.too-large", Place, Error,
        "a file without a bound could fill memory and disk",
        "strip the library, or raise the limit in the configuration";
    CHANGED = "place.changed", Place, Error,
        "what was checked would not be what is loaded",
        "write the file under another name and rename it into place when it is complete";
    COPY_FAILED = "place.copy-failed", Place, Error,
        "a module is loaded only from a private copy nobody else can change",
        "see that the private folder is writable by the host alone and has room";

    SIGNATURE_MISSING = "trust.signature-missing", Trust, Error,
        "under the policy `signed` only modules signed with a trusted key are loaded",
        "sign the file with `wharf sign` and put the .sig file beside it";
    SIGNATURE_MALFORMED = "trust.signature-malformed", Trust, Error,
        "a signature that cannot be read proves nothing",
        "sign the file again with `wharf sign`";
    SIGNATURE_WRONG = "trust.signature-wrong", Trust, Error,
        "the signature was not made with the key it names, or it was changed since",
        "sign the file again with `wharf sign`; if nobody changed it, ask who did";
    SIGNATURE_OTHER_FILE = "trust.signature-other-file", Trust, Error,
        "the file is not the one that was signed",
        "put the signature of this build beside the file, or restore the file";
    SIGNATURE_OTHER_MODULE = "trust.signature-other-module", Trust, Error,
        "the signature was made for another module or version than the manifest names",
        "sign the file again with `wharf sign`";
    SIGNATURE_TIME = "trust.signature-time", Trust, Error,
        "a signature counts only if it was made while its key was valid",
        "set the clocks right, or sign the file again with a key that is valid";
    KEY_UNKNOWN = "trust.key-unknown", Trust, Error,
        "only keys named in the configuration are trusted",
        "add the public key to the configuration, or sign with a key that is in it";
    KEY_MALFORMED = "trust.key-malformed", Trust, Error,
        "a key that cannot be read verifies nothing",
        "write the public key as `wharf keys new` printed it";
    KEY_EARLY = "trust.key-early", Trust, Error,
        "the key is not valid yet",
        "wait, set the clock right, or sign with a key that is valid";
    KEY_EXPIRED = "trust.key-expired", Trust, Error,
        "the key is no longer valid",
        "sign the file again with a key that is valid";
    KEY_REVOKED = "trust.key-revoked", Trust, Error,
        "the key was revoked, so anybody may hold it",
        "sign the file again with another key";
    HASH_UNLISTED = "trust.hash-unlisted", Trust, Error,
        "under the policy `hashed` only files whose SHA-256 is listed are loaded",
        "add the hash to the configuration if you trust the file";
    VERSION_BELOW_MINIMUM = "trust.version-below-minimum", Trust, Error,
        "an older version may bring back a fault that was mended",
        "install a later version";

    NOT_OBJECT = "inspect.not-object", Inspect, Error,
        "only a shared library can be loaded",
        "put a shared library built with crate-type cdylib in the folder";
    TRUNCATED = "inspect.truncated", Inspect, Error,
        "a library that ends early kills the whole process when it is loaded",
        "copy the file again, and rename it into place when it is complete";
    MALFORMED = "inspect.malformed", Inspect, Error,
        "the system's loader trusts these fields blindly",
        "build the library again";
    WRONG_FORMAT = "inspect.wrong-format", Inspect, Error,
        "the library was built for another operating system",
        "build it for the target of this host";
    WRONG_CLASS = "inspect.wrong-class", Inspect, Error,
        "the library was built for a processor of another width or byte order",
        "build it for the target of this host";
    WRONG_MACHINE = "inspect.wrong-machine", Inspect, Error,
        "the library was built for another processor",
        "build it for the target of this host";
    NOT_SHARED = "inspect.not-shared", Inspect, Error,
        "only a shared library can be loaded, no program and no object file",
        "set crate-type = [\"cdylib\"] in Cargo.toml";
    NO_MANIFEST = "inspect.no-manifest", Inspect, Error,
        "a library without a manifest is no module",
        "call export_module! in the crate that is the library, or take the file out of the folder";
    TWO_MANIFESTS = "inspect.two-manifests", Inspect, Error,
        "two modules in one library cannot be told apart",
        "call export_module! once, and build modules it depends on without it";
    MANIFEST_DAMAGED = "inspect.manifest-damaged", Inspect, Error,
        "the section does not hold what its header announces",
        "build the module with the SDK's export_module!, and strip nothing but symbols";
    MANIFEST_FORMAT = "inspect.manifest-format", Inspect, Error,
        "this host cannot read a manifest of another format",
        "update the host, or build the module with the SDK of this host";
    MANIFEST_OVERSIZED = "inspect.manifest-oversized", Inspect, Error,
        "a manifest without a bound could fill memory",
        "make the config schema or the descriptor set smaller";
    ROOT_SYMBOL = "inspect.root-symbol", Inspect, Error,
        "the module is entered through its root symbol",
        "call export_module! in the crate that is the library";
    NEEDED_LIBRARY = "inspect.needed-library", Inspect, Error,
        "a library that is pulled in runs its own code, unchecked",
        "link it statically, or add it to the allow-list in the configuration";
    RUN_PATH = "inspect.run-path", Inspect, Error,
        "a search path in the library decides which other libraries are loaded",
        "link without RPATH and RUNPATH";
    EXECUTABLE_STACK = "inspect.executable-stack", Inspect, Error,
        "loading it would make the stacks of the whole host executable",
        "link with -z noexecstack";
    WRITABLE_CODE = "inspect.writable-code", Inspect, Error,
        "memory that is writable and executable at once invites attacks",
        "link without writable code sections";

    NOT_JSON = "manifest.not-json", Manifest, Error,
        "the manifest cannot be read",
        "build the module with the SDK's export_module!";
    ABI_TOO_NEW = "manifest.abi-too-new", Manifest, Error,
        "the module may call what this host does not have",
        "update the host, or build the module with an older SDK";
    ABI_TOO_OLD = "manifest.abi-too-old", Manifest, Error,
        "this host no longer speaks the ABI of the module",
        "build the module again with a current SDK";
    SERVICE_UNKNOWN = "manifest.service-unknown", Manifest, Error,
        "the module imports a core service this host does not have",
        "update the host, or remove the line from [services]";
    SERVICE_MAJOR = "manifest.service-major", Manifest, Error,
        "the host has the core service, but not in this major version",
        "update the host, or build the module for a major version it has";
    DESCRIPTORS_MALFORMED = "manifest.descriptors-malformed", Manifest, Error,
        "calls cannot be routed, checked or transcoded without descriptors",
        "generate the descriptor set again, with its imports";
    GRPC_UNDESCRIBED = "manifest.grpc-undescribed", Manifest, Error,
        "calls cannot be routed, checked or transcoded without descriptors",
        "generate the descriptor set from the .proto that defines the gRPC service";
    CONFIG_SCHEMA = "manifest.config-schema-malformed", Manifest, Error,
        "configuration is checked against the schema before the module is created",
        "write a self-contained JSON schema";
    CONFIG = "manifest.config", Manifest, Error,
        "the module would start with values it does not understand",
        "mend the module's section of the configuration";
    CONFIG_UNEXPECTED = "manifest.config-unexpected", Manifest, Error,
        "a section nobody reads is a mistake nobody sees",
        "remove the module's section from the configuration";

    DUPLICATE_ID = "resolve.duplicate-id", Resolve, Error,
        "the id decides which module a request, a log line or a permission means",
        "remove one of the two";
    MODULE_MISSING = "resolve.missing", Resolve, Error,
        "the module needs it to run",
        "add the missing module, or make the requirement optional";
    MODULE_VERSION = "resolve.version", Resolve, Error,
        "the module was written for other versions",
        "install a version in the range, or a build of the module that takes this one";
    OPTIONAL_VERSION = "resolve.optional-version", Resolve, Warning,
        "the module will run as if the other one were absent",
        "install a version in the range";
    CYCLE = "resolve.cycle", Resolve, Error,
        "none of them can start before the others",
        "make one of the requirements optional, or move what they share into a module of its own";
    OPTIONAL_CYCLE = "resolve.optional-cycle", Resolve, Warning,
        "one of them starts before a module it can use",
        "remove one of the requirements";
    PREFIX_CONFLICT = "resolve.prefix-conflict", Resolve, Error,
        "a request would belong to two modules",
        "change http.prefix of one of them";
    GRPC_CONFLICT = "resolve.grpc-conflict", Resolve, Error,
        "a call would belong to two modules",
        "rename the gRPC service or its package in one of them";
    PERMISSION_CONFLICT = "resolve.permission-conflict", Resolve, Error,
        "granting it would grant something in both modules",
        "rename the permission in one of them";
    SUBJECT_CONFLICT = "resolve.subject-conflict", Resolve, Error,
        "subscribers could not tell who published an event",
        "rename the subject in one of them";
    NEEDS_REFUSED = "resolve.needs-refused", Resolve, Error,
        "the module needs another one that does not load",
        "mend the findings of the other module first";
    BREAKS_DEPENDENT = "resolve.breaks-dependent", Resolve, Error,
        "a module that runs now needs the version this one would replace",
        "install a version in the range, or replace the dependent module first";
    NEEDS_DOWN = "resolve.needs-down", Resolve, Error,
        "the module needs another one that does not run",
        "enable the other module, or mend what keeps it from running";
    PINNED = "resolve.pinned", Resolve, Error,
        "an operator pinned the module to another build",
        "install the pinned build, or remove the pin";

    THREAD_KEYS = "open.thread-keys", Open, Error,
        "every loaded library takes a pthread key for good, and a process that has none left aborts",
        "restart the host; with inherited sockets (LISTEN_FDS) no connection is refused";
    LINKER = "open.linker", Open, Error,
        "the system's loader cannot map the library",
        "build the module again for this system";
    UNRESOLVED_SYMBOL = "open.unresolved-symbol", Open, Error,
        "the library calls something that no library it names has",
        "link what defines the symbol into the module";
    NO_ROOT = "open.no-root", Open, Error,
        "the root symbol is the only way into a module",
        "export the module with export_module!";
    HEADER = "open.header", Open, Error,
        "what stands behind the root symbol is not a header of this ABI",
        "build the module again with the SDK's export_module!";
    LAYOUT = "open.layout", Open, Error,
        "host and module would read each other's memory wrongly",
        "build the module with the released wharf-sdk of the same major version";
    OTHER_LIBRARY = "open.other-library", Open, Error,
        "code that was never checked would run",
        "restart the host, and report this";
    MANIFEST_DIFFERS = "open.manifest", Open, Error,
        "the checks of stages 3 to 5 were made on another manifest",
        "build the module again; tools that rewrite sections must not touch .wharf.manifest";
    OPEN_PANICKED = "open.panicked", Open, Error,
        "the module failed before it could be asked anything",
        "look for the panic in the log";

    CREATE_FAILED = "create.failed", Create, Error,
        "the module itself says that it cannot run",
        "do what its message says, then reload it";
    CREATE_PANICKED = "create.panicked", Create, Error,
        "a module that panics while it is made cannot be trusted to serve",
        "look for the panic in the log, mend the module";
    CREATE_UNDECLARED = "create.undeclared", Create, Error,
        "a module gets exactly what its manifest lists",
        "add the line the message names to wharf.toml";
    CREATE_CONFIG = "create.config", Create, Error,
        "the module cannot read its section of the configuration",
        "mend the section, or the committed schema that let it pass";
    CREATE_DEADLINE = "create.deadline", Create, Error,
        "a module that does not come back would hold up all others",
        "look for work that never ends in its init, or raise plugins.start_timeout";
    CREATE_REFUSED = "create.refused", Create, Error,
        "host and module do not agree on an interface",
        "build the module with the SDK of this host, or update the host";
    NO_POLICY = "create.no-policy", Create, Warning,
        "a route without a policy this host knows is not served",
        "give the route a policy, or update the host";
    ROUTES = "create.routes", Create, Error,
        "the routes of the module cannot be put into the table",
        "mend the route templates the message names";

    MIGRATION_REFUSED = "run.migration-refused", Run, Error,
        "tables that are not what a build was written for would lose or mix up data",
        "do what the message says; `wharf migrate status` shows what the database has";
    MIGRATION_FAILED = "run.migration-failed", Run, Error,
        "a module without its tables cannot work, and nothing of the whole run was kept",
        "mend the statement the message names in a new build; the one before goes on";
    START_FAILED = "run.start-failed", Run, Error,
        "a module serves only after its start",
        "do what its message says, then reload it";
    START_DEADLINE = "run.start-deadline", Run, Error,
        "a module that does not come back would hold up all others",
        "look for work that never ends in its start, or raise plugins.start_timeout";
    UNHEALTHY = "run.unhealthy", Run, Error,
        "a build that says it cannot serve is not swapped in",
        "do what its message says, then reload it";
}
