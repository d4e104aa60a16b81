"""The whole way through: two tables of ratings → evidence → a fit that makes lists."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM, TITLE
from transrec_core.data.checks import check_pair
from transrec_core.data.crosslisted import find_crosslisted, without_crosslisted
from transrec_core.data.editions import find_editions, merge_editions
from transrec_core.data.interactions import Interactions
from transrec_core.data.items import Items
from transrec_core.data.linking import DomainPair, link, require_overlap
from transrec_core.data.ratings import Ratings
from transrec_core.data.report import Problem, plural
from transrec_core.errors import (
    AllCrosslistedError,
    BadSettingError,
    NoOverlapError,
    NothingNewError,
    RankTooLargeError,
    TooFewUsersError,
    TransrecWarning,
    UnknownUserWarning,
)
from transrec_core.evidence.budget import factorizing_seconds
from transrec_core.evidence.choosing import (
    DEFAULT_RANK,
    Feedback,
    default_spec,
    methods_for,
    spec_from,
)
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.results import Chosen, Comparison, Crosslisted
from transrec_core.evidence.sources import as_table, rank_domains
from transrec_core.evidence.sparsity import SHARES, thinned_comparisons
from transrec_core.evidence.sparsity import as_table as sparsity_table
from transrec_core.factors.kernels import kernels_are_compiled, kernels_can_be_kept
from transrec_core.factors.solver import factorize
from transrec_core.progress import UNTOLD, Meter, OnProgress, Progress
from transrec_core.recommending import (
    listed_users,
    lists_for,
    named_for,
    unknown_users,
    users_with_everything,
)
from transrec_core.reporting.sentences import method_inside, unknown_sentence
from transrec_core.settings import TFIDF, Settings
from transrec_core.transfer.factorizations import Factorizations, WarmStart
from transrec_core.transfer.fitting import (
    CODEBOOK,
    CONTENT,
    EASE,
    TARGET_ONLY,
    TWO_TOWER,
    FitSpec,
    TransferFit,
)
from transrec_core.transfer.knowledge import Ground, Texts
from transrec_core.transfer.ridge import fit_ease

LEAST_TOLD = 0.5
"""Share of the source's own items that a table must know to be taken for the texts of both."""

READERS = ("auto", CONTENT, TWO_TOWER)
"""Methods that read the texts of both catalogues."""

NOT_MEASURED = "Whether the source helps was not measured: transrec compare does that."
"""Why there is no comparison where nobody asked for one."""

LEAST_WARM = 1.0
"""Estimated seconds to factorize both domains from which an earlier run's factors are used."""


@dataclass(frozen=True)
class Run:
    """Everything that one fit of two domains gives.

    Attributes
    ----------
    settings
        What was asked for.
    pair
        The linked domains.
    comparison
        The evidence; ``None`` where it cannot exist, or was not asked for.
    no_comparison
        Why there is none, in plain words; empty where there is one.
    fit
        Both domains fitted on all data with the parameters that validation users chose.
    chosen
        What they chose; ``None`` without a comparison.
    source_items, target_items
        Titles, genres and descriptions by item id, where they were given.
    data
        SHA-256 and sizes of both domains, for reports.
    seconds
        Wall time.
    warm_start
        What a next run on the same data may start from.
    started_warm
        Whether this run started from an earlier one's factorizations. Its numbers then differ in
        the last digits from those of a run that did not.
    """

    settings: Settings
    pair: DomainPair
    comparison: Comparison | None
    no_comparison: str
    fit: TransferFit
    chosen: Chosen | None
    source_items: pd.DataFrame | None
    target_items: pd.DataFrame | None
    data: Mapping[str, Mapping[str, Any]]
    seconds: float
    warm_start: WarmStart | None = None
    started_warm: bool = False


def run(
    source: Ratings,
    target: Ratings,
    settings: Settings | None = None,
    *,
    source_items: Items | None = None,
    target_items: Items | None = None,
    compare: bool = True,
    start: WarmStart | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Fit two domains, measure whether the source helps, and keep all that lists need.

    Parameters
    ----------
    source, target
        The two domains' ratings.
    settings
        What to fit and how to judge it.
    source_items, target_items
        Titles, genres and descriptions. One table of both catalogues may be given as the target's.
    compare
        Whether to measure; without it the settings' rank and λ, or their defaults, are used.
    start
        An earlier run's ``warm_start``; used where at most method, rank, λ, budget and length of
        lists have changed since, or else left aside.
    on_progress
        Told how far the work is, at least once a half-sweep; may raise ``Cancelled``.

    Raises
    ------
    NoOverlapError
        The domains share no users.
    AllCrosslistedError
        Products listed twice are to be left out, and the source has no others.
    TooFewUsersError
        No method can learn from so few shared users.
    RankTooLargeError
        The rank is above what the smaller domain can carry.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    reading, meter = _parts(settings, on_progress)
    linked = _linked(source, target, settings, source_items, target_items, reading)
    pair = linked.pair
    _announce(meter)
    grounds = linked.grounds(settings)
    # A fresh start is as quick on smaller data, and its numbers can be had again.
    long = factorizing_seconds(linked.pair, settings.rank or DEFAULT_RANK) > LEAST_WARM
    earlier = start.factors if long and start is not None and start.grounds == grounds else None
    factorizations = Factorizations(earlier)
    comparison = None
    reason = "" if compare else NOT_MEASURED
    if compare:
        try:
            comparison = linked.compare(settings, meter.part(0, 0.85), factorizations)
        except NoOverlapError:
            # Texts of both catalogues are there, or the domains would not have been linked.
            reason = (
                "Nobody is in both catalogues, so what the source gives cannot be measured. Lists "
                "come from what the items are about."
            )
            reason = " ".join([reason, *(note.message for note in linked.notes)])
        except TooFewUsersError as error:
            reason = str(error)
    feedback: Feedback = "ratings" if settings.feedback == "ratings" else "implicit"
    chosen = None
    if comparison is not None:
        chosen = comparison.chosen["ratings" if feedback == "ratings" else "ranking"]
    ground = Ground(pair, feedback, settings.seed, linked.texts, linked.by_words, linked.nameless)
    fit = _fit_all(ground, settings, chosen, meter.part(0.85, 1), factorizations)
    meter.report(1, "Done")
    return Run(
        settings,
        pair,
        comparison,
        reason,
        fit,
        chosen,
        None if source_items is None else source_items.frame,
        None if target_items is None else target_items.frame,
        describe(source, target),
        time.perf_counter() - started,
        WarmStart(grounds, factorizations.hand_on(_specs(settings, fit.spec, comparison))),
        earlier is not None,
    )


def _specs(settings: Settings, spec: FitSpec, comparison: Comparison | None) -> tuple[FitSpec, ...]:
    """The parameters of the transfer method, for each feedback that there is evidence of."""
    feedbacks: dict[str, Feedback] = {"ranking": "implicit", "ratings": "ratings"}
    found = {} if comparison is None else comparison.chosen
    others = (
        spec_from(settings, feedbacks[kind], chosen, chosen.method)
        for kind, chosen in found.items()
        if feedbacks[kind] != spec.feedback
    )
    return (spec, *others)


def _fit_all(
    ground: Ground,
    settings: Settings,
    chosen: Chosen | None,
    meter: Meter,
    factorizations: Factorizations,
) -> TransferFit:
    """Fit all data with what validation users settled, or with the settings and their defaults."""
    stage = "Fitting all data"
    on_fit = meter.part(0, 0.5).fits(stage)

    def on_epoch(method: str) -> Callable[[int, float], None]:
        return meter.part(0.5, 1).learning(stage, method)

    matrix = ground.pair.target.matrix
    if chosen is None:
        methods, _ = methods_for(ground, settings)
        spec = default_spec(ground.pair, ground.feedback, settings)
        fit = factorizations.fit(ground, spec, "all", matrix, on_fit=on_fit)
        return fit.by(methods[0], on_epoch=on_epoch(methods[0]))
    spec = spec_from(settings, ground.feedback, chosen, chosen.method)
    plain = spec_from(settings, ground.feedback, chosen, TARGET_ONLY)
    ease = None
    if EASE in chosen.baseline_at.values():
        ease = fit_ease(matrix, chosen.parameters[EASE]["penalty"])
    fit = replace(
        factorizations.fit(ground, spec, "all", matrix, on_fit=on_fit),
        plain=factorizations.of("all", matrix, plain, on_fit),
        strength=chosen.strength,
        mean_strength=chosen.mean_strength,
        ease=ease,
    )
    return fit.by(chosen.method, on_epoch=on_epoch(chosen.method))


def compare(
    source: Ratings,
    target: Ratings,
    settings: Settings | None = None,
    *,
    source_items: Items | None = None,
    target_items: Items | None = None,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Measure whether the source helps in the target, without fitting for lists.

    Raises
    ------
    NoOverlapError, AllCrosslistedError, TooFewUsersError, RankTooLargeError
        There is nothing to measure, with the numbers.
    """
    settings = settings or Settings()
    reading, meter = _parts(settings, on_progress)
    linked = _linked(source, target, settings, source_items, target_items, reading)
    _announce(meter)
    return linked.compare(settings, meter)


def recommend(
    source: Ratings,
    target: Ratings,
    settings: Settings | None = None,
    *,
    users: Sequence[str] | None = None,
    items: Items | None = None,
    source_items: Items | None = None,
    settle: bool = False,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Recommendation lists for the source's users, or those named.

    With ``method="auto"`` or an open rank or λ the comparison runs first, so that validation users
    decide; otherwise the domains are fitted at once. With ``settle`` it runs in any case and
    settles how much weight the source has, as ``run`` and the dashboard do.

    Returns
    -------
    user_id, item_id, rank, score, method[, title]; see ``recommend_for``.
    """
    result = run_for_lists(
        source,
        target,
        settings,
        items=items,
        source_items=source_items,
        settle=settle,
        on_progress=on_progress,
    )
    return recommend_from(result, users=users)


def run_for_lists(
    source: Ratings,
    target: Ratings,
    settings: Settings | None = None,
    *,
    items: Items | None = None,
    source_items: Items | None = None,
    settle: bool = False,
    on_progress: OnProgress | None = None,
) -> Run:
    """The run whose lists ``recommend`` gives, with evidence only where lists hang on it."""
    settings = settings or Settings()
    return run(
        source,
        target,
        settings,
        source_items=source_items,
        target_items=items,
        compare=settle or lists_hang_on_evidence(settings),
        on_progress=on_progress,
    )


def lists_hang_on_evidence(settings: Settings) -> bool:
    """Whether validation users have to settle method, rank or λ before lists can be made."""
    return settings.method == "auto" or settings.rank is None or settings.lam is None


def recommend_from(
    result: Run, *, users: Sequence[str] | None = None, top: int | None = None
) -> pd.DataFrame:
    """Recommendation lists of a run, fitted just now or read from a file.

    Parameters
    ----------
    result
        From ``run`` or ``load_run``.
    users
        Ids, or the items of a run on new items; default all that the run knows from the source.
    top
        Length of a list; default that of the run's settings.

    Warns
    -----
    UnknownUserWarning
        When ids are in neither domain; nothing but what is popular can be recommended to them.

    Returns
    -------
    user_id, item_id, rank, score, method[, title]; see ``recommend_for``.
    """
    return pd.concat(lists_from(result, users=users, top=top), ignore_index=True)


def lists_from(
    result: Run, *, users: Sequence[str] | None = None, top: int | None = None
) -> Iterator[pd.DataFrame]:
    """The same lists, some users at a time: one table after the other, at least one.

    Raises
    ------
    NothingNewError
        Everybody had every item already.
    """
    asked = listed_users(result.pair) if users is None else users
    if users is not None:
        _warn_of_unknown(result.pair, users, result.settings.cold)
    if warn_of_nothing_new(result, asked) == len(asked) > 0:
        raise NothingNewError(
            f"There is nothing to list: {_nothing_new(len(asked), result.settings.cold)}.",
            "Choose others, or give more of the target catalogue.",
        )
    return list_parts(result, asked, top=top)


def list_parts(
    result: Run, users: Sequence[str] | pd.Index, *, top: int | None = None
) -> Iterator[pd.DataFrame]:
    """The same without warnings, of some users among others who are asked for."""
    settings, items = result.settings, result.target_items
    parts = lists_for(
        result.fit,
        users,
        top=settings.top if top is None else top,
        method=settings.method,
        chosen=result.chosen,
        items=None if settings.cold == "items" else items,
    )
    return (_named(part, settings.cold, items) for part in parts)


def warn_of_nothing_new(result: Run, ids: Sequence[str] | pd.Index) -> int:
    """Warn of those who get no list as they had every item already; how many they are."""
    complete = users_with_everything(result.pair, ids)
    if complete:
        cold = result.settings.cold
        warnings.warn(
            f"{_nothing_new(len(complete), cold)} (such as {complete[0]!r}): no list can "
            f"be made for {'it' if len(complete) == 1 else 'them'}.",
            TransrecWarning,
            stacklevel=3,
        )
    return len(complete)


def _nothing_new(count: int, cold: str) -> str:
    if cold == "items":
        return plural(count, "item is", "items are") + " known to every user of the target"
    return plural(count, "user has", "users have") + " every item of the target already"


def _warn_of_unknown(pair: DomainPair, ids: Sequence[str], cold: str) -> None:
    unknown = unknown_users(pair, ids)
    if not unknown:
        return
    # Where nobody is linked, the method needs to know nobody.
    they = "they get" if len(unknown) > 1 else "it gets"
    so = f"{they} {method_inside('popularity', cold)}" if pair.linked else ""
    where = f"{'are' if len(unknown) > 1 else 'is'} in neither catalogue"
    warnings.warn(
        unknown_sentence(unknown, len(ids), where, so, cold), UnknownUserWarning, stacklevel=4
    )


def _named(lists: pd.DataFrame, cold: str, items: pd.DataFrame | None) -> pd.DataFrame:
    lists = named_for(lists, cold)
    if items is not None and cold == "items":
        lists[TITLE] = items[TITLE].reindex(lists[ITEM]).fillna("").to_numpy()
    return lists


def rank_sources(
    target: Ratings,
    sources: Mapping[str, Ratings],
    settings: Settings | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Which of several sources to choose for a target, by what each gains in a pilot.

    Parameters
    ----------
    target
        The catalogue to recommend from.
    sources
        Candidates by name.
    settings
        As for ``compare``; the gain is measured at the first of ``shots``.
    on_progress
        Told how far the work is; may raise ``Cancelled``.

    Returns
    -------
    One row a source, the largest gain first: source, gain, low, high (95 % interval), metric,
    shots, baseline, judged_users, shared_users, correlation, users, items, ratings, density,
    seconds, note (why there is no gain). See ``Pilot``.

    Notes
    -----
    A pilot is a first look at fixed parameters on a fifth of the users; ``compare`` tells, on
    users that the pilot has not seen.
    """
    meter = Meter(on_progress)
    _announce(meter)
    domains = {name: ratings.interactions() for name, ratings in sources.items()}
    return as_table(rank_domains(target.interactions(), domains, settings or Settings(), meter))


def sparsity(
    source: Ratings,
    target: Ratings,
    settings: Settings | None = None,
    *,
    shares: Sequence[float] = SHARES,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """What the source is worth with fewer target ratings: one comparison a share of them.

    The ratings of held-out users stay, so that every share is judged on the same users and items.

    Parameters
    ----------
    source, target
        The two domains' ratings.
    settings
        As for ``compare``.
    shares
        Of the target ratings of everybody else, each above 0 and at most 1.
    on_progress
        Told how far the work is; may raise ``Cancelled``.

    Returns
    -------
    share, ratings, metric, shots, users, baseline, without (its mean), method, with (its mean),
    gain, low, high, verdict; the largest share first.

    Raises
    ------
    NoOverlapError, AllCrosslistedError, TooFewUsersError, RankTooLargeError, BadSettingError
        There is nothing to measure, with the numbers.
    """
    if not shares or not all(0 < share <= 1 for share in shares):
        raise BadSettingError(
            f"shares is {', '.join(map(str, shares))}.", "Each must be above 0 and at most 1."
        )
    settings = settings or Settings()
    pair = _linked(source, target, settings).pair
    meter = Meter(on_progress)
    _announce(meter)
    return sparsity_table(thinned_comparisons(pair, settings, shares, meter))


def describe(source: Ratings, target: Ratings) -> dict[str, dict[str, Any]]:
    """SHA-256 and sizes of both domains, for reports."""
    return {
        "source": _described(source, source.interactions()),
        "target": _described(target, target.interactions()),
    }


@dataclass(frozen=True)
class _Linked:
    """Two domains as the settings ask for them, and what is known of their items."""

    pair: DomainPair
    texts: Texts | None
    by_words: bool
    nameless: bool
    notes: tuple[Problem, ...]

    def grounds(self, settings: Settings) -> tuple[object, ...]:
        """What the factorizations of a run hang on besides method, rank and λ."""
        others = replace(
            settings,
            method="auto",
            rank=None,
            lam=None,
            budget=Settings.budget,
            top=Settings.top,
            text_model=TFIDF,  # where it is factorized, the source's fingerprint tells it
        )
        return (others, self.pair.source.fingerprint, self.pair.target.fingerprint)

    def compare(
        self, settings: Settings, meter: Meter, factorizations: Factorizations | None = None
    ) -> Comparison:
        """The comparison, the checks, and what it comes to without products that are in both."""
        copies = None
        if settings.cold == "users" and self.pair.linked and not settings.leave_out_crosslisted:
            copies = find_crosslisted(self.pair)
        twice = copies is not None and len(copies.source_items) > 0
        found = compare_domains(
            self.pair,
            settings,
            meter.part(0, 0.7 if twice else 1),
            texts=self.texts,
            by_words=self.by_words,
            factorizations=factorizations,
        )
        if settings.cold == "users":
            frames = (None, None) if self.texts is None else (self.texts.source, self.texts.target)
            found = replace(found, checks=check_pair(self.pair, *frames) + found.checks)
        found = replace(found, checks=found.checks + self.notes)
        if copies is None or not twice:
            return found
        pair, headline = self.pair, found.headline
        method = headline.shots[0].transfer
        feedback: Feedback = "implicit" if headline.higher_is_better else "ratings"
        evidence, reason = None, ""
        try:
            evidence = compare_domains(
                without_crosslisted(pair, copies),
                replace(settings, method=method, feedback=feedback),
                meter.part(0.7, 1),
                texts=self.texts,
            ).headline
        except (AllCrosslistedError, RankTooLargeError, TooFewUsersError) as error:
            reason = error.message
            meter.report(1, "Compared")
        products = tuple(
            (str(pair.source.items[s]), str(pair.target.items[t]))
            for s, t in zip(copies.source_items, copies.target_items, strict=True)
        )
        return replace(found, crosslisted=Crosslisted(products, evidence, reason))


def _linked(
    source: Ratings,
    target: Ratings,
    settings: Settings,
    source_items: Items | None = None,
    target_items: Items | None = None,
    meter: Meter = UNTOLD,
) -> _Linked:
    domains = [source.interactions(), target.interactions()]
    frames = [None if items is None else items.frame for items in (source_items, target_items)]
    if frames[0] is None and frames[1] is not None and _tells_of(frames[1], *domains):
        frames[0] = frames[1]
    if settings.merge_editions:
        for place, (domain, frame) in enumerate(zip(domains, frames, strict=True)):
            editions = None if frame is None else find_editions(domain, frame)
            # Without titles they are guessed by their users, as the parts of a series would be.
            if editions is not None and editions.by_title:
                domains[place] = merge_editions(domain, editions)
    texts = None
    notes: tuple[Problem, ...] = ()
    by_words = settings.cold == "items" and frames[1] is not None
    if by_words and frames[1] is not None:
        # Here, because it takes longer to load than the rest of the core.
        from transrec_core.content.embedding import embedder_of
        from transrec_core.content.features import meaning_domain, words_domain

        # One table may hold both catalogues; what is the source's alone is not new to the target.
        others = domains[0].items.difference(domains[1].items)
        frame = frames[1].drop(index=others, errors="ignore")
        embedder = embedder_of(settings.text_model)
        if embedder is None:
            told = words_domain(frame)
        else:
            told, notes = meaning_domain(frame, embedder, meter)
        domains = [told, domains[1].transposed()]
    elif settings.cold == "items":
        domains = [domain.transposed() for domain in domains]
    elif frames[0] is not None and frames[1] is not None:
        texts = Texts(frames[0], frames[1])
        if settings.text_model != TFIDF and settings.method in READERS:
            from transrec_core.content.embedding import embedder_of
            from transrec_core.content.features import text_vectors

            ids = [domain.items for domain in domains]
            embedder = embedder_of(settings.text_model)
            assert embedder is not None, "TF-IDF reads words"
            vectors, notes = text_vectors([frames[0], frames[1]], ids, embedder, meter)
            texts = replace(texts, source_vectors=vectors[0], target_vectors=vectors[1])
    pair = link(domains[0], domains[1])
    if len(pair.shared) == 0 and settings.method == CODEBOOK:
        pair = pair.unlinked()
    elif texts is None:
        require_overlap(pair, settings.cold)
    if settings.leave_out_crosslisted and not by_words:
        pair = without_crosslisted(pair)
    for name, domain in (("source", pair.source), ("target", pair.target)):
        smaller = min(domain.matrix.shape)
        if settings.rank is not None and settings.rank > smaller:
            raise RankTooLargeError(
                f"Rank {settings.rank} is too large for the {name}: {domain.matrix.shape[0]:,} "
                f"users × {domain.matrix.shape[1]:,} items.",
                f"Choose a rank of at most {smaller}, or auto.",
            )
    return _Linked(pair, texts, by_words, by_words and settings.text_model != TFIDF, notes)


READING_TEXTS = 0.3
"""Share of the work that a language model is taken to need."""


def _parts(settings: Settings, on_progress: OnProgress | None) -> tuple[Meter, Meter]:
    """A meter for reading texts, and one for all else."""
    meter = Meter(on_progress)
    share = 0.0 if settings.text_model == TFIDF else READING_TEXTS
    return meter.part(0, share), meter.part(share, 1)


def _tells_of(frame: pd.DataFrame, source: Interactions, target: Interactions) -> bool:
    """Whether one table has the texts of both catalogues: it knows items of the source alone too.

    Ids that both catalogues have do not count: as plain numbers they can mean different things.
    """
    own = source.items.difference(target.items)
    return len(own) > 0 and float(own.isin(frame.index).mean()) >= LEAST_TOLD


def load_kernels() -> None:
    """Load the compiled kernels, where an earlier process left them, before they are needed.

    Where none can be left, they are compiled: whoever waits for a fit should not wait for that.
    """
    if kernels_are_compiled() or not kernels_can_be_kept():
        few = sp.csr_array(np.eye(2, dtype=np.float32))
        for feedback in ("implicit", "ratings"):
            factorize(few, rank=1, lam=0.1, feedback=feedback, sweeps=1)


def _announce(meter: Meter) -> None:
    if not kernels_are_compiled():
        often = "only once on this machine" if kernels_can_be_kept() else "they cannot be kept here"
        meter.report(0, "Compiling the numerical kernels", f"{often}, about 15 s")


def _described(ratings: Ratings, domain: Any) -> dict[str, Any]:
    return {
        "file": ratings.report.file,
        "sha256": ratings.sha256,
        "asked": dict(ratings.report.asked),
        "users": len(domain.users),
        "items": len(domain.items),
        "ratings": int(domain.matrix.nnz),
    }


__all__ = [
    "Progress",
    "Run",
    "compare",
    "describe",
    "load_kernels",
    "rank_sources",
    "recommend",
    "run",
    "sparsity",
]
