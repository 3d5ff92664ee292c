//! A disk of its own, small and in memory, that can be filled. Needs root, as the container that tests run in has it.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::Path,
    process::Command,
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

/// A disk; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of this size, mebibytes.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn of_mib(size: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-disk-").tempdir()?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]).arg(folder.path());
        ensure!(command.status()?.success(), "a disk that is full takes a small one: run this as root");
        Ok(Self(folder))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte, as another program does.
    ///
    /// # Errors
    /// When it cannot be written to at all.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.path().join("another program's"))?;
        let block = vec![1; 64 << 10];
        loop {
            match file.write(&block) {
                Ok(1..) => {}
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still has a file open there keeps it until then.
        let status = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.path().display());
        }
    }
}
