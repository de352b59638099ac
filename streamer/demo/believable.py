"""What would a field of this name and type hold on an ordinary day?

The demo gives an event the fields that its story is about; the others are filled in here from
the schema, so that a field more in avro/ needs no word here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

Schema = dict[str, Any]

# By the name of the field, or the last word of it: `billing_city` as `city`.
TEXTS: Mapping[str, tuple[str, ...]] = {
    "city": ("Vilnius", "Porto", "Utrecht", "Graz", "Aarhus", "Ghent"),
    "code": ("LF-20418-X", "NP-77310-B"),
    "country": ("LT", "PT", "NL", "AT", "DK", "BE"),
    "currency": ("EUR", "EUR", "EUR", "USD"),
    "email": ("sam@example.com", "kim@example.org", "alex@example.net"),
    "name": ("Sam Rivera", "Kim Novak", "Alex Lind", "Noa Weber", "Robin Kaya"),
    "note": ("called twice", "asked for a copy", "prefers e-mail"),
    "phone": ("+370 600 00001", "+351 900 000 002", "+43 660 0000003"),
    "plan": ("Morning pass", "Ten visits", "All year"),
    "postal_code": ("01100", "4050-092", "3511", "8010"),
    "carrier": ("Lightfoot", "Northpost"),
    "reason": ("moved away", "weather", "double booking"),
    "service": ("Pottery class", "Bike repair", "Yoga, beginners"),
    "preferences": ("by e-mail", "window seat"),
    "sku": ("TEA-GREEN", "MUG-BLUE", "POT-IRON", "BEAN-DARK"),
    "street": ("Harbour Street 4", "Mill Lane 12", "Oak Square 7"),
    "staff": ("Sam", "Kim", "Alex"),
    "title": ("Tea tasting", "Open studio", "Sunday ride"),
}
NUMBERS: Mapping[str, tuple[int, int]] = {
    "guests": (1, 6),
    "minutes": (30, 120),
    "number": (10_000, 99_999),
    "overdue": (1, 30),
    "qty": (1, 5),
}
ANY_TEXT = ("first", "second", "third", "fourth")
ANY_NUMBER = (1, 50)


def fill(schema: Schema, given: Mapping[str, Any], random: Random, now: datetime) -> dict[str, Any]:
    """A value of this record type with the `given` fields as they are."""
    return {
        field["name"]: given[field["name"]]
        if field["name"] in given
        else _value(field["type"], field["name"], random, now)
        for field in schema["fields"]
    }


def _value(schema: Any, name: str, random: Random, now: datetime) -> Any:
    if isinstance(schema, list):
        # An optional field is there more often than not.
        branches = [branch for branch in schema if branch != "null"]
        absent = len(branches) < len(schema) and random.random() < 0.3
        return None if absent else _value(random.choice(branches), name, random, now)
    if isinstance(schema, str):
        return _primitive(schema, name, random)
    if "logicalType" in schema:
        return _logical(schema, random, now)
    match schema["type"]:
        case "record":
            return fill(schema, {}, random, now)
        case "array":
            count = random.randint(1, 4)
            return [_value(schema["items"], name, random, now) for _ in range(count)]
        case "map":
            return {"source": _value(schema["values"], name, random, now)}
        case "enum":
            return random.choice(schema["symbols"])
        case "fixed":
            return random.randbytes(schema["size"])
        case primitive:
            return _primitive(primitive, name, random)


def _primitive(kind: str, name: str, random: Random) -> Any:
    word = name.rsplit("_", 1)[-1]
    match kind:
        case "string":
            if word == "id":
                return str(UUID(int=random.getrandbits(128), version=4))
            return random.choice(TEXTS.get(name) or TEXTS.get(word) or ANY_TEXT)
        case "int" | "long":
            return random.randint(*(NUMBERS.get(word) or ANY_NUMBER))
        case "float" | "double":
            return random.randint(1, 400) / 4
        case "boolean":
            return random.random() < 0.5
        case "bytes":
            return random.randbytes(8)
        case _:
            return None


def _logical(schema: Schema, random: Random, now: datetime) -> Any:
    match schema["logicalType"]:
        case "decimal":
            cents = random.randint(100, 90_000)
            return Decimal(cents).scaleb(-schema.get("scale", 0))
        case "uuid":
            return UUID(int=random.getrandbits(128), version=4)
        case "date":
            return (now + timedelta(days=random.randint(-30, 30))).date()
        case "time-millis" | "time-micros":
            return now.time().replace(microsecond=0)
        case "local-timestamp-millis" | "local-timestamp-micros":
            return now.replace(tzinfo=None)
        case _:
            return now.astimezone(UTC)
