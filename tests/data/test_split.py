"""Rows into parts: alike in every label, what belongs together on one side, and the same for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luthier.data.split import PARTS, Shares, Split, joined_groups, split_rows, text_keys
from luthier.data.table import Table
from luthier.errors import DataError

DEFAULT = {"test": 0.2, "valid": 0.1, "calibration": 0.7 * 0.1}


def split(
    strata: Any,
    groups: Any = None,
    roles: tuple[str, ...] = ("train",),
    role_of: Any = None,
    shares: Shares | None = None,
    seed: int = 0,
) -> Split:
    """All rows of a table, split; each row a group of its own and of the first file, and calibration rows set aside however few,
    unless said otherwise."""
    strata = np.asarray(strata)
    rows = np.arange(len(strata))
    return split_rows(
        rows,
        roles,
        np.zeros_like(rows) if role_of is None else np.asarray(role_of),
        strata,
        rows if groups is None else np.asarray(groups),
        Shares(asked=True) if shares is None else shares,
        seed,
    )


def parts_of(found: Split) -> dict[str, np.ndarray]:
    return {part: getattr(found, part) for part in PARTS}


def table_of(texts: list[str | None]) -> Table:
    rows = np.arange(len(texts))
    return Table(pa.table({"text": texts}), (Path("rows.csv"),), np.zeros_like(rows), rows + 2)


@pytest.mark.parametrize("seed", range(20))
def test_every_row_is_in_exactly_one_part_in_table_order(seed: int) -> None:
    found = parts_of(split(np.random.default_rng(seed).integers(0, 5, 300), seed=seed))

    assert np.array_equal(np.sort(np.concatenate(list(found.values()))), np.arange(300))
    assert all((np.diff(rows) > 0).all() for rows in found.values())


@pytest.mark.parametrize("seed", range(20))
def test_each_label_has_its_share_of_each_part_to_within_about_a_row(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(15, 400, 12)
    strata = np.repeat(np.arange(12), sizes)

    found = parts_of(split(strata, seed=seed))

    for part, share in DEFAULT.items():
        counts = np.bincount(strata[found[part]], minlength=12)
        assert np.abs(counts - share * sizes).max() < (1 if part == "test" else 1.3)
        assert abs(counts.sum() - share * sizes.sum()) < 1.3


@pytest.mark.parametrize("seed", range(5))
def test_many_labels_of_few_rows_get_their_shares_on_the_whole(seed: int) -> None:
    strata = np.repeat(np.arange(200), 3)

    found = split(strata, seed=seed)

    assert found.sizes()["test"] == pytest.approx(120, abs=2)
    assert found.sizes()["valid"] == pytest.approx(60, abs=2)
    assert len(np.unique(strata[found.train])) == 200


@pytest.mark.parametrize("seed", range(20))
def test_a_label_of_two_rows_is_always_learnt(seed: int) -> None:
    strata = np.concatenate([np.repeat(np.arange(30), 2), np.full(40, 30)])

    found = split(strata, seed=seed)

    assert len(np.unique(strata[found.train])) == 31


def test_the_seed_decides() -> None:
    strata = np.arange(200) % 4

    first, same, other = split(strata, seed=1), split(strata, seed=1), split(strata, seed=2)

    assert first.to_json() == same.to_json()
    assert all(first.to_json()["hashes"][part] != other.to_json()["hashes"][part] for part in PARTS)


def test_every_row_has_the_same_chance_to_be_tested() -> None:
    times = np.zeros(50)
    for seed in range(600):
        times[split(np.arange(50) % 2, seed=seed).test] += 1

    assert np.abs(times / 600 - 0.2).max() < 4 * (0.2 * 0.8 / 600) ** 0.5


@pytest.mark.parametrize("seed", range(20))
def test_a_group_is_never_parted(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.integers(0, 40, 300)

    found = parts_of(split(random.integers(0, 3, 300), groups, seed=seed))

    parts_of_group = [{part for part in PARTS if group in groups[found[part]]} for group in np.unique(groups)]
    assert all(len(parts) == 1 for parts in parts_of_group)
    assert all(len(rows) for rows in found.values())


@pytest.mark.parametrize("seed", range(30))
def test_a_label_that_only_shares_groups_with_others_is_still_learnt(seed: int) -> None:
    """The group counts as one of its first row's label; the label of its second row must not be lost."""
    strata = np.array([0, 1] * 3 + [0, 2] * 10)
    groups = np.repeat(np.arange(13), 2)

    found = split(strata, groups, seed=seed)

    assert set(strata[found.train]) == {0, 1, 2}


def test_texts_that_differ_in_case_and_white_space_only_are_one_group() -> None:
    keys = text_keys(
        table_of(["Great tone", "great   TONE\n", "great tones", "great", None, " GREAT"]), "text"
    )

    assert keys[0] == keys[1]
    assert keys[3] == keys[5]
    assert len({keys[row] for row in (0, 2, 3, 4)}) == 4


@pytest.mark.parametrize("seed", range(10))
def test_copies_of_a_text_are_on_one_side(seed: int) -> None:
    texts: list[str | None] = [f"text {row % 60}" if row % 2 else f"TEXT  {row % 60}" for row in range(240)]
    keys = text_keys(table_of(texts), "text")

    found = parts_of(split(np.arange(240) % 3, joined_groups(keys), seed=seed))

    seen = [set(keys[rows]) for rows in found.values()]
    assert sum(map(len, seen)) == len(set(keys)) == 60


def test_groups_join_through_what_they_share() -> None:
    users = np.array([1, 1, 2, 2, 3, 4])
    texts = np.array([7, 8, 8, 9, 10, 11])

    groups = joined_groups(users, texts)

    assert len(set(groups[:4])) == 1
    assert len(set(groups)) == 3
    assert np.array_equal(joined_groups(users), [0, 0, 1, 1, 2, 3])


def test_given_files_are_taken_as_they_are() -> None:
    role_of = np.repeat([0, 1, 2], [100, 30, 20])

    found = split(np.arange(150) % 2, roles=("train", "valid", "test"), role_of=role_of)

    assert found.valid.tolist() == list(range(100, 130))
    assert found.test.tolist() == list(range(130, 150))
    assert found.sizes() == {"train": 90, "valid": 30, "calibration": 10, "test": 20}
    assert found.how == (
        "valid and test as given by file; the rest split at random with seed 0, "
        "stratified by label, copies and groups kept on one side"
    )


def test_a_split_that_leaves_nothing_to_chance_says_so_and_by_what_it_is_given() -> None:
    role_of = np.repeat([0, 1, 2], [100, 30, 20])
    none_apart = Shares(calibrates="valid")

    found = split_rows(
        np.arange(150),
        ("train", "valid", "test"),
        role_of,
        np.arange(150) % 2,
        np.arange(150),
        none_apart,
        0,
        "column 'use'",
    )

    assert found.how == "train, valid and test as given by column 'use'"


def test_what_is_not_given_comes_from_the_first_file() -> None:
    role_of = np.repeat([0, 1], [100, 30])

    found = split(np.arange(130) % 2, roles=("train", "test"), role_of=role_of)

    assert found.sizes() == {"train": 81, "valid": 10, "calibration": 9, "test": 30}
    assert found.how.startswith("test as given by file; the rest split")


def test_twenty_rows_are_enough_for_every_part() -> None:
    found = split(np.arange(20) % 2)

    assert found.sizes() == {"train": 12, "valid": 2, "calibration": 2, "test": 4}


@pytest.mark.parametrize("seed", range(30))
def test_eight_rows_are_enough_for_every_part(seed: int) -> None:
    found = split([0, 0, 0, 0, 1, 1, 1, 1], seed=seed)

    assert all(found.sizes().values())
    assert set(np.array([0, 0, 0, 0, 1, 1, 1, 1])[found.train]) == {0, 1}


def test_seven_rows_are_too_few() -> None:
    with pytest.raises(DataError) as caught:
        split([0, 0, 0, 0, 1, 1, 1])

    assert str(caught.value) == (
        "7 rows that can be used are too few to learn from and to test on. "
        "Expected at least 8; a useful result starts near 20 rows, or 20 of each label where there are labels."
    )


def test_where_other_files_hold_the_rows_to_test_and_validate_on_too_few_are_too_few_to_learn_from() -> None:
    with pytest.raises(
        DataError, match=r"7 rows that can be used are too few to learn from\. Expected at least 8"
    ):
        split([0, 1] * 5, roles=("train", "valid", "test"), role_of=[0] * 7 + [1, 1, 2])


def test_other_shares_are_kept() -> None:
    found = split(np.arange(1000) % 4, shares=Shares(valid=0.3, calibration=0.5, test=0.05))

    assert found.sizes() == {"train": 325, "valid": 300, "calibration": 325, "test": 50}


def test_a_share_of_nothing_is_nothing() -> None:
    found = split(np.arange(100) % 4, shares=Shares(valid=0.0, calibration=0.0, test=0.2))

    assert found.sizes() == {"train": 80, "valid": 0, "calibration": 0, "test": 20}


@pytest.mark.parametrize("calibrates", ["valid", ""])
def test_nothing_is_set_aside_where_other_rows_calibrate_or_nothing_is_calibrated(calibrates: str) -> None:
    found = split(np.arange(100) % 4, shares=Shares(calibrates=calibrates))

    assert found.sizes() == {"train": 70, "valid": 10, "calibration": 0, "test": 20}
    assert found.to_json()["calibrates"] == calibrates


@pytest.mark.parametrize(("rows", "apart"), [(190, 0), (200, 20)])
def test_few_rows_are_learnt_from_and_the_validation_rows_calibrate(rows: int, apart: int) -> None:
    found = split(np.arange(rows) % 2, shares=Shares(valid=0.0, test=0.0))

    assert found.sizes()["calibration"] == apart
    assert found.calibrates == ("calibration" if apart else "valid")


def test_groups_that_leave_too_few_rows_to_calibrate_are_learnt_from() -> None:
    groups = np.concatenate([np.zeros(180, int), np.arange(1, 101)])

    found = split(np.zeros(280, int), groups, shares=Shares(valid=0.0, test=0.0))

    assert 28 == round(0.1 * 280) > 0.1 * 101, "ten groups of one row each, or the large one"
    assert found.sizes() == {"train": 280, "valid": 0, "calibration": 0, "test": 0}


def test_rows_that_were_asked_for_are_set_aside_however_few() -> None:
    found = split(np.arange(40) % 2, shares=Shares(valid=0.0, calibration=0.1, test=0.0, asked=True))

    assert (found.sizes()["calibration"], found.calibrates) == (4, "calibration")


@pytest.mark.parametrize("rows", [7_200, 50_001])
def test_calibration_takes_500_rows_at_the_most(rows: int) -> None:
    found = split(np.arange(rows) % 7)

    assert 499 <= found.sizes()["calibration"] <= 500


@pytest.mark.parametrize("seed", range(10))
def test_large_groups_do_not_carry_calibration_beyond_500_rows(seed: int) -> None:
    sizes = np.random.default_rng(seed).geometric(0.01, 300)
    groups = np.repeat(np.arange(300), sizes)

    found = split(groups % 3, groups, shares=Shares(calibration=0.5), seed=seed)

    assert 0 < found.sizes()["calibration"] <= 500
    assert not set(groups[found.calibration]) & set(groups[found.train])


def test_a_million_rows_are_split() -> None:
    strata = np.random.default_rng(0).integers(0, 50, 1_000_000)

    found = split(strata)

    assert found.sizes()["test"] == pytest.approx(200_000, abs=2)
    assert found.sizes()["calibration"] <= 500
    assert np.abs(np.bincount(strata[found.test]) - 0.2 * np.bincount(strata)).max() < 1
