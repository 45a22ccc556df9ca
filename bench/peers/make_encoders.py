#!/usr/bin/env python3
"""Writes all-MiniLM-L6-v2 for the peers, from the checkpoint that we run: no other weights, no torch.

  make_encoders.py CHECKPOINT OUT      needs onnx, onnxruntime, openvino, nncf, numpy

  OUT/plain.onnx          float32, ONNX's own operators
  OUT/fused.onnx          float32, ONNX Runtime's Attention, SkipLayerNormalization and BiasGelu
  OUT/fused-int8.onnx     the same, quantized dynamically (a scale an output channel): ONNX Runtime's fastest on a CPU
  OUT/openvino-int8.xml   plain.onnx, quantized by NNCF (its transformer preset) on 120 sentences of tests/cases
"""
import json, os, struct, sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read_safetensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(size)), f.read()
    return {n: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"])
            for n, t in header.items() if t.get("dtype") == "F32"}


class Graph:
    def __init__(self, config, weights):
        self.c, self.w, self.nodes, self.constants = config, weights, [], {}

    def node(self, kind, *inputs, domain="", outputs=1, **attributes):
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0]

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weight(self, name, transpose=False):
        value = self.w[name]
        return self.constant(name + (".t" if transpose else ""), value.T if transpose else value)

    def linear(self, x, name, bias=True):
        x = self.node("MatMul", x, self.weight(name + ".weight", True))
        return self.node("Add", x, self.weight(name + ".bias")) if bias else x

    def norm(self, x, name):
        return self.node("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"),
                         axis=-1, epsilon=self.c["layer_norm_eps"])

    def embeddings(self):
        def rows(table, ids):
            return self.node("Gather", self.weight(f"embeddings.{table}_embeddings.weight"), ids)
        length = self.node("Gather", self.node("Shape", "input_ids"), self.constant("one", np.int64(1)))
        positions = self.node("Range", self.constant("zero", np.int64(0)), length, "one")
        x = self.node("Add", rows("word", "input_ids"), rows("token_type", "token_type_ids"))
        return self.norm(self.node("Add", x, rows("position", positions)), "embeddings.LayerNorm")

    def plain_layer(self, x, at, mask):
        heads, size = self.c["num_attention_heads"], self.c["hidden_size"] // self.c["num_attention_heads"]
        shape = self.constant("split", np.array([0, 0, heads, size]))
        def part(name, order):
            y = self.node("Reshape", self.linear(x, f"{at}attention.self.{name}"), shape)
            return self.node("Transpose", y, perm=order)
        scores = self.node("MatMul", part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1]))
        scores = self.node("Div", scores, self.constant("root", np.float32(size**0.5)))
        scores = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        y = self.node("Transpose", self.node("MatMul", scores, part("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        y = self.node("Reshape", y, self.constant("join", np.array([0, 0, heads * size])))
        x = self.norm(self.node("Add", x, self.linear(y, at + "attention.output.dense")),
                      at + "attention.output.LayerNorm")
        y = self.node("Gelu", self.linear(x, at + "intermediate.dense"))
        return self.norm(self.node("Add", x, self.linear(y, at + "output.dense")), at + "output.LayerNorm")

    def fused_layer(self, x, at, mask):
        own = "com.microsoft"
        qkv = [f"{at}attention.self.{name}" for name in ("query", "key", "value")]
        weight = self.constant(at + "qkv", np.concatenate([self.w[n + ".weight"].T for n in qkv], 1))
        bias = self.constant(at + "qkv.bias", np.concatenate([self.w[n + ".bias"] for n in qkv]))
        def skip(y, name, norm):
            return self.node("SkipLayerNormalization", y, x, self.weight(norm + ".weight"), self.weight(norm + ".bias"),
                             self.weight(name + ".bias"), domain=own, epsilon=self.c["layer_norm_eps"])
        y = self.node("Attention", x, weight, bias, mask, domain=own, num_heads=self.c["num_attention_heads"])
        y = self.linear(y, at + "attention.output.dense", bias=False)
        x = skip(y, at + "attention.output.dense", at + "attention.output.LayerNorm")
        y = self.linear(x, at + "intermediate.dense", bias=False)
        y = self.node("BiasGelu", y, self.weight(at + "intermediate.dense.bias"), domain=own)
        y = self.linear(y, at + "output.dense", bias=False)
        return skip(y, at + "output.dense", at + "output.LayerNorm")

    def model(self, fused):
        x = self.embeddings()
        if fused:
            mask = self.node("Cast", "attention_mask", to=TensorProto.INT32)
        else:  # 0 where a token is, a large negative number where none is
            mask = self.node("Unsqueeze", self.node("Cast", "attention_mask", to=TensorProto.FLOAT),
                             self.constant("axes", np.array([1, 2])))
            mask = self.node("Mul", self.node("Sub", self.constant("there", np.float32(1)), mask),
                             self.constant("far", np.float32(-1e4)))
        for i in range(self.c["num_hidden_layers"]):
            x = (self.fused_layer if fused else self.plain_layer)(x, f"encoder.layer.{i}.", mask)
        self.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
        ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"])
               for n in ("input_ids", "attention_mask", "token_type_ids")]
        out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT,
                                            ["batch", "tokens", self.c["hidden_size"]])
        graph = helper.make_graph(self.nodes, "encoder", ids, [out], list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20),
                                                        helper.make_opsetid("com.microsoft", 1)])
        model.ir_version = 9
        return model


def openvino_int8(plain, checkpoint, out):
    import nncf, openvino, tokenizers
    nncf.set_log_level(40)
    tokenizer = tokenizers.Tokenizer.from_file(f"{checkpoint}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with open(f"{ROOT}/tests/cases/minilm_sentences.jsonl", encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f]
    rows = [np.array([tokenizer.encode(t).ids[:128]], np.int64) for t in texts]
    data = [{"input_ids": r, "attention_mask": np.ones_like(r), "token_type_ids": np.zeros_like(r)} for r in rows]
    model = nncf.quantize(openvino.Core().read_model(plain), nncf.Dataset(data), model_type=nncf.ModelType.TRANSFORMER,
                          subset_size=len(data))
    openvino.save_model(model, out)


def main(checkpoint, out):
    with open(f"{checkpoint}/config.json") as f:
        config = json.load(f)
    weights = read_safetensors(f"{checkpoint}/model.safetensors")
    os.makedirs(out, exist_ok=True)
    for name in ("plain", "fused"):
        onnx.save(Graph(config, weights).model(name == "fused"), f"{out}/{name}.onnx")
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(f"{out}/fused.onnx", f"{out}/fused-int8.onnx", per_channel=True, weight_type=QuantType.QInt8,
                     extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT})
    openvino_int8(f"{out}/plain.onnx", checkpoint, f"{out}/openvino-int8.xml")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
