"""More windows of engines that are about to fail: read, cut, fit, sample, write.

Run it: python examples/labelled_windows.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import timeloom as tl

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

# NASA's turbofan engines, which come with the package. A file of your own is read by
# tl.read("mine.csv", series="unit", time="cycle", label="rul").
engines, _ = tl.load_dataset("cmapss_fd001")
windows = tl.cut(engines, length=24, stride=12)
print(f"{len(windows)} windows of (time, channel) {windows.shape}, labelled {windows.label_name}")

# Tiny, to end in seconds: for windows worth having, leave width and train_steps as they are.
model = tl.DiffMTS(width=8, train_steps=20, batch=64, device="cpu")
for progress in model.training(windows, folder=folder / "run"):
    if progress.step % 5 == 0:
        print(f"step {progress.step}, loss {progress.loss:.3f}, {progress.left:.0f} s left")

# Real windows of the last cycles are rare; generated ones need not be. Any array of labels does.
lives = np.random.default_rng(0).integers(0, 31, 200)
made = model.sample(200, y=lives, seed=0)

path = folder / "last_cycles.parquet"
tl.write(path, made)
back = tl.read_windows(path)
print(f"{len(back)} windows of the last 30 cycles are in {path}, in the sensors' own units")
