"""Request of the Web UI, as far as this runtime honours it; a kind of task has a subclass.

What it cannot honour and would change the picture is refused by name; what changes nothing is taken
(`models.runtimes.diffusers.fields`), and a field that nobody knows is refused as misspelt.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from models.runtimes.content import Fault, faults_in, first, refuse, unknown
from models.runtimes.diffusers import fields
from models.runtimes.diffusers.fates import Refusals
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.scripts import extension_faults, setting_faults, unhonoured
from models.runtimes.webui import NOT_AN_OBJECT, crowd_faults, object_faults

MISPLACED = "{kind} takes no {field}; send the kind {better}"
"""Remedy for a field of another kind of task."""


class Request(BaseModel):
    """Request with the fields that are honoured; others are ignored or refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    refused: ClassVar[Refusals] = {}
    """Fields of the Web UI that are refused unless they change nothing."""
    misplaced: ClassVar[Mapping[str, str]] = {}
    """Fields of another kind of task that would change the picture, each with what to do."""

    @classmethod
    def read(cls, content: Any, options: Options | None = None) -> Self:
        """Take a task's content as this request.

        Raises:
            TaskFailed: naming each wrong field, what it must be and what was given.
        """
        request, faults = cls.judged(content, options or Options())
        refuse(faults)
        if request is None:
            raise TypeError("a request without faults was not made")
        return request

    @classmethod
    def judged(cls, content: Any, options: Options) -> tuple[Self | None, list[Fault]]:
        """Take a content as this request, and find what is wrong with it, first faults first."""
        if not isinstance(content, dict):
            return None, [Fault("", NOT_AN_OBJECT)]
        given = {str(key): value for key, value in content.items() if value is not None}
        # First, since below each unknown field is compared with all that are known.
        if crowded := first(crowd_faults(given)):
            return None, crowded
        found = (object_faults, cls._field_faults, extension_faults, setting_faults)
        faults = first(chain.from_iterable(find(given) for find in found))
        try:
            request = cls.model_validate(cls.gathered(given))
        except ValidationError as exc:
            return None, first([*faults, *faults_in(exc)])
        return request, first(chain(faults, request.rules(given, options)))

    @classmethod
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Take the honoured fields, and what the Web UI has in ``alwayson_scripts``."""
        return {key: value for key, value in given.items() if key in cls.model_fields}

    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        """Find what is wrong between fields that are right by themselves."""
        del given, options
        yield from ()

    @classmethod
    def refused_of(cls, given: Mapping[str, Any]) -> Refusals:
        """Return the fields that this request may not have, unless they change nothing."""
        del given
        return cls.refused

    @classmethod
    def most(cls, options: Options) -> Mapping[str, int]:
        """Return the largest value of some fields under a runtime's options."""
        del options
        return {}

    @classmethod
    def _field_faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        known = sorted(fields.KNOWN)
        for field in sorted(given.keys() - fields.KNOWN):
            yield Fault(field[:80], unknown(field, known))
        yield from unhonoured(given, cls.refused_of(given))
        for field, remedy in cls.misplaced.items():
            if given.get(field):
                yield Fault(field, remedy)
