//! `arm`: allows an install to send whose database was copied or restored.

use super::context::Shop;
use super::{Exit, Global, Out, key};
use crate::store::Access;

/// Writes a new arming key and tells the database.
pub async fn run(global: &Global, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let store = shop.store(Access::Writer).await?;
    let path = shop.config.arming_key_file.clone();
    key::arm(&store, &path).await?;
    store.close().await;
    if out.is_json() {
        out.object(&serde_json::json!({"armed": true, "key": path}))?;
    } else {
        out.line(format_args!(
            "armed: {} is the key of this install now",
            path.display()
        ))?;
        out.line("A running `aftercare serve` has to be restarted. Whatever sent from this database before must not send any more.")?;
    }
    Ok(Exit::Fine)
}
