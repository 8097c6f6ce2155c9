"""Settings in the environment (``ATELIER_GROUP__KEY``): any case, lists and objects in JSON."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from models.part import Part


class Environment(EnvSettingsSource):
    """The environment of this process as a source of settings."""

    def next_field(
        self, field: FieldInfo | Any | None, key: str, case_sensitive: bool | None = None
    ) -> FieldInfo | None:
        """Find a group's field by its key; the library's own wants the prefix before it again."""
        group = field.annotation if isinstance(field, FieldInfo) else field
        if not (isinstance(group, type) and issubclass(group, Part)):
            return super().next_field(field, key, case_sensitive)
        fields = group.model_fields.items()
        return next((f for name, f in fields if key.lower() in {name, str(f.alias).lower()}), None)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON; what is none stays text, so that the settings refuse it by its key."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value
