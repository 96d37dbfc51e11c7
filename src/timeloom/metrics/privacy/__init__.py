"""Are synthetic windows new, and what do they give away about the windows trained on?"""

from timeloom.metrics.privacy import membership, novelty
from timeloom.metrics.privacy.distances import nearest_distances
from timeloom.metrics.privacy.gallery import Pair, closest_pairs
from timeloom.metrics.privacy.membership import local_membership_auc, membership_auc
from timeloom.metrics.privacy.novelty import (
    authenticity,
    memorised_share,
    near_copy_share,
    nearest_neighbour_ratio,
)

__all__ = [
    "METRICS",
    "Pair",
    "authenticity",
    "closest_pairs",
    "local_membership_auc",
    "membership_auc",
    "memorised_share",
    "near_copy_share",
    "nearest_distances",
    "nearest_neighbour_ratio",
]

METRICS = (*novelty.METRICS, *membership.METRICS)
