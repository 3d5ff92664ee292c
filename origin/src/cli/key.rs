//! `skylark-origin key …`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use skylark_protocol::StreamId;

use super::Data;
use crate::{
    db::{Db, KeySelector, ListedKey, NewKey},
    folder,
    secret::{KEY_PREFIX, KeyHash, Passphrase},
};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Makes a key, and a stream that it publishes to. The key is shown this once.
    Create {
        #[command(flatten)]
        data: Data,
        /// What you call it.
        #[arg(long, default_value = "")]
        name: String,
        /// Prints `<stream-id> <key>` and nothing else.
        #[arg(long)]
        quiet: bool,
        /// Makes another key of this stream, not a new stream.
        #[arg(long, value_name = "ID")]
        stream: Option<StreamId>,
        /// File with a passphrase (10 to 79 characters) that SRT callers with this key must use. The server reads it
        /// when they call.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Lists streams and the numbers and names of their keys.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Revokes keys: publishers who use them are closed within two seconds.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// A key's number, a stream's id (all of its keys), or a key itself.
        #[arg(value_name = "NUMBER|STREAM|KEY")]
        which: String,
    },
}

impl KeyCommand {
    pub(super) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::Create { data, name, quiet, stream, passphrase_file } => {
                    let passphrase_file = passphrase_file.as_deref().map(passphrase_path).transpose()?;
                    let db = open(&data, true).await?;
                    create(&db, NewKey { stream, name, passphrase_file }, quiet).await
                }
                Self::List { data } => {
                    let keys = open(&data, false).await?.list_keys().await?;
                    print!("{}", table(&keys));
                    Ok(())
                }
                Self::Revoke { data, which } => revoke(&open(&data, false).await?, &which).await,
            }
        })
    }
}

async fn open(data: &Data, create: bool) -> Result<Db> {
    if create {
        folder::create(&data.data)?;
    } else if !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    Ok(Db::open(&data.data).await?)
}

/// The absolute path of a file that holds a usable passphrase.
fn passphrase_path(path: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Passphrase::new(&text).with_context(|| format!("{} cannot be used", path.display()))?;
    Ok(std::path::absolute(path)?)
}

async fn create(db: &Db, new: NewKey, quiet: bool) -> Result<()> {
    let (stream, key) = db.create_key(new).await?;
    if quiet {
        println!("{stream} {}", key.reveal());
    } else {
        println!("stream  {stream}");
        println!("key     {}", key.reveal());
        println!("\nThe key is not shown again: keep it like a password.");
    }
    Ok(())
}

fn table(keys: &[ListedKey]) -> String {
    let mut text = format!("{:>6}  {:12}  {:20}  {:7}  {}\n", "NUMBER", "STREAM", "MADE", "STATE", "NAME");
    for key in keys {
        let state = if key.revoked_at_ms.is_some() { "revoked" } else { "valid" };
        let made = crate::clock::utc(key.created_at_ms);
        let name: String = key.name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let line = format!("{:>6}  {:12}  {made:20}  {state:7}  {name}", key.id, key.stream);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

async fn revoke(db: &Db, which: &str) -> Result<()> {
    let (selector, shown) = if which.starts_with(KEY_PREFIX) {
        (KeySelector::Hash(KeyHash::of(which)), "that key".to_owned())
    } else if let Ok(stream) = which.parse::<StreamId>() {
        (KeySelector::Stream(stream), format!("stream {which}"))
    } else if let Ok(number) = which.parse() {
        (KeySelector::Id(number), format!("number {which}"))
    } else {
        bail!("`{which}` is neither a key's number, nor a stream's id, nor a key");
    };
    match db.revoke(&selector).await? {
        0 => bail!("no valid key found for {shown}"),
        1 => println!("1 key revoked"),
        many => println!("{many} keys revoked"),
    }
    Ok(())
}
