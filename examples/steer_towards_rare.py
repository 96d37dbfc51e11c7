"""Failing engines are rare: asks whether more windows would help, then draws those that do.

Run it: python examples/steer_towards_rare.py [FOLDER]
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import timeloom as tl

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

engines, _ = tl.load_dataset("cmapss_fd001")
windows = tl.cut(engines[:40], length=24, stride=12)
state = np.where(np.asarray(windows.y) <= 10, "fails soon", "runs")
windows = replace(windows, y=state, label_name="state")
train, test = tl.split(windows, 0.7, 0.3, seed=0)  # by whole engines

advice = tl.advise(train, test=test)
print(f"Will synthetic windows help? {advice.verdict}: {advice.reasons[0]}")

# Tiny, to end in seconds: for windows worth having, leave width and train_steps as they are.
generator = tl.DiffMTS(width=8, train_steps=30, batch=64, device="cpu").fit(train)
steered = tl.TarDiff(generator, "resnet", scale=0.3, source="minority", train_steps=40)
steered.fit(train, test=test)  # a quarter of the training engines guides; test is never looked at
print(f"the classifier's AUROC on the guidance windows: {steered.validation_auroc_:.3f}")

plain = generator.sample(64, y="fails soon", seed=0)
helping = steered.sample(64, y="fails soon", seed=0)
print(
    f"mean influence: {steered.influence(plain).mean():+.3f} unguided, "
    f"{steered.influence(helping).mean():+.3f} guided"
)
doubtful = np.argsort(steered.influence(train))[:3]
print("look at the labels of:", [(int(train.series[i]), int(train.start[i])) for i in doubtful])

path = folder / "failing.parquet"
tl.write(path, helping)
print(f"{len(helping)} windows are in {path}")
