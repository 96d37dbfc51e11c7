"""What does the cross-domain report on Wafer and NASDAQ print? Its tables, figure by figure.

Source: "TarDiff Cross-Domain Application: From Healthcare to Financial and Industrial Domains"
(2026-01), one seed. Its column alpha = 0 is another arm than it says: every window was generated
as class 1, whatever label was stored beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ALPHAS", "EXTREME", "NASDAQ", "PROTOCOLS", "SCORES", "WAFER", "Published"]

ALPHAS = (0.0, 0.1, 0.25, 0.5)
PROTOCOLS = ("tstr", "tsrtr", "mixed")
SCORES = ("auroc", "auprc", "accuracy")

Figures = tuple[float, float, float]  # in the order of SCORES


@dataclass(frozen=True)
class Published:
    """The report's figures for one labelled set.

    Attributes:
        baseline: AUROC, AUPRC and accuracy of training on real windows alone.
        arms: The same by (protocol, alpha); absent where nothing is printed.
        norms: Mean gradient norm and number of windows, by class.
        ratio: Of the largest norm to the smallest, as printed.
        classifier: What is said of the guidance classifier.
    """

    baseline: Figures
    arms: Mapping[tuple[str, float], Figures]
    norms: Mapping[str, tuple[float, int]]
    ratio: float
    classifier: str

    def best(self, protocol: str, score: str = "auroc") -> float:
        """The highest printed figure of a protocol over all alphas."""
        place = SCORES.index(score)
        return max(found[place] for (name, _), found in self.arms.items() if name == protocol)


def _arms(table: str) -> dict[tuple[str, float], Figures]:
    """Rows of protocols, columns of alphas, cells AUROC/AUPRC/accuracy; a dash is nothing."""
    found: dict[tuple[str, float], Figures] = {}
    for protocol, line in zip(PROTOCOLS, table.strip().splitlines(), strict=True):
        for alpha, cell in zip(ALPHAS, line.split(), strict=True):
            if cell != "-":
                first, second, third = map(float, cell.split("/"))
                found[protocol, alpha] = first, second, third
    return found


WAFER = Published(
    baseline=(0.9932, 0.9546, 0.9813),
    arms=_arms("""
        .3374/.0828/.8921 .3831/.0813/.5999 .4885/.1037/.5706 .6224/.1574/.2382
        .9864/.8930/.9661 .9960/.9650/.9825 .9902/.9318/.9718 .9903/.9265/.9653
        .6802/.1485/.8921 .9892/.9493/.9763 .9772/.8682/.9534 .9904/.9285/.9745
    """),
    norms={"normal": (0.5960, 813), "abnormal": (7.3570, 88)},
    ratio=12.34,
    classifier="98.99 % of the validation windows right at epoch 11, best 100 %",
)

NASDAQ = Published(
    baseline=(0.5413, 0.5427, 0.5283),
    arms=_arms("""
        .4728/.4869/.5023 - .4888/.5015/.5022 .5097/.5116/.5034
        .5342/.5265/.5023 - .5415/.5385/.5272 .5416/.5341/.5304
        .5268/.5276/.5023 - .5325/.5269/.5206 .5397/.5301/.5234
    """),
    norms={"down": (8.0296, 5027), "up": (6.0054, 4973)},
    ratio=1.34,
    classifier="best 51.97 % of the validation windows right",
)

EXTREME = Published(
    baseline=(0.5831, 0.3551, 0.8965),
    arms=_arms("""
        .4904/.3319/.8988 .4901/.3315/.8988 .5055/.3346/.8988 .5227/.3376/.8988
        .5052/.3356/.8988 .5582/.3463/.8988 .4925/.3317/.8988 .5150/.3362/.8988
        .5116/.3353/.8988 .5200/.3389/.8988 .5224/.3390/.8988 .4893/.3315/.8988
    """),
    norms={"loss": (17.5379, 496), "neutral": (0.5727, 9031), "gain": (18.1262, 473)},
    ratio=31.65,
    classifier="best 89.94 % of the validation windows right, which is the majority",
)
