"""A tokenizer with patterns of its own reads texts in another process first, where it can be stopped.

What a regular expression takes may grow without bound with the text, and the library that applies it cannot be interrupted.
Tokenizers whose patterns are known (models/readers/tokenizer_file.py) are not rehearsed.
"""

import json
import os
import selectors
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from luthier.errors import ModelError, listing
from luthier.models.readers.tokenizer_file import TokenizerFile

WORKER = (sys.executable, "-P", "-m", "luthier.models.readers.rehearsal")
PIECE = 50_000
"""Characters that are read at a time."""
PATIENCE = 15.0
"""Seconds that a piece may take; known tokenizers need a tenth of a second."""
TO_LOAD = 60.0
"""Seconds within which the process must have started and read the tokenizer."""
ROOM = 3 * 2**29
"""Bytes of address space that the process may take, beyond twenty times the tokenizer's own size."""
DONE = b"done\n"


class Rehearsal:
    """A process that has read a tokenizer, and reads what is given to it."""

    def __init__(self, file: TokenizerFile) -> None:
        """Raises ModelError where the tokenizer cannot be read."""
        self.file = file
        self.process = subprocess.Popen(
            [*WORKER, str(file.path.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
            start_new_session=True,
        )
        weakref.finalize(self, self.process.kill)
        self.wait(TO_LOAD, 0)

    def read(self, texts: Sequence[str]) -> None:
        """Let the other process read some texts. Raises ModelError where that takes too long, or fails."""
        assert self.process.stdin is not None, "it is piped"
        for piece in pieces(texts):
            try:
                self.process.stdin.write(json.dumps(piece).encode() + b"\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended, as `wait` will find
            self.wait(PATIENCE, sum(map(len, piece)))

    def wait(self, seconds: float, letters: int) -> None:
        assert self.process.stdout is not None, "it is piped"
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            answered = bool(selector.select(seconds))
        if answered and self.process.stdout.readline() == DONE:
            return
        self.process.kill()
        self.process.wait()
        patterns = f"pattern {listing([pattern[:80] for pattern in self.file.strange], 3)}"
        how = "cannot be used" if answered else f"takes more than {seconds:.0f} seconds"
        at = f" on {letters:,} letters of text" if letters else ""
        raise ModelError(
            f"{self.file.path}: the tokenizer {how}{at}, by its {patterns}. Copy the tokenizer of this model again, or "
            "choose another model."
        )


def pieces(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, a few at a time, long ones in parts."""
    piece: list[str] = []
    room = PIECE
    for text in texts:
        for begin in range(0, max(1, len(text)), PIECE):
            part = text[begin : begin + PIECE]
            if piece and len(part) > room:
                yield piece
                piece, room = [], PIECE
            piece.append(part)
            room -= len(part)
    if piece:
        yield piece


def main() -> None:
    """Read a tokenizer, and then each line of standard input, a JSON list of texts; a line is answered when it is read."""
    path = Path(sys.argv[1])
    limit_memory(ROOM + 20 * path.stat().st_size)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    answer()
    for line in sys.stdin.buffer:
        tokenizer.encode_batch(json.loads(line), add_special_tokens=False)
        answer()


def answer() -> None:
    sys.stdout.buffer.write(DONE)
    sys.stdout.buffer.flush()


def limit_memory(most: int) -> None:
    """Let this process end where it would take more bytes."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )


if __name__ == "__main__":
    main()
