//! The binary with wrong inputs of every kind: one sentence, the right exit code, never a panic.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod support;

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use support::{AUDIT, folder, refused, run, umbra};

/// An address where nobody listens, since the listener is gone.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn wrong_command_lines_end_with_2() {
    let folder = folder();
    for arguments in [
        &["walk"][..],
        &["run"],
        &["run", "AUDIT.toml", "--workers", "0"],
        &["run", "AUDIT.toml", "--workers", "many"],
        &["audit", "list", "--state", "asleep"],
        &["audit", "list", "--limit", "0"],
        &["audit", "list", "--format", "xml"],
        &["audit", "report", "a-1"],
        &["dataset", "import", "d.csv"],
        &["dataset", "import", "d.csv", "--schema", "s.toml", "--kind", "xlsx"],
        &["completions", "cmd.exe"],
        &["audit", "get", "a-1", "--server", "not an address"],
        &["audit", "get", "a-1", "--server", "http://10.0.0.1:7443"],
        &["audit", "get", "a-1", "--token-file", "absent"],
        &["dataset", "import", "d.csv", "--schema", "s.toml", "--name", "No Good"],
        &["dataset", "import", "d.csv", "--schema", "s.toml", "--kind", "parquet"],
        &["worker", "--slots", "0"],
        &["coordinator", "--lease", "never"],
    ] {
        let done = umbra(folder.path(), arguments);
        refused(&done, 2, &[]);
        assert!(!done.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_versions_and_completions_are_results() {
    let folder = folder();
    for arguments in
        [&["--help"][..], &["--version"], &["audit", "submit", "--help"], &["completions", "bash"]]
    {
        let done = umbra(folder.path(), arguments);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(!done.out.is_empty(), "{arguments:?}");
    }
    assert!(umbra(folder.path(), &["--help"]).out.contains("6  interrupted"));
    let json = umbra(folder.path(), &["completions", "fish", "--format", "json"]).out;
    assert!(json.starts_with('{') && json.lines().count() == 1);
}

#[test]
fn every_mistake_of_an_audit_file_is_named_with_its_line() {
    let folder = folder();
    let wrong =
        AUDIT.replace("seed = 1", "sede = 1").replace("batch = 4", "batch = 0").replace("d.csv", "e.csv");
    fs::write(folder.path().join("wrong.toml"), wrong).unwrap();
    for command in [&["run"][..], &["audit", "submit"]] {
        let done = umbra(folder.path(), &[command, &["wrong.toml"]].concat());
        refused(&done, 2, &["wrong.toml:1: seed: missing", "wrong.toml:2: sede: unknown key"]);
        refused(
            &done,
            2,
            &["wrong.toml:4: dataset.path: cannot read e.csv", "wrong.toml:10: training.batch: 0"],
        );
    }
    assert!(!folder.path().join("umbra-out").exists(), "nothing is created for a wrong file");
}

#[test]
fn files_that_are_no_audit_are_refused() {
    let folder = folder();
    fs::write(folder.path().join("bytes.toml"), [0xff, 0xfe, 0]).unwrap();
    fs::write(folder.path().join("empty.toml"), "").unwrap();
    fs::write(folder.path().join("huge.toml"), vec![b' '; (1 << 20) + 1]).unwrap();
    for (file, word) in [
        ("absent.toml", "cannot open absent.toml"),
        (".", "is not the name of a file"),
        ("bytes.toml", "not UTF-8"),
        ("empty.toml", "empty.toml:1: seed: missing"),
        ("huge.toml", "larger than"),
    ] {
        refused(&umbra(folder.path(), &["run", file]), 2, &[word]);
    }
}

#[test]
fn data_that_cannot_be_audited_is_refused_in_words() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("d.csv", "id,age,died\n1,5,0\n2,x,0\n");
    refused(&umbra(folder.path(), &["run", "AUDIT.toml"]), 2, &["d.csv: column \"died\""]);
    write("d.csv", "");
    refused(&umbra(folder.path(), &["run", "AUDIT.toml"]), 2, &["d.csv: the file is empty"]);
    write("d.csv", "id,age,died\n1,5,0\n2,6,1\n");
    write("s.toml", "kind = \"table\"\nlabel = \"dead\"\nunti = \"id\"\n");
    let done = umbra(folder.path(), &["dataset", "inspect", "d.csv", "--schema", "s.toml"]);
    refused(&done, 2, &["s.toml:3: unti: unknown key; did you mean \"unit\"?"]);
}

#[test]
fn data_of_other_kinds_are_refused_in_words() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("m.csv", "path,y\n../x.png,0\nz.png,1\n");
    write("i.toml", "kind = \"images\"\nlabel = \"y\"\nsizes = [3, 3]\n");
    let inspect =
        |file: &str, schema: &str| umbra(folder.path(), &["dataset", "inspect", file, "--schema", schema]);
    refused(&inspect("m.csv", "i.toml"), 2, &["i.toml:3: sizes: unknown key; did you mean \"size\"?"]);
    write("i.toml", "kind = \"images\"\nlabel = \"y\"\n");
    refused(
        &inspect("m.csv", "i.toml"),
        2,
        &["m.csv: column \"path\", row 1: \"../x.png\" is no path inside"],
    );
    write("a.toml", "kind = \"array\"\n");
    refused(&inspect("m.csv", "a.toml"), 2, &["m.csv: neither an NPZ nor an NPY file: save the arrays with"]);
    let import = ["dataset", "import", "m.csv", "--schema", "a.toml", "--kind", "images"];
    let expected =
        "a.toml says kind = \"array\", --kind asks for \"images\": leave --kind out, or name another schema";
    refused(&umbra(folder.path(), &import), 2, &[expected]);
}

#[test]
fn a_coordinator_that_is_not_there_ends_with_4() {
    let folder = folder();
    let server = nowhere();
    for command in [
        &["audit", "list"][..],
        &["audit", "get", "a-1"],
        &["audit", "watch", "a-1"],
        &["audit", "cancel", "a-1"],
        &["audit", "delete", "a-1"],
        &["audit", "report", "a-1", "--out", "o"],
        &["audit", "submit", "AUDIT.toml"],
        &["dataset", "list"],
        &["dataset", "delete", "d"],
        &["dataset", "import", "d.csv", "--schema", "s.toml"],
    ] {
        let done = umbra(folder.path(), &[command, &["--server", &server]].concat());
        refused(&done, 4, &["cannot reach a coordinator at", "--server"]);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
}

#[test]
fn something_else_on_the_port_is_no_panic() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let answering = thread::spawn(move || {
        // Speaks neither HTTP/2 nor sense, then hangs up; as often as it is asked until nobody asks.
        for stream in listener.incoming().take(1) {
            let mut stream = stream.unwrap();
            let mut byte = [0; 1];
            let _ = stream.read(&mut byte);
            let _ = std::io::Write::write_all(&mut stream, b"SSH-2.0-nonsense\r\n");
        }
    });
    let done = umbra(folder.path(), &["audit", "list", "--server", &server]);
    refused(&done, 4, &[]);
    answering.join().unwrap();
}

#[test]
fn settings_are_checked_without_starting() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("c.toml", "listen = \"127.0.0.1:0\"\nlease = 5\n");
    let done = umbra(folder.path(), &["coordinator", "--config", "c.toml", "--check-config"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "the settings are right\n"), "{}", done.err);
    write("c.toml", "listen = \"0.0.0.0:7443\"\nleese = 5\nhttp = 1\n");
    let done = umbra(folder.path(), &["coordinator", "--config", "c.toml", "--check-config"]);
    refused(
        &done,
        2,
        &["c.toml:1: listen: refusing", "c.toml:2: leese: unknown key", "c.toml:3: http: 1 is not"],
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
    command.current_dir(folder.path()).args(["worker", "--check-config"]).env("UMBRA_SLOTS", "none");
    refused(&run(command), 2, &["UMBRA_SLOTS: \"none\" is not a whole number"]);
    assert!(!folder.path().join("umbra-scratch").exists(), "checking creates nothing");
}

#[test]
fn an_output_folder_with_other_files_is_left_alone() {
    let folder = folder();
    fs::create_dir(folder.path().join("thesis")).unwrap();
    fs::write(folder.path().join("thesis/chapter1.txt"), "words").unwrap();
    let done = umbra(folder.path(), &["run", "AUDIT.toml", "--out", "thesis"]);
    refused(&done, 2, &["holds other files such as chapter1.txt"]);
    assert_eq!(fs::read_dir(folder.path().join("thesis")).unwrap().count(), 1);
    refused(&umbra(folder.path(), &["run", "AUDIT.toml", "--out", "d.csv"]), 2, &["cannot use d.csv"]);
}

#[test]
fn an_imported_set_is_not_for_run() {
    let folder = folder();
    let named = AUDIT.replace("path = \"d.csv\"\nschema = \"s.toml\"", "name = \"icu\"");
    fs::write(folder.path().join("named.toml"), named).unwrap();
    let done = umbra(folder.path(), &["run", "named.toml"]);
    refused(&done, 2, &["named.toml:4: dataset.name: ", "umbra audit submit"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
    command.args(["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.current_dir(folder.path()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_under_the_results_is_a_failure_in_words() {
    // Linux has a device for it; elsewhere there is nothing to test with.
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
    command.args(["completions", "bash"]).stdout(full).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("cannot write to standard output"), "{err}");
}
