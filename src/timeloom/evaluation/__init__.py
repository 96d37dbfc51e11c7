"""Real and synthetic windows in, one honest record per metric out, with floors and copy machine."""

from timeloom.evaluation.detection import evaluate_scores
from timeloom.evaluation.report import Report, evaluate
from timeloom.evaluation.rows import evaluate_rows, known_metrics, planned
from timeloom.metrics.record import Record, read_records, write_records

__all__ = [
    "Record",
    "Report",
    "evaluate",
    "evaluate_rows",
    "evaluate_scores",
    "known_metrics",
    "planned",
    "read_records",
    "write_records",
]
