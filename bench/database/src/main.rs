//! The measured work on sea-orm and sqlx directly. Reads `CASE N` a line and answers with nanoseconds for each of N.

#[path = "work.rs"]
mod work;

use std::error::Error;
use std::io::{BufRead as _, Write as _};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("expected a database URL")?;
    let mut options = ConnectOptions::new(&url);
    options.sqlx_logging(false).max_connections(5);
    if url.starts_with("sqlite") {
        // As the host has them for spaces that are not kept.
        options.map_sqlx_sqlite_opts(|options| options.pragma("journal_mode", "WAL").pragma("synchronous", "OFF").pragma("temp_store", "MEMORY"));
    }
    let db = Database::connect(options).await?;
    db.execute_unprepared(work::drop_table()).await?;
    db.execute_unprepared(work::table(db.get_database_backend())).await?;
    work::fill(&db).await?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (case, count) = line.split_once(' ').ok_or("expected CASE N")?;
        let each = work::run(&db, case, count.parse()?).await?;
        println!("{each}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
