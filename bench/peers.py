"""OpenVINO's and ONNX Runtime's attention on CPUs, for bench/versus.py: each form that can do a call, where they are
installed (openvino; onnxruntime and onnx)."""

import importlib.util
from typing import Any, Callable, NamedTuple

import torch


class Peer(NamedTuple):
    name: str
    run: Callable[[], Any]
    output: Callable[[], torch.Tensor]  # what the last run gave, as the call's


class Wanted(NamedTuple):
    """softmax(query @ key.T / sqrt(D), masked) @ value: (B, H, L_q, D), (B, H_kv, L_k, D); B lengths of keys; a window
    of so many keys before a query's own."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    is_causal: bool = False
    lengths: torch.Tensor | None = None
    left: int | None = None


def peers_of(wanted, threads):
    """(those that can, what others say)"""
    made, refused = [], []
    for module, kinds in (("openvino", (openvino,)), ("onnxruntime", (multi_head, group_query))):
        if importlib.util.find_spec(module) is None:
            continue
        for kind in kinds:
            try:
                peer = kind(wanted, threads)
            except Exception as error:  # noqa: BLE001  (whatever they raise)
                refused.append(f"{kind.__name__}: {str(error).splitlines()[0][:150]}")
                continue
            if peer is not None:
                made.append(peer)
    return made, refused


def openvino(wanted, threads):
    """ScaledDotProductAttention of opset 13, on the call's own memory where it lies in one piece."""
    import openvino as ov
    from openvino import opset13

    if wanted.left is not None:
        return None
    dtype = wanted.query.dtype
    kind = ov.Type.bf16 if dtype == torch.bfloat16 else ov.Type.f32
    kept = [x.contiguous() for x in (wanted.query, wanted.key, wanted.value)]

    def tensor(x):
        flat = x.view(torch.uint16) if dtype == torch.bfloat16 else x
        return ov.Tensor(flat.numpy(), ov.Shape(list(x.shape)), kind)

    inputs = [opset13.parameter(list(x.shape), kind) for x in kept]
    given, tensors = {"causal": wanted.is_causal}, [tensor(x) for x in kept]
    if wanted.lengths is not None:
        visible = (torch.arange(wanted.key.shape[2]) < wanted.lengths[:, None])[:, None, None, :].contiguous()
        inputs.append(opset13.parameter(list(visible.shape), ov.Type.boolean))
        given["attention_mask"] = inputs[-1]
        tensors.append(ov.Tensor(visible.numpy(), shared_memory=True))
        kept.append(visible)
    result = opset13.scaled_dot_product_attention(*inputs[:3], **given)
    precision = "bf16" if dtype == torch.bfloat16 else "f32"
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = ov.Core().compile_model(ov.Model([result], inputs), "CPU", options).create_infer_request()
    for place, each in enumerate(tensors):
        request.set_input_tensor(place, each)
    out = torch.empty((*wanted.query.shape[:3], wanted.value.shape[3]), dtype=dtype)
    request.set_output_tensor(0, tensor(out))
    return Peer(f"OpenVINO {ov.__version__.split('-')[0]}", lambda: (request.infer(), kept), lambda: out)


def multi_head(wanted, threads):
    """MultiHeadAttention of com.microsoft, heads side by side."""
    _, heads, queries, width = wanted.query.shape
    keys = wanted.key.shape[2]
    if wanted.left is not None or wanted.key.shape[1] != heads or (wanted.is_causal and queries != keys):
        return None
    arrays = {name: joined(x) for name, x in zip(("query", "key", "value"), wanted)}
    inputs = [*arrays]
    if wanted.lengths is not None:
        arrays["key_padding_mask"] = wanted.lengths.int()
        inputs += ["", "key_padding_mask"]
    options = {"num_heads": heads, "unidirectional": int(wanted.is_causal)}
    run, output = session("MultiHeadAttention", options, inputs, ["output"], arrays, wanted, threads)
    return Peer("ONNX Runtime MultiHeadAttention", run, output)


def group_query(wanted, threads):
    """GroupQueryAttention of com.microsoft: causal, with windows and grouped heads."""
    batch, heads, queries, width = wanted.query.shape
    kv_heads, keys = wanted.key.shape[1:3]
    if not wanted.is_causal or queries != keys or wanted.lengths is not None:
        return None
    arrays = {name: joined(x) for name, x in zip(("query", "key", "value"), wanted)}
    arrays["seqlens_k"] = torch.full((batch,), keys - 1, dtype=torch.int32)
    arrays["total_sequence_length"] = torch.tensor(keys, dtype=torch.int32)
    inputs = ["query", "key", "value", "", "", "seqlens_k", "total_sequence_length"]
    options = {"num_heads": heads, "kv_num_heads": kv_heads}
    if wanted.left is not None:
        options["local_window_size"] = wanted.left + 1
    outputs = ["output", "present_key", "present_value"]
    run, output = session("GroupQueryAttention", options, inputs, outputs, arrays, wanted, threads)
    return Peer("ONNX Runtime GroupQueryAttention", run, output)


def joined(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def session(operator, options, inputs, outputs, arrays, wanted, threads):
    """(runs a model of that one operator, its output as the call's)"""
    import onnx
    import onnxruntime as ort

    if wanted.query.dtype != torch.float32:
        raise TypeError(f"{operator} takes no {wanted.query.dtype} on CPUs")
    kinds = {torch.float32: onnx.TensorProto.FLOAT, torch.int32: onnx.TensorProto.INT32}
    values = [onnx.helper.make_tensor_value_info(name, kinds[x.dtype], list(x.shape)) for name, x in arrays.items()]
    results = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    node = onnx.helper.make_node(operator, inputs, outputs, domain="com.microsoft", **options)
    graph = onnx.helper.make_graph([node], operator, values, results)
    sets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=10)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    made = ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    binding = made.io_binding()
    for name, x in arrays.items():
        binding.bind_cpu_input(name, x.numpy())
    for name in outputs:
        binding.bind_output(name, "cpu")
    batch, heads, queries, _ = wanted.query.shape

    def output():
        flat = torch.from_numpy(binding.get_outputs()[0].numpy())
        return flat.view(batch, queries, heads, -1).transpose(1, 2)

    return lambda: (made.run_with_iobinding(binding), arrays), output
