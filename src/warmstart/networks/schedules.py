"""Schedules: what becomes of the learning rate from step to step.

A schedule spans a phase, since each phase starts with a fresh optimizer, and counts all of its
steps, those of a race or beyond patience too. Of T steps, the first w = share · T warm up; with the
rate η of the trial, step t = 0, 1, … has

- warming up: η t / w (Goyal et al. 2017, section 2.2)
- by the cosine: η / 2 (1 + cos(π (t - w) / (T - w))) (Loshchilov & Hutter 2017, equation 5, with
  η_min = 0 and without restarts)
- else η.
"""

from warmstart.config.parts import Schedule
from warmstart.networks.calls import Call, Name


def steps(epochs: int, samples: int, batch_size: int) -> int:
    """How many the optimizer makes; the last batch of an epoch may be smaller."""
    return epochs * -(-samples // batch_size)


def spans(choice: Schedule, steps: int) -> tuple[int, int]:
    """Of `steps`, those after the warm-up, at least one, and those of the warm-up."""
    warmup = int(choice.share * steps) if choice.warms_up else 0
    return steps - warmup, warmup


def schedule(choice: Schedule, rate: float, decay: int | Name, warmup: int | Name) -> Call:
    """Keras's schedule of `choice`, of these `spans`. With `alpha` 1 its cosine is a constant."""
    path = "keras.optimizers.schedules.CosineDecay"
    match choice.name:
        case "cosine":
            return Call(path, rate, decay)
        case "warmup":
            return Call(path, 0.0, decay, alpha=1.0, warmup_target=rate, warmup_steps=warmup)
    return Call(path, 0.0, decay, warmup_target=rate, warmup_steps=warmup)


def code(choice: Schedule, batch_size: int, epochs: int) -> tuple[list[str], tuple[Name, Name]]:
    """Lines that calculate the spans of a phase of so many `epochs`, and the spans in these words;
    `data` holds the samples."""
    lines = [f'steps = {epochs} * -(-len(data["x_train"]) // {batch_size})']
    if not choice.warms_up:
        return lines * (choice.name == "cosine"), (Name("steps"), Name("0"))
    lines.append(f"warmup = int({choice.share!r} * steps)")
    return lines, (Name("steps - warmup"), Name("warmup"))
