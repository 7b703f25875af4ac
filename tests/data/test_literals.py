"""Lists and objects in cells: what is read, and that nothing is run."""

import pytest

from luthier.data.annotations.literals import literal

READ = {
    "['a', \"it's\"]": ["a", "it's"],
    "['a' 'b'\n 'c']": ["a", "b", "c"],
    "[0 1  2]": [0, 1, 2],
    "[ 1.  -2.5]": [1.0, -2.5],
    "[(0, 5, 'LOC'), (7, 9, 'PER')]": [[0, 5, "LOC"], [7, 9, "PER"]],
    "array(['a'], dtype='<U1')": ["a"],
    "{'x': array([], dtype=float64), 'y': np.int64(3)}": {"x": [], "y": 3},
    "{'a', 'b'}": ["a", "b"],
    '["\\ud83d\\ude00", null, true]': ["\U0001f600", None, True],
    "[None, nan, False]": [None, None, False],
    "['\\n', '\\d']": ["\n", "\\d"],
}


@pytest.mark.parametrize("text", READ)
def test_what_python_json_and_numpy_write_is_read(text: str) -> None:
    assert literal(text) == READ[text]


@pytest.mark.parametrize(
    "text",
    [
        "[__import__('os').system('true')]",
        "[open('x')]",
        "[x for x in 'a']",
        "['a' + 'b']",
        "{'a': 1, 'b'}",
        "[1",
        "['a']]",
        "lambda: 1",
    ],
)
def test_what_is_no_value_is_refused_and_not_run(text: str) -> None:
    with pytest.raises(ValueError, match="no value of a list or an object stands"):
        literal(text)


def test_what_is_too_deep_or_too_long_or_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 32 levels"):
        literal("[" * 40 + "'a'" + "]" * 40)
    with pytest.raises(ValueError, match="more than 1,000,000 characters"):
        literal("[" + "1," * 600_000 + "]")
    with pytest.raises(ValueError, match="numpy shortened it"):
        literal("['a' 'b' ... 'z']")
