"""Which schemas can do harm, and which are as everybody's?"""

from typing import Any

from tests.unit.decoding.avro_bytes import record

# Every way to harm: recursion of each shape, no bytes, one byte for much, logical types.
HOSTILE: list[Any] = [
    record(("next", ["null", "com.acme.R"])),
    record(("a", {"type": "array", "items": "com.acme.R"})),
    record(("m", {"type": "map", "values": {"type": "array", "items": ["null", "com.acme.R"]}})),
    {"type": "array", "items": "null"},
    {"type": "array", "items": {"type": "array", "items": record(("n", "null"))}},
    {"type": "array", "items": record(*((f"n{number}", "null") for number in range(300)))},
    {"type": "map", "values": record(*((f"n{number}", "null") for number in range(300)))},
    record(
        ("left", ["null", "com.acme.R"]),
        ("right", ["null", "com.acme.R"]),
        *((f"n{number}", "null") for number in range(300)),
    ),
    {"type": "fixed", "name": "F", "size": 2**31 - 1},
    {"type": "bytes", "logicalType": "decimal", "precision": 9_000, "scale": 6_000},
    record(
        *(
            (f"{kind}-{logical}", {"type": kind, "logicalType": logical})
            for kind in ("int", "long", "string")
            for logical in (
                "date",
                "time-millis",
                "time-micros",
                "timestamp-millis",
                "timestamp-micros",
                "timestamp-nanos",
                "local-timestamp-millis",
                "local-timestamp-nanos",
                "uuid",
            )
        )
    ),
]

ORDINARY: list[Any] = [
    record(("id", "string"), ("cents", "long"), name="com.acme.Paid"),
    record(("id", "string"), name="com.acme.Sent"),
    record(
        ("kind", {"type": "enum", "name": "com.acme.Kind", "symbols": ["A", "B"]}),
        ("lines", {"type": "array", "items": record(("sku", "string"), ("qty", "int"), name="L")}),
        ("labels", {"type": "map", "values": ["null", "boolean", "double", "float", "L"]}),
        ("amount", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}),
        ("code", {"type": "fixed", "name": "com.acme.Code", "size": 3}),
        ("span", {"type": "fixed", "name": "S", "size": 12, "logicalType": "duration"}),
        name="com.acme.Order",
    ),
    [
        "null",
        record(("card", "string"), name="com.acme.Card"),
        record(("till", "int"), name="com.acme.Cash"),
    ],
]
