//! `umbra cluster status`.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::Response;
use umbra_proto::v1;

use crate::exit::{Exit, Failure};
use crate::human;
use crate::output::{Output, pairs, plain, table};
use crate::remote::{Remote, ServerArgs, ask};

/// How long a coordinator may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Arguments of `umbra cluster status`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 0 if one of the coordinators leads, else with 4.\n\nExamples:\n  umbra cluster \
                        status\n  umbra cluster status --server \
                        https://a:7443,https://b:7443,https://c:7443 --tls-ca ca.pem --token-file token"
)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// What a coordinator said, or why it said nothing.
struct Answer {
    server: String,
    said: Result<v1::Cluster, Failure>,
}

/// Asks every coordinator that is named what it is.
///
/// # Errors
/// If none of them leads.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let mut answers = Vec::new();
    for remote in args.server.each()? {
        answers.push(Answer { server: remote.server().to_owned(), said: ask_one(&remote).await });
    }
    let leads =
        |answer: &&Answer| answer.said.as_ref().is_ok_and(|said| said.standing() == v1::Standing::Leading);
    let leader = answers.iter().find(leads).and_then(|answer| answer.said.as_ref().ok());
    out.result(|| text(&answers, leader), || json(&answers, leader))?;
    match leader {
        Some(_) => Ok(()),
        None => {
            let known = answers.iter().filter_map(|answer| answer.said.as_ref().ok());
            let elsewhere = known.map(|said| &said.leader).find(|leader| !leader.is_empty());
            let remedy = match elsewhere {
                Some(leader) => format!("{} leads: name it with --server", plain(leader)),
                None => "see their logs".to_owned(),
            };
            Err(Failure::new(Exit::Unreachable, format!("none of these coordinators leads; {remedy}")))
        }
    }
}

async fn ask_one(remote: &Remote) -> Result<v1::Cluster, Failure> {
    let mut cluster = remote.cluster();
    let asked = cluster.get_cluster(ask(v1::GetClusterRequest {}));
    let answer = tokio::time::timeout(ANSWER, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded("no answer within 5 s")));
    let answer = answer.map(Response::into_inner).map_err(|status| remote.failure(&status))?;
    remote.given(answer.cluster)
}

fn standing(said: &v1::Cluster) -> &'static str {
    match said.standing() {
        v1::Standing::Leading => "leads",
        v1::Standing::Following => "follows",
        v1::Standing::Starting => "starting",
        v1::Standing::Unspecified => "unknown",
    }
}

fn text(answers: &[Answer], leader: Option<&v1::Cluster>) -> String {
    let row = |answer: &Answer| match &answer.said {
        Ok(said) => {
            [&answer.server, standing(said), &said.leader, &said.version, &said.meta_store].map(plain)
        }
        Err(failure) => [&answer.server, &failure.to_string(), "-", "-", "-"].map(plain),
    };
    let rows: Vec<_> = answers.iter().map(|answer| row(answer).to_vec()).collect();
    let mut text = table(&["COORDINATOR", "STANDING", "LEADER", "VERSION", "META STORE"], &rows);
    if let Some(said) = leader {
        let since = said.lead_time.map(|time| time.to_string()).unwrap_or_default();
        let lost = match said.slots_lost {
            0 => String::new(),
            lost => format!(", {lost} lost"),
        };
        text += "\n\n";
        text += &pairs(&[
            ("term", format!("{}, since {since}", said.epoch)),
            ("workers", human::count(u64::from(said.workers), "worker")),
            ("slots", format!("{} of {} at work{lost}", said.slots_busy, said.slots)),
            ("audits", format!("{} of {} not ended", said.audits_running, said.audits)),
            ("packs", format!("{} waiting, {} running", said.packs_waiting, said.packs_running)),
        ]);
    }
    text
}

fn json(answers: &[Answer], leader: Option<&v1::Cluster>) -> Value {
    let coordinators = answers.iter().map(|answer| match &answer.said {
        Ok(said) => json!({
            "server": answer.server,
            "name": said.name,
            "standing": standing(said),
            "leader": (!said.leader.is_empty()).then_some(&said.leader),
            "version": said.version,
            "meta_store": said.meta_store,
        }),
        Err(failure) => json!({ "server": answer.server, "error": failure.to_string() }),
    });
    let cluster = leader.map(|said| {
        json!({
            "term": said.epoch,
            "since": said.lead_time.map(|time| time.to_string()),
            "workers": said.workers,
            "slots": said.slots,
            "slots_busy": said.slots_busy,
            "slots_lost": said.slots_lost,
            "audits": said.audits,
            "audits_running": said.audits_running,
            "packs_waiting": said.packs_waiting,
            "packs_running": said.packs_running,
        })
    });
    json!({ "coordinators": coordinators.collect::<Vec<Value>>(), "cluster": cluster })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<Answer> {
        let said = |standing: v1::Standing| v1::Cluster {
            standing: standing.into(),
            leader: "http://b:1".into(),
            version: "0.1.0".into(),
            name: "http://x:1".into(),
            meta_store: "etcd".into(),
            epoch: 12,
            lead_time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            workers: 2,
            slots: 8,
            slots_busy: 5,
            slots_lost: 1,
            audits_running: 1,
            audits: 3,
            packs_waiting: 40,
            packs_running: 5,
        };
        let answer = |server: &str, said| Answer { server: server.into(), said };
        vec![
            answer("http://a:1", Ok(said(v1::Standing::Following))),
            answer("http://b:1", Ok(said(v1::Standing::Leading))),
            answer("http://c:1", Err(Failure::failed("gone"))),
        ]
    }

    #[test]
    fn people_read_a_row_a_coordinator_and_the_leaders_numbers() {
        let answers = answers();
        let leader = answers[1].said.as_ref().ok();
        let lines = [
            "COORDINATOR  STANDING  LEADER      VERSION  META STORE",
            "http://a:1   follows   http://b:1  0.1.0    etcd",
            "http://b:1   leads     http://b:1  0.1.0    etcd",
            "http://c:1   gone      -           -        -",
            "",
            "term     12, since 2026-01-02T03:04:05Z",
            "workers  2 workers",
            "slots    5 of 8 at work, 1 lost",
            "audits   1 of 3 not ended",
            "packs    40 waiting, 5 running",
        ];
        assert_eq!(text(&answers, leader), lines.join("\n"));
        assert_eq!(json(&answers, leader)["cluster"]["slots_busy"], 5);
        assert_eq!(json(&answers, None)["cluster"], Value::Null);
        assert_eq!(json(&answers, None)["coordinators"][2]["error"], "gone");
    }
}
