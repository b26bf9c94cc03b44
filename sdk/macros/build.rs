//! Tells the macros which compiler they are built with.
fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok());
    println!("cargo:rustc-env=WHARF_RUSTC={}", version.as_deref().unwrap_or("unknown").trim());
    println!("cargo:rustc-env=WHARF_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    println!("cargo:rerun-if-changed=build.rs");
}
