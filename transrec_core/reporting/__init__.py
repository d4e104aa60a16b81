"""Results to sentences, tables, and files that stand on their own."""

from transrec_core.reporting.bundle import bundle_files, evidence_json, write_bundle
from transrec_core.reporting.report import report_html
from transrec_core.reporting.sentences import method_words, metric_words, verdict_sentence
from transrec_core.reporting.tables import table_bytes, write_table

__all__ = [
    "bundle_files",
    "evidence_json",
    "method_words",
    "metric_words",
    "report_html",
    "table_bytes",
    "verdict_sentence",
    "write_bundle",
    "write_table",
]
