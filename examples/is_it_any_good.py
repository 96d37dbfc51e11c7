"""Two generators, one judge: a fitted one, and one that hands back its training windows.

The copy machine looks perfect on everything but novelty: no figure should be read without it.
Run it: python examples/is_it_any_good.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import timeloom as tl
from timeloom.report.tables import markdown

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

# Whole engines are held out: windows of one engine are too alike to stand on both sides.
engines, _ = tl.load_dataset("cmapss_fd001", channels=["sensor_4", "sensor_7", "sensor_11"])
train, held_out = tl.split(tl.cut(engines, length=16, stride=8), 0.7, 0.3, seed=0)

# Tiny, to end in seconds: leave width and train_steps as they are, limit at 2000, and give three
# seeds or more, for the spread.
model = tl.DiffMTS(width=8, train_steps=20, batch=64, device="cpu").fit(train)
rows = np.random.default_rng(0).permutation(len(train))[:300]
generators = {"diffmts": model.sample(300, y=train.y[rows], seed=0), "copies": train[rows]}

for name, made in generators.items():
    report = tl.evaluate(held_out, made, train, task="regress", seeds=(0,), limit=100, method=name)
    report.save_records(folder / f"{name}.jsonl")
    print(f"\n{name}: {report.headline}\n")
    print(markdown(report.to_records()))

# The last report as a page that needs no network; every generator could have one.
print(f"records and a page are in {report.to_html(folder / 'copies.html').parent}")
