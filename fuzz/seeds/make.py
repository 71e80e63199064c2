"""Makes the seeds that other programs write: NPY and NPZ by numpy, Parquet by pyarrow, and the texts beside them.

    python3 fuzz/seeds/make.py      (made with numpy 2.4, pyarrow 26)

Those of `dataset` and `logits` come from `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
"""

import io
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    with open(os.path.join(HERE, target, name), "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)


def npy(name, array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    put("npy", name + ".npy", out.getvalue())


npy("f32-3d", np.arange(12, dtype="<f4").reshape(2, 3, 2))
npy("f64-4d-fortran", np.asfortranarray(np.arange(16.0).reshape(2, 2, 2, 2)))
npy("f16-big", np.arange(6, dtype=">f2").reshape(2, 3))
npy("bool-2d", np.eye(3, dtype=bool))
npy("u8-2d", np.eye(3, dtype="u1"))
npy("i64-1d", np.array([-1, 2, 2**62]))
npy("u64-1d", np.array([0, 2**64 - 1], dtype="u8"))
npy("i16-big", np.array([-2, 300], dtype=">i2"))
npy("unicode", np.array(["p1", "päti", ""]))
npy("unicode-big", np.array(["p1", "p22"]).astype(">U3"))
npy("bytes", np.array([b"p1", b"p22"]))
npy("empty", np.zeros((0, 3)))
npy("version-2", np.zeros((1, 1)), (2, 0))
npy("version-3", np.zeros((1, 1), dtype="<f4"), (3, 0))

AUDIT = """name = "support2-mlp"
seed = 7
[dataset]
path = "table.parquet"
schema = "schema.toml"
[model]
architecture = "mlp"
widths = [256, 256]
[training]
optimizer = "sgd"
learning_rate = 0.05
momentum = 0.9
schedule = "cosine"
batch = 256
epochs = 40
[shadows]
count = 64
block = 16
population = 0.0
[queries]
views = 1
[statistics]
attacks = ["lira-online", "global"]
variance = "per-record"
fdr = 0.05
[placement]
pack = 16
checkpoint_steps = 1000
"""
put("audit_file", "whole.toml", AUDIT)
put("audit_file", "named.toml", AUDIT.replace('path = "table.parquet"\nschema = "schema.toml"', 'name = "support2"'))
put("audit_file", "wrong.toml", AUDIT.replace("table.parquet", "missing").replace("0.9", "-1").replace("64", "63"))
put("audit_file", "least.toml", 'name = "a"\nseed = 1\ndataset.name = "b"\nmodel.architecture = "logistic"\n'
    "training = { learning_rate = 1e-2, batch = 8, epochs = 1 }\n")

SCHEMA = """kind = "table"
label = "y"
unit = "who"
groups = ["sex", "site"]
group_only = ["site"]
ignore = ["note"]
[columns]
count = "numeric"
"""
put("schema", "whole.toml", SCHEMA)
put("schema", "least.toml", 'kind = "table"\nlabel = "y"\n')
put("schema", "array.toml", 'kind = "array"\ndata = "x"\nlayout = "CT"\nlabel = ["a", "b"]\nattributes = "x.csv"\n'
    'normalize = [0, 1]\nchannel_names = ["I", "II"]\n')
put("schema", "images.toml", 'kind = "images"\nlabel = "y"\nsize = [2, 3]\nchannels = 1\npath = "p"\nfolder = "f"\n')
put("schema", "wfdb.toml", 'kind = "wfdb"\nlabel = "y"\nsamples = 9\nleads = ["I"]\nnormalize = "scale"\n')
put("schema", "wrong.toml", 'kind = "images"\nlabels = "y"\ngroups = ["a", "a"]\n[columns]\ny = "number"\n')

random.seed(1)
ROWS = [
    dict(who=f"p{i // 2}", y=["no", "yes"][i % 2], sex=["f", "m", None][i // 2 % 3], site="ab"[i // 4 % 2],
         count=random.choice([1, 2, 3, None]), x=random.gauss(0, 1), note="-")
    for i in range(12)
]
LEAST = 'kind = "table"\nlabel = "y"\n'


def csv(rows):
    lines = [",".join(rows[0])]
    lines += [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def parquet(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


put("import", "csv", SCHEMA + "\n---\n" + csv(ROWS))
put("import", "csv-least", LEAST + "\n---\n" + 'y,x\n1,"1,5"\n0,b\n1,\n0,"a ""b"""\n')
table = pa.Table.from_pylist(ROWS)
for compression in ("none", "snappy", "zstd"):
    put("import", "parquet-" + compression, SCHEMA.encode() + b"\n---\n" + parquet(table, compression=compression))
kinds = pa.table({
    "y": pa.array([0, 1, 0, 1], pa.int8()),
    "big": pa.array([1, 2, 3, None], pa.int64()),
    "small": pa.array([1.5, 2.5, None, 4.5], pa.float32()),
    "flag": pa.array([True, False, None, True]),
    "levels": pa.array(["a", "b", "a", None]).dictionary_encode(),
    "day": pa.array([1, 2, 3, 4], pa.date32()),
    "money": pa.array([None, 1, 2, 3], pa.decimal128(9, 2)),
})
put("import", "parquet-kinds", LEAST.encode() + b"\n---\n" + parquet(kinds, data_page_version="2.0"))



def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def put_array(name, schema, data):
    put("array", name, ('kind = "array"\n' + schema).encode() + b"\n---\n" + data)


pixels = np.arange(6 * 3 * 4, dtype="u1").reshape(6, 3, 4)
labels = np.array([[0], [1], [0], [1], [1], [0]], dtype="u1")
put_array("medmnist", "", npz(train_images=pixels[:3], train_labels=labels[:3], val_images=pixels[3:5],
    val_labels=labels[3:5], test_images=pixels[5:], test_labels=labels[5:]))
put_array("leads", 'data = "x"\nlayout = "CT"\nlabel = "y"\nunit = "u"\ngroups = ["g"]\n', npz(
    x=pixels.astype(">i2") - 30, y=labels[:, 0] == 1, u=np.array([1, 1, 2, 3, 4, 4]), g=np.array(list("aabbcc"))))
put_array("fortran", 'data = "x"\nlayout = "HW"\nlabel = "y"\nnormalize = "none"\n',
    npz(x=np.asfortranarray(pixels.astype("f4") / 7), y=np.array([0.0, 1, 1, 0, 1, 0])))
put_array("several", 'data = "x"\nlayout = "CHW"\nlabel = "y"\nnormalize = [3, 4]\n',
    npz(x=pixels.reshape(6, 3, 2, 2), y=np.array([[0, 1, 255], [1, 0, 0], [1, 1, 1]] * 2, dtype="u1")))
out = io.BytesIO()
np.save(out, pixels)
put_array("npy", 'layout = "HW"\nlabel = "y"\n', out.getvalue())

# Images and records that Pillow and the wfdb package wrote: see common/data/tests/reference/files.py.
REFERENCE = os.path.join(HERE, "../../common/data/tests/reference")


def reference(kind, name):
    with open(os.path.join(REFERENCE, kind, name), "rb") as file:
        return file.read()


for name in ("grey.png", "colour.png", "grey16.png", "palette.png", "alpha.png", "grey.jpg", "colour.jpg",
             "progressive.jpg"):
    keys = "size = [5, 4]\n" if "colour" in name else 'normalize = "scale"\n'
    put("images", name, f'kind = "images"\nlabel = "y"\n{keys}'.encode() + b"\n---\npath,y\na.png,0\na.png,1\n\n---\n"
        + reference("images", name))
for name in ("a16", "b212", "c80", "d16"):
    keys = "samples = 20\n" if name == "d16" else ""
    put("wfdb", name, f'kind = "wfdb"\nlabel = ["y", "z"]\nunit = "u"\n{keys}'.encode()
        + b"\n---\npath,y,z,u\na,0,1,p\na,1,,q\n\n---\n" + reference("wfdb", name + ".hea").replace(name.encode(), b"a")
        + b"\n---\n" + reference("wfdb", name + ".dat"))

for index in range(6):
    random.seed(index)
    put("analyse", f"random-{index}", bytes(random.randrange(256) for _ in range(500)))
# Online LiRA, global and base on 16 shadows in two blocks, ten records of seven units, one query, one class.
put("analyse", "sound", bytes([25, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 15, 1, 2, 1, 0, 5, 10, 0, 0, 6, 7, 0, 1])
    + bytes((i * 37 + i // 7 * 11) % 200 + 40 for i in range(400)))
