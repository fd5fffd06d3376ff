"""Random foveal.input/1 documents."""


def numbers(rng, *shape):
    return (rng.normal(size=shape).round(3) + 0.0).tolist()


def document(rng, most_tokens=24, with_weights=None):
    """Any mixture of heads, widths, biases, scales, masks, dropout and W_out."""
    length, d_in = int(rng.integers(1, most_tokens + 1)), int(rng.integers(1, 13))
    weighted = rng.random() < 0.8 if with_weights is None else with_weights
    heads = int(rng.choice([1, 1, 2, 3]))
    doc = {"inputs": None}
    if rng.random() < 0.5:
        doc["schema"] = "foveal.input/1"
    if weighted:
        d, d_v = heads * int(rng.integers(1, 6)), heads * int(rng.integers(1, 6))
        for name, width in (("query", d), ("key", d), ("value", d_v)):
            doc["W_" + name] = numbers(rng, d_in, width)
            if rng.random() < 0.4:
                doc["b_" + name] = numbers(rng, width)
        if rng.random() < 0.4:
            width = int(rng.integers(1, 6))
            doc["W_out"] = numbers(rng, d_v, width)
            if rng.random() < 0.5:
                doc["b_out"] = numbers(rng, width)
    else:
        d_in = heads * int(rng.integers(1, 6))
    doc["inputs"] = numbers(rng, length, d_in)
    if heads > 1 or rng.random() < 0.3:
        doc["num_heads"] = heads
    if rng.random() < 0.7:
        doc["scale"] = [0.25, "sqrt", "none", -1.5][int(rng.integers(4))]
    doc.update(mask(rng, length))
    if rng.random() < 0.3:
        doc["dropout"] = {"p": float(rng.choice([0, 0.1, 0.5, 0.75])),
                          "seed": int(rng.integers(2**40))}
    if rng.random() < 0.5:
        doc["tokens"] = [f"t{i}" for i in range(length)]
    return doc


def mask(rng, length):
    kind = rng.choice(["absent", "none", "causal", "rows"])
    if kind == "absent":
        return {}
    if kind != "rows":
        return {"mask": str(kind)}
    # Now and then a row with every key masked.
    return {"mask": (rng.random((length, length)) < rng.choice([0.3, 0.8])).tolist()}
