"""The one guard against torch's threads: networks here are too small to share.

On a machine with other work, two threads wait for each other over every layer: a batch
of an SE then takes up to fifty times as long. Nor may sums depend on how many share
them.
"""

from __future__ import annotations

from contextlib import ContextDecorator

import torch


class OneThread(ContextDecorator):
    """Within it torch has one thread, afterwards as many as before.

    A context or a decorator; takes a microsecond, so that every step of an environment
    can afford it. Not to be entered twice: make another.
    """

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        if self._before != 1:
            torch.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        if self._before != 1:
            torch.set_num_threads(self._before)

    def _recreate_cm(self) -> OneThread:
        """A call of a decorated function enters one of its own."""
        return OneThread()
