"""All who are shown a run: one that cannot be shown it any more does not keep it from the others."""

from collections.abc import Sequence

from outspread.cli.renderer import Renderer
from outspread.cli.tally import Tally
from outspread.controller.values import Report


class Audience:
    """Feeds every renderer, until it fails."""

    def __init__(self, renderers: Sequence[Renderer]) -> None:
        self._attentive = list(renderers)
        self._errors: list[Exception] = []

    @property
    def is_whole(self) -> bool:
        """Whether none has failed so far."""
        return not self._errors

    def feed(self, event: Report) -> None:
        for renderer in tuple(self._attentive):
            try:
                renderer.feed(event)
            except Exception as error:  # noqa: BLE001 - raised by ``finish``, when the others have had all they need
                self._errors.append(error)
                self._attentive.remove(renderer)

    def finish(self, tally: Tally) -> None:
        """Tell the others the end; then raise what the first that failed has failed with."""
        for renderer in self._attentive:
            try:
                renderer.finish(tally)
            except Exception as error:  # noqa: BLE001 - as above
                self._errors.append(error)
        if self._errors:
            raise self._errors[0]
