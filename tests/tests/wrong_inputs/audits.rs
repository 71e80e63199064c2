//! Specifications, names and pages that make no sense.

use tonic::Code;
use umbra_proto::error::{Reason, violations};
use umbra_proto::v1;
use umbra_proto::v1::audit_service_client::AuditServiceClient;
use umbra_proto::v1::findings_service_client::FindingsServiceClient;

use crate::speaking::{channel, converse, import, refused, refused_fields, spec};

fn request(spec: v1::AuditSpec) -> v1::CreateAuditRequest {
    v1::CreateAuditRequest { spec: Some(spec), request_id: "r".into() }
}

#[test]
fn every_mistake_of_a_specification_is_named_at_once() {
    converse(|cluster| async move {
        let mut audits = AuditServiceClient::new(channel(&cluster).await);
        let mut wrong = spec("No Such");
        wrong.name = "UPPER".into();
        wrong.model =
            Some(v1::ModelSpec { architecture: "forest".into(), widths: vec![], ..Default::default() });
        wrong.training = Some(v1::TrainingSpec {
            optimizer: Some("lion".into()),
            learning_rate: Some(f64::NAN),
            momentum: Some(f64::INFINITY),
            weight_decay: Some(-1.0),
            schedule: Some("sometimes".into()),
            warmup_epochs: Some(1e300),
            batch: Some(0),
            epochs: Some(u32::MAX),
            ..v1::TrainingSpec::default()
        });
        wrong.shadows = Some(v1::ShadowSpec { count: Some(17), block: Some(9), population: Some(0.6) });
        wrong.queries = Some(v1::QuerySpec { views: Some(0) });
        wrong.statistics = Some(v1::StatisticsSpec {
            attacks: vec!["rmja".into()],
            variance: Some("none".into()),
            fdr: Some(f64::NAN),
            ..v1::StatisticsSpec::default()
        });
        wrong.placement =
            Some(v1::PlacementSpec { pack: Some(0), checkpoint_steps: Some(0), ..Default::default() });
        let status = refused(audits.create_audit(request(wrong)).await, Reason::InvalidArgument, "all wrong");
        let mut fields: Vec<_> = violations(&status).into_iter().map(|violation| violation.field).collect();
        fields.sort_unstable();
        fields.dedup();
        let expected = [
            "dataset.name",
            "model.architecture",
            "name",
            "placement.checkpoint_steps",
            "placement.pack",
            "queries.views",
            "shadows.block",
            "shadows.population",
            "statistics.attacks",
            "statistics.fdr",
            "statistics.variance",
            "training.batch",
            "training.epochs",
            "training.learning_rate",
            "training.optimizer",
            "training.schedule",
            "training.warmup_epochs",
            "training.weight_decay",
        ];
        assert_eq!(fields, expected);

        let absent = v1::CreateAuditRequest { spec: None, request_id: "r".into() };
        let status = refused(audits.create_audit(absent).await, Reason::InvalidArgument, "no specification");
        assert!(violations(&status).len() > 3, "{status:?}");
        for id in ["", &"x".repeat(129)] {
            let request = v1::CreateAuditRequest { request_id: id.into(), ..request(spec("icu")) };
            refused_fields(audits.create_audit(request).await, &["request_id"], "a request id");
        }
        let huge =
            v1::ModelSpec { architecture: "mlp".into(), widths: vec![u32::MAX; 1000], ..Default::default() };
        let huge = v1::AuditSpec { model: Some(huge), ..spec("icu") };
        refused_fields(audits.create_audit(request(huge)).await, &["model.widths"], "a huge model");
        refused(audits.create_audit(request(spec("icu"))).await, Reason::NotFound, "an unknown data set");
        // More than a message may hold is refused by the transport, before anything reads it.
        let bloated = v1::AuditSpec { name: "x".repeat(8 << 20), ..spec("icu") };
        let status = audits.create_audit(request(bloated)).await.expect_err("a bloated message");
        assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status:?}");

        let list = audits.list_audits(v1::ListAuditsRequest::default()).await.expect("it can be listed");
        assert_eq!(list.into_inner().audits, []);
        cluster.assert_healthy();
    });
}

#[test]
fn one_request_id_is_one_audit() {
    converse(|cluster| async move {
        import(&cluster);
        let mut audits = AuditServiceClient::new(channel(&cluster).await);
        let first = audits.create_audit(request(spec("icu"))).await.expect("it is right").into_inner();
        let again = audits.create_audit(request(spec("icu"))).await.expect("it is there").into_inner();
        assert_eq!(first.audit.map(|audit| audit.id), again.audit.map(|audit| audit.id));
        let other = v1::AuditSpec { seed: 2, ..spec("icu") };
        refused(audits.create_audit(request(other)).await, Reason::AlreadyExists, "another specification");
        let list = audits.list_audits(v1::ListAuditsRequest::default()).await.expect("it can be listed");
        assert_eq!(list.into_inner().audits.len(), 1);
        cluster.assert_healthy();
    });
}

#[test]
fn names_that_name_nothing_are_refused() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let mut audits = AuditServiceClient::new(channel.clone());
        let mut findings = FindingsServiceClient::new(channel);
        let long = "a".repeat(100_000);
        for (id, reason) in [
            ("nobody-12345678", Reason::NotFound),
            ("", Reason::InvalidArgument),
            ("../../meta.redb", Reason::InvalidArgument),
            ("a\0b", Reason::InvalidArgument),
            ("ümlaut-12345678", Reason::InvalidArgument),
            (&long, Reason::InvalidArgument),
        ] {
            let id = || id.to_owned();
            let get = audits.get_audit(v1::GetAuditRequest { id: id() }).await;
            let status = refused(get, reason, "get");
            assert!(status.message().len() < 500, "a long name is not repeated in full");
            refused(audits.cancel_audit(v1::CancelAuditRequest { id: id() }).await, reason, "cancel");
            refused(audits.delete_audit(v1::DeleteAuditRequest { id: id() }).await, reason, "delete");
            let watch = v1::WatchAuditRequest { id: id(), after_revision: u64::MAX };
            refused(audits.watch_audit(watch).await, reason, "watch");
            let summary = v1::GetSummaryRequest { audit_id: id() };
            refused(findings.get_summary(summary).await, reason, "summary");
            refused(findings.list_files(v1::ListFilesRequest { audit_id: id() }).await, reason, "files");
            let name = "../../meta.redb".to_owned();
            let download = v1::DownloadFileRequest { audit_id: id(), name, offset: u64::MAX };
            refused(findings.download_file(download).await, reason, "download");
        }
        let page = v1::ListAuditsRequest { page_token: "nobody".into(), ..Default::default() };
        refused_fields(audits.list_audits(page).await, &["page_token"], "a page nobody gave");
        let state = v1::ListAuditsRequest { state: 99, ..Default::default() };
        refused_fields(audits.list_audits(state).await, &["state"], "a state nobody knows");
        let size = v1::ListAuditsRequest { page_size: u32::MAX, ..Default::default() };
        assert!(audits.list_audits(size).await.is_ok(), "a large page is a full page");
        cluster.assert_healthy();
    });
}

#[test]
fn findings_are_not_there_before_their_time() {
    converse(|cluster| async move {
        import(&cluster);
        let channel = channel(&cluster).await;
        let mut audits = AuditServiceClient::new(channel.clone());
        let mut findings = FindingsServiceClient::new(channel);
        let created = audits.create_audit(request(spec("icu"))).await.expect("it is right").into_inner();
        let id = created.audit.expect("it names the audit").id;
        let audit_id = || id.clone();
        let summary = v1::GetSummaryRequest { audit_id: audit_id() };
        refused(findings.get_summary(summary).await, Reason::WrongState, "summary");
        let files = v1::ListFilesRequest { audit_id: audit_id() };
        refused(findings.list_files(files).await, Reason::WrongState, "files");
        refused(
            audits.delete_audit(v1::DeleteAuditRequest { id: audit_id() }).await,
            Reason::WrongState,
            "delete",
        );

        let _worker = cluster.worker("a", 2);
        cluster.findings(&id);
        for (name, offset, reason) in [
            ("../../meta.redb", 0, Reason::NotFound),
            ("", 0, Reason::NotFound),
            ("summary.json", u64::MAX, Reason::InvalidArgument),
        ] {
            let name = name.to_owned();
            let download = v1::DownloadFileRequest { audit_id: audit_id(), name, offset };
            refused(findings.download_file(download).await, reason, "download");
        }
        refused(
            audits.cancel_audit(v1::CancelAuditRequest { id: audit_id() }).await,
            Reason::WrongState,
            "cancel",
        );
        cluster.assert_healthy();
    });
}
