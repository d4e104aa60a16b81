"""Rotations, projections and neighbours keep what they promise to keep."""

from __future__ import annotations

import numpy as np
import pytest

from transrec_core.factors.geometry import (
    align,
    canonical,
    faithfulness,
    nearest,
    neighbour_plane,
    principal_axes,
    unit_rows,
)


def test_canonical_directions_are_the_singular_vectors_of_the_product():
    random = np.random.default_rng(0)
    U, V = random.normal(size=(30, 4)), random.normal(size=(20, 4))
    turn = canonical(U, V)
    _, sizes, rows = np.linalg.svd(U @ V.T, full_matrices=False)
    coordinates = V @ turn.rotation
    np.testing.assert_allclose(turn.shares, sizes[:4] ** 2 / (sizes[:4] ** 2).sum(), atol=1e-10)
    for f in range(4):
        direction = coordinates[:, f] / np.linalg.norm(coordinates[:, f])
        assert abs(direction @ rows[f]) == pytest.approx(1, abs=1e-8)


def test_a_rotation_of_the_factors_changes_no_canonical_coordinate():
    random = np.random.default_rng(1)
    U, V = random.normal(size=(30, 3)), random.normal(size=(20, 3))
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    one = V @ canonical(U, V).rotation
    two = (V @ turn) @ canonical(U @ turn, V @ turn).rotation
    np.testing.assert_allclose(one, two, atol=1e-8)


def test_principal_axes_find_the_plane_that_the_points_lie_in():
    random = np.random.default_rng(2)
    plane = random.normal(size=(200, 2)) * [3.0, 1.0]
    basis, _ = np.linalg.qr(random.normal(size=(5, 2)))
    projection = principal_axes(plane @ basis.T + 7.0)
    assert sum(projection.variance) == pytest.approx(1)
    assert projection.variance[0] > projection.variance[1]
    distances = np.linalg.norm(plane[:50, None] - plane[None, :50], axis=-1)
    mapped = projection(plane @ basis.T + 7.0)[:50]
    np.testing.assert_allclose(np.linalg.norm(mapped[:, None] - mapped[None], axis=-1), distances)


def test_one_dimension_and_one_point_project():
    assert principal_axes(np.ones((4, 1))).variance == (0.0, 0.0)
    assert principal_axes(np.ones((1, 3)))(np.ones((1, 3))).shape == (1, 2)
    assert faithfulness(np.ones((2, 3)), np.ones((2, 2))) == 1.0


def test_faithfulness_is_one_for_the_truth_and_lower_for_noise():
    random = np.random.default_rng(3)
    angle = random.uniform(0, 2 * np.pi, 300)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    assert faithfulness(circle, circle) > 0.99
    assert faithfulness(circle, random.normal(size=(300, 2))) < 0.7


def test_unit_rows_keep_zero_rows():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])


def test_nearest_is_brute_force_and_chunks_change_nothing():
    random = np.random.default_rng(4)
    points = unit_rows(random.normal(size=(60, 5)))
    points[10] = points[3]
    found, cosines = nearest(points, points, 7, chunk=9)
    for row, (who, how) in enumerate(zip(found, cosines, strict=True)):
        cosine = points @ points[row]
        np.testing.assert_allclose(how, np.sort(cosine)[::-1][:7], atol=1e-12)
        assert set(who) == set(np.argsort(-cosine, kind="stable")[:7])
    again, _ = nearest(points, points, 7, chunk=1000)
    assert np.array_equal(found, again)
    assert nearest(points[:3], points, 7)[0].shape == (60, 3)


def test_alignment_sees_a_rotation_and_no_chance():
    random = np.random.default_rng(5)
    X = random.normal(size=(400, 6))
    turn, _ = np.linalg.qr(random.normal(size=(6, 6)))
    same = align(X, 3 * X @ turn + 0.05 * random.normal(size=X.shape))
    assert min(same.correlations) > 0.95
    assert same.disparity < 0.01
    other = align(X, random.normal(size=(400, 6)))
    assert max(np.abs(other.correlations)) < 0.25
    assert other.disparity > 0.9
    half = align(X, np.hstack([X[:, :2], random.normal(size=(400, 4))]), components=6)
    assert half.correlations[1] > 0.9
    assert half.correlations[-1] < 0.3
    assert half.users == 400


def test_alignment_of_nothing_is_nothing():
    assert align(np.ones((2, 3)), np.ones((2, 3))).correlations == ()
    constant = align(np.ones((50, 3)), np.ones((50, 2)))
    assert constant.disparity == 1.0
    assert np.isfinite(constant.correlations).all()


def test_procrustes_disparity_is_scipys():
    from scipy.spatial import procrustes

    random = np.random.default_rng(6)
    X, Y = random.normal(size=(50, 3)), random.normal(size=(50, 3))
    assert align(X, Y).disparity == pytest.approx(procrustes(X, Y)[2])


def test_a_plane_of_neighbours_keeps_groups_and_is_the_same_again():
    random = np.random.default_rng(7)
    centres = np.eye(6)
    group = np.repeat(np.arange(6), 25)
    points = unit_rows(centres[group] + 0.15 * random.normal(size=(150, 6)))
    start = principal_axes(points)(points)
    plane = neighbour_plane(points, start)
    assert faithfulness(points, plane) > faithfulness(points, start) + 0.05
    distance = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).mean() > 0.97
    assert np.array_equal(plane, neighbour_plane(points, start))
    assert neighbour_plane(points[:4], start[:4]).shape == (4, 2)
