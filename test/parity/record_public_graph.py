"""Records an attribution graph as circuit-tracer's own classes write it, and checks one that Fovea wrote against them.

    python test/parity/record_public_graph.py            writes test/fixtures/parity/publicGraph.json
    python test/parity/record_public_graph.py FILE       reads FILE with circuit-tracer's models; fails when it is refused

The graph has a layer-0 feature and an error of layer 7 with the same id, a logit with a virtual vocabulary id, and a
feature whose pairing is large.
"""

import json
import sys
from pathlib import Path

from circuit_tracer.frontend.graph_models import Metadata, Model, Node, QParams

root = Path(__file__).resolve().parents[2]
out = root / "test" / "fixtures" / "parity" / "publicGraph.json"


def build() -> Model:
    """Three tokens, eight layers."""
    nodes = [
        Node.token_node(0, 50256, influence=0.91),
        Node.token_node(1, 464, influence=0.95),
        Node.token_node(2, 3290, influence=0.62),
        Node.feature_node(0, 2, 7, influence=0.7, activation=1.5),
        Node.feature_node(3, 2, 1234, influence=0.3, activation=12.25),
        Node.feature_node(7, 2, 98303, influence=0.5, activation=0.75),
        Node.error_node(7, 2, influence=0.8),
        Node.error_node(1, 1, influence=0.99),
        Node.logit_node(2, 262, " the", 8, target_logit=True, token_prob=0.625),
        Node.logit_node(2, 60001, " a - an", 8, token_prob=0.125),
    ]
    id_of = [node.node_id for node in nodes]
    pairs = [
        (0, 4, 0.25), (1, 4, -0.5), (2, 3, 1.5), (2, 5, 0.125), (3, 4, 0.75), (4, 5, 2.0), (7, 4, -0.0625),
        (3, 8, 0.5), (4, 8, 1.0), (5, 8, 0.875), (6, 8, -0.375), (5, 9, 0.1), (0, 9, 0.05),
    ]
    links = [{"source": id_of[s], "target": id_of[t], "weight": w} for s, t, w in pairs]
    return Model(
        metadata=Metadata(
            slug="dog", scan="tiny-8", transcoder_list=[], prompt_tokens=["<bos>", "The", " dog"],
            prompt="The dog", node_threshold=0.8,
        ),
        qParams=QParams(
            pinnedIds=["3_1234_2", "9_262_2"], supernodes=[["animals", "3_1234_2", "7_98303_2"]],
            linkType="both", clickedId="3_1234_2", sg_pos="",
        ),
        nodes=nodes,
        links=links,
    )


def check(path: str) -> None:
    """Every field that circuit-tracer computes itself has to be the one it would have written."""
    graph = Model.model_validate_json(Path(path).read_text())
    n_layers = max(int(node.layer) for node in graph.nodes if node.feature_type == "logit") - 1
    same = 0
    for node in graph.nodes:
        first, middle, last = (["", "", ""] + node.node_id.split("_"))[-3:]
        if node.feature_type == "cross layer transcoder":
            made = Node.feature_node(int(first), int(last), int(middle))
        elif node.feature_type == "embedding":
            made = Node.token_node(int(last), int(middle))
        elif node.feature_type == "mlp reconstruction error":
            made = Node.error_node(int(node.layer), node.ctx_idx)
        elif node.feature_type == "logit":
            made = Node.logit_node(int(last), int(middle), "", n_layers)
        else:
            continue
        for field in ("feature", "layer", "ctx_idx", "feature_type", "jsNodeId", "run_idx", "reverse_ctx_idx"):
            assert getattr(node, field) == getattr(made, field), (node.node_id, field)
        same += 1
    ids = {node.node_id for node in graph.nodes}
    assert len(ids) == len(graph.nodes), "ids are not unique"
    assert all(link["source"] in ids and link["target"] in ids for link in graph.links)
    print(f"{path}: {len(graph.nodes)} nodes ({same} as circuit-tracer names them), {len(graph.links)} links")


if len(sys.argv) > 1:
    check(sys.argv[1])
else:
    out.write_text(json.dumps(build().model_dump(), indent=1) + "\n")
    print(out)
