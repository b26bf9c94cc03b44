//! Serves two linked-in modules on 127.0.0.1:8080 until Ctrl-C: `cargo run -p embedded-host`, then
//! `curl http://127.0.0.1:8080/hello/Ada`. The address may be given as the first argument.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    // The example's own folder, beside the one of `make run`.
    let running = embedded_host::start(address, PathBuf::from(".wharf/embedded")).await?;
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
