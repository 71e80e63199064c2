"""Small tables as pandas and pyarrow write them, for the tests of reading. Run it in this folder:

    python fixtures.py

mixed.parquet           every kind of column, three row groups, dictionaries, nulls, pandas' metadata
mixed.csv               the same table as text, with pandas' unnamed index
mixed-shuffled.parquet  the same rows in another order: pandas adds its index as a column
refused.parquet         columns of kinds that cannot be features
gzip.parquet            a compression that is not read
"""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

random = np.random.default_rng(20)
rows = 40
patient = random.integers(0, 15, rows)
age = random.normal(60, 15, rows).astype(np.float32)
age[[3, 17]] = np.nan
visits = pd.array(random.integers(0, 9, rows), dtype="Int64")
visits[5] = pd.NA
table = pd.DataFrame(
    {
        "patient": [f"P{p:02}" for p in patient],
        "age": age,
        "weight": random.normal(80, 12, rows),
        "visits": visits,
        "stay": np.where(random.random(rows) < 0.2, np.nan, random.integers(1, 30, rows)),
        "smoker": random.random(rows) < 0.3,
        "ward": pd.Categorical(random.choice(["icu", "ward, east", 'the "old" wing', "two\nlines"], rows)),
        "postcode": random.choice(["01234", "00700", "13579"], rows),
        "triage": random.integers(-2, 3, rows).astype(np.int8),
        "insurer": [None if p % 5 == 0 else f"plan {p % 3}" for p in patient],
        "site": [p % 3 for p in patient],
        "outcome": random.choice(["dead", "alive"], rows),
    }
)
table.to_parquet("mixed.parquet", row_group_size=15, compression="snappy", index=False)
table.to_csv("mixed.csv")
shuffled = table.sample(frac=1, random_state=1)
shuffled.to_parquet("mixed-shuffled.parquet", compression="zstd", index=True)

refused = pa.table(
    {
        "y": pa.array([0, 1, 0]),
        "when": pa.array([datetime.datetime(2020, 1, d) for d in (1, 2, 3)]),
        "day": pa.array([datetime.date(2020, 1, d) for d in (1, 2, 3)]),
        "list": pa.array([[1], [2, 3], []]),
        "record": pa.array([{"a": 1, "b": 2}] * 3),
        "price": pa.array([decimal.Decimal("1.10")] * 3),
        "half": pa.array(np.array([1, 2, 3], dtype=np.float16)),
        "bytes": pa.array([b"\xff\xfe", b"a", b"\xff"]),
        "huge": pa.array([1, 2**64 - 1, 3], pa.uint64()),
        "nan": pa.array([1.0, float("nan"), float("inf")]),
        "fine": pa.array([1.0, 2.0, 3.0]),
    }
)
pq.write_table(refused, "refused.parquet")
pq.write_table(refused.select(["y", "fine"]), "gzip.parquet", compression="gzip")
