"""Results to sentences, tables, and files that stand on their own."""

from transrec_core.reporting.bundle import bundle_files, evidence_json, write_bundle
from transrec_core.reporting.report import report_html
from transrec_core.reporting.sentences import method_words, metric_words, verdict_sentence
from transrec_core.reporting.tables import recommendations_bytes, write_recommendations

__all__ = [
    "bundle_files",
    "evidence_json",
    "method_words",
    "metric_words",
    "recommendations_bytes",
    "report_html",
    "verdict_sentence",
    "write_bundle",
    "write_recommendations",
]
