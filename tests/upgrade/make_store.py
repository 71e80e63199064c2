"""Writes store.json: what the previous release keeps in its meta store, key by key, encoded from its own protos by Google's
implementation. Run in the repository's root, with grpcio-tools from PyPI:

    python3 tests/upgrade/make_store.py
"""

import hashlib
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
commit = (HERE / "previous").read_text().strip()

folder = pathlib.Path(tempfile.mkdtemp())
archive = subprocess.run(["git", "archive", commit, "proto"], check=True, capture_output=True).stdout
subprocess.run(["tar", "-xf", "-", "-C", str(folder)], input=archive, check=True)
protos = folder / "proto"
names = ["umbra/v1/common", "umbra/v1/spec", "umbra/v1/audit", "umbra/store/v1/store"]
subprocess.run(
    [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"--python_out={folder}"]
    + [f"{name}.proto" for name in names],
    check=True,
)
sys.path.insert(0, str(folder))
common, spec, audit, store = (importlib.import_module(name.replace("/", ".") + "_pb2") for name in names)


def sha256(text):
    return hashlib.sha256(text.encode()).digest()


def blob(key):
    return common.Blob(key=key, sha256=sha256(key), size=1000 + len(key))


data = store.StoredDataset(
    name="icu",
    digest=sha256("icu"),
    shape=common.DataShape(records=900, units=300, features=12, classes=2),
    blob=blob("dataset/icu"),
    create_unix_milliseconds=1_750_000_000_123,
)
asked = spec.AuditSpec(
    name="nightly",
    seed=7,
    dataset="icu",
    model=spec.ModelSpec(architecture="mlp", widths=[16, 8]),
    training=spec.TrainingSpec(optimizer="sgd", learning_rate=0.05, momentum=0.9, batch=32, epochs=3, dropout=0.25),
    shadows=spec.ShadowSpec(count=16, block=8),
    placement=spec.PlacementSpec(pack=4, checkpoint_steps=40),
)
numerics = "lockstep-f32-fma-v2"
fault = common.Fault(domain=common.FAULT_DOMAIN_DEVICE, retry=common.FAULT_RETRY_ELSEWHERE, message="the device is hot")


def request(number):
    return store.StoredRequest(
        spec=asked, request_id=f"request-{number}", dataset=data, create_unix_milliseconds=1_750_000_100_000 + number
    )


def a(identity, state, **more):
    demand = store.StoredDemand(packs=4, numerics=numerics, priority=-2, weight=3)
    return store.StoredAudit(id=identity, state=state, demand=demand, **more)


running, ended, failed = "nightly-00000001", "nightly-00000002", "nightly-00000003"
entries = {
    "cluster": store.StoredCluster(next_fence=42, next_sequence=3),
    "dataset/icu": data,
    f"audit/{running}": a(running, audit.AUDIT_STATE_RUNNING, sequence=0),
    f"request/{running}": request(1),
    f"pack/{running}/00000000": store.StoredPack(
        audit_id=running,
        pack=0,
        state=store.STORED_PACK_STATE_LEASED,
        fence=41,
        worker_id="worker-old",
        slot=1,
        attempts=1,
        losses=2,
        checkpoint=store.StoredCheckpoint(
            step=40, fence=40, key=f"audit/{running}/pack-0/fence-40/checkpoint-40", sha256=sha256("c"), size=9
        ),
        last_fault=fault,
        avoid_worker_id="worker-hot",
    ),
    f"pack/{running}/00000001": store.StoredPack(
        audit_id=running,
        pack=1,
        state=store.STORED_PACK_STATE_DONE,
        fence=39,
        result=store.StoredResult(blob=blob(f"audit/{running}/pack-1/fence-39/logits"), lost_shadows=[5]),
    ),
    f"audit/{ended}": a(ended, audit.AUDIT_STATE_SUCCEEDED, sequence=1),
    f"request/{ended}": request(2),
    f"ended/{ended}": store.StoredEnd(
        end_unix_milliseconds=1_750_000_200_000,
        files=[store.StoredFile(name="summary.json", blob=blob(f"audit/{ended}/findings-3/summary.json"))],
    ),
    f"audit/{failed}": a(failed, audit.AUDIT_STATE_FAILED, sequence=2, fault=fault),
    f"request/{failed}": request(3),
    f"ended/{failed}": store.StoredEnd(end_unix_milliseconds=1_750_000_300_000),
    f"logits/{sha256('l').hex()}": store.StoredLogits(
        blob=blob(f"audit/{running}/pack-1/fence-39/logits"), position=1, lost=True, shadows=4
    ),
}
text = json.dumps({key: message.SerializeToString(deterministic=True).hex() for key, message in entries.items()}, indent=1)
(HERE / "store.json").write_text(text + "\n")
