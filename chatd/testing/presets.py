"""What chatd relies on in a source of presets, as tests."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from chatd.errors import NotFound, PreconditionFailed, ReadOnly
from chatd.preset import EditablePresetSource, PresetSource
from chatd.testing.contracts import run
from chatd.testing.storing import ALICE, BOB
from chatd.types import Preset, User, new_id, now


class PresetSourceContract:
    """What a source of presets gives: the same presets by list and by id."""

    user: ClassVar[User] = ALICE

    def source(self) -> PresetSource:
        """Return a source that has a preset for `user`; called inside an event loop."""
        raise NotImplementedError

    def test_it_has_a_name(self) -> None:
        """The name is what a preset's `source` says."""

        async def check(source: PresetSource) -> None:
            assert source.name
            assert {preset.source for preset in await source.list(self.user)} <= {source.name}

        self._check(check)

    def test_it_lists_presets(self) -> None:
        """There is one, each has an id of its own and a name, and is found by its id as listed."""

        async def check(source: PresetSource) -> None:
            presets = await source.list(self.user)
            assert presets
            assert all(isinstance(preset, Preset) for preset in presets)
            assert all(preset.id and preset.name for preset in presets)
            assert len({preset.id for preset in presets}) == len(presets)
            for preset in presets:
                assert await source.get(self.user, preset.id) == preset

        self._check(check)

    def test_an_unknown_preset_is_none(self) -> None:
        """An id of another source is not there, and no error."""

        async def check(source: PresetSource) -> None:
            for preset_id in ("no/such preset", "", "../etc", "\U0001f600"):
                assert await source.get(self.user, preset_id) is None

        self._check(check)

    def test_what_a_user_makes_is_theirs(self) -> None:
        """Of a source that can be edited: one version after the other, and by nobody else."""

        async def check(source: PresetSource) -> None:
            if not isinstance(source, EditablePresetSource):
                return
            made = await source.create(self.user, _preset(source))
            assert await source.get(self.user, made.id) == made
            assert made.editable
            changes = {"name": "Another"}
            theirs = source.update(BOB, made.id, changes, version=None)
            await _refused(theirs, NotFound, ReadOnly)
            await _refused(source.delete(BOB, made.id, version=None), NotFound, ReadOnly)
            changed = await source.update(self.user, made.id, changes, version=made.version)
            assert changed.name == "Another"
            assert changed.version != made.version
            late = source.delete(self.user, made.id, version=made.version)
            await _refused(late, PreconditionFailed)
            await source.delete(self.user, made.id, version=changed.version)
            assert await source.get(self.user, made.id) is None

        self._check(check)

    def _check(self, check: Any) -> None:
        async def work() -> None:
            source = self.source()
            try:
                await check(source)
            finally:
                await source.aclose()

        run(work())


def _preset(source: PresetSource) -> Preset:
    time = now()
    return Preset(id=new_id(), name="Mine", source=source.name, created_at=time, updated_at=time)


async def _refused(call: Awaitable[object], *kinds: type[Exception]) -> None:
    try:
        await call
    except kinds:
        return
    raise AssertionError(f"did not raise {' or '.join(kind.__name__ for kind in kinds)}")
