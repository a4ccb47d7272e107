"""Every loss of a batch shared by processes: computed by test_distributed.py alone and by two."""

from pathlib import Path

import torch

from signclip.model import losses
from signclip.training import distributed

ROWS = 7  # no multiple of two processes
SAME = torch.eye(ROWS, dtype=torch.bool)
SAME[0, 3] = SAME[3, 0] = True
LOSSES = {
    "contrastive": losses.contrastive,
    "multi_positive": lambda pose, text: losses.multi_positive(pose, text, SAME),
    "sigmoid": lambda pose, text: losses.sigmoid(pose, text, SAME, torch.tensor(-1.0)),
    "gallery": lambda pose, text: losses.gallery(pose, text, torch.arange(ROWS), 0.1),
}


def sides() -> torch.Tensor:
    """Pose and text embeddings, (2, rows, 5)."""
    return torch.randn(2, ROWS, 5, generator=torch.Generator().manual_seed(0))


def tower() -> torch.nn.Linear:
    """What is trained on both sides."""
    torch.manual_seed(1)
    return torch.nn.Linear(5, 3)


def of_this_process(name: str) -> dict[str, torch.Tensor | list[torch.Tensor]]:
    """The loss, and its gradients by this process's rows and by a tower's weights."""
    part = dict(rank=distributed.rank(), world_size=distributed.world_size())
    rows = distributed.share(list(range(ROWS)), **part)
    mine = [side[rows].requires_grad_() for side in sides()]
    loss = LOSSES[name](*map(distributed.gather, mine))
    loss.backward()
    trained = tower()
    several = distributed.world_size() > 1
    wrapped = torch.nn.parallel.DistributedDataParallel(trained) if several else trained
    LOSSES[name](*(distributed.gather(wrapped(side.detach())) for side in mine)).backward()
    return {
        "loss": loss.detach(),
        "rows": [side.grad for side in mine],
        "weights": [weight.grad for weight in trained.parameters()],
    }


def write(folder: Path) -> None:
    """Each process writes its losses and gradients to ``<rank>.pt``."""
    found = {name: of_this_process(name) for name in LOSSES}
    torch.save(found, folder / f"{distributed.rank()}.pt")
