"""Which rules that hold in every real window do synthetic windows break, as rows of a table?"""

from typing import Any, NamedTuple

import numpy as np

from timeloom.metrics.fidelity.rules import rule_table
from timeloom.report.sides import Sides

__all__ = ["Rules", "rules"]

ROWS = 60  # in the table at most
WINDOWS = 10_000  # looked at on each side at most
KINDS = {"identity": "identity", "order": "order", "bound": "bound", "step": "steps"}


class Rules(NamedTuple):
    """The table of rules.

    Attributes:
        text: What was looked at, and what was left out.
        rows: Per rule ``kind``, ``sentence``, ``broken`` in words, ``share`` and ``example``.
    """

    text: str
    rows: list[dict[str, Any]]


def rules(sides: Sides) -> Rules:
    """Rules learnt from training windows (real ones where these are not known), worst first.

    Rules of training windows that held-out real windows break are none, as for ``rules_broken``.
    """
    train = sides.trained if sides.trained is not None else sides.train
    trained = train is not None and len(train) > 0
    name = "training" if trained else "real"
    learnt_from = train if train is not None and trained else sides.asked[0]
    held_out = sides.asked[0].x if trained else None
    rng = np.random.default_rng([sides.seed, 6])
    made = sides.asked[1]
    if len(made) > WINDOWS:
        made = made[np.sort(rng.choice(len(made), WINDOWS, replace=False))]
    if not len(made) or not len(learnt_from):
        return Rules("There are no windows to look at.", [])
    if len(learnt_from) > WINDOWS:  # neighbours must stay neighbours: rules look at blocks
        learnt_from = learnt_from[:: -(-len(learnt_from) // WINDOWS)]
    rows = [
        {
            **row,
            "share": row["broken"],
            "broken": _share(row["broken"]),
            "kind": KINDS.get(row["kind"], ""),
        }
        for row in rule_table(learnt_from.x, made.x, learnt_from.channels, held_out=held_out)
    ]
    if not rows:
        return Rules(f"No rule was found that every {name} window keeps.", [])
    broken = sum(row["share"] > 0 for row in rows)
    text = (
        f"{len(rows)} rules hold in every {name} window; synthetic windows break {broken} of them "
        "at some time point."
    )
    if len(rows) > ROWS:
        text += f" The {ROWS} that are broken most are shown."
    return Rules(text, rows[:ROWS])


def _share(share: float) -> str:
    if not np.isfinite(share):
        return "not measured"
    if share == 0:
        return "never"
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"
