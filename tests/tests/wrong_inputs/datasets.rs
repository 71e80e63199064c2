//! Uploads that are not what they say.

use std::path::Path;

use bytes::Bytes;
use tonic::Status;
use tonic::transport::Channel;
use umbra_core::digest::Digest;
use umbra_data::Schema;
use umbra_proto::error::Reason;
use umbra_proto::v1::dataset_service_client::DatasetServiceClient;
use umbra_proto::v1::upload_dataset_request::Part;
use umbra_proto::{CHUNK, v1};

use crate::speaking::{channel, converse, refused, refused_fields};

fn header(name: &str, content: &Digest, bytes: &[u8]) -> v1::UploadDatasetHeader {
    v1::UploadDatasetHeader {
        name: name.into(),
        digest: content.to_string(),
        sha256: Digest::of(bytes).as_bytes().to_vec(),
        size: bytes.len() as u64,
    }
}

async fn send(channel: &Channel, parts: Vec<Part>) -> Result<v1::Dataset, Status> {
    let parts = parts.into_iter().map(|part| v1::UploadDatasetRequest { part: Some(part) });
    let mut client = DatasetServiceClient::new(channel.clone());
    let answer = client.upload_dataset(tokio_stream::iter(parts.collect::<Vec<_>>())).await?;
    Ok(answer.into_inner().dataset.expect("an answer names the data set"))
}

fn parts(header: v1::UploadDatasetHeader, bytes: &[u8]) -> Vec<Part> {
    let chunks = bytes.chunks(CHUNK).map(|chunk| Part::Chunk(Bytes::copy_from_slice(chunk)));
    std::iter::once(Part::Header(header)).chain(chunks).collect()
}

/// The bundled table, encoded.
fn encoded() -> (Vec<u8>, Digest) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let schema = std::fs::read_to_string(data.join("support2.schema.toml")).expect("it is bundled");
    let schema = Schema::parse(&schema, "schema").expect("it is right");
    let imported = umbra_data::import(data.join("support2.parquet"), &schema).expect("it is right");
    (imported.bytes.to_vec(), imported.digest)
}

#[test]
fn nothing_of_a_wrong_upload_is_registered() {
    converse(|mut cluster| async move {
        let channel = channel(&cluster).await;
        let (good, content) = encoded();
        let other = Digest::of(b"other");

        let garbage: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let upload = parts(header("icu", &content, &garbage), &garbage);
        refused(send(&channel, upload).await, Reason::InvalidArgument, "garbage");
        for at in [9, good.len() / 2, good.len() - 1] {
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            let upload = parts(header("icu", &content, &flipped), &flipped);
            let status = send(&channel, upload).await.expect_err("a flipped bit");
            let reason = Reason::of(&status);
            let known = [Reason::InvalidArgument, Reason::DigestMismatch];
            assert!(reason.is_some_and(|reason| known.contains(&reason)), "bit at {at}: {status:?}");
        }
        let cut = &good[..good.len() / 3];
        let upload = parts(header("icu", &content, cut), cut);
        refused(send(&channel, upload).await, Reason::InvalidArgument, "the beginning alone");
        let upload = parts(header("icu", &other, &good), &good);
        refused(send(&channel, upload).await, Reason::DigestMismatch, "another content");
        let lie =
            v1::UploadDatasetHeader { sha256: other.as_bytes().to_vec(), ..header("icu", &content, &good) };
        refused(send(&channel, parts(lie, &good)).await, Reason::DigestMismatch, "other bytes");

        let chunk = |bytes: &[u8]| Part::Chunk(Bytes::copy_from_slice(bytes));
        let first = || Part::Header(header("icu", &content, &good));
        refused_fields(send(&channel, vec![]).await, &["header"], "nothing");
        refused_fields(send(&channel, vec![chunk(&good[..9])]).await, &["header"], "no header");
        refused_fields(send(&channel, vec![first(), first()]).await, &["chunk"], "two headers");
        let large = vec![first(), chunk(&vec![0; CHUNK + 1])];
        refused_fields(send(&channel, large).await, &["chunk"], "a large chunk");
        let mut long = parts(header("icu", &content, &good), &good);
        long.push(chunk(b"more"));
        refused_fields(send(&channel, long).await, &["chunk"], "more than was announced");
        refused(
            send(&channel, vec![first(), chunk(&good[..9])]).await,
            Reason::Unavailable,
            "a broken stream",
        );

        let with = |change: &dyn Fn(&mut v1::UploadDatasetHeader)| {
            let mut header = header("icu", &content, &good);
            change(&mut header);
            vec![Part::Header(header), chunk(&good[..9])]
        };
        for name in ["", "..", "../icu", "ICU", "i cu", &"i".repeat(64)] {
            let wrong = with(&|header| header.name = name.to_owned());
            refused_fields(send(&channel, wrong).await, &["name"], name);
        }
        let empty = vec![Part::Header(v1::UploadDatasetHeader { size: 0, ..header("icu", &content, b"") })];
        refused_fields(send(&channel, empty).await, &["size"], "an empty set");
        let wrong = with(&|header| header.digest = "0x12".into());
        refused_fields(send(&channel, wrong).await, &["digest"], "no digest");
        let wrong = with(&|header| header.sha256 = vec![0; 31]);
        refused_fields(send(&channel, wrong).await, &["sha256"], "no SHA-256");
        let wrong = with(&|header| header.size = u64::MAX);
        refused(send(&channel, wrong).await, Reason::TooLarge, "an absurd size");

        let mut client = DatasetServiceClient::new(channel.clone());
        let list = client.list_datasets(v1::ListDatasetsRequest::default()).await.expect("it can be listed");
        assert_eq!(list.into_inner().datasets, []);

        // The same name, rightly used, works; with other content it is taken.
        let set = send(&channel, parts(header("icu", &content, &good), &good)).await.expect("it is right");
        assert_eq!((set.name.as_str(), set.digest), ("icu", content.to_string()));
        refused(
            send(&channel, parts(header("icu", &other, &good), &good)).await,
            Reason::AlreadyExists,
            "taken",
        );
        // The same bytes under another name and with a wrong digest take nothing from the one that is there.
        let lie = parts(header("other", &other, &good), &good);
        refused(send(&channel, lie).await, Reason::DigestMismatch, "the same bytes with another content");
        let gone = v1::DeleteDatasetRequest { name: "nobody".into() };
        refused(client.delete_dataset(gone).await, Reason::NotFound, "an unknown set");
        cluster.assert_healthy();

        drop((client, channel));
        let stored = cluster.stop().join("blobs/objects/dataset");
        let names: Vec<_> = std::fs::read_dir(stored).expect("there is a data set").collect();
        assert_eq!(names.len(), 1, "the right one is kept, and nothing else: {names:?}");
    });
}
