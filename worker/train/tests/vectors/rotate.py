"""Makes rotate.json: images turned by angles that are drawn as worker/train/src/augment.rs does, by SciPy.

Run: python rotate.py > rotate.json   (made with the scipy version noted in the file)

The angle of the record at a place is `most (2 u - 1)` degrees, where u is the upper 24 bits of the first word of
Philox4x32-10 at the counter (0, 3, place, 0), as a share of 2^24.
"""

import json

import numpy as np
import scipy
from scipy import ndimage

KEY = (3, 4)


def philox(counter, key):
    """Salmon et al. 2011, doi 10.1145/2063384.2063405, figure 2."""
    (a, b, c, d), (k, l), mask = counter, key, 0xFFFFFFFF
    for _ in range(10):
        first, second = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (second >> 32) ^ b ^ k, second & mask, (first >> 32) ^ d ^ l, first & mask
        k, l = (k + 0x9E3779B9) & mask, (l + 0xBB67AE85) & mask
    return a, b, c, d


assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)  # Random123's kat_vectors

generator = np.random.default_rng(5)
cases = []
for shape, most, places in [((5, 8, 2), 180.0, 6), ((6, 6, 1), 15.0, 6)]:
    image = generator.integers(-100, 100, shape) / 100
    turned = []
    for place in range(places):
        share = (philox((0, 3, place, 0), KEY)[0] >> 8) / 2**24
        angle = most * (2 * share - 1)
        turned.append(ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant", cval=0.0))
    cases.append(
        {
            "shape": shape,
            "most": most,
            "image": image.ravel().tolist(),
            "turned": [np.round(each, 6).ravel().tolist() for each in turned],
        }
    )
print(json.dumps({"scipy": scipy.__version__, "key": KEY, "cases": cases}))
