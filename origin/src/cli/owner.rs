//! `skylark-origin owner`

use anyhow::{Context as _, Result};
use clap::Args;
use skylark_protocol::nip19::Entity;

use super::Data;
use crate::{config::public_key, db::Db, folder};

/// Says whom this server belongs to, or sets it: that key may create streams. Works while the server runs.
#[derive(Debug, Args)]
pub(super) struct OwnerCommand {
    #[command(flatten)]
    data: Data,
    /// Whom it belongs to from now on: a public key, as `npub1…` or 64 hexadecimal digits.
    #[arg(value_name = "NPUB")]
    owner: Option<String>,
}

impl OwnerCommand {
    pub(super) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            folder::create(&self.data.data)?;
            let db = Db::open(&self.data.data).await?;
            if let Some(text) = &self.owner {
                let owner = public_key(text).context("this is no public key: npub1…, or 64 hexadecimal digits")?;
                db.set_owner(&owner).await?;
            }
            match db.owner().await? {
                Some(owner) => println!("{}", Entity::npub(&owner)),
                None => println!("nobody yet"),
            }
            Ok(())
        })
    }
}
