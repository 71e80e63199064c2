//! A worker whose strings the test pulls: it speaks the real protocol and makes logits up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use umbra_core::digest::Digest;
use umbra_core::membership::Membership;
use umbra_core::seed::{Purpose, Seed};
use umbra_data::Labels;
use umbra_data::logits::{LogitsHeader, encode};
use umbra_proto::v1::connect_request::Message as Say;
use umbra_proto::v1::connect_response::Message as Hear;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_proto::{PROTOCOL, v1};

use crate::place::Place;

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

pub struct Puppet<'p> {
    place: &'p Place,
    say: mpsc::Sender<v1::ConnectRequest>,
    hear: Streaming<v1::ConnectResponse>,
    heard: VecDeque<Hear>,
}

impl<'p> Puppet<'p> {
    pub async fn join(place: &'p Place, name: &str, slots: u32) -> Puppet<'p> {
        Self::join_with(place, name, slots, &["test-class"], &[]).await
    }

    pub async fn rejoin(place: &'p Place, name: &str, slots: u32, held: &[v1::Assign]) -> Puppet<'p> {
        Self::join_with(place, name, slots, &["test-class"], held).await
    }

    pub async fn join_with(
        place: &'p Place,
        name: &str,
        slots: u32,
        numerics: &[&str],
        held: &[v1::Assign],
    ) -> Puppet<'p> {
        Self::join_sized(place, name, &vec![0; slots as usize], numerics, held).await
    }

    /// With slots of so many bytes; 0 where they do not tell.
    pub async fn join_sized(
        place: &'p Place,
        name: &str,
        memory: &[u64],
        numerics: &[&str],
        held: &[v1::Assign],
    ) -> Puppet<'p> {
        let device = |(slot, &memory_bytes): (usize, &u64)| v1::SlotDevice {
            name: format!("device {slot}"),
            memory_bytes,
            ..v1::SlotDevice::default()
        };
        let sized = memory.iter().any(|&bytes| bytes > 0);
        let devices = if sized { memory.iter().enumerate().map(device).collect() } else { Vec::new() };
        let running = held.iter().map(|assign| v1::RunningPack {
            audit_id: assign.audit_id.clone(),
            pack: assign.pack,
            fence: assign.fence,
            slot: assign.slot,
            ..v1::RunningPack::default()
        });
        let hello = v1::Hello {
            worker_id: name.into(),
            protocol: PROTOCOL,
            version: "puppet".into(),
            slots: memory.len() as u32,
            numerics: numerics.iter().map(|&class| class.into()).collect(),
            running: running.collect(),
            host: "stage".into(),
            devices,
            store_id: String::new(),
        };
        let (say, said) = mpsc::channel(64);
        say.send(v1::ConnectRequest { message: Some(Say::Hello(hello)) }).await.unwrap();
        let mut client = WorkerServiceClient::new(place.channel.clone());
        let hear = client.connect(ReceiverStream::new(said)).await.unwrap().into_inner();
        let mut puppet = Self { place, say, hear, heard: VecDeque::new() };
        let welcome = puppet.next(|message| matches!(message, Hear::Welcome(_))).await;
        assert!(matches!(welcome, Hear::Welcome(welcome) if welcome.lease_milliseconds == 60_000));
        puppet
    }

    /// Says that these slots of so many have lost their device.
    pub async fn lose_slots(&self, slots: u32, lost: &[u32]) {
        let device = |slot| v1::SlotDevice {
            name: format!("device {slot}"),
            lost: if lost.contains(&slot) { "it fell off the bus".into() } else { String::new() },
            ..v1::SlotDevice::default()
        };
        let devices = (0..slots).map(device).collect();
        self.say(Say::Heartbeat(v1::Heartbeat { running: Vec::new(), devices })).await;
    }

    /// Says how many steps of a pack are done.
    pub async fn progress(&self, assign: &v1::Assign, steps_done: u64) {
        let running = v1::RunningPack {
            audit_id: assign.audit_id.clone(),
            pack: assign.pack,
            fence: assign.fence,
            slot: assign.slot,
            steps_done,
            samples: steps_done * 16,
            ..v1::RunningPack::default()
        };
        self.say(Say::Heartbeat(v1::Heartbeat { running: vec![running], devices: Vec::new() })).await;
    }

    /// Fails a pack on its device.
    pub async fn fail(&mut self, assign: &v1::Assign) {
        self.fail_with(assign, v1::FaultRetry::Elsewhere).await;
    }

    /// Fails a pack on its device, in a way that is tried again like this.
    pub async fn fail_with(&mut self, assign: &v1::Assign, retry: v1::FaultRetry) {
        let domain = v1::FaultDomain::Device.into();
        let fault = v1::Fault { domain, retry: retry.into(), message: "the device is lost".into() };
        let (audit_id, pack, fence) = (assign.audit_id.clone(), assign.pack, assign.fence);
        let outcome = Some(v1::report::Outcome::Failed(fault));
        self.say(Say::Report(v1::Report { audit_id, pack, fence, outcome })).await;
        self.next(|message| matches!(message, Hear::Acknowledge(ack) if ack.fence == fence)).await;
    }

    async fn say(&self, message: Say) {
        self.say.send(v1::ConnectRequest { message: Some(message) }).await.unwrap();
    }

    /// The next message of a kind; others wait their turn.
    async fn next(&mut self, wanted: impl Fn(&Hear) -> bool) -> Hear {
        if let Some(at) = self.heard.iter().position(&wanted) {
            return self.heard.remove(at).unwrap();
        }
        loop {
            let message = tokio::time::timeout(BOUND, self.hear.next()).await.expect("in time");
            let message = message.expect("the session goes on").unwrap().message.unwrap();
            if wanted(&message) {
                return message;
            }
            self.heard.push_back(message);
        }
    }

    /// Says hello twice in one session.
    pub async fn break_the_protocol(&self) {
        self.say(Say::Hello(v1::Hello::default())).await;
    }

    /// Waits until the coordinator ends the session.
    pub async fn ended(&mut self) {
        let ended = async { while let Some(Ok(_)) = self.hear.next().await {} };
        tokio::time::timeout(BOUND, ended).await.expect("in time");
    }

    pub async fn next_assignment(&mut self) -> v1::Assign {
        match self.next(|message| matches!(message, Hear::Assign(_))).await {
            Hear::Assign(assign) => assign,
            other => unreachable!("{other:?}"),
        }
    }

    pub async fn next_revoke(&mut self) -> v1::Revoke {
        match self.next(|message| matches!(message, Hear::Revoke(_))).await {
            Hear::Revoke(revoke) => revoke,
            other => unreachable!("{other:?}"),
        }
    }

    /// Takes and finishes so many packs.
    pub async fn work_off(&mut self, packs: u32) {
        for _ in 0..packs {
            let assign = self.next_assignment().await;
            self.finish(&assign).await;
        }
    }

    pub async fn finish(&mut self, assign: &v1::Assign) {
        self.finish_with(assign, 0.0).await;
    }

    /// Publishes logits that leak (`spoil` is added to one of them), reports and waits for the answer.
    pub async fn finish_with(&mut self, assign: &v1::Assign, spoil: f32) {
        let bytes = self.logits(assign, spoil, &[]);
        self.report(assign, bytes, vec![]).await;
    }

    async fn store_checkpoint(&self, assign: &v1::Assign, step: u64) -> v1::Checkpoint {
        let blob = self.write(assign, &format!("checkpoint-{step}"), step.to_le_bytes().to_vec()).await;
        v1::Checkpoint { step, fence: assign.fence, blob: Some(blob) }
    }

    /// Stores a checkpoint of a step and says so.
    pub async fn checkpoint(&self, assign: &v1::Assign, step: u64) {
        let checkpoint = self.store_checkpoint(assign, step).await;
        self.say(Say::Checkpointed(v1::Checkpointed {
            audit_id: assign.audit_id.clone(),
            pack: assign.pack,
            fence: assign.fence,
            checkpoint: Some(checkpoint),
        }))
        .await;
    }

    /// As if every shadow had diverged twice.
    pub async fn lose(&mut self, assign: &v1::Assign) {
        let lost: Vec<_> = (assign.first_shadow..assign.first_shadow + assign.shadows).collect();
        let bytes = self.logits(assign, f32::NAN, &lost);
        self.report(assign, bytes, lost).await;
    }

    async fn report(&mut self, assign: &v1::Assign, bytes: Vec<u8>, lost_shadows: Vec<u32>) {
        let blob = self.write(assign, "logits", bytes).await;
        let keeps = assign.spec.as_ref().and_then(|spec| spec.placement?.keep_weights) == Some(true);
        let weights = match keeps {
            true => Some(self.write(assign, "weights", assign.pack.to_le_bytes().to_vec()).await),
            false => None,
        };
        let done = v1::PackResult { blob: Some(blob), lost_shadows, weights, ..v1::PackResult::default() };
        self.done(assign, done).await;
    }

    /// Reports a result with weights that were never written.
    pub async fn finish_without_weights(&mut self, assign: &v1::Assign) {
        let blob = self.write(assign, "logits", self.logits(assign, 0.0, &[])).await;
        let weights = v1::Blob { key: blob.key.replace("/logits", "/weights"), ..blob.clone() };
        let done = v1::PackResult { blob: Some(blob), weights: Some(weights), ..v1::PackResult::default() };
        self.done(assign, done).await;
    }

    async fn done(&mut self, assign: &v1::Assign, done: v1::PackResult) {
        let report = v1::Report {
            audit_id: assign.audit_id.clone(),
            pack: assign.pack,
            fence: assign.fence,
            outcome: Some(v1::report::Outcome::Done(done)),
        };
        self.say(Say::Report(report)).await;
        let fence = assign.fence;
        self.next(|message| matches!(message, Hear::Acknowledge(ack) if ack.fence == fence)).await;
    }

    pub async fn release(&mut self, revoke: &v1::Revoke) {
        self.released(&revoke.audit_id, revoke.pack, revoke.fence, None).await;
    }

    /// Hands a pack back with a checkpoint of a step.
    pub async fn hand_back(&mut self, assign: &v1::Assign, step: u64) {
        let checkpoint = self.store_checkpoint(assign, step).await;
        self.released(&assign.audit_id, assign.pack, assign.fence, Some(checkpoint)).await;
    }

    async fn released(&mut self, audit: &str, pack: u32, fence: i64, checkpoint: Option<v1::Checkpoint>) {
        let outcome = Some(v1::report::Outcome::Released(v1::Released { checkpoint }));
        self.say(Say::Report(v1::Report { audit_id: audit.into(), pack, fence, outcome })).await;
        self.next(|message| matches!(message, Hear::Acknowledge(ack) if ack.fence == fence)).await;
    }

    async fn write(&self, assign: &v1::Assign, name: &str, bytes: Vec<u8>) -> v1::Blob {
        self.try_write(assign, name, bytes).await.unwrap()
    }

    pub async fn try_write(
        &self,
        assign: &v1::Assign,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<v1::Blob, tonic::Status> {
        use v1::write_blob_request::Part;
        let header = v1::WriteBlobHeader {
            fence: assign.fence,
            name: name.into(),
            sha256: Digest::of(&bytes).as_bytes().to_vec(),
            size: bytes.len() as u64,
            offset: 0,
        };
        let parts = [Part::Header(header), Part::Chunk(bytes.into())];
        let parts = parts.map(|part| v1::WriteBlobRequest { part: Some(part) });
        let mut client = WorkerServiceClient::new(self.place.channel.clone());
        let written = client.write_blob(tokio_stream::iter(parts)).await?;
        Ok(written.into_inner().blob.unwrap())
    }

    /// Standard normal logits for the label, of every view anew; members' are 1 higher.
    fn logits(&self, assign: &v1::Assign, spoil: f32, lost: &[u32]) -> Vec<u8> {
        let dataset = self.place.dataset();
        let spec = assign.spec.clone().unwrap();
        let shadows = spec.shadows.unwrap();
        let seed = Seed::new(spec.seed);
        let digests: Vec<_> = dataset.unit_digests().collect();
        let (count, block) = (shadows.count.unwrap(), shadows.block.unwrap());
        let membership = Membership::draw(&seed, count, block, digests.iter());
        let views = spec.queries.and_then(|queries| queries.views).unwrap_or(1);
        // Under the binary cross-entropy two classes have one logit.
        let loss = spec.training.as_ref().and_then(|training| training.loss.as_deref());
        let one = loss == Some("bce") && matches!(dataset.labels(), Labels::Class(_));
        let mut all = Vec::new();
        for shadow in assign.first_shadow..assign.first_shadow + assign.shadows {
            let mut stream = seed.stream(Purpose::Simulation, &[u64::from(shadow)]);
            let mut logits = Vec::new();
            let units = dataset.record_units().iter().enumerate();
            for (record, &unit) in units.flat_map(|each| std::iter::repeat_n(each, views as usize)) {
                let member = f32::from(u8::from(membership.is_in(shadow, unit as usize)));
                let mut signed = |holds: bool| {
                    let margin = stream.normal_f64() as f32 + member;
                    if holds { margin } else { -margin }
                };
                match dataset.labels() {
                    Labels::Class(classes) => {
                        let margin = signed(classes[record] == 1);
                        if !one {
                            logits.push(0.0);
                        }
                        logits.push(margin);
                    }
                    Labels::Several { labels, count } => {
                        logits.extend(
                            labels[record * count..][..count].iter().map(|&label| signed(label == 1)),
                        );
                    }
                }
            }
            logits[usize::from(!one)] += spoil;
            if lost.contains(&shadow) {
                logits.fill(f32::NAN);
            }
            all.push(logits);
        }
        let header = LogitsHeader {
            first_shadow: assign.first_shadow,
            shadows: assign.shadows,
            records: dataset.shape().records,
            queries: views,
            classes: if one { 1 } else { 2 },
            lost: lost.to_vec(),
        };
        encode(&header, &all.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }
}
