"""What do all sections of the configuration have in common?"""

from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from streamer.config.quantities import describe, fault
from streamer.config.scalars import Loose, plain


class Section(BaseModel):
    """A map of the configuration: strict types, no unknown key, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_the_field_wants(cls, value: object, info: ValidationInfo) -> object:
        """Text from the environment becomes a number or a flag where the field is one.

        A section without anything in it (all its keys commented out) is as if it were left out.
        """
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, Loose):
            return str(value) if takes_text(field.annotation) else plain(value)
        if value is None and field.default_factory is not None:
            return field.get_default(call_default_factory=True)
        return value


def leaves(annotation: Any) -> set[Any]:
    """The types that an annotation names, without Annotated, unions and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return leaves(get_args(annotation)[0])
    if origin in (Union, UnionType):
        found = [leaves(arg) for arg in get_args(annotation)]
        return set().union(*found) - {type(None)}
    return {annotation}


def takes_text(annotation: Any) -> bool:
    """Whether a value of the annotation may be written as text (a secret, a duration, ...)."""
    return any(
        leaf not in (bool, int, float)
        and get_origin(leaf) not in (list, tuple, dict)
        and not (isinstance(leaf, type) and issubclass(leaf, BaseModel))
        for leaf in leaves(annotation)
    )


def _expression(value: object) -> object:
    """A constant may be written without quotes: `count: 5` is the expression `5`."""
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        if not value.strip():
            raise fault("is empty", "write an expression such as `event.invoice_id`")
        return value
    raise fault(
        f"is {describe(value)}, not an expression",
        "write an expression such as `event.invoice_id`, in quotes if it holds `: ` or ` #`, or"
        " begins with one of `[{\"'`",
    )


def _file(value: str, info: ValidationInfo) -> str:
    """A path of the configuration starts from the folder of the file that it stands in."""
    if not value.strip() or "\0" in value:
        raise fault("is no path", "write the path of a file or folder")
    base = info.context.get("base") if isinstance(info.context, dict) else None
    return str((base or Path()) / value)


def _url(value: str) -> str:
    wanted = "write it as `https://HOST[:PORT][/PATH]`"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise fault("is no URL", wanted) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in value:
        raise fault("is no http or https URL", wanted)
    if "@" in parts.netloc:
        raise fault("holds a user name or a password", "write those under their own keys")
    if parts.query or parts.fragment:
        raise fault("has a query or a fragment", wanted)
    return value.rstrip("/")


def _property(value: object) -> object:
    """librdkafka takes text only; YAML's numbers and flags are written as it reads them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Expression = Annotated[
    str,
    BeforeValidator(_expression),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
FilePath = Annotated[str, AfterValidator(_file)]
Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]
PropertyText = BeforeValidator(_property)
