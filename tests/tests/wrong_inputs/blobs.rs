//! Blobs written under fences that are stale, and bytes that are not what they say.

use bytes::Bytes;
use tonic::Status;
use tonic::transport::Channel;
use umbra_core::digest::Digest;
use umbra_proto::error::Reason;
use umbra_proto::v1::connect_request::Message as Say;
use umbra_proto::v1::connect_response::Message as Hear;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_proto::v1::write_blob_request::Part;
use umbra_proto::{CHUNK, v1};
use umbra_tests::Audit;

use crate::sessions::{Session, hello};
use crate::speaking::{channel, converse, refused, refused_fields};

fn header(fence: i64, name: &str, bytes: &[u8]) -> v1::WriteBlobHeader {
    let sha256 = Digest::of(bytes).as_bytes().to_vec();
    v1::WriteBlobHeader { fence, name: name.into(), sha256, size: bytes.len() as u64, offset: 0 }
}

async fn write(channel: &Channel, header: v1::WriteBlobHeader, chunks: &[&[u8]]) -> Result<v1::Blob, Status> {
    let chunks = chunks.iter().map(|chunk| Part::Chunk(Bytes::copy_from_slice(chunk)));
    let parts = std::iter::once(Part::Header(header)).chain(chunks);
    let parts: Vec<_> = parts.map(|part| v1::WriteBlobRequest { part: Some(part) }).collect();
    let answer = WorkerServiceClient::new(channel.clone()).write_blob(tokio_stream::iter(parts)).await?;
    Ok(answer.into_inner().blob.expect("an answer names the blob"))
}

async fn read(channel: &Channel, key: &str, offset: u64) -> Result<Vec<u8>, Status> {
    let request = v1::ReadBlobRequest { key: key.into(), offset };
    let mut chunks = WorkerServiceClient::new(channel.clone()).read_blob(request).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(answer) = chunks.message().await? {
        bytes.extend_from_slice(&answer.chunk);
    }
    Ok(bytes)
}

/// A worker that is given a pack and does everything wrong with it. A real one finishes the audit.
#[test]
fn a_live_fence_writes_its_own_blobs_only_and_a_replayed_one_nothing() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        for fence in [0, -1, 1, i64::MIN, i64::MAX] {
            let stale = write(&channel, header(fence, "logits", b"x"), &[b"x"]).await;
            refused(stale, Reason::StaleFence, "a fence nobody gave");
        }
        let id = cluster.submit(&Audit::tiny());
        let mut session = Session::open(&channel, Some(Say::Hello(hello("liar")))).await;
        let assign = loop {
            match session.hear().await.expect("the session goes on") {
                Some(Hear::Assign(assign)) => break assign,
                Some(Hear::Welcome(_)) => {}
                other => panic!("no assignment but {other:?}"),
            }
        };
        let fence = assign.fence;
        wrong_writes(&channel, fence).await;

        // What is right is stored, once: again it is there, with other bytes it is taken.
        let blob = write(&channel, header(fence, "checkpoint-1", b"right"), &[b"ri", b"ght"])
            .await
            .expect("it is right");
        assert_eq!(blob.key, format!("audit/{id}/pack-{}/fence-{fence}/checkpoint-1", assign.pack));
        let again =
            write(&channel, header(fence, "checkpoint-1", b"right"), &[b"right"]).await.expect("it is there");
        assert_eq!(again, blob);
        let other = write(&channel, header(fence, "checkpoint-1", b"other"), &[b"other"]).await;
        refused(other, Reason::AlreadyExists, "other bytes under a key that is taken");
        assert_eq!(read(&channel, &blob.key, 2).await.expect("it is there"), b"ght");
        wrong_reads(&channel, &blob.key).await;

        // A result that is not there fails that attempt; the fence is spent.
        let logits =
            v1::Blob { key: blob.key.replace("checkpoint-1", "logits"), sha256: vec![7; 32], size: 1 };
        let result = v1::PackResult { blob: Some(logits), ..Default::default() };
        let outcome = Some(v1::report::Outcome::Done(result));
        let report = v1::Report { audit_id: id.clone(), pack: assign.pack, fence, outcome };
        session.say(Say::Report(report)).await;
        while !matches!(session.hear().await, Ok(Some(Hear::Acknowledge(known))) if known.fence == fence) {}
        let replayed = write(&channel, header(fence, "logits", b"late"), &[b"late"]).await;
        refused(replayed, Reason::StaleFence, "a replayed fence");
        let sha256 = Digest::of(b"late").as_bytes().to_vec();
        let status = v1::GetWriteStatusRequest { fence, name: "logits".into(), sha256 };
        let status = WorkerServiceClient::new(channel.clone()).get_write_status(status).await;
        refused(status, Reason::StaleFence, "the status of a replayed fence");

        session.say(Say::Bye(v1::Bye {})).await;
        session.end().await;
        let _worker = cluster.worker("honest", 2);
        cluster.findings(&id);
        cluster.assert_healthy();
    });
}

async fn wrong_writes(channel: &Channel, fence: i64) {
    for name in ["", "a/b", "..", "../../x", "Logits", "a\0", "notes", "checkpoint-x", &"n".repeat(200)] {
        let answer = write(channel, header(fence, name, b"x"), &[b"x"]).await;
        refused_fields(answer, &["name"], name);
    }
    let large = vec![0; CHUNK + 1];
    let answer = write(channel, header(fence, "checkpoint-1", &large), &[&large]).await;
    refused_fields(answer, &["chunk"], "a large chunk");
    let answer = write(channel, header(fence, "checkpoint-1", b"xx"), &[b"xxx"]).await;
    refused_fields(answer, &["chunk"], "more than was announced");
    let short = write(channel, header(fence, "checkpoint-1", b"xxx"), &[b"x"]).await;
    refused(short, Reason::Unavailable, "a broken stream");
    let other = write(channel, header(fence, "checkpoint-1", b"announced"), &[b"different"]).await;
    refused(other, Reason::DigestMismatch, "other bytes");
    let ahead = v1::WriteBlobHeader { offset: 5, ..header(fence, "checkpoint-1", b"123456789") };
    refused_fields(write(channel, ahead, &[b"6789"]).await, &["offset"], "a gap");
    let nothing = write(channel, header(fence, "checkpoint-1", b""), &[]).await;
    refused_fields(nothing, &["size"], "no bytes");
    let digest = v1::WriteBlobHeader { sha256: vec![1; 5], ..header(fence, "checkpoint-1", b"x") };
    refused_fields(write(channel, digest, &[b"x"]).await, &["sha256"], "no SHA-256");
    for (name, size) in [("logits", 1 << 40), ("checkpoint-1", (4 << 30) + 1)] {
        let large = v1::WriteBlobHeader { size, ..header(fence, name, b"x") };
        refused(write(channel, large, &[b"x"]).await, Reason::TooLarge, "more than a pack can have");
    }
    // So small a pack has no checkpoints: the one it is handed back with, and the result.
    write(channel, header(fence, "logits", b"xx"), &[b"x"]).await.expect_err("it is not whole");
    let third = write(channel, header(fence, "checkpoint-2", b"x"), &[b"x"]).await;
    refused(third, Reason::TooLarge, "a third blob");
    let huge = v1::WriteBlobHeader { size: u64::MAX, ..header(fence, "checkpoint-1", b"x") };
    refused(write(channel, huge, &[b"x"]).await, Reason::TooLarge, "an absurd size");
}

async fn wrong_reads(channel: &Channel, key: &str) {
    for wrong in ["", "/", "../meta.redb", "..", "audit/../../meta.redb", "/etc/passwd", "a\0b"] {
        refused_fields(read(channel, wrong, 0).await, &["key"], wrong);
    }
    refused(
        read(channel, "audit/nobody-12345678/pack-0/fence-1/logits", 0).await,
        Reason::NotFound,
        "nothing",
    );
    refused(read(channel, key, u64::MAX).await, Reason::InvalidArgument, "beyond the end");
}
