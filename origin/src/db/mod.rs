//! The database: streams, hashes of their keys, and what went wrong with their publishers. SQLite.
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | streams and keys: create, list, revoke, look up by hash |
//! | [`owned`] | streams that belong to a Nostr key; whom the server belongs to |
//! | [`endings`] | ends signed ahead, small pictures, what is measured of streams |
//! | [`gates`] | who may watch private streams |
//! | [`errors`] | the ingest error log of each stream |

pub mod endings;
pub mod errors;
pub mod gates;
pub mod keys;
pub mod owned;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use endings::{Ending, Sample, Thumbnail};
pub use errors::LoggedError;
pub use keys::{KeyRecord, KeySelector, ListedKey, NewKey, StreamCursor};
pub use owned::{Listing, OwnedStream};

/// Name of the database in the data folder.
pub const FILE_NAME: &str = "skylark.db";
/// Connections at once: admissions wait for each other rather than for a disk that is busy with many.
const MAX_CONNECTIONS: u32 = 4;
/// How long a statement waits while another process (such as `key create`) writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: SqlitePool,
}

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It cannot be opened: damaged, locked, of another program, or not readable.
    #[error("cannot use the database {path}: {reason}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Statement(#[from] sqlx::Error),
    /// The system gives no random bytes for a key.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// There is no such stream.
    #[error("there is no stream {0}")]
    NoSuchStream(String),
}

impl Db {
    /// Opens or creates the database in a data folder that exists, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be used; the error says why.
    pub async fn open(data: &Path) -> Result<Self, DbError> {
        let path = data.join(FILE_NAME);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            // Readers and the command line work while the server writes.
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A file does not hang up: asking before every statement whether it is still there costs as much again.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|error| open_error(&path, &error))?;
        let db = Self { pool };
        db.migrate().await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => open_error(&path, &error),
            other => DbError::Open { path: path.clone(), reason: migration_reason(&other) },
        })?;
        Ok(db)
    }

    /// An empty database in memory, for tests.
    ///
    /// # Errors
    /// When SQLite cannot be used at all.
    pub async fn memory() -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // The connection is the database. A check of it that is cut short, as by a test's own time, would end both.
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(24 * 60 * 60))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        let db = Self { pool };
        db.migrate()
            .await
            .map_err(|error| DbError::Open { path: PathBuf::from(":memory:"), reason: error.to_string() })?;
        Ok(db)
    }

    async fn migrate(&self) -> Result<(), MigrateError> {
        MIGRATIONS.run(&self.pool).await
    }

    /// Its connections, for rooms that have tables of their own.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Writes everything down and closes.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn open_error(path: &Path, error: &sqlx::Error) -> DbError {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    let reason = match code.as_deref() {
        // SQLite's primary result codes; extended ones carry them in the low byte.
        Some(code) if primary(code) == Some(11) => "it is damaged: restore it from a copy, or move it away".to_owned(),
        Some(code) if primary(code) == Some(26) => "this file is not a SQLite database".to_owned(),
        Some(code) if primary(code) == Some(5) => {
            format!("another program has locked it for more than {} s", BUSY_TIMEOUT.as_secs())
        }
        Some(code) if primary(code) == Some(14) => "it cannot be opened: check the folder and its owner".to_owned(),
        _ => error.to_string(),
    };
    DbError::Open { path: path.to_owned(), reason }
}

fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn migration_reason(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) => {
            format!("it was written by a newer Skylark (migration {version} is unknown here)")
        }
        other => other.to_string(),
    }
}

/// Unix milliseconds by the system's clock: what several processes agree on.
pub(crate) fn now_ms() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
