"""Configurations that the tests of the configuration start from."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from streamer.config.loading import Loaded, load
from streamer.errors import ConfigurationError, Finding

MINIMAL = """\
kafka:
  bootstrap_servers: localhost:9092
  group_id: automations
schemas:
  directory: avro
endpoint:
  token: a-ready-token
  instance: 1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa
routes:
  - name: invoice-overdue
    topic: billing.invoices
    trigger: invoice_overdue
    payload:
      invoiceId: event.invoice_id
"""

ISSUE_EXAMPLE = r"""
kafka:
  bootstrap_servers: localhost:9092
  group_id: automations
  start: latest             # latest | earliest | -2h | 2026-11-01T00:00:00Z
  properties: {}            # any librdkafka consumer property
schemas:
  registry: {url: "http://localhost:8081"}
endpoint:
  base_url: https://www.wixapis.com
  app: {id: "...", secret: "${APP_SECRET}"}
  instance: "..."
  quota: 200/min
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
      invoiceId: event.invoice_id
      amount: event.amount
      lines: '[{"sku": l.sku, "qty": l.qty} for l in event.lines if l.qty > 0]'
  - name: invoice-paid
    topic: billing.invoices
    event: com.acme.billing.InvoicePaid
    cancel: invoice_overdue
    instance: event.site_instance_id
    entity: event.invoice_id
delivery: {ordering: key, max_in_flight: 256, batch: {max: 100}}
dead_letters: {topic: "{topic}.dlq", create: true}
server: {host: 0.0.0.0, port: 9464}
"""
"""The example that the documentation begins with."""


def loaded(folder: Path, text: str, env: Mapping[str, str] | None = None) -> Loaded:
    """What a file with the text gives."""
    file = folder / "streamer.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, env or {})


def refused(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """The findings that a file with the text is refused with, the folder's name left out."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, text, env)
    return [str(finding).replace(f"{folder}/", "") for finding in caught.value.findings]


def findings(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[Finding]:
    """All findings, errors or not."""
    try:
        return list(loaded(folder, text, env).findings)
    except ConfigurationError as error:
        return list(error.findings)
