"""A new domain from ten windows: adapt the generator that ships, draw, and compare."""

import numpy as np

import timeloom as tl

_, engines = tl.load_dataset("cmapss_fd001")
windows = tl.cut(engines, length=24, stride=24)
windows = tl.Windows(windows.x, channels=windows.channels)  # labels are no conditions here
order = np.random.default_rng(0).permutation(len(windows))
ten, held_out = windows[order[:10]], windows[order[10:]]

generator = tl.ImagenFew.pretrained().adapt(ten, name="my engines", steps=60)  # more: steps=300
made = generator.sample(len(held_out), seed=0)

print("spread of steps, made / real:", np.diff(made.x, axis=1).std() / np.diff(held_out.x, axis=1).std())
print("longer than the ten windows:", generator.sample(2, length=48).x.shape)
