"""Writes the arrays beside this file; run with numpy 2.x: python make.py."""

import os

import numpy as np
from numpy.lib import format as npy

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, array, version=None):
    with open(os.path.join(HERE, name + ".npy"), "wb") as file:
        npy.write_array(file, array, version=version)


# Logits [2 shadows][3 records][2 queries][2 classes]; every number says where it stands.
s, r, q, c = np.meshgrid(np.arange(2), np.arange(3), np.arange(2), np.arange(2), indexing="ij")
ramp = s * 1000 + r * 100 + q * 10 + c
save("logits-f8", ramp.astype("<f8"))
save("logits-f4-fortran", np.asfortranarray(ramp.astype("<f4")))
save("logits-f4-big-v2", ramp.astype(">f4"), version=(2, 0))
save("halves-f2", np.array([[0.0, -0.0, 1.0, -2.5, 65504.0], [6e-8, 6.1e-5, np.inf, -np.inf, np.nan]], "<f2"))
save("labels-i2-big-fortran", np.asfortranarray(np.arange(6).reshape(3, 2).astype(">i2") - 3))
save("units-u8", np.array([0, 2**63, 2**64 - 1], "<u8"))
save("bool-fortran", np.asfortranarray(np.array([[True, False, True], [False, False, True]])))
save("names-unicode-v3", np.array(["Müller", "", "患者 7"]), version=(3, 0))
save("names-bytes", np.array([b"p-1", b"patient-2", b""]))
save("scalar", np.float64(4.0))
save("objects", np.array([1, "a"], dtype=object))
save("fields", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
save("complex", np.zeros(2, dtype="<c8"))
