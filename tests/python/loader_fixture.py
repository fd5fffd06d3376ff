"""Writes tests/data/loader_orders.json: the order in which PyTorch's DataLoader visits its windows.

Needs torch. `next` is what the global generator draws right after the pass (20 bits), so that the
number of draws is held too.
"""

import json
import pathlib

import torch
from torch.utils.data import DataLoader

CASES = [
    (seed, count, batch_size, shuffle, drop_last)
    for seed, count, batch_size in [(123, 31, 8), (0, 1, 1), (7, 5, 8), (2**32 + 5, 64, 16), (99, 700, 3), (1, 2, 2)]
    for shuffle in (True, False)
    for drop_last in (True, False)
]


def case(seed, count, batch_size, shuffle, drop_last):
    torch.manual_seed(seed)
    loader = DataLoader(range(count), batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)
    order = [batch.tolist() for batch in loader]
    following = torch.randint(0, 2**20, (1,)).item()
    return {
        "seed": seed, "windows": count, "batch_size": batch_size, "shuffle": shuffle,
        "drop_last": drop_last, "order": order, "next": following,
    }


path = pathlib.Path(__file__).resolve().parent.parent / "data" / "loader_orders.json"
lines = ",\n".join(json.dumps(case(*settings)) for settings in CASES)
path.write_text(f"[\n{lines}\n]\n")
