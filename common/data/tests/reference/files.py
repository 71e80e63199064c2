"""Images and WFDB records that other programs write, and what they read in them.

    python files.py          (in this folder)
"""

import json
import os

import numpy as np
import PIL
import wfdb
from PIL import Image

rng = np.random.default_rng(5)
y, x = np.mgrid[0:24, 0:18]
smooth = (127 + 90 * np.sin(x / 3.0) * np.cos(y / 4.0)).astype(np.uint8)
colour = np.stack([smooth, smooth[::-1], 255 - smooth], axis=-1)
os.chdir("images")
Image.fromarray(smooth).save("grey.png")
Image.fromarray(colour).save("colour.png")
Image.fromarray(smooth.astype(np.uint16) * 257).save("grey16.png")
Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE).save("palette.png")
Image.fromarray(np.dstack([colour, np.full_like(smooth, 128)])).save("alpha.png")
Image.fromarray(smooth).save("grey.jpg", quality=95)
Image.fromarray(colour).save("colour.jpg", quality=95, subsampling=0)
Image.fromarray(colour).save("progressive.jpg", quality=95, progressive=True)
images = {}
for name in sorted(os.listdir(".")):
    opened = Image.open(name)
    grey = Image.fromarray(smooth) if name == "grey16.png" else opened.convert("L")
    rgb = Image.merge("RGB", [grey] * 3) if name.startswith("grey") else opened.convert("RGB")
    images[name] = {
        "grey": np.asarray(grey).ravel().tolist(),
        "colour": np.asarray(rgb).ravel().tolist(),
        "resized": np.asarray(rgb.resize((7, 9), Image.Resampling.BILINEAR)).ravel().tolist(),
    }
os.chdir("../wfdb")
records = {}
for name, fmt, samples, gain, baseline in [
    ("a16", ["16", "16", "16"], 61, [1000.0, 1000.0, 1000.0], [0, 0, 0]),
    ("b212", ["212", "212", "212"], 61, [200.0, 200.0, 400.0], [0, 10, 0]),
    ("c80", ["80", "80", "80"], 61, [50.0, 50.0, 50.0], [0, 0, -3]),
    ("d16", ["16", "16", "16"], 75, [1000.0, 500.0, 1000.0], [0, 1024, 0]),
]:
    least, most = {"16": (-3000, 3000), "212": (-2000, 2000), "80": (-120, 120)}[fmt[0]]
    digital = rng.integers(least, most, size=(samples, 3))
    wfdb.wrsamp(name, fs=100, units=["mV"] * 3, sig_name=["I", "II", "V1"], d_signal=digital, fmt=fmt,
                adc_gain=gain, baseline=baseline)
    read = wfdb.rdrecord(name, physical=False)
    records[name] = {"digital": read.d_signal.tolist(), "gain": read.adc_gain, "baseline": read.baseline}
os.chdir("..")
made = f"Pillow {PIL.__version__}, wfdb {wfdb.__version__}, numpy {np.__version__}"
json.dump({"made_with": made, "images": images, "records": records}, open("files.json", "w"))
