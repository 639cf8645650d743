/** The functions of a TransformerLens script, in Python. No text of an experiment stands in them. */

import type { TaskMetric } from '../task.ts';
import { sweepScripts } from './transformerLensSweeps.ts';

/** A part that methods call. */
export type ScriptPart = keyof typeof partScripts;

const metricOf = (formula: string): string => `
def metric(logits, answers, wrong_answers, clean_logits):
    return ${formula}
`;

/** Each metric as a function of the logits [d_vocab] at the last position. */
export const metricScripts: Readonly<Record<TaskMetric, string>> = {
  logitDifference: metricOf('logits[answers].mean() - logits[wrong_answers].mean()'),
  answerSetLogOdds: metricOf('logits[answers].logsumexp(0) - logits[wrong_answers].logsumexp(0)'),
  probability: metricOf('logits.softmax(0)[answers].sum()'),
  probabilityDifference: metricOf(
    'logits.softmax(0)[answers].sum() - logits.softmax(0)[wrong_answers].sum()',
  ),
  crossEntropy: metricOf('-logits.log_softmax(0)[answers].logsumexp(0)'),
  kl: metricOf('(clean_logits.softmax(0) * (clean_logits.log_softmax(0) - logits.log_softmax(0))).sum()'),
  accuracy: metricOf('(logits[answers].logsumexp(0) > logits[wrong_answers].logsumexp(0)).float()'),
};

const directLogitAttribution = `

def direct_logit_attribution():
    """What heads and MLPs add to the logit difference, through the final norm with its scale held: mean over the pairs."""
    totals = {}
    for pair in pairs:
        direction = model.W_U[:, pair.answers].mean(1) - model.W_U[:, pair.wrong_answers].mean(1)
        direction = direction * model.ln_final.weight
        if not getattr(model.cfg, "uses_rms_norm", False):
            direction = direction - direction.mean()
        direction = direction / pair.clean_cache["ln_final.hook_scale"][0, -1]
        for layer in range(N_LAYERS):
            z = pair.clean_cache[f"blocks.{layer}.attn.hook_z"][0, -1]
            for head, written in enumerate(torch.einsum("hd,hdm->hm", z, model.W_O[layer])):
                totals.setdefault(f"head {layer}.{head}", []).append(written @ direction)
            totals.setdefault(f"MLP {layer}", []).append(pair.clean_cache[f"blocks.{layer}.hook_mlp_out"][0, -1] @ direction)
    return [{"component": name, "value": float(mean(values))} for name, values in totals.items()]
`;

const logitLens = `

def logit_lens(top, tuned=None):
    """The most probable next tokens that the stream before each layer, and behind the last one, would give."""
    (pair,) = pairs
    lens = {} if tuned is None else torch.load(f"{tuned}/params.pt", map_location="cpu", weights_only=True)

    def translated(layer, stream):
        if f"{layer}.weight" not in lens:
            return stream
        return stream + stream @ lens[f"{layer}.weight"].float().T + lens.get(f"{layer}.bias", torch.zeros(())).float()

    streams = [("embed", "blocks.0.hook_resid_pre"), *((str(l), f"blocks.{l}.hook_resid_post") for l in range(N_LAYERS))]
    rows = []
    for at, (layer, name) in enumerate(streams):
        best = model.unembed(model.ln_final(translated(at, pair.clean_cache[name])))[0].softmax(-1).topk(top)
        rows.append({"layer": layer, "predictions": [
            [{"text": model.tokenizer.decode([i]), "probability": p} for i, p in zip(ids, probabilities)]
            for ids, probabilities in zip(best.indices.tolist(), best.values.tolist())
        ]})
    return rows
`;

const edges = `

def written(cache):
    """What every source writes into the stream: [position, d_model] by name, in the order of the model."""
    sources = {"input": cache["blocks.0.hook_resid_pre"][0]}
    for layer in range(N_LAYERS):
        for head, value in enumerate(cache[f"blocks.{layer}.attn.hook_result"][0].unbind(1)):
            sources[f"a{layer}.h{head}"] = value
        sources[f"m{layer}"] = cache[f"blocks.{layer}.hook_mlp_out"][0]
    return sources


def gradients(pair, share):
    """Gradient of the metric at every input: [position, d_model] by name. The embeddings are a share of the way to the clean ones."""
    start, end = pair.corrupted_cache["blocks.0.hook_resid_pre"], pair.clean_cache["blocks.0.hook_resid_pre"]
    found = {}

    def mix(value, hook):
        return (start + share * (end - start)).requires_grad_()

    # A copy, since the stream itself goes past the component as well.
    def watch(name, value, hook):
        value = value.clone()
        value.register_hook(lambda gradient: found.__setitem__(name, gradient[0].detach()))
        return value

    def heads(layer, part, value, hook):
        def split(gradient):
            for head, own in enumerate(gradient[0].unbind(1)):
                found[f"a{layer}.h{head}<{part}>"] = own.detach()

        value = value.clone()
        value.register_hook(split)
        return value

    hooks = [("blocks.0.hook_resid_pre", mix)]
    for layer in range(N_LAYERS):
        hooks.append((f"blocks.{layer}.hook_mlp_in", partial(watch, f"m{layer}")))
        for part in "qkv":
            hooks.append((f"blocks.{layer}.hook_{part}_input", partial(heads, layer, part)))
    hooks.append((f"blocks.{N_LAYERS - 1}.hook_resid_post", partial(watch, "logits")))
    with torch.enable_grad():
        pair.metric(model.run_with_hooks(pair.clean, fwd_hooks=hooks)).backward()
    return found


def reaches(source, target):
    """Whether what a source writes gets to a target directly."""
    if source == "input" or target == "logits":
        return True
    layer_of = lambda name: int(name[1:].split(".")[0].split("<")[0])
    before, after = layer_of(source), layer_of(target)
    return before < after or (before == after and source[0] == "a" and target[0] == "m")


def grown(scores, count):
    """The strongest edge into what is in the circuit, again and again, beginning with the logits (Hanna et al. 2024)."""
    inside, kept = {"logits"}, {}
    into = lambda name: name.split("->")[1].split("<")[0]
    for _ in range(count):
        within_reach = [name for name in scores if name not in kept and into(name) in inside]
        if not within_reach:
            break
        best = max(within_reach, key=lambda name: abs(scores[name]))
        kept[best] = scores[best]
        inside.add(best.split("->")[0])
    return list(kept.items())


def attribute_edges(steps, top=None, threshold=None, greedy=None):
    """EAP (no steps) or EAP-IG: the change of the metric when an edge alone carries its corrupted value, to first order."""
    scores = {}
    for pair in pairs:
        clean, corrupted = written(pair.clean_cache), written(pair.corrupted_cache)
        shares = [step / steps for step in range(1, steps + 1)] or [1.0]
        slopes = [gradients(pair, share) for share in shares]
        for target in slopes[0]:
            slope = mean([one[target] for one in slopes])
            for source in clean:
                if reaches(source, target):
                    score = ((corrupted[source] - clean[source]) * slope).sum() / len(pairs)
                    scores[f"{source}->{target}"] = scores.get(f"{source}->{target}", 0.0) + float(score)
    kept = sorted(scores.items(), key=lambda edge: -abs(edge[1]))
    if greedy is not None:
        kept = grown(scores, greedy)
    else:
        kept = kept[:top] if threshold is None else [edge for edge in kept if abs(edge[1]) >= threshold]
    return [{"name": name, "score": score} for name, score in kept]
`;

/** The parts, in the order in which a script has them. */
export const partScripts = {
  ...sweepScripts,
  directLogitAttribution,
  logitLens,
  edges,
} as const;
