"""How fast are a forward pass and a training step, against peers' networks as their users get them, and the machine?

Each network runs in processes of its own, in turn with the others, for several rounds; a figure is the median over
rounds of the fastest repetition. Networks differ in size, so what is compared is billions of operations of their
convolutions (2 a multiply-add; a step counts three forward passes) a second:

- ``multiunet``: the default image network, as the command line runs it: in bf16 where the hardware computes in it,
  channels last where that is chosen, with large blocks kept (``mallopt``);
- ``multiunet 31M``: the same with the widths of the 2015 paper (2-D);
- ``monai``: DynUNet as nnU-Net configures it, fp32, as MONAI's users get it; ``monai, malloc``: the same with mallopt;
- ``plain``: the widespread plain PyTorch U-Net (double convolutions, batch norm, transposed convolutions), 31 M
  parameters in 2-D; ``plain, malloc``;
- ``limit``: one convolution, 128 to 128 channels, the fastest of several layouts, in bf16 or fp32 as ours.

    python benchmarks/network_speed.py [--ndim 2] [--rounds 5] [--threads 2]

Writes benchmarks/results/network_speed.json. Needs monai.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "network_speed.json"
PEERS = ("monai", "monai, malloc", "plain", "plain, malloc", "limit")
NETWORKS = {2: ("multiunet", "multiunet 31M", *PEERS), 3: ("multiunet", *PEERS)}
INPUTS = {2: (4, 1, 256, 256), 3: (2, 1, 64, 64, 64)}
"""Patches of a training step, ``(N, C, *space)``: the defaults of ``train image``."""
WHOLE = {2: (1, 1, 512, 512), 3: (1, 1, 64, 128, 128)}
"""What a forward pass takes."""
CLASSES = 3


def build(name: str, ndim: int) -> tuple[Any, bool]:
    """The network, as its users get it, and whether it computes in bf16."""
    import torch
    from torch import nn

    kind = name.removesuffix(", malloc")
    if kind.startswith("multiunet"):
        from multiunet.device import computes_bf16
        from multiunet.domains.image.config import ImageTrain
        from multiunet.domains.image.network import build_network

        widths = [64, 128, 256, 512, 1024] if kind.endswith("31M") else None
        config = ImageTrain(images=Path("images"), widths=widths)
        net = build_network(config, ndim, 1, CLASSES, [(2,) * ndim] * 4)
        return net, computes_bf16(torch.device("cpu"))
    if kind == "monai":
        from monai.networks.nets import DynUNet

        strides = [1, 2, 2, 2, 2]
        net = DynUNet(ndim, 1, CLASSES, [3] * 5, strides, strides[1:], filters=[32, 64, 128, 256, 320])
        return net, False
    widths = [64, 128, 256, 512, 1024] if ndim == 2 else [32, 64, 128, 256]
    return plain(nn, ndim, widths), False


def plain(nn: Any, ndim: int, widths: list[int]) -> Any:
    """Double convolutions with batch norm, max pooling, transposed convolutions: what most write by hand."""
    import torch

    conv, norm, transposed, pool = (
        getattr(nn, f"{part}{ndim}d") for part in ("Conv", "BatchNorm", "ConvTranspose", "MaxPool")
    )

    def double(a: int, b: int) -> Any:
        layers = [
            layer
            for c_in in (a, b)
            for layer in (conv(c_in, b, 3, padding=1, bias=False), norm(b), nn.ReLU(inplace=True))
        ]
        return nn.Sequential(*layers)

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.ModuleList([double(a, b) for a, b in zip([1, *widths], widths)])
            self.pool = pool(2)
            self.ups = nn.ModuleList([transposed(b, a, 2, 2) for a, b in pairwise(widths)][::-1])
            self.decoder = nn.ModuleList([double(2 * a, a) for a in widths[:-1]][::-1])
            self.head = conv(widths[0], CLASSES, 1)

        def forward(self, x: Any) -> Any:
            saved = []
            for i, block in enumerate(self.encoder):
                x = block(self.pool(x) if i else x)
                saved.append(x)
            saved.pop()
            for up, block in zip(self.ups, self.decoder):
                x = block(torch.cat([saved.pop(), up(x)], dim=1))
            return self.head(x)

    return Net()


def operations(net: Any, x: Any) -> float:
    """Of one forward pass, in 1e9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(x)
    return float(counter.get_total_flops()) / 1e9


def fastest(work: Callable[[], object], seconds: float) -> float:
    """The shortest of the repetitions that fit into ``seconds``, two at least, after one for warming up."""
    work()
    times: list[float] = []
    while len(times) < 2 or sum(times) < seconds:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def forward_and_step(name: str, ndim: int) -> dict[str, float]:
    """Billions of operations a second of a forward pass and of a training step of one network."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    net, bf16 = build(name, ndim)
    x, whole = torch.randn(INPUTS[ndim]), torch.randn(WHOLE[ndim])
    target = torch.randint(0, CLASSES, (x.shape[0], *x.shape[2:]))
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)

    def forward() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            net(whole)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = net(x)
        functional.cross_entropy(output.float(), target).backward()
        optimizer.step()
        optimizer.zero_grad()

    found = {"forward": operations(net, whole) / fastest(forward, 2.0)}
    work = 3 * operations(net, x)
    net.train()
    return {**found, "step": work / fastest(step, 2.0)}


def limit(ndim: int) -> dict[str, float]:
    """Billions of operations a second of one convolution, as fast as it gets here."""
    import torch

    from multiunet.device import computes_bf16

    kind = torch.bfloat16 if computes_bf16(torch.device("cpu")) else torch.float32
    conv = (torch.nn.Conv2d if ndim == 2 else torch.nn.Conv3d)(128, 128, 3, padding=1).to(kind)
    last = torch.channels_last if ndim == 2 else torch.channels_last_3d
    shapes: dict[int, list[tuple[int, ...]]] = {
        2: [(4, 128, 64, 64), (8, 128, 32, 32)],
        3: [(2, 128, 16, 32, 32), (2, 128, 8, 16, 16)],
    }
    rates = []
    for shape in shapes[ndim]:
        for layout in (torch.contiguous_format, last):
            x = torch.randn(shape).to(kind).to(memory_format=layout)
            layer = conv.to(memory_format=layout)
            with torch.no_grad():
                rates.append(operations(layer, x) / fastest(lambda x=x, layer=layer: layer(x), 1.0))
    return {"forward": max(rates)}


def child(name: str, ndim: int, threads: int) -> None:
    """Measures one network in this process and prints the result."""
    if name.startswith("multiunet") or name.endswith("malloc") or name == "limit":
        from multiunet_cli.heap import keep_large_blocks

        keep_large_blocks()
    import torch

    torch.set_num_threads(threads)
    print(json.dumps(limit(ndim) if name == "limit" else forward_and_step(name, ndim)))


def main() -> None:
    """Measures all networks in turn and writes the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ndim", type=int, choices=[2, 3], help="images or volumes alone; default: both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        child(chosen.child[0], int(chosen.child[1]), chosen.threads)
        return
    from multiunet.training.run_folder import environment

    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for ndim in INPUTS if chosen.ndim is None else [chosen.ndim]:
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in NETWORKS[ndim]}
        for _ in range(chosen.rounds):
            for name in NETWORKS[ndim]:
                command = [sys.executable, __file__, "--child", name, str(ndim), "--threads", str(chosen.threads)]
                rows[name].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        rates = {
            name: {kind: round(statistics.median(row[kind] for row in found), 1) for kind in found[0]}
            for name, found in rows.items()
        }
        ratios = {
            f"multiunet / {peer}": {
                kind: round(rates["multiunet"][kind] / rates[peer][kind], 2) for kind in rates[peer]
            }
            for peer in PEERS
        }
        if ndim == 2:
            for peer in ("plain", "plain, malloc"):  # of the same widths
                ratios[f"multiunet 31M / {peer}"] = {
                    kind: round(rates["multiunet 31M"][kind] / rates[peer][kind], 2) for kind in rates[peer]
                }
            share = rates["multiunet 31M"]["forward"] / rates["limit"]["forward"]
            ratios["multiunet 31M / limit"] = {"forward": round(share, 2)}
        about = {"threads": chosen.threads, "rounds": chosen.rounds, "machine": environment()}
        results[f"{ndim}-D"] = {"GFLOP/s": rates, "ratios": ratios, **about}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(json.dumps({f"{ndim}-D": results[f"{ndim}-D"]}, indent=1), flush=True)


if __name__ == "__main__":
    main()
