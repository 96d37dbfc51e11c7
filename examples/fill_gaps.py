"""Fills what a sensor failed to record; every measured value stays as it is.

Run it: python examples/fill_gaps.py [FOLDER]
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import timeloom as tl
from timeloom.data import mask

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

engines, others = tl.load_dataset("cmapss_fd001")
train = tl.cut(engines, length=24, stride=12)
whole = tl.cut([engine for engine in others if len(engine) >= 24], length=24, stride=24)

# A fifth of every channel is lost in one piece. NaN means "not measured", here and in every file.
lost = mask.block(whole.x.shape, 0.2, np.random.default_rng(0))
windows = replace(whole, x=np.where(lost, np.nan, whole.x))

# Tiny, to end in seconds: for fillings worth having, leave width and train_steps as they are.
model = tl.DiffMTS(width=8, train_steps=20, batch=64, device="cpu").fit(train)
filled = model.impute(windows, seed=0)

# Another seed gives another possible filling: their spread says how sure the model is.
fillings = np.stack([filled.x, model.impute(windows, seed=1).x])
unit = train.x.std(axis=(0, 1))
error = (np.abs(filled.x - whole.x) / unit)[lost].mean()
apart = (np.abs(fillings[0] - fillings[1]) / unit)[lost].mean()
guess = (np.abs(train.x.mean(axis=(0, 1)) - whole.x) / unit)[lost].mean()
kept = np.array_equal(filled.x[~lost], whole.x[~lost])
print(f"measured values came back unchanged: {kept}")
print(f"{lost.sum():,} values filled, {error:.2f} standard deviations off on average")
print(
    f"(the channel's mean: {guess:.2f}; two fillings differ by {apart:.2f}; 20 steps teach little)"
)

path = folder / "filled.parquet"
tl.write(path, filled)
print(f"the filled windows are in {path}")
