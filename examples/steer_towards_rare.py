"""More windows of a rare class, and those a classifier learns most from: steer, sample, compare.

Run it: python examples/steer_towards_rare.py [FOLDER]
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import timeloom as tl

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())

# Engines that fail within 20 cycles are rare. Whole engines go to one side or the other.
sensors = ["sensor_4", "sensor_11", "sensor_12"]
engines, _ = tl.load_dataset("cmapss_fd001", channels=sensors)
lives = tl.cut(engines, length=16, stride=16)
windows = replace(lives, y=np.where(lives.y < 20, "failing", "fine"), label_name="state")
train, test = tl.split(windows, 0.7, 0.3, seed=0)

# Tiny, to end in seconds: leave width and train_steps as they are, and scale at "auto", which
# tries strengths on validation and keeps 0, the generator itself, unless another surely helps.
generator = tl.DiffMTS(width=8, train_steps=30, batch=64, device="cpu").fit(train)
steered = tl.TarDiff(generator, "gru", scale=0.2, source="minority", train_steps=60)
steered.fit(train, test=test)  # test windows may not guide; given here to be refused
print(f"the classifier's AUROC on guidance windows is {steered.validation_auroc_:.2f}")

# The same noise with and without steering: window i of one belongs to window i of the other.
plain, made = (steered.sample(100, "failing", seed=0, scale=scale) for scale in (0, 0.2))
for name, some in (("plain", plain), ("steered", made)):
    learned = (steered.influence(some) * steered.gradient_norms(some)).mean()
    print(f"{name}: gradients reach {learned:.2f} along that of the guidance windows")

# The real windows whose labels the classifier doubts most are worth a second look.
sure = steered.predict_proba(train)[np.arange(len(train)), (train.y == "fine").astype(int)]
print("least likely as labelled:", ", ".join(str(train.series[i]) for i in sure.argsort()[:5]))

run = steered.save(folder / "steered")
tl.write(folder / "failing.parquet", made)
print(f"100 windows are in {folder / 'failing.parquet'}, the run in {run}")
