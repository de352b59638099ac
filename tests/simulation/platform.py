"""What does the simulation know of the automation platform? Keys, activations, cancels."""

from dataclasses import dataclass, field

from streamer.model import Action, Report


@dataclass
class Activation:
    instance: str
    trigger: str
    entity: str | None
    key: str
    cancelled: bool = False

    def is_of(self, cancel: Report) -> bool:
        named = (cancel.lane.instance, cancel.trigger, cancel.entity)
        return (self.instance, self.trigger, self.entity) == named


@dataclass
class Platform:
    """Accepts reports once by key; a cancel ends every activation of its trigger and entity."""

    activations: dict[str, Activation] = field(default_factory=dict)
    cancels: dict[str, int] = field(default_factory=dict)
    """How often each cancel (by its message and route) took effect."""
    repeated: int = 0

    def take(self, report: Report) -> None:
        if report.action is Action.CANCEL:
            name = f"{report.message}/{report.route}"
            self.cancels[name] = self.cancels.get(name, 0) + 1
            for activation in self.activations.values():
                if activation.is_of(report):
                    activation.cancelled = True
        elif report.idempotency_key in self.activations:
            self.repeated += 1
        else:
            self.activations[report.idempotency_key] = Activation(
                report.lane.instance, report.trigger, report.entity, report.idempotency_key
            )
