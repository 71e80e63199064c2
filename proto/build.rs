//! Compiles the protos with protox: no protoc is needed.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=umbra");
    let files = [
        "umbra/v1/audit.proto",
        "umbra/v1/cluster.proto",
        "umbra/v1/dataset.proto",
        "umbra/v1/findings.proto",
        "umbra/v1/worker.proto",
        "umbra/store/v1/store.proto",
    ];
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("umbra_descriptor.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Connections are made elsewhere; `connect` is a call of ours.
        .build_transport(false)
        .bytes(".umbra.v1.UploadDatasetRequest")
        .bytes(".umbra.v1.BackupResponse")
        .bytes(".umbra.v1.DownloadFileResponse")
        .bytes(".umbra.v1.ReadBlobResponse")
        .bytes(".umbra.v1.WriteBlobRequest")
        .bytes(".umbra.store.v1.BackupEntry")
        .compile_fds(descriptors)?;
    Ok(())
}
