//! stub
use datafusion::prelude::*;
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    rt.block_on(async {
        let ctx = SessionContext::new();
        ctx.sql("select 1 as a order by a").await.unwrap().show().await.unwrap();
    });
}
