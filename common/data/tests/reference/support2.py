"""Reference vectors for the encoding of the bundled SUPPORT2 table, made with pandas and numpy alone.

    python support2.py ../../../../tests/data/support2.parquet > support2.json

What is done to a column is written out here from its definition: missing numbers get the median and, in a
column of their own, a 1; numbers are standardised with the population standard deviation after filling;
categories become one 0/1 column per level, levels in the order of their bytes.
"""

import json
import sys

import numpy as np
import pandas as pd

LABEL, UNIT = "death_180d", "patient_id"
IGNORE = ["death", "followup_days", "sfdm2", "surv2m", "surv6m", "dnr", "hday"]
GROUPS = ["sex", "race", "income", "dzgroup"]
ROWS = [0, 1, 2, 17, 4552, 9000, 9104]

table = pd.read_parquet(sys.argv[1])
names, features, missing = [], [], {}
for column in table.columns:
    if column in IGNORE + [LABEL, UNIT]:
        continue
    cells = table[column]
    if isinstance(cells.dtype, pd.CategoricalDtype) or cells.dtype == object:
        text = cells.astype(str)
        for level in sorted(text.unique(), key=lambda level: level.encode()):
            names.append(f"{column}={level}")
            features.append((text == level).to_numpy(float))
        continue
    values = cells.to_numpy(float)
    absent = np.isnan(values)
    values = np.where(absent, np.nanmedian(values), values)
    names.append(column)
    features.append((values - values.mean()) / values.std(ddof=0))
    if absent.any():
        missing[column] = int(absent.sum())
        names.append(f"{column} missing")
        features.append(absent.astype(float))
matrix = np.stack(features, axis=1)

json.dump(
    {
        "made_with": f"pandas {pd.__version__}, numpy {np.__version__}",
        "records": int(matrix.shape[0]),
        "units": int(table[UNIT].nunique()),
        "class_counts": [int((table[LABEL] == c).sum()) for c in (0, 1)],
        "missing": missing,
        "feature_names": names,
        "groups": {g: {str(k): int(v) for k, v in sorted(table[g].value_counts().items())} for g in GROUPS},
        "column_sums_of_squares": [float(np.square(c).sum()) for c in features],
        "rows": {str(table[UNIT][r]): [round(float(x), 9) for x in matrix[r]] for r in ROWS},
        "labels": {str(table[UNIT][r]): int(table[LABEL][r]) for r in ROWS},
    },
    sys.stdout,
    indent=1,
)
print()
