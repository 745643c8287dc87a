//! The bytes of clips: in a folder or a bucket, each named by the SHA-256 of what it is.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};

use super::bucket;
use crate::config::{ClipStorage, Config};
use crate::operation::content::hex;

/// The store.
#[derive(Clone, Debug)]
pub struct ClipStore {
    objects: Arc<dyn ObjectStore>,
}

/// Why bytes could not be stored, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ClipStoreError {
    /// They are not there.
    #[error("the store has no audio with this hash")]
    Missing,
    /// Others are there.
    #[error("the store has {found} bytes under this hash instead of {expected}")]
    Damaged {
        /// How many there are.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// The folder or the bucket does not do it.
    #[error("the store of clips failed: {0}")]
    Failed(#[source] object_store::Error),
}

impl From<object_store::Error> for ClipStoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Failed(error),
        }
    }
}

impl ClipStore {
    /// Prepares the store: makes the folder, for this account alone, or the way to the bucket.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let objects: Arc<dyn ObjectStore> = match &config.clips {
            ClipStorage::Folder(folder) => {
                make_private(folder).with_context(|| format!("the folder for clips, {}", folder.display()))?;
                // Written beside, synchronised and renamed, folder included: what is stored survives a power cut.
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
            }
            ClipStorage::Bucket(bucket) => {
                Arc::new(PrefixStore::new(bucket::open(bucket)?, Name::from(bucket.prefix.as_str())))
            }
        };
        Ok(Self { objects })
    }

    /// Stores a clip's bytes; when it returns, they are kept. Storing them again changes nothing.
    pub async fn put(&self, content_hash: &[u8; 32], audio: Bytes) -> Result<(), ClipStoreError> {
        self.objects.put(&name(content_hash), audio.into()).await?;
        Ok(())
    }

    /// How many bytes are kept under a hash; `None`: there are none.
    pub async fn size(&self, content_hash: &[u8; 32]) -> Result<Option<u64>, ClipStoreError> {
        match self.objects.head(&name(content_hash)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a clip's bytes. Removing what is not there is no error.
    pub async fn delete(&self, content_hash: &[u8; 32]) -> Result<(), ClipStoreError> {
        match self.objects.delete(&name(content_hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a range of a clip of this size, piece by piece: never the whole of it in memory.
    pub async fn read(
        &self,
        content_hash: &[u8; 32],
        size: u64,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, ClipStoreError> {
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let object = self.objects.get_opts(&name(content_hash), options).await?;
        if object.meta.size != size {
            return Err(ClipStoreError::Damaged { found: object.meta.size, expected: size });
        }
        Ok(object.into_stream())
    }
}

/// With an ending, so that a person can play what is in the folder.
fn name(content_hash: &[u8; 32]) -> Name {
    Name::from(format!("{}.mp3", hex(content_hash)))
}

/// Makes a folder that nobody else may look into. One that is there already is closed to others as well.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    set_permissions(folder, Permissions::from_mode(0o700))
}
