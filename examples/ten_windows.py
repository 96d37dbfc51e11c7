"""A new domain from ten windows: adapt the generator that ships, draw, and write what it drew."""

import sys
from pathlib import Path

import numpy as np

import timeloom as tl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "ten-windows")
folder.mkdir(parents=True, exist_ok=True)

_, engines = tl.load_dataset("cmapss_fd001")
windows = tl.cut(engines, length=24, stride=24)
windows = tl.Windows(windows.x, channels=windows.channels)  # labels are no conditions here
order = np.random.default_rng(0).permutation(len(windows))
ten, held_out = windows[order[:10]], windows[order[10:]]

# Sixty steps show how it is done; the default is 300.
generator = tl.ImagenFew.pretrained().adapt(ten, name="my engines", steps=60)
made = generator.sample(200, seed=0)

steps, wanted = (np.diff(one.x, axis=1).std() for one in (made, held_out))
print(f"spread of steps over that of held-out windows: {steps / wanted:.2f}")
print(f"longer than the ten windows: {generator.sample(2, length=48).x.shape}")

path = folder / "made.parquet"
tl.write(path, made)
print(f"the windows are in {path}")
