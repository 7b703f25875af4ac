"""Problems with rows, in few words: how many there are, and the first few."""

from dataclasses import dataclass, field

SHOWN = 8
"""The most problems of one kind that a message lists one by one."""


@dataclass
class Problems:
    """Rows that are wrong in the same way, collected to be told together."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(words)

    def __str__(self) -> str:
        """
        >>> problems = Problems()
        >>> for line in range(2, 13):
        ...     problems.add(f"line {line}")
        >>> str(problems)
        'line 2, line 3, line 4, line 5, line 6, line 7, line 8, line 9 and 3 more'
        """
        more = self.count - len(self.first)
        if more:
            return f"{', '.join(self.first)} and {more:,} more"
        return (
            " and ".join([", ".join(self.first[:-1]), self.first[-1]])
            if self.count > 1
            else "".join(self.first)
        )
