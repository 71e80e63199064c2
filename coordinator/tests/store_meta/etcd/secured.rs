//! Users, passwords and certificates: what is let in, and what is refused in words.

use std::path::Path;

use etcd_client::{Permission, PermissionType};
use tempfile::TempDir;
use umbra_coordinator::store::{EtcdOptions, EtcdStore, EtcdUser, MetaStore, Txn};
use umbra_runtime::TlsFiles;
use umbra_runtime::tls::TlsPaths;

use super::nodes::EtcdNodes;
use super::options;
use super::servers::{client, openssl, shared};
use crate::contract::key;

async fn refusal(options: &EtcdOptions) -> String {
    match EtcdStore::connect(options).await {
        Ok(_) => panic!("it was let in"),
        Err(error) => error.to_string(),
    }
}

fn assert_says(said: &str, words: &[&str]) {
    assert!(words.iter().all(|word| said.contains(word)), "{said:?} does not say {words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_known_by_their_password_and_need_a_role() {
    let Some(mut nodes) = EtcdNodes::start(1, 1) else { return };
    let mut client = client(&nodes).await;
    client.user_add("root", "root-password", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.user_add("umbra", "right", None).await.unwrap();
    client.user_add("stranger", "right", None).await.unwrap();
    client.role_add("umbra").await.unwrap();
    // The least that does: reading and writing under the prefix.
    let under = Permission::new(PermissionType::Readwrite, "umbra/").with_prefix();
    client.role_grant_permission("umbra", under).await.unwrap();
    client.user_grant_role("umbra", "umbra").await.unwrap();
    client.auth_enable().await.unwrap();

    let as_user = |name: &str, password: &str| {
        let user = EtcdUser { name: name.to_owned(), password: password.to_owned() };
        options(&nodes, "umbra").with_user(user).unwrap()
    };
    let store = EtcdStore::connect(&as_user("umbra", "right")).await.unwrap();
    let epoch = store.lead("a").await.unwrap();
    store.commit(Txn::new(epoch).put(key("k"), "v")).await.unwrap();

    let wrong = refusal(&as_user("umbra", "wrong")).await;
    assert_says(&wrong, &["etcd refuses", "authentication failed", "see user and password"]);
    assert!(!wrong.contains("\"wrong\""), "{wrong}");
    assert_says(&refusal(&options(&nodes, "umbra")).await, &["etcd refuses", "give a user and a password"]);
    assert_says(
        &refusal(&as_user("stranger", "right")).await,
        &["permission denied", "grant the user's role"],
    );

    // A node that starts again knows no token that it gave.
    nodes.kill(&[0]);
    nodes.restart(&[0]);
    assert_eq!(store.get(&key("k")).await.unwrap().unwrap().bytes, "v");
}

/// Two authorities, a server's certificate of the first and clients' certificates of both.
fn certificates(folder: &Path) {
    let names = folder.join("names.cnf");
    std::fs::write(names, "subjectAltName=IP:127.0.0.1\n").unwrap();
    for ca in ["ca", "other"] {
        openssl(
            folder,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={ca} \
                 -keyout {ca}.key -out {ca}.pem"
            ),
        );
    }
    for (name, ca) in [("server", "ca"), ("client", "ca"), ("strange", "other")] {
        openssl(
            folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key \
                 -out {name}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 \
                 -extfile names.cnf -out {name}.pem"
            ),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_asked_for_and_checked_on_both_sides() {
    let Some(open) = shared() else { return };
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name);
    let flags: Vec<String> =
        [("--cert-file", "server.pem"), ("--key-file", "server.key"), ("--trusted-ca-file", "ca.pem")]
            .iter()
            .flat_map(|(flag, name)| [(*flag).to_owned(), file(name).display().to_string()])
            .chain(["--client-cert-auth".to_owned()])
            .collect();
    let Some(nodes) = EtcdNodes::start_with(1, 1, "https", &flags) else { return };
    let with = |authority: &str, name: Option<&str>| {
        let paths = TlsPaths {
            certificate: name.map(|name| file(&format!("{name}.pem"))),
            key: name.map(|name| file(&format!("{name}.key"))),
            authorities: Some(file(&format!("{authority}.pem"))),
        };
        options(&nodes, "umbra").with_tls(TlsFiles::load(&paths).unwrap())
    };
    let store = EtcdStore::connect(&with("ca", Some("client"))).await.unwrap();
    let epoch = store.lead("a").await.unwrap();
    store.commit(Txn::new(epoch).put(key("k"), "v")).await.unwrap();

    let plain = EtcdOptions::try_new(&[nodes.urls()[0].replace("https", "http")]).unwrap();
    let tls = TlsFiles { authorities: Some(std::fs::read(file("ca.pem")).unwrap()), ..TlsFiles::default() };
    let secure = EtcdOptions::try_new(&[open.urls()[0].replace("http", "https")]).unwrap().with_tls(tls);
    let (distrusted, nameless, strange) =
        (with("other", Some("client")), with("ca", None), with("ca", Some("strange")));
    let (distrusted, nameless, strange, plain, secure) = futures::join!(
        refusal(&distrusted),
        refusal(&nameless),
        refusal(&strange),
        refusal(&plain),
        refusal(&secure)
    );
    assert_says(&distrusted, &[&nodes.urls()[0], "comes from no authority that is trusted here"]);
    assert_says(&nameless, &["it asks for a certificate", "give one and its key"]);
    assert_says(&strange, &[&nodes.urls()[0], "certificate"]);
    assert_says(&plain, &["if it speaks TLS, use https://"]);
    assert_says(&secure, &["answers without TLS", "use http://"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_is_not_there_is_named() {
    // Bound and never listened on by anybody who answers: taken away at once.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let (alone, both) = (
        EtcdOptions::try_new(&[&url]).unwrap(),
        EtcdOptions::try_new(&[url.as_str(), "http://127.0.0.1:1"]).unwrap(),
    );
    let (alone, both) = futures::join!(refusal(&alone), refusal(&both));
    assert_says(&alone, &[&url, "refused", "see that it runs and can be reached from here"]);
    assert_says(&both, &[&url, "http://127.0.0.1:1", "see that most of them run"]);
}
