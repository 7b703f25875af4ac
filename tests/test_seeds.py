"""Randomness is a pure function of where it is used."""

import hashlib
import subprocess
import sys

import numpy as np
from scipy import stats

from luthier import seeds


def test_a_place_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    first = seeds.generator(3, "order", 1).random(5)
    np.random.default_rng().random(100)
    seeds.generator(3, "order", 2).random(7)

    assert np.array_equal(seeds.generator(3, "order", 1).random(5), first)


def test_every_part_of_a_place_counts() -> None:
    places: list[tuple[int, tuple[str | int, ...]]] = [
        (0, ("order", 1)),
        (0, ("order", 2)),
        (0, ("dropout", 1)),
        (1, ("order", 1)),
        (0, ("order", 1, 0)),
        (0, ("order",)),
        (0, ()),
    ]

    found = [seeds.derive(seed, *path) for seed, path in places]

    assert len(set(found)) == len(places)


def test_a_number_beside_a_number_is_not_one_longer_number() -> None:
    assert seeds.derive(1, 23) != seeds.derive(12, 3) != seeds.derive(123)


def test_a_seed_is_the_first_63_bits_of_blake2b() -> None:
    """Pinned: another way to mix would give every user's run other numbers."""
    expected = int.from_bytes(hashlib.blake2b(b"7\0dropout\x0012\x003", digest_size=8).digest(), "big") // 2

    assert seeds.derive(7, "dropout", 12, 3) == expected
    assert 0 <= expected < 2**63


def test_another_process_draws_the_same() -> None:
    """Python's own hash of a text differs from process to process."""
    code = (
        "from luthier import seeds; print(seeds.generator(5, 'split', 'é').integers(10**9, size=4).tolist())"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert found.strip() == str(seeds.generator(5, "split", "é").integers(10**9, size=4).tolist())


def test_seeds_of_neighbouring_places_are_spread_evenly() -> None:
    found = np.array([seeds.derive(0, "step", step) for step in range(4000)]) / 2**63

    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.05
