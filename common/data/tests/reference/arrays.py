"""Figures of the real sets of arrays, made with numpy and pandas alone, for tests/records/real.rs.

    python arrays.py FOLDER > arrays.json      (FOLDER holds pneumoniamnist, ptbxl500 and mitbih_beats)
"""

import hashlib
import json
import sys

import numpy as np
import pandas as pd

folder = sys.argv[1]
figures = {"made_with": f"numpy {np.__version__}, pandas {pd.__version__}"}


def shared(values, units=None):
    """Records whose values are those of a record of another unit."""
    seen = {}
    for i, record in enumerate(values):
        seen.setdefault(hashlib.sha256(record.tobytes()).digest(), []).append(i)
    groups = [g for g in seen.values() if len({i if units is None else units[i] for i in g}) > 1]
    return sum(map(len, groups))


def moments(values):
    """Mean and standard deviation of every channel; channels last."""
    flat = values.reshape(-1, values.shape[-1]).astype(float)
    return {"mean": flat.mean(0).tolist(), "sd": flat.std(0).tolist()}


z = np.load(f"{folder}/pneumoniamnist/pneumoniamnist_28.npz")
splits = ["train", "val", "test"]
images = np.concatenate([z[f"{s}_images"] for s in splits])
labels = np.concatenate([z[f"{s}_labels"] for s in splits])[:, 0]
figures["pneumoniamnist"] = {
    "shape": images.shape,
    "class_counts": np.bincount(labels).tolist(),
    "shared": shared(images),
    **moments(images[..., None]),
    "row": 5000,
    "values": images[5000].ravel()[300:310].tolist(),
    "label": int(labels[5000]),
}

z = np.load(f"{folder}/ptbxl500/ptbxl500_100hz.npz")
meta = pd.read_parquet(f"{folder}/ptbxl500/ptbxl500_meta.parquet")
signal = np.moveaxis(z["signal"], 1, 2)
patients = meta.drop_duplicates("patient_id")
figures["ptbxl500"] = {
    "shape": signal.shape,
    "units": int(meta.patient_id.nunique()),
    "class_counts": meta.abnormal.value_counts().sort_index().tolist(),
    "shared": shared(signal, meta.patient_id.to_numpy()),
    "device": patients.device.value_counts().to_dict(),
    "sex": patients.sex.value_counts().to_dict(),
    **moments(signal),
    "row": 321,
    "patient": str(meta.patient_id[321]),
    "values": signal[321, 7].tolist(),
    "label": int(meta.abnormal[321]),
}

z = np.load(f"{folder}/mitbih_beats/mitbih_beats_small.npz")
meta = pd.read_parquet(f"{folder}/mitbih_beats/mitbih_beats_small.meta.parquet")
signal = z["signal"]
figures["mitbih_beats"] = {
    "shape": [*signal.shape, 1],
    "units": len(np.unique(z["patient_id"])),
    "class_counts": np.bincount(z["label"]).tolist(),
    "shared": shared(signal, z["patient_id"]),
    "sex": meta.drop_duplicates("patient_id").sex.value_counts().to_dict(),
    **moments(signal[..., None]),
    "row": 12345,
    "patient": str(z["patient_id"][12345]),
    "values": signal[12345, 45:55].tolist(),
    "label": int(z["label"][12345]),
}
json.dump(figures, sys.stdout, indent=1)
print()
