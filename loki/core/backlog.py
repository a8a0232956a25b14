"""What a slow reader has not read yet: bounded, and it tells what it lost."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """First in, first out. When it is full, the oldest makes room."""

    def __init__(self, most: int) -> None:
        self._items: deque[T] = deque(maxlen=most)
        self._lost = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        if len(self._items) == self._items.maxlen:
            self._lost += 1
        self._items.append(item)

    def take(self) -> tuple[T, int]:
        """The oldest, and how many were lost just before it. Raises: IndexError when empty."""
        item = self._items.popleft()
        lost, self._lost = self._lost, 0
        return item, lost
