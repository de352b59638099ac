"""What is `streamer` configured with in the demo, and what do the triggers expect?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

GROUP = "demo"
TOPICS = ("billing.invoices", "bookings.bookings", "members.members", "orders.orders")
DEAD_LETTER_TOPICS = tuple(f"{topic}.dlq" for topic in TOPICS)

APP_ID = "3f1c6f0e-6a52-4d0e-9d1b-0b9a4c2f7e11"
APP_SECRET = "demo-secret"

# Times a report takes at the sandbox, and what goes wrong there: an answer in 100 is an error,
# and of one call in 200 the answer is lost although the report was taken in.
FAULTS = ("latency=p50=20ms,p99=120ms", "503=1%", "drop=0.5% after")

CONFIGURATION = """\
# What `streamer run` was given in the demo.
kafka:
  bootstrap_servers: {bootstrap}
  group_id: {group}
  start: earliest
  # The embedded broker makes a classic group wait 3 s for members who may join.
  properties: {{group.protocol: consumer}}
schemas:
  directory: {schemas}
endpoint:
  base_url: {sandbox}
  app: {{id: "{app_id}", secret: "${{DEMO_APP_SECRET}}"}}
server: {{host: 127.0.0.1, port: {port}}}
dead_letters: {{topic: "{{topic}}.dlq", create: false}}
routes:
  - name: invoice-overdue
    topic: billing.invoices
    event: com.acme.billing.InvoiceOverdue
    when: event.days_overdue > 7 and event.currency == "EUR"
    trigger: invoice_overdue
    instance: event.site_instance_id
    entity: event.invoice_id
    idempotency: event.event_id
    payload:
      eventId: event.event_id
      invoiceId: event.invoice_id
      amount: event.amount
      currency: event.currency
      daysOverdue: event.days_overdue
      lines: '[{{"sku": l.sku, "qty": l.qty}} for l in event.lines if l.qty > 0]'
  - name: invoice-paid-ends-reminders
    topic: billing.invoices
    event: com.acme.billing.InvoicePaid
    cancel: invoice_overdue
    instance: event.site_instance_id
    entity: event.invoice_id
  - name: invoice-paid
    topic: billing.invoices
    event: com.acme.billing.InvoicePaid
    trigger: invoice_paid
    instance: event.site_instance_id
    entity: event.invoice_id
    payload: {{eventId: event.event_id, invoiceId: event.invoice_id}}
  - name: booking-confirmed
    topic: bookings.bookings
    event: com.acme.bookings.BookingConfirmed
    trigger: booking_confirmed
    instance: event.site_instance_id
    entity: event.booking_id
    payload:
      eventId: event.event_id
      bookingId: event.booking_id
      service: event.service
      startsAt: event.starts_at
      guests: event.guests
  - name: booking-cancelled
    topic: bookings.bookings
    event: com.acme.bookings.BookingCancelled
    cancel: booking_confirmed
    instance: event.site_instance_id
    entity: event.booking_id
  - name: member-joined
    topic: members.members
    event: com.acme.members.MemberJoined
    trigger: member_joined
    instance: event.site_instance_id
    entity: event.member_id
    payload:
      eventId: event.event_id
      memberId: event.member_id
      plan: event.plan
      email: default(event.contact.email, None)   # the contact is one of two record types
      joinedAt: event.occurred_at
  - name: member-left
    topic: members.members
    event: com.acme.members.MemberLeft
    trigger: member_left
    instance: event.site_instance_id
    entity: event.member_id
    payload: {{eventId: event.event_id, memberId: event.member_id}}
  - name: order-placed
    topic: orders.orders
    event: com.acme.orders.OrderPlaced
    trigger: order_placed
    instance: event.site_instance_id
    entity: event.order_id
    payload:
      eventId: event.event_id
      orderId: event.order_id
      total: event.total.amount
      currency: event.total.currency
      items: '[{{"sku": i.sku, "qty": i.qty, "price": i.price}} for i in event.items]'
"""

_TEXT = {"type": "string", "title": "Text"}
_EVENT_ID = {"type": "string", "title": "Event", "format": "uuid"}


def _trigger(required: Sequence[str], **properties: object) -> Mapping[str, object]:
    return {
        "type": "object",
        "properties": {"eventId": _EVENT_ID, **properties},
        "required": ["eventId", *required],
    }


TRIGGERS: Mapping[str, Mapping[str, object]] = {
    "invoice_overdue": _trigger(
        ["invoiceId", "amount"],
        invoiceId=_TEXT,
        amount={"type": "number", "title": "Amount"},
        daysOverdue={"type": "integer", "title": "Days overdue"},
        lines={"type": "array", "title": "Lines"},
    ),
    "invoice_paid": _trigger(["invoiceId"], invoiceId=_TEXT),
    "booking_confirmed": _trigger(
        ["bookingId", "startsAt"],
        bookingId=_TEXT,
        startsAt={"type": "string", "title": "Starts", "format": "date-time"},
        guests={"type": "integer", "title": "Guests"},
    ),
    "member_joined": _trigger(
        ["memberId"],
        memberId=_TEXT,
        joinedAt={"type": "string", "title": "Joined", "format": "date-time"},
    ),
    "member_left": _trigger(["memberId"], memberId=_TEXT),
    # An order in another currency is what the sandbox refuses in the demo.
    "order_placed": _trigger(
        ["orderId", "currency"],
        orderId=_TEXT,
        total={"type": "number", "title": "Total"},
        currency={"enum": ["EUR", "USD"]},
    ),
}


def write_configuration(
    path: Path, *, bootstrap: str, schemas: Path, sandbox: str, port: int
) -> None:
    path.write_text(
        CONFIGURATION.format(
            group=GROUP,
            app_id=APP_ID,
            bootstrap=bootstrap,
            schemas=json.dumps(str(schemas)),
            sandbox=sandbox,
            port=port,
        ),
        encoding="utf-8",
    )


def write_triggers(folder: Path) -> None:
    folder.mkdir()
    for trigger, schema in TRIGGERS.items():
        (folder / f"{trigger}.json").write_text(json.dumps(schema, indent=2), encoding="utf-8")
